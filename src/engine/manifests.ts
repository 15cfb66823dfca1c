/** The objects of kube-system and of the pod network, as kubeadm, kind and the networks' own manifests make them. */
import type { KubeObject } from './client/types.ts';
import type { ClusterConfig } from './config.ts';

const VERSION = 'v1.34.4';
const CRITICAL = 'system-node-critical';
const EVERYWHERE = [{ operator: 'Exists' }];

type Labels = Record<string, string>;

function daemonSet(
  name: string,
  namespace: string,
  labels: Labels,
  container: Record<string, unknown>,
  initContainers?: Record<string, unknown>[],
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace, labels },
    spec: {
      selector: { matchLabels: labels },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels },
        spec: {
          hostNetwork: true,
          priorityClassName: CRITICAL,
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          tolerations: EVERYWHERE,
          terminationGracePeriodSeconds: 0,
          automountServiceAccountToken: false,
          ...(initContainers === undefined ? {} : { initContainers }),
          containers: [container],
        },
      },
    },
  };
}

const configMap = (name: string, namespace: string, data: Record<string, string>, labels?: Labels) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace, ...(labels === undefined ? {} : { labels }) },
  data,
});

/** The tenth address of the Service network. */
export const dnsAddress = (serviceSubnet: string): string => serviceSubnet.replace(/\.\d+\/\d+$/, '.10');

const COREFILE = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`;

function kubeProxy(config: ClusterConfig): KubeObject[] {
  if (config.proxy === 'none') return [];
  const labels = { 'k8s-app': 'kube-proxy' };
  const conf = [
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1',
    `clusterCIDR: ${config.podSubnet}`,
    'kind: KubeProxyConfiguration',
    `mode: ${config.proxy}`,
    '',
  ].join('\n');
  return [
    configMap('kube-proxy', 'kube-system', { 'config.conf': conf }, { app: 'kube-proxy' }),
    daemonSet('kube-proxy', 'kube-system', labels, {
      name: 'kube-proxy',
      image: `registry.k8s.io/kube-proxy:${VERSION}`,
      command: [
        '/usr/local/bin/kube-proxy',
        '--config=/var/lib/kube-proxy/config.conf',
        '--hostname-override=$(NODE_NAME)',
      ],
    }),
  ];
}

function coreDns(config: ClusterConfig): KubeObject[] {
  const labels = { 'k8s-app': 'kube-dns' };
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
    { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
    { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
  ];
  return [
    configMap('coredns', 'kube-system', { Corefile: COREFILE }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'kube-dns',
        namespace: 'kube-system',
        labels: { ...labels, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
      },
      spec: { clusterIP: dnsAddress(config.serviceSubnet), selector: labels, ports },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'coredns', namespace: 'kube-system', labels },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
        template: {
          metadata: { labels },
          spec: {
            priorityClassName: 'system-cluster-critical',
            nodeSelector: { 'kubernetes.io/os': 'linux' },
            automountServiceAccountToken: false,
            tolerations: [
              { key: 'CriticalAddonsOnly', operator: 'Exists' },
              { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
            ],
            dnsPolicy: 'Default',
            containers: [
              {
                name: 'coredns',
                image: 'registry.k8s.io/coredns/coredns:v1.12.1',
                args: ['-conf', '/etc/coredns/Corefile'],
                ports: [
                  { name: 'dns', containerPort: 53, protocol: 'UDP' },
                  { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
                  { name: 'metrics', containerPort: 9153, protocol: 'TCP' },
                ],
                livenessProbe: {
                  httpGet: { path: '/health', port: 8080 },
                  initialDelaySeconds: 60,
                  timeoutSeconds: 5,
                  failureThreshold: 5,
                },
                readinessProbe: { httpGet: { path: '/ready', port: 8181 } },
              },
            ],
          },
        },
      },
    },
  ];
}

function flannel(config: ClusterConfig): KubeObject[] {
  const backend = config.cni === 'flannel-host-gw' ? 'host-gw' : 'vxlan';
  const net = JSON.stringify(
    { Network: config.podSubnet, EnableNFTables: false, Backend: { Type: backend } },
    undefined,
    2,
  );
  const labels = { app: 'flannel' };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'kube-flannel',
        labels: { 'k8s-app': 'flannel', 'pod-security.kubernetes.io/enforce': 'privileged' },
      },
    },
    configMap('kube-flannel-cfg', 'kube-flannel', { 'net-conf.json': net }, { app: 'flannel', tier: 'node' }),
    daemonSet('kube-flannel-ds', 'kube-flannel', labels, {
      name: 'kube-flannel',
      image: 'ghcr.io/flannel-io/flannel:v0.28.10',
      command: ['/opt/bin/flanneld'],
      args: ['--ip-masq', '--kube-subnet-mgr'],
    }),
  ];
}

function calico(config: ClusterConfig): KubeObject[] {
  const labels = { 'k8s-app': 'calico-node' };
  const env = [
    { name: 'DATASTORE_TYPE', value: 'kubernetes' },
    { name: 'CALICO_NETWORKING_BACKEND', value: config.cni === 'calico-bgp' ? 'bird' : 'vxlan' },
    { name: 'CALICO_IPV4POOL_CIDR', value: config.podSubnet },
  ];
  return [
    daemonSet('calico-node', 'kube-system', labels, {
      name: 'calico-node',
      image: 'docker.io/calico/node:v3.28.5',
      env,
    }),
  ];
}

/** Control-plane components as the mirror pods that kubeadm's static manifests lead to. */
export function staticPods(node: string, nodeUid: string): KubeObject[] {
  const images: Record<string, string> = {
    etcd: 'registry.k8s.io/etcd:3.6.5-0',
    'kube-apiserver': `registry.k8s.io/kube-apiserver:${VERSION}`,
    'kube-controller-manager': `registry.k8s.io/kube-controller-manager:${VERSION}`,
    'kube-scheduler': `registry.k8s.io/kube-scheduler:${VERSION}`,
  };
  return Object.entries(images).map(([name, image]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${node}`,
      namespace: 'kube-system',
      labels: { component: name, tier: 'control-plane' },
      annotations: { 'kubernetes.io/config.source': 'file' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node, uid: nodeUid, controller: true }],
    },
    spec: {
      nodeName: node,
      hostNetwork: true,
      priorityClassName: CRITICAL,
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      tolerations: EVERYWHERE,
      containers: [{ name, image, command: [name] }],
    },
  }));
}

/** All objects that a cluster of that configuration starts with, in the order in which they can be made. */
export function systemObjects(config: ClusterConfig): KubeObject[] {
  const network = config.cni.startsWith('flannel')
    ? flannel(config)
    : config.cni.startsWith('calico')
      ? calico(config)
      : [];
  return [...network, ...kubeProxy(config), ...coreDns(config)];
}

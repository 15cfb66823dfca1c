/** The objects that a cluster has from its beginning. */
import type { KubeObject } from '../client/types.ts';
import type { Registry } from './registry.ts';
import { cidrRange, toAddress } from './strategies/services.ts';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

function objects(registry: Registry, apiAddress: string, apiPort: number): KubeObject[] {
  const first = toAddress(cidrRange(registry.cluster.serviceSubnet).first + 1);
  const port = { name: 'https', port: apiPort, protocol: 'TCP' };
  return [
    ...NAMESPACES.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...[
      ['system-cluster-critical', 2_000_000_000, 'must run in the cluster, but can be moved to another node'],
      ['system-node-critical', 2_000_001_000, 'must not be moved from their current node'],
    ].map(([name, value, what]) => ({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: String(name) },
      value,
      description: `Used for system critical pods that ${what}.`,
    })),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'kubernetes',
        namespace: 'default',
        labels: { component: 'apiserver', provider: 'kubernetes' },
      },
      spec: {
        clusterIP: first,
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: apiPort }],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        name: 'kubernetes',
        namespace: 'default',
        labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
      },
      subsets: [{ addresses: [{ ip: apiAddress }], ports: [port] }],
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'kubernetes',
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': 'kubernetes' },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: [apiAddress], conditions: { ready: true } }],
      ports: [port],
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'kubernetes' },
      spec: { cidrs: [registry.cluster.serviceSubnet] },
    },
    ...['cluster-admin', 'admin', 'edit', 'view'].map((name) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
      rules:
        name === 'cluster-admin'
          ? [
              { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
              { nonResourceURLs: ['*'], verbs: ['*'] },
            ]
          : [
              {
                apiGroups: ['*'],
                resources: ['*'],
                verbs: name === 'view' ? ['get', 'list', 'watch'] : ['*'],
              },
            ],
    })),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'cluster-admin', labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:masters' }],
    },
  ];
}

/** @param apiAddress where pods reach the API server: the control-plane node's address */
export function bootstrap(registry: Registry, apiAddress: string, apiPort: number): void {
  for (const object of objects(registry, apiAddress, apiPort)) {
    const served = registry.catalog.byKind(object.apiVersion, object.kind);
    if (!served) throw new Error(`no resource for ${object.apiVersion} ${object.kind}`);
    registry.create(served.resource, object);
  }
}

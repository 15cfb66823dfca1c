/** What a node agent does for pods, on a real embedded cluster: volumes, probes, hooks, rights, images, own networks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedBackend } from '../../src/cluster/embedded/backend.ts';
import type { Cluster } from '../../src/cluster/port.ts';
import { embeddedPackagesFact, userNamespaceFact } from '../../src/doctor/host.ts';
import { Kube, type KubeObject } from '../../src/kube/kube.ts';

const lacks = [await embeddedPackagesFact(), await userNamespaceFact()].find(({ state }) => state === 'lack');
const reason = lacks?.detail.en;
const AGNHOST = 'registry.k8s.io/e2e-test-images/agnhost:2.47';
const namespace = 'default';

describe.skipIf(reason)(`pods on embedded nodes${reason ? ` (${reason})` : ''}`, () => {
  let root: string;
  let cluster: Cluster;
  let kube: Kube;
  let nodes: string[];

  beforeAll(async () => {
    root = mkdtempSync('/tmp/pn-');
    process.env['PODLAB_RUN'] = join(root, 'r');
    cluster = await embeddedBackend.up({ name: 'p', cni: 'flannel', proxy: 'iptables', workers: 2 });
    kube = await Kube.open(cluster.kubeconfig, cluster.context);
    nodes = (await cluster.nodes()).map(({ name }) => name);
  });
  afterAll(async () => {
    kube?.close();
    await embeddedBackend.downAll();
    rmSync(root, { recursive: true, force: true });
  });

  const pod = (name: string, container: object, spec: object = {}) =>
    kube.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        ...spec,
        containers: [{ name: 'c', image: 'busybox', command: ['sleep', '1000'], ...container }],
      },
    });
  const get = (name: string) => kube.get({ apiVersion: 'v1', kind: 'Pod', name, namespace });
  /** Asks until it is so; a loaded machine may take its time. */
  async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
    for (let tries = 0; ; tries += 1) {
      const answer = await ask();
      if (wanted(answer)) return answer;
      if (tries > 600) throw new Error(`not as wanted: ${JSON.stringify(answer)}`);
      await delay(50);
    }
  }
  const isReady = (object: KubeObject | undefined): boolean =>
    (object?.['status']?.conditions ?? []).some(
      (one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True',
    );
  const ready = (name: string) => until(() => get(name), isReady);
  const shell = async (name: string, command: string, container = 'c') => {
    const answer = await kube.exec({ namespace, name, container }, ['sh', '-c', command]);
    if (!answer.reached) throw new Error(answer.reason);
    return answer;
  };

  it('init containers, a sidecar, volumes and the downward API', async () => {
    await kube.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cm', namespace },
      data: { a: '1' },
    });
    const mounts = [
      { name: 'd', mountPath: '/d' },
      { name: 'cm', mountPath: '/etc/cm' },
    ];
    const init = (name: string, command: string, more: object = {}) => ({
      name,
      image: 'busybox',
      command: ['sh', '-c', command],
      volumeMounts: mounts,
      ...more,
    });
    const env = [
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'a' } } },
      { name: 'B', value: 'b$(A)' },
    ];
    await pod(
      'vols',
      { volumeMounts: mounts, env },
      {
        volumes: [
          { name: 'd', emptyDir: {} },
          { name: 'cm', configMap: { name: 'cm' } },
        ],
        initContainers: [
          init('first', 'echo one >> /d/log'),
          init('side', 'echo side >> /d/log; sleep 1000', { restartPolicy: 'Always' }),
          init('last', 'until grep -q side /d/log; do sleep 0.01; done; echo last >> /d/log'),
        ],
      },
    );
    const ip = (await ready('vols'))!['status'].podIP;
    expect((await shell('vols', 'cat /d/log; echo $IP $B')).stdout).toBe(`one\nside\nlast\n${ip} b1\n`);
    await kube.patch({ apiVersion: 'v1', kind: 'ConfigMap', name: 'cm', namespace }, { data: { a: '2' } });
    await until(
      async () => (await shell('vols', 'cat /etc/cm/a')).stdout,
      (now) => now === '2',
    );
  });

  it('a container sees none of the host’s files, cannot change the kernel, and has the rights it asked for', async () => {
    await pod('plain', {});
    await pod('admin', {
      image: 'nicolaka/netshoot',
      securityContext: { capabilities: { add: ['NET_ADMIN'] }, readOnlyRootFilesystem: true },
    });
    await pod('user', {}, { securityContext: { runAsUser: 1000 } });
    await Promise.all(['plain', 'admin', 'user'].map(ready));
    expect((await shell('plain', 'cat /etc/shadow; find /home /root -type f')).stdout).toBe('');
    expect((await shell('plain', 'echo 1 > /proc/sys/net/ipv4/ip_forward')).code).not.toBe(0);
    expect((await shell('plain', 'ip link set eth0 down')).code).not.toBe(0);
    expect((await shell('admin', 'ip link add x type veth && ip link del x')).code).toBe(0);
    expect((await shell('admin', 'touch /x')).stderr).toContain('Read-only');
    expect((await shell('user', 'id -u')).stdout).toBe('1000\n');
  });

  it('liveness restarts, readiness takes out, and the log of the instance before is there', async () => {
    const probe = { exec: { command: ['test', '-e', '/tmp/ok'] }, periodSeconds: 1, failureThreshold: 3 };
    await pod('sick', {
      command: ['sh', '-c', 'echo life; touch /tmp/ok; trap "exit 0" TERM; while :; do sleep 0.1; done'],
      livenessProbe: probe,
      readinessProbe: probe,
    });
    await ready('sick');
    await shell('sick', 'rm /tmp/ok');
    const after = await until(
      () => get('sick'),
      (now) => now?.['status'].containerStatuses[0].restartCount >= 1,
    );
    expect(after!['status'].containerStatuses[0].lastState.terminated.exitCode).toBe(0);
  });

  it('an image that no node has ends in ErrImagePull with the list; a program that is not there in StartError', async () => {
    await pod('noimage', { image: 'example.com/shop:1' });
    await pod('noprogram', { command: ['no-such-program'] }, { restartPolicy: 'Never' });
    const waiting = await until(
      async () => (await get('noimage'))?.['status'].containerStatuses?.[0].state.waiting,
      (state) => /ErrImagePull|ImagePullBackOff/.test(state?.reason ?? ''),
    );
    expect(waiting.message).toContain('nginx');
    const ended = await until(
      async () => (await get('noprogram'))?.['status'].containerStatuses?.[0].state.terminated,
      (state) => state !== undefined,
    );
    expect(ended).toMatchObject({ reason: 'StartError', exitCode: 128 });
  });

  it('hostPort answers at the node, hostNetwork is the node’s own', async () => {
    const netexec = { image: AGNHOST, command: undefined, args: ['netexec', '--http-port=8080'] };
    const ports = [{ containerPort: 8080, hostPort: 18080 }];
    const readinessProbe = { httpGet: { path: '/healthz', port: 8080 } };
    await pod('hostport', { ...netexec, ports, readinessProbe }, { nodeName: nodes[1] });
    await pod(
      'hostnet',
      { image: AGNHOST, command: ['sleep', 'inf'] },
      { nodeName: nodes[2], hostNetwork: true },
    );
    const host = (await ready('hostport'))!['status'].hostIP;
    const own = (await ready('hostnet'))!['status'];
    expect(own.podIP).toBe(own.hostIP);
    expect((await shell('hostnet', `curl -s -m 5 ${host}:18080/hostname; hostname`)).stdout).toBe(
      `hostport${nodes[2]}\n`,
    );
  });

  it('a learner’s own CNI plugin is run as the specification says', async () => {
    const node = nodes[2]!;
    const plugin = `#!/bin/sh
echo "$CNI_COMMAND $CNI_IFNAME $CNI_ARGS" >> /var/log/own-cni
exec /usr/lib/cni/ptp`;
    const conf = JSON.stringify({
      cniVersion: '1.0.0',
      name: 'own',
      plugins: [{ type: 'own', ipMasq: false, ipam: { type: 'host-local', subnet: '10.99.0.0/24' } }],
    });
    const write = 'cat > /opt/cni/bin/own; chmod 755 /opt/cni/bin/own';
    await cluster.onNode(node, ['sh', '-c', write], { input: plugin });
    await cluster.onNode(node, ['sh', '-c', 'cat > /etc/cni/net.d/00-own.conflist'], { input: conf });
    try {
      await pod('own', {}, { nodeName: node });
      expect((await ready('own'))!['status'].podIP).toMatch(/^10\.99\.0\./);
      await kube.delete({ apiVersion: 'v1', kind: 'Pod', name: 'own', namespace });
      await until(
        () => get('own'),
        (now) => now === undefined,
      );
      const log = (await cluster.onNode(node, ['cat', '/var/log/own-cni'])).stdout;
      expect(log).toMatch(/^ADD eth0 .*K8S_POD_NAME=own;/);
      expect(log).toMatch(/^DEL eth0 /m);
    } finally {
      await cluster.onNode(node, ['rm', '-f', '/etc/cni/net.d/00-own.conflist']);
    }
  });

  it('a part that is stopped on a node does nothing until it is started again', async () => {
    const node = nodes[1]!;
    const part = (op: string) => cluster.onNode(node, ['podlab-component', op, 'kubelet']);
    expect((await part('stop')).ok).toBe(true);
    await pod('later', {}, { nodeName: node });
    await delay(500); // Long enough for a kubelet that is not stopped.
    expect((await get('later'))?.['status']?.podIP).toBeUndefined();
    expect((await part('start')).ok).toBe(true);
    await ready('later');
    expect((await cluster.onNode(node, ['podlab-component', 'stop', 'nobody'])).code).toBe(1);
  });

  it('deletion runs the preStop hook, waits for the program, and frees the address only then', async () => {
    const hook = { exec: { command: ['sh', '-c', 'echo bye > /d/bye'] } };
    const host = { volumeMounts: [{ name: 'd', mountPath: '/d' }], lifecycle: { preStop: hook } };
    const volumes = [{ name: 'd', hostPath: { path: '/var/bye', type: 'DirectoryOrCreate' } }];
    await pod('bye', host, { nodeName: nodes[2], volumes, terminationGracePeriodSeconds: 5 });
    await ready('bye');
    await kube.delete({ apiVersion: 'v1', kind: 'Pod', name: 'bye', namespace });
    await until(
      () => get('bye'),
      (now) => now === undefined,
    );
    expect((await cluster.onNode(nodes[2]!, ['cat', '/var/bye/bye'])).stdout).toBe('bye\n');
  });
});

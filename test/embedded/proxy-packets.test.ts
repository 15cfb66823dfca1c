/** Packets through kube-proxy in both modes: who asks what, who answers, and from which address it was asked. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gr } from '../../src/engine/client/types.ts';
import { createKubeProxy, type KubeProxy, type ProxyMode } from '../../src/engine/proxy/index.ts';
import type { EndpointSlice, Service, SliceEndpoint } from '../../src/engine/proxy/objects.ts';
import { MemoryClient } from '../unit/engine-ctrl/memory-client.ts';
import { service, slice } from '../unit/engine-proxy/objects.ts';
import { Lab, PODS } from './proxy-lab.ts';

const SERVICES = gr('services');
const SLICES = gr('endpointslices', 'discovery.k8s.io');

const endpoint = (pod: string, conditions: SliceEndpoint['conditions'] = { ready: true, serving: true }) => ({
  addresses: [PODS[pod]?.ip ?? ''],
  nodeName: PODS[pod]?.node,
  conditions,
});

describe.each<ProxyMode>(['iptables', 'nftables'])('kube-proxy in %s mode', (mode) => {
  let lab: Lab;
  let client: MemoryClient;
  const proxies: KubeProxy[] = [];
  const logs: string[] = [];

  /** Creates or replaces a Service and its endpoints, and waits until both nodes have it. */
  async function have(
    name: string,
    spec: Partial<NonNullable<Service['spec']>>,
    pods: (string | ReturnType<typeof endpoint>)[],
    ingress: string[] = [],
  ) {
    const ports = spec.ports ?? [{ name: 'p', port: 80, protocol: 'TCP' as const }];
    const svc = service(`default/${name}`, { type: 'ClusterIP', ...spec, ports }, ingress);
    const eps = slice(
      `default/${name}`,
      { name: 'p', port: 8080, protocol: ports[0]?.protocol ?? 'TCP' },
      pods.map((pod) => (typeof pod === 'string' ? endpoint(pod) : pod)),
    );
    await put<Service>(SERVICES, svc);
    await put<EndpointSlice>(SLICES, eps);
    await Promise.all(proxies.map((proxy) => proxy.settled()));
    expect(logs.filter((line) => line.includes('failed'))).toEqual([]);
  }
  async function put<T extends Service | EndpointSlice>(of: typeof SERVICES, object: T) {
    const { name, namespace } = object.metadata;
    if (await client.get(of, name, namespace)) await client.delete(of, name, namespace);
    await client.create(of, object);
  }

  beforeAll(async () => {
    lab = await Lab.up();
    client = new MemoryClient();
    for (const [node, nodeIP] of [
      ['node1', '172.18.0.2'],
      ['node2', '172.18.0.3'],
    ] as const) {
      const proxy = createKubeProxy({
        client,
        node,
        nodeIP,
        mode,
        clusterCIDR: '10.244.0.0/16',
        serviceCIDR: '10.96.0.0/16',
        exec: lab.execIn(node),
        listen: () => Promise.resolve(),
        log: (line) => logs.push(line),
      });
      await proxy.start();
      proxies.push(proxy);
    }
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await lab?.down();
  });

  it('spreads a ClusterIP over endpoints and keeps a pod as source', async () => {
    await have('web', { clusterIP: '10.96.0.80' }, ['web1', 'web2', 'web3']);
    expect(await lab.ask('cli1', '10.96.0.80:80', { times: 60 })).toEqual([
      'web1 10.244.1.4',
      'web2 10.244.1.4',
      'web3 10.244.1.4',
    ]);
    // From outside the pod range the answer has to come back this way.
    expect(await lab.ask('client', '10.96.0.80:80', { times: 60 })).toEqual([
      'web1 10.244.1.1',
      'web2 10.244.1.1',
      'web3 172.18.0.2',
    ]);
    expect(await lab.ask('node1', '10.96.0.80:80', { times: 30 })).toContain('web1 10.244.1.1');
  });

  it('refuses without endpoints, and answers nothing on a port that no Service has', async () => {
    await have('none', { clusterIP: '10.96.0.81' }, []);
    expect(await lab.ask('cli1', '10.96.0.81:80')).toEqual(['REFUSED']);
    expect(await lab.ask('node1', '10.96.0.81:80')).toEqual(['REFUSED']);
    // nftables rejects unknown ports of Services; iptables lets them out, to where nobody answers.
    expect(await lab.ask('cli1', '10.96.0.80:81')).toEqual([mode === 'nftables' ? 'REFUSED' : 'TIMEOUT']);
  });

  it('lets a pod reach itself through its Service (hairpin)', async () => {
    await have('self', { clusterIP: '10.96.0.82' }, ['web1']);
    expect(await lab.ask('web1', '10.96.0.82:80')).toEqual(['web1 10.244.1.1']);
  });

  it('serves NodePorts on every node: Cluster hides the client, Local keeps it and drops elsewhere', async () => {
    const ports = [{ name: 'p', port: 80, nodePort: 30080, protocol: 'TCP' as const }];
    await have('np', { type: 'NodePort', clusterIP: '10.96.0.83', ports }, ['web3']);
    expect(await lab.ask('client', '172.18.0.2:30080')).toEqual(['web3 172.18.0.2']);
    expect(await lab.ask('client', '172.18.0.3:30080')).toEqual(['web3 10.244.2.1']);
    expect(await lab.ask('node1', '127.0.0.1:30080')).toEqual([
      mode === 'iptables' ? 'web3 172.18.0.2' : 'REFUSED',
    ]);

    await have('np', { type: 'NodePort', clusterIP: '10.96.0.83', ports, externalTrafficPolicy: 'Local' }, [
      'web3',
    ]);
    expect(await lab.ask('client', '172.18.0.3:30080')).toEqual(['web3 172.18.0.9']);
    expect(await lab.ask('client', '172.18.0.2:30080')).toEqual(['TIMEOUT']);
    // From inside the cluster the policy does not count.
    expect(await lab.ask('cli1', '172.18.0.2:30080')).toEqual(['web3 10.244.1.4']);
    expect(await lab.ask('node1', '172.18.0.2:30080')).toEqual(['web3 172.18.0.2']);
    await have('np', { type: 'NodePort', clusterIP: '10.96.0.83', ports }, []);
    expect(await lab.ask('client', '172.18.0.2:30080')).toEqual(['REFUSED']);
  });

  it('serves external and load balancer addresses, with source ranges', async () => {
    await have('ext', { clusterIP: '10.96.0.84', externalIPs: ['192.0.2.5'] }, ['web1']);
    expect(await lab.ask('client', '192.0.2.5:80')).toEqual(['web1 10.244.1.1']);
    const spec = { type: 'LoadBalancer' as const, clusterIP: '10.96.0.85' };
    await have('lb', { ...spec, loadBalancerSourceRanges: ['172.18.0.9/32'] }, ['web1'], ['192.0.2.6']);
    expect(await lab.ask('client', '192.0.2.6:80')).toEqual(['web1 10.244.1.1']);
    expect(await lab.ask('cli1', '192.0.2.6:80')).toEqual(['TIMEOUT']);
    await have('lb', spec, ['web1'], ['192.0.2.6']);
    expect(await lab.ask('cli1', '192.0.2.6:80')).toEqual(['web1 10.244.1.1']);
  });

  it('keeps a client with its endpoint (session affinity)', async () => {
    const spec = { clusterIP: '10.96.0.86', sessionAffinity: 'ClientIP' as const };
    await have('sticky', spec, ['web1', 'web2', 'web3']);
    const first = await lab.ask('cli1', '10.96.0.86:80');
    expect(await lab.ask('cli1', '10.96.0.86:80', { times: 20 })).toEqual(first);
    await have('sticky', { ...spec, sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } } }, ['web2']);
    expect(await lab.ask('cli1', '10.96.0.86:80', { times: 5 })).toEqual(['web2 10.244.1.4']);
  });

  it('keeps internalTrafficPolicy Local on the node, and uses terminating endpoints when nothing else is left', async () => {
    const local = { clusterIP: '10.96.0.87', internalTrafficPolicy: 'Local' as const };
    await have('itp', local, ['web1', 'web3']);
    expect(await lab.ask('cli1', '10.96.0.87:80', { times: 20 })).toEqual(['web1 10.244.1.4']);
    await have('itp', local, ['web3']);
    expect(await lab.ask('cli1', '10.96.0.87:80')).toEqual(['TIMEOUT']);
    const dying = endpoint('web1', { ready: false, serving: true, terminating: true });
    await have('dying', { clusterIP: '10.96.0.88' }, [dying, 'web2']);
    expect(await lab.ask('cli1', '10.96.0.88:80', { times: 20 })).toEqual(['web2 10.244.1.4']);
    await have('dying', { clusterIP: '10.96.0.88' }, [dying]);
    expect(await lab.ask('cli1', '10.96.0.88:80')).toEqual(['web1 10.244.1.4']);
  });

  it('leads a UDP client with a fixed source port to the new endpoint when the old one is gone', async () => {
    const spec = { clusterIP: '10.96.0.89', ports: [{ name: 'p', port: 53, protocol: 'UDP' as const }] };
    const options = { proto: 'udp', localPort: 5353 };
    await have('udp', spec, ['web1']);
    expect(await lab.ask('cli1', '10.96.0.89:53', options)).toEqual(['web1 10.244.1.4']);
    await have('udp', spec, ['web2']);
    expect(await lab.ask('cli1', '10.96.0.89:53', options)).toEqual(['web2 10.244.1.4']);
  });

  it('takes hundreds of Services in pieces that the kernel accepts, and a change writes what changed', async () => {
    const first = proxies[0] as KubeProxy;
    await first.stop();
    const pods = ['web1', 'web2', 'web3'].map((pod) => endpoint(pod));
    for (let i = 0; i < 400; i++) {
      const clusterIP = `10.96.${8 + (i >> 8)}.${i & 255}`;
      await put(SERVICES, service(`default/many${i}`, { clusterIP, ports: [{ name: 'p', port: 80 }] }));
      await put(SLICES, slice(`default/many${i}`, { name: 'p', port: 8080 }, pods));
    }
    await first.start();
    const whole = first.lastBytes;
    for (const ip of ['10.96.8.0', '10.96.9.143'])
      expect(await lab.ask('cli1', `${ip}:80`, { times: 40 })).toHaveLength(3);
    await have('many300', { clusterIP: '10.96.9.44' }, ['web2']);
    expect(first.lastBytes).toBeLessThan(whole / 100);
    expect(await lab.ask('cli1', '10.96.9.44:80', { times: 10 })).toEqual(['web2 10.244.1.4']);
    await have('one-more', { clusterIP: '10.96.20.1' }, ['web1']);
    expect(await lab.ask('cli1', '10.96.20.1:80')).toEqual(['web1 10.244.1.4']);
    for (let i = 0; i < 400; i++) {
      await client.delete(SERVICES, `many${i}`, 'default');
      await client.delete(SLICES, `many${i}-1`, 'default');
    }
    await first.settled();
    expect(logs.filter((line) => line.includes('failed'))).toEqual([]);
  });

  it('leaves the rules in place when it stops, and takes up what changed meanwhile when it starts again', async () => {
    const [proxy] = proxies;
    await have('again', { clusterIP: '10.96.0.90' }, ['web1']);
    await proxy?.stop();
    await put(SLICES, slice('default/again', { name: 'p', port: 8080 }, [endpoint('web2')]));
    expect(await lab.ask('cli1', '10.96.0.90:80', { times: 10 })).toEqual(['web1 10.244.1.4']);
    await proxy?.start();
    expect(await lab.ask('cli1', '10.96.0.90:80', { times: 10 })).toEqual(['web2 10.244.1.4']);
    const rules = mode === 'iptables' ? ['iptables-save'] : ['nft', 'list', 'table', 'ip', 'kube-proxy'];
    expect(await lab.exec('node1', rules)).not.toMatch(/default\/again\S*.*10\.244\.1\.2/);
  });
});

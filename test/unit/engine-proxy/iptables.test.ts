/** The iptables rules against names and rules that a real kube-proxy 1.34 gives to the same Services. */
import { describe, expect, it } from 'vitest';
import { IptablesBackend } from '../../../src/engine/proxy/iptables.ts';
import type { Service, EndpointSlice } from '../../../src/engine/proxy/objects.ts';
import { ProxyState } from '../../../src/engine/proxy/state.ts';
import { service, slice } from './objects.ts';

const settings = {
  node: 'n1',
  zone: '',
  nodeIP: '172.18.0.2',
  clusterCIDR: '10.0.0.0/8',
  serviceCIDR: undefined,
  nodePortIPs: undefined,
};
const p80 = [{ name: 'p80', port: 80 }];
const sliceOf = (path: string, ...endpoints: Parameters<typeof slice>[2]) =>
  slice(path, { name: 'p80', port: 80 }, endpoints);

/** Feeds objects to a state and hands out what the backend gives to iptables-restore. */
function bench() {
  const state = new ProxyState('n1');
  const inputs: string[] = [];
  const backend = new IptablesBackend(settings, (argv, input) => {
    if (argv[0] === 'iptables-restore') inputs.push(input ?? '');
    return Promise.resolve({ ok: true, stdout: '', stderr: '' });
  });
  return {
    put: (...objects: (Service | EndpointSlice)[]) => {
      for (const object of objects)
        if (object.kind === 'Service')
          state.onService({ type: 'ADDED', object: object as Service, before: undefined });
        else state.onSlice({ type: 'ADDED', object: object as EndpointSlice, before: undefined });
    },
    remove: (object: Service) => state.onService({ type: 'DELETED', object, before: object }),
    sync: async () => {
      const { bytes } = await backend.sync(state, state.take());
      return bytes === 0 ? [] : (inputs.at(-1) ?? '').trim().split('\n');
    },
  };
}

const everything = [
  service('ns1/svc1', { clusterIP: '172.30.0.41', ports: p80 }),
  service(
    'ns2/svc2',
    {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      clusterIP: '172.30.0.42',
      externalIPs: ['192.168.99.22'],
      healthCheckNodePort: 30000,
      ports: [{ name: 'p80', port: 80, nodePort: 3001 }],
    },
    ['1.2.3.4'],
  ),
  service(
    'ns5/svc5',
    {
      type: 'LoadBalancer',
      clusterIP: '172.30.0.45',
      loadBalancerSourceRanges: [' 203.0.113.0/25'],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
      ports: [{ name: 'p80', port: 80, nodePort: 3002 }],
    },
    ['5.6.7.8'],
  ),
  service('ns6/svc6', { clusterIP: '172.30.0.46', ports: p80 }),
  sliceOf('ns1/svc1', '10.180.0.1', '10.180.0.2', '10.180.0.3'),
  sliceOf('ns2/svc2', '10.180.0.2'),
  sliceOf('ns5/svc5', '10.180.0.3'),
];

describe('iptables rules', () => {
  it('have the chains, names and rules of a real kube-proxy', async () => {
    const { put, sync } = bench();
    put(...everything);
    expect(await sync()).toMatchSnapshot();
  });

  it('have the names that upstream computes', async () => {
    const { put, sync } = bench();
    put(...everything);
    const lines = (await sync()).join('\n');
    for (const name of [
      'KUBE-SVC-XPGD46QRK7WJZT7O', // ns1/svc1:p80, as upstream documents in its own tests
      'KUBE-SEP-SXIVWICOYRO3J4NJ', // its endpoint 10.180.0.1:80
      'KUBE-EXT-GNZBNJ2PO5MGZ6GT',
      'KUBE-FW-NUKIZ6OKUXPJNT4C',
      'KUBE-SEP-I77PXRDZVX7PMWMN',
    ])
      expect(lines).toContain(`:${name} - [0:0]`);
  });

  it('write only what changed, and remove chains that are no longer used', async () => {
    const { put, remove, sync } = bench();
    put(...everything);
    await sync();
    expect(await sync()).toEqual([]);

    put(sliceOf('ns1/svc1', '10.180.0.1', '10.180.0.2'));
    const changed = await sync();
    const written = changed.filter((line) => /^:KUBE-S(VC|EP)/.test(line)).map((line) => line.slice(0, 13));
    // The chain of the Service, and that of the endpoint 10.180.0.3, which is emptied and deleted.
    expect(written).toEqual([':KUBE-SVC-XPG', ':KUBE-SEP-ICD']);
    expect(changed.join('\n')).toMatchSnapshot();

    remove(everything[0] as Service);
    const removed = await sync();
    expect(removed.filter((line) => line.startsWith('-X')).length).toBe(3);
    expect(removed).toContain(':KUBE-SERVICES - [0:0]');
  });

  it('fall back to endpoints that terminate but still serve, and reject when nothing does', async () => {
    const { put, sync } = bench();
    const dying = {
      addresses: ['10.180.0.9'],
      conditions: { ready: false, serving: true, terminating: true },
    };
    put(service('a/b', { clusterIP: '10.96.0.9', ports: p80 }), sliceOf('a/b', dying));
    expect((await sync()).join('\n')).toContain('--to-destination 10.180.0.9:80');
    put(sliceOf('a/b', dying, '10.180.0.8'));
    const next = (await sync()).join('\n');
    expect(next).toContain('--to-destination 10.180.0.8:80');
    expect(next).not.toContain('--to-destination 10.180.0.9:80');
    put(sliceOf('a/b', { ...dying, conditions: { ready: false, serving: false, terminating: true } }));
    expect((await sync()).join('\n')).toContain('-d 10.96.0.9 --dport 80 -j REJECT');
  });

  it('send traffic of internalTrafficPolicy Local to this node only', async () => {
    const { put, sync } = bench();
    put(
      service('a/b', { clusterIP: '10.96.0.9', ports: p80, internalTrafficPolicy: 'Local' }),
      sliceOf('a/b', '10.180.0.8'),
    );
    expect((await sync()).join('\n')).toContain(
      'has no local endpoints" -m tcp -p tcp -d 10.96.0.9 --dport 80 -j DROP',
    );
    put(sliceOf('a/b', '10.180.0.8', { addresses: ['10.180.0.7'], nodeName: 'n1' }));
    const next = (await sync()).join('\n');
    expect(next).toContain('10.180.0.7:80');
    expect(next).not.toContain('10.180.0.8:80');
  });
});

/** The nftables rules: what stands in table `ip kube-proxy`, and what a change writes. */
import { describe, expect, it } from 'vitest';
import { NftablesBackend } from '../../../src/engine/proxy/nftables.ts';
import type { EndpointSlice, Service } from '../../../src/engine/proxy/objects.ts';
import { ProxyState } from '../../../src/engine/proxy/state.ts';
import { service, slice } from './objects.ts';

const p80 = [{ name: 'p80', port: 80 }];

function bench() {
  const state = new ProxyState('n1');
  let scripts: string[] = [];
  const settings = {
    node: 'n1',
    zone: '',
    nodeIP: '172.18.0.2',
    clusterCIDR: '10.0.0.0/8',
    serviceCIDR: '172.30.0.0/16',
    nodePortIPs: ['172.18.0.2'],
  };
  const backend = new NftablesBackend(settings, (_, input) => {
    scripts.push(input ?? '');
    return Promise.resolve({ ok: true, stdout: '', stderr: '' });
  });
  return {
    service: (object: Service) => state.onService({ type: 'ADDED', object, before: undefined }),
    slice: (object: EndpointSlice) => state.onSlice({ type: 'ADDED', object, before: undefined }),
    sync: async () => {
      scripts = [];
      await backend.sync(state, state.take());
      return scripts.map((script) => script.trim());
    },
  };
}

describe('nftables rules', () => {
  it('are one transaction with the names of a real kube-proxy', async () => {
    const { service: svc, slice: eps, sync } = bench();
    svc(service('ns1/svc1', { clusterIP: '172.30.0.41', ports: p80 }));
    svc(
      service(
        'ns2/svc2',
        {
          type: 'LoadBalancer',
          externalTrafficPolicy: 'Local',
          clusterIP: '172.30.0.42',
          sessionAffinity: 'ClientIP',
          loadBalancerSourceRanges: ['203.0.113.0/25'],
          ports: [{ name: 'p80', port: 80, nodePort: 3001 }],
        },
        ['1.2.3.4'],
      ),
    );
    svc(service('ns6/svc6', { clusterIP: '172.30.0.46', ports: p80 }));
    eps(slice('ns1/svc1', { name: 'p80', port: 80 }, ['10.180.0.1', '10.180.0.2']));
    eps(slice('ns2/svc2', { name: 'p80', port: 80 }, ['10.180.0.3']));
    const [script, ...more] = await sync();
    expect(more).toEqual([]);
    expect(script).toMatchSnapshot();
    // Names as upstream's own tests give them.
    expect(script).toContain('service-ULMVA6XW-ns1/svc1/tcp/p80');
    expect(script).toContain('endpoint-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80');
  });

  it('write what changed only, and delete chains no sooner than the kernel allows', async () => {
    const { service: svc, slice: eps, sync } = bench();
    svc(service('a/b', { clusterIP: '172.30.0.41', ports: p80 }));
    eps(slice('a/b', { name: 'p80', port: 80 }, ['10.180.0.1', '10.180.0.2']));
    await sync();
    expect(await sync()).toEqual([]);
    eps(slice('a/b', { name: 'p80', port: 80 }, ['10.180.0.1']));
    const [script] = await sync();
    expect(script).toMatchSnapshot();
    expect(script).not.toContain('delete chain');
  });
});

/** What kube-proxy answers over HTTP, and which UDP flows it forgets. */
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { flows, staleFlows } from '../../../src/engine/proxy/conntrack.ts';
import { HealthServers } from '../../../src/engine/proxy/health.ts';
import { ProxyState } from '../../../src/engine/proxy/state.ts';
import { service, slice } from './objects.ts';

it('a health check tells a load balancer how many endpoints this node has', async () => {
  const ports = new Map<number, number>();
  const health = new HealthServers(
    async (server, port) => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      ports.set(port, (server.address() as AddressInfo).port);
    },
    'iptables',
    () => undefined,
  );
  const get = async (port: number, path = '/') => fetch(`http://127.0.0.1:${ports.get(port)}${path}`);
  await health.start();
  await health.update(new Map([['default/lb', { port: 30_000, localEndpoints: 2 }]]));
  const good = await get(30_000);
  expect([good.status, good.headers.get('x-load-balancing-endpoint-weight')]).toEqual([200, '2']);
  expect(await good.json()).toEqual({
    service: { namespace: 'default', name: 'lb' },
    localEndpoints: 2,
    serviceProxyHealthy: true,
  });
  await health.update(new Map([['default/lb', { port: 30_000, localEndpoints: 0 }]]));
  expect((await get(30_000)).status).toBe(503);
  expect(await (await get(10_249, '/proxyMode')).text()).toBe('iptables');
  expect((await get(10_256, '/healthz')).status).toBe(200);
  await health.update(new Map());
  await expect(get(30_000)).rejects.toThrow();
  health.stop();
});

it('UDP flows are stale when a serving endpoint did not answer them', () => {
  const state = new ProxyState('n1');
  const ports = [{ name: 'dns', port: 53, protocol: 'UDP' as const, nodePort: 30053 }];
  state.onService({
    type: 'ADDED',
    object: service('a/dns', { type: 'NodePort', clusterIP: '10.96.0.10', ports }),
    before: undefined,
  });
  state.onSlice({
    type: 'ADDED',
    object: slice('a/dns', { name: 'dns', port: 53, protocol: 'UDP' }, ['10.244.1.2']),
    before: undefined,
  });
  expect(state.take().udp).toBe(true);
  const line = (to: string, port: number, by: string) =>
    `udp      17 29 src=10.244.1.9 dst=${to} sport=5353 dport=${port} src=${by} dst=10.244.1.9 sport=53 dport=5353 [ASSURED] mark=0 use=1`;
  const unanswered =
    'udp      17 20 src=10.244.1.9 dst=10.96.0.10 sport=5354 dport=53 [UNREPLIED] src=10.96.0.10 dst=10.244.1.9 sport=53 dport=5354 mark=0 use=1';
  const all = flows(
    [
      line('10.96.0.10', 53, '10.244.1.2'),
      line('10.96.0.10', 53, '10.244.1.7'),
      line('172.18.0.2', 30053, '10.244.1.7'),
      line('192.0.2.1', 53, '192.0.2.1'),
      unanswered,
    ].join('\n'),
  );
  expect(all).toHaveLength(5);
  expect(staleFlows(all, state).map(({ to, answeredBy }) => `${to} ${answeredBy}`)).toEqual([
    '10.96.0.10 10.244.1.7',
    '172.18.0.2 10.244.1.7',
    '10.96.0.10 10.96.0.10',
  ]);
});

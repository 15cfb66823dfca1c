import { describe, expect, it } from 'vitest';
import { attach, intersect } from '../../../src/engine/gateway/attach.ts';
import { gatewayConfig } from '../../../src/engine/gateway/nginx.ts';
import type { Gateway, Route, World } from '../../../src/engine/gateway/types.ts';

const gateway = (listener: object): Gateway => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gw', namespace: 'lab' },
  spec: {
    gatewayClassName: 'podlab',
    listeners: [{ name: 'http', port: 80, protocol: 'HTTP', ...listener }],
  },
});
const route = (spec: object, namespace = 'lab'): Route => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'r', namespace },
  spec: { parentRefs: [{ name: 'gw', namespace: 'lab' }], ...spec },
});
const backend = (name: string, weight?: number) => ({ name, port: 80, weight });
const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'lab' },
  spec: { ports: [{ port: 80 }] },
});
const world: World = {
  classes: [],
  gateways: [],
  routes: [],
  grants: [],
  namespaces: [],
  services: [service('a'), service('b')],
  slices: [],
  secrets: [],
};
const reasonsOf = (one: Route, listener: object = {}) =>
  attach(one, [gateway(listener)], world).parents[0]!.conditions.map(
    ({ type, reason }) => `${type}: ${reason}`,
  );

describe('a route and the listeners that it names', () => {
  it('is attached where host names meet', () => {
    expect(reasonsOf(route({ hostnames: ['a.example.org'] }), { hostname: '*.example.org' })).toContain(
      'Accepted: Accepted',
    );
    expect(reasonsOf(route({ hostnames: ['a.example.com'] }), { hostname: '*.example.org' })).toContain(
      'Accepted: NoMatchingListenerHostname',
    );
  });

  it('of another namespace is admitted only where the listener says so', () => {
    expect(reasonsOf(route({}, 'other'))).toContain('Accepted: NotAllowedByListeners');
    expect(reasonsOf(route({}, 'other'), { allowedRoutes: { namespaces: { from: 'All' } } })).toContain(
      'Accepted: Accepted',
    );
  });

  it('says what is wrong with a backend', () => {
    expect(reasonsOf(route({ rules: [{ backendRefs: [backend('nobody')] }] }))).toContain(
      'ResolvedRefs: BackendNotFound',
    );
    expect(
      reasonsOf(route({ rules: [{ backendRefs: [{ ...backend('a'), namespace: 'other' }] }] })),
    ).toContain('ResolvedRefs: RefNotPermitted');
  });

  it('a wildcard does not cover the bare domain', () => {
    expect(intersect('*.example.org', ['example.org'])).toEqual([]);
    expect(intersect(undefined, [])).toEqual(['']);
  });
});

describe('the configuration', () => {
  const config = (spec: object) => {
    const { attachments } = attach(route(spec), [gateway({})], world);
    return gatewayConfig(attachments, world, { runFolder: '/tmp/nginx', certificate: () => undefined });
  };

  it('a value of a route cannot end a string of nginx or begin a variable', () => {
    const text = config({
      rules: [
        {
          matches: [{ headers: [{ name: 'x', value: '"; return 200 $http_x; #' }] }],
          backendRefs: [backend('a')],
        },
      ],
    });
    expect(text).not.toMatch(/[^\\]"; return 200/);
    expect(text).not.toMatch(/[^\\]\$http_x; #/);
  });

  it('a Service without ready endpoints answers 503, a backend that is not there 500', () => {
    expect(config({ rules: [{ backendRefs: [backend('a')] }] })).toContain('proxy_pass http://answer_503;');
    expect(config({ rules: [{ backendRefs: [backend('nobody')] }] })).toContain(
      'proxy_pass http://answer_500;',
    );
  });

  it('weights are shares', () => {
    expect(config({ rules: [{ backendRefs: [backend('a', 1), backend('nobody', 3)] }] })).toContain(
      '25.00% answer_503; * answer_500;',
    );
  });
});

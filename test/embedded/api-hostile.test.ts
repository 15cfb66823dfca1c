/** Whatever is sent to the API server is answered with a Status, and the server goes on. */
import { Agent, request } from 'node:https';
import { connect as tlsConnect } from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createApi } from '../../src/engine/api/api.ts';
import { isObject } from '../../src/engine/api/json.ts';

const bugs: unknown[] = [];
const api = createApi({ onError: (error) => bugs.push(error) });
let port = 0;
let identity: { key: string; cert: string; ca: string };
let agent: Agent;

beforeAll(async () => {
  port = await api.server.listen({ host: '127.0.0.1', port: 0 });
  const config: unknown = parse(api.kubeconfig('x', 'https://127.0.0.1'));
  const text = (value: string) => Buffer.from(value, 'base64').toString();
  const { users, clusters } = config as {
    users: { user: Record<string, string> }[];
    clusters: { cluster: Record<string, string> }[];
  };
  identity = {
    key: text(users[0]?.user['client-key-data'] ?? ''),
    cert: text(users[0]?.user['client-certificate-data'] ?? ''),
    ca: text(clusters[0]?.cluster['certificate-authority-data'] ?? ''),
  };
  agent = new Agent({ keepAlive: true, maxSockets: 4, ...identity });
});
afterAll(async () => {
  agent.destroy();
  await api.server.close();
});

interface Answer {
  code: number;
  body: string;
}

const ask = (
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { host: '127.0.0.1', port, path, method, headers: { ...headers, ...length }, agent };
    const asked = request(options, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () =>
        resolve({ code: response.statusCode ?? 0, body: Buffer.concat(pieces).toString() }),
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });

const isStatus = ({ code, body }: Answer): boolean => {
  const value: unknown = JSON.parse(body);
  return (
    isObject(value) &&
    value['kind'] === 'Status' &&
    value['code'] === code &&
    typeof value['message'] === 'string'
  );
};

/** A success is JSON or plain text, a failure a Status. */
const sound = (answer: Answer): boolean => answer.code < 400 || isStatus(answer);

const PODS = '/api/v1/namespaces/default/pods';
const types = fc.constantFrom(
  'application/json',
  'application/yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/vnd.kubernetes.protobuf',
  'text/plain',
  '',
);

test('random bodies, paths, queries and methods', async () => {
  const part = fc.oneof(
    fc.constantFrom(
      'api',
      'apis',
      'v1',
      'apps',
      'namespaces',
      'default',
      'pods',
      'deployments',
      'status',
      'scale',
      'watch',
      'p',
      '..',
      '%2e%2e',
      '__proto__',
      'constructor',
      'openapi',
      'v2',
    ),
    fc.string({ maxLength: 6 }).map(encodeURIComponent),
  );
  const path = fc.oneof(
    fc.array(part, { maxLength: 7 }).map((parts) => `/${parts.join('/')}`),
    fc.constantFrom(
      PODS,
      `${PODS}/p`,
      `${PODS}/p/status`,
      '/api/v1/nodes',
      '/apis/apps/v1/namespaces/default/deployments',
    ),
  );
  const query = fc.dictionary(
    fc.constantFrom(
      'labelSelector',
      'fieldSelector',
      'limit',
      'continue',
      'resourceVersion',
      'dryRun',
      'fieldManager',
      'force',
      'fieldValidation',
      'gracePeriodSeconds',
      'propagationPolicy',
      'timeoutSeconds',
    ),
    fc.oneof(fc.string(), fc.constantFrom('1', '-1', 'All', 'true', 'a=b', '0', '99999999999999999999')),
    { maxKeys: 3 },
  );
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .object({
        key: fc.constantFrom(
          'metadata',
          'spec',
          'status',
          'kind',
          'apiVersion',
          'name',
          'labels',
          '__proto__',
          'constructor',
          'containers',
          'managedFields',
        ),
      })
      .map((value) => JSON.stringify(value)),
  );
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');
  await fc.assert(
    fc.asyncProperty(method, path, query, types, body, async (verb, where, options, type, text) => {
      const search = new URLSearchParams(options).toString();
      const watching = /(^|\/)watch(\/|$)/.test(where);
      const answer = await ask(
        verb,
        `${where}${search || watching ? `?${search}${watching ? '&timeoutSeconds=1' : ''}` : ''}`,
        verb === 'GET' || verb === 'OPTIONS' ? undefined : text,
        type ? { 'content-type': type } : {},
      );
      expect(answer.code).toBeGreaterThan(0);
      if (!watching) expect(sound(answer)).toBe(true);
    }),
    { numRuns: 400 },
  );
  expect(bugs).toEqual([]);
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test('objects that are almost sound, of many kinds', async () => {
  const resources: [string, string, string][] = [
    [PODS, 'v1', 'Pod'],
    ['/api/v1/namespaces/default/services', 'v1', 'Service'],
    ['/apis/apps/v1/namespaces/default/deployments', 'apps/v1', 'Deployment'],
    [
      '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies',
      'networking.k8s.io/v1',
      'NetworkPolicy',
    ],
    ['/apis/batch/v1/namespaces/default/jobs', 'batch/v1', 'Job'],
    [
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
    ],
    ['/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', 'discovery.k8s.io/v1', 'EndpointSlice'],
  ];
  const key = fc.constantFrom(
    'containers',
    'template',
    'selector',
    'matchLabels',
    'ports',
    'port',
    'spec',
    'metadata',
    'name',
    'image',
    'versions',
    'names',
    'plural',
    'ingress',
    'from',
    'podSelector',
    'volumes',
    'endpoints',
    'addresses',
    'group',
    'schema',
    'type',
    'clusterIP',
  );
  const value = fc.object({
    key,
    maxDepth: 5,
    values: [fc.string({ maxLength: 4 }), fc.integer(), fc.constant(null), fc.boolean()],
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...resources),
      value,
      fc.array(value, { maxLength: 2 }),
      async ([path, apiVersion, kind], spec, list) => {
        const body = {
          apiVersion,
          kind,
          metadata: { name: 'x' },
          spec: { ...spec, containers: list, ports: list, versions: list },
        };
        const answer = await ask('POST', path, JSON.stringify(body), { 'content-type': 'application/json' });
        expect(sound(answer)).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
  expect(bugs).toEqual([]);
});

test('bombs: alias, depth, size, prototype, regular expression', async () => {
  const yaml = { 'content-type': 'application/yaml' };
  const aliases = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'
      .split('')
      .map((letter, i) => `${letter}: &${letter} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
  ].join('\n');
  expect(await ask('POST', PODS, aliases, yaml)).toMatchObject({ code: 400 });
  const deep = `{"metadata":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`;
  expect(await ask('POST', PODS, deep, { 'content-type': 'application/json' })).toMatchObject({ code: 400 });
  const huge = JSON.stringify({ metadata: { name: 'x' }, spec: 'x'.repeat(4_000_000) });
  expect(await ask('POST', PODS, huge)).toMatchObject({ code: 413 });
  const poison = '{"metadata":{"name":"q","annotations":{"__proto__":{"polluted":true}}}}';
  expect(await ask('POST', PODS, poison)).toMatchObject({ code: 400 });
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  const { matches } = await import('../../src/engine/api/custom/pattern.ts');
  expect(matches('^(a+)+$', `${'a'.repeat(60)}!`)).toBe(false);
});

test('who is unknown sees health and version only', async () => {
  const stranger = (path: string, headers: Record<string, string> = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, headers, ca: identity.ca, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  expect(await stranger('/version')).toBe(200);
  expect(await stranger('/api/v1/pods')).toBe(403);
  expect(await stranger('/api/v1/pods', { authorization: 'Bearer x.y.z' })).toBe(401);
  const account = api.store.get('/serviceaccounts', 'default', 'default');
  const token = api.issueToken(
    { namespace: 'default', name: 'default', uid: account?.metadata.uid ?? '' },
    60,
  );
  expect(await stranger('/api/v1/pods', { authorization: `Bearer ${token}` })).toBe(200);
  const [head, , signature] = token.split('.');
  const forged = Buffer.from(
    '{"sub":"system:admin","exp":99999999999,"kubernetes.io":{"serviceaccount":{}}}',
  ).toString('base64url');
  expect(await stranger('/api/v1/pods', { authorization: `Bearer ${head}.${forged}.${signature}` })).toBe(
    401,
  );
});

test('bytes that are no HTTP, and connections that end in the middle', async () => {
  for (const bytes of [
    '\0\0\0',
    'GET / HTTP/1.1\r\n',
    `POST ${PODS} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{`,
  ])
    await new Promise<void>((resolve) => {
      const socket = tlsConnect({ host: '127.0.0.1', port, ...identity }, () => {
        socket.write(bytes);
        socket.end();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      socket.resume();
    });
  expect((await ask('GET', '/livez')).body).toBe('ok');
  expect(bugs).toEqual([]);
});

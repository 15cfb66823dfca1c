/** EndpointSlices, Endpoints and their mirror, on the real API store. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { gr, type KubeObject } from '../../../src/engine/client/types.ts';
import { plane, template, type Plane } from './control-plane.ts';

const SLICES = gr('endpointslices', 'discovery.k8s.io');

let p: Plane;
beforeEach(async () => {
  p = await plane();
  await p.node('w1', { metadata: { name: '', labels: { 'topology.kubernetes.io/zone': 'z1' } } });
});
afterEach(() => p.stop());

const slices = async (service: string) =>
  (await p.client.list(SLICES, { namespace: 'default' })).filter(
    ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service,
  );
const endpoints = async (service: string) =>
  (await slices(service)).flatMap((slice) => slice['endpoints'] ?? []) as any[];
const pod = (name: string, image = 'nginx', spec: object = {}) => {
  const { metadata, spec: podSpec } = template('web', image, spec);
  return p.create('Pod', { name, ...metadata }, podSpec);
};
const settle = (count: number, service = 'web') =>
  p.until(async () => {
    const found = await endpoints(service);
    return found.length === count && found;
  });

it('a slice tells of each pod whether it is ready, serving and terminating', async () => {
  await p.create(
    'Service',
    { name: 'web', labels: { of: 'us' } },
    { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  );
  const [empty] = await p.until(async () => (await slices('web')).length === 1 && (await slices('web')));
  expect(empty).toMatchObject({ endpoints: null, ports: null, addressType: 'IPv4' });
  expect(empty?.metadata.name).toMatch(/^web-[a-z0-9]{5}$/);
  await pod('good');
  await pod('bad', 'broken');
  await settle(2);
  const [slice] = await slices('web');
  expect(slice?.metadata.labels).toEqual({
    of: 'us',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  expect(slice?.metadata.ownerReferences).toMatchObject([{ kind: 'Service', name: 'web', controller: true }]);
  expect(slice?.['ports']).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }]);
  const byName = Object.fromEntries((await endpoints('web')).map((one) => [one.targetRef.name, one]));
  expect(byName['good']).toMatchObject({
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: 'w1',
    zone: 'z1',
  });
  expect(byName['bad'].conditions).toEqual({ ready: false, serving: false, terminating: false });
  const old = await p.until(() => p.client.get(gr('endpoints'), 'web', 'default'));
  await p.until(
    async () => (await p.client.get(gr('endpoints'), 'web', 'default'))?.['subsets']?.[0]?.notReadyAddresses,
  );
  expect(old.metadata.labels).toMatchObject({ 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' });

  // A pod that is going is no longer ready, though it may still serve.
  await p.client.patch(gr('pods'), 'good', 'default', { metadata: { finalizers: ['test/hold'] } });
  await p.client.delete(gr('pods'), 'good', 'default');
  await p.until(
    async () => (await endpoints('web')).find((one) => one.targetRef.name === 'good')?.conditions.terminating,
  );
  expect((await endpoints('web')).find((one) => one.targetRef.name === 'good').conditions).toEqual({
    ready: false,
    serving: true,
    terminating: true,
  });
  await p.client.patch(gr('pods'), 'good', 'default', { metadata: { finalizers: null } });
  await settle(1);
});

it('a headless Service publishes host names, and pods that are not ready if it is told to', async () => {
  await p.create(
    'Service',
    { name: 'web' },
    { clusterIP: 'None', selector: { app: 'web' }, publishNotReadyAddresses: true },
  );
  await pod('web-0', 'broken', { hostname: 'web-0', subdomain: 'web' });
  const [one] = await settle(1);
  expect(one).toMatchObject({ hostname: 'web-0', conditions: { ready: true, serving: false } });
  const [slice] = await slices('web');
  expect(slice?.metadata.labels).toMatchObject({ 'service.kubernetes.io/headless': '' });
  expect(slice?.['ports'] ?? []).toEqual([]);
});

it('a slice has at most 100 endpoints, and a change of one leaves the others alone', async () => {
  await p.node('w2');
  await p.create(
    'Service',
    { name: 'web' },
    { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  );
  await p.create(
    'ReplicaSet',
    { name: 'rs' },
    { replicas: 130, selector: { matchLabels: { app: 'web' } }, template: template('web') },
  );
  await p.until(
    async () => (await endpoints('web')).filter(({ conditions }) => conditions.ready).length === 130,
  );
  const before = await slices('web');
  expect(before.map((slice) => slice['endpoints'].length).sort()).toEqual([100, 30].sort());
  const victim = before.find((slice) => slice['endpoints'].length === 30)?.['endpoints'][0].targetRef.name;
  await p.client.patch(gr('pods'), victim, 'default', { metadata: { labels: { app: 'other' } } });
  await p.until(async () => !(await endpoints('web')).some((one) => one.targetRef.name === victim));
  const big = (list: KubeObject[]) =>
    list.find((slice) => slice['endpoints'].length === 100)?.metadata.resourceVersion;
  await p.until(
    async () => (await endpoints('web')).filter(({ conditions }) => conditions.ready).length === 130,
  );
  expect(big(await slices('web'))).toBe(big(before));
});

it('Endpoints made by hand for a Service without selector are mirrored', async () => {
  await p.create('Service', { name: 'db' }, { ports: [{ name: 'sql', port: 5432 }] });
  await p.create('Endpoints', { name: 'db' }, undefined, {
    subsets: [
      {
        addresses: [{ ip: '192.0.2.1' }],
        notReadyAddresses: [{ ip: '192.0.2.2' }],
        ports: [{ name: 'sql', port: 5432 }],
      },
    ],
  });
  const found = await settle(2, 'db');
  expect(found.map((one) => [one.addresses[0], one.conditions.ready])).toEqual([
    ['192.0.2.1', true],
    ['192.0.2.2', false],
  ]);
  expect((await slices('db'))[0]?.metadata.labels).toMatchObject({
    'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
  });
  await p.client.delete(gr('endpoints'), 'db', 'default');
  await p.until(async () => (await slices('db')).length === 0);
});

it('a stopped controller leaves what there is, and catches up when it starts again', async () => {
  await p.create(
    'Service',
    { name: 'web' },
    { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  );
  await pod('one');
  await settle(1);
  const part = p.parts.get('endpointslice-controller');
  await part?.stop();
  expect(part?.running).toBe(false);
  await pod('two');
  await p.until(async () => (await p.client.get(gr('pods'), 'two', 'default'))?.status.podIP);
  expect(await endpoints('web')).toHaveLength(1);
  await part?.start();
  await settle(2);
});

import { expect, test } from 'vitest';
import { createApi } from '../../../src/engine/api/api.ts';
import { gr } from '../../../src/engine/client/types.ts';

const pod = (name: string, labels = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels },
  spec: { containers: [{ name: 'c', image: 'nginx' }] },
});

test('a created pod has its defaults, and informers know of it when create returns', async () => {
  const { client } = createApi();
  const seen: string[] = [];
  client.informer(gr('pods')).onChange(({ type, object }) => seen.push(`${type} ${object.metadata.name}`));
  const waiting = client.create(gr('pods'), pod('a'));
  expect(seen).toEqual(['ADDED a']);
  const created = await waiting;
  expect(created.spec).toMatchObject({
    restartPolicy: 'Always',
    serviceAccountName: 'default',
    containers: [{ imagePullPolicy: 'Always', terminationMessagePath: '/dev/termination-log' }],
  });
  expect(created.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' });
  expect(Object.isFrozen(created.spec.containers[0])).toBe(true);
  await expect(client.create(gr('pods'), pod('a'))).rejects.toThrow('pods "a" already exists');
});

test('an informer with a selector tells of objects that come into it and leave it', async () => {
  const { client } = createApi();
  const seen: string[] = [];
  const informer = client.informer(gr('pods'), { fieldSelector: 'spec.nodeName=n1', labelSelector: 'app' });
  informer.onChange(({ type, object }) => seen.push(`${type} ${object.metadata.name}`));
  await client.create(gr('pods'), pod('a', { app: 'x' }));
  await client.patch(gr('pods'), 'a', 'default', { spec: { nodeName: 'n1' } });
  await client.patch(gr('pods'), 'a', 'default', { metadata: { labels: { app: null } } });
  expect(seen).toEqual(['ADDED a', 'DELETED a']);
});

test('deletion waits for the kubelet when a pod has a node, and for finalizers', async () => {
  const { client } = createApi();
  await client.create(gr('pods'), pod('a'));
  await client.delete(gr('pods'), 'a', 'default');
  expect(await client.get(gr('pods'), 'a', 'default')).toBeUndefined();
  const b = pod('b');
  await client.create(gr('pods'), { ...b, spec: { ...b.spec, nodeName: 'n1' } });
  await client.delete(gr('pods'), 'b', 'default');
  const dying = await client.get(gr('pods'), 'b', 'default');
  expect(dying?.metadata.deletionGracePeriodSeconds).toBe(30);
  await client.delete(gr('pods'), 'b', 'default', { graceSeconds: 0 });
  expect(await client.get(gr('pods'), 'b', 'default')).toBeUndefined();
  await client.create(gr('configmaps'), {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'm', namespace: 'default', finalizers: ['x.io/f'] },
  });
  await client.delete(gr('configmaps'), 'm', 'default');
  expect((await client.get(gr('configmaps'), 'm', 'default'))?.metadata.deletionTimestamp).toBeDefined();
  await client.patch(gr('configmaps'), 'm', 'default', { metadata: { finalizers: null } });
  expect(await client.get(gr('configmaps'), 'm', 'default')).toBeUndefined();
});

test('Services get addresses and node ports that no other has, and give them back', async () => {
  const { client } = createApi({ serviceSubnet: '10.96.0.0/28' });
  const service = (name: string, spec = {}) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { ports: [{ port: 80 }], ...spec },
  });
  const taken = new Set<string>();
  for (let i = 0; i < 13; i++)
    taken.add((await client.create(gr('services'), service(`s${i}`, { type: 'NodePort' }))).spec.clusterIP);
  expect(taken.size).toBe(13);
  await expect(client.create(gr('services'), service('full'))).rejects.toThrow('range is full');
  await client.delete(gr('services'), 's3', 'default');
  const again = await client.create(gr('services'), service('again'));
  expect(taken.has(again.spec.clusterIP)).toBe(true);
  const ports = (await client.list(gr('services'))).flatMap((s) =>
    s.spec.ports.map((p: { nodePort?: number }) => p.nodePort),
  );
  expect(new Set(ports.filter(Boolean)).size).toBe(12);
});

test('writes of stale objects conflict; a patch of a subresource takes only status', async () => {
  const { client } = createApi();
  const first = await client.create(gr('pods'), pod('a'));
  const second = await client.patch(
    gr('pods'),
    'a',
    'default',
    { status: { phase: 'Running' }, spec: { nodeName: 'x' } },
    'status',
  );
  expect(second.status.phase).toBe('Running');
  expect(second.spec.nodeName).toBeUndefined();
  await expect(client.update(gr('pods'), first)).rejects.toMatchObject({ status: { code: 409 } });
  await expect(
    client.create(gr('pods'), { ...pod('x'), metadata: { name: 'x', namespace: 'no' } }),
  ).rejects.toThrow('namespaces "no" not found');
});

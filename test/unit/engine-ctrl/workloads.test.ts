/** Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, owners and namespaces, on the real API store. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gr, type KubeObject } from '../../../src/engine/client/types.ts';
import { parseSchedule } from '../../../src/engine/controllers/cron.ts';
import { plane, template, type Plane } from './control-plane.ts';

const DEPLOYMENTS = gr('deployments', 'apps');
const SETS = gr('replicasets', 'apps');

let p: Plane;
beforeEach(async () => {
  p = await plane();
  for (const name of ['c-control-plane', 'c-worker', 'c-worker2'])
    await p.node(
      name,
      name.endsWith('plane')
        ? { spec: { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] } }
        : {},
    );
});
afterEach(() => p.stop());

const ready = (pod: KubeObject) =>
  pod.status?.conditions?.some((one: any) => one.type === 'Ready' && one.status === 'True');
const live = async (count: number) => {
  const pods = (await p.pods()).filter((pod) => !pod.metadata.deletionTimestamp && ready(pod));
  return pods.length === count && (await p.pods()).length === count ? pods : undefined;
};
const events = async (reason: string) =>
  (await p.client.list(gr('events'), {}))
    .filter((event) => event['reason'] === reason)
    .map((event) => event['message'] as string);

describe('Deployment', () => {
  const web = (replicas: number, image = 'nginx') => ({
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: template('web', image),
  });
  const available = async () => {
    const found = await p.client.get(DEPLOYMENTS, 'web', 'default');
    const { spec, status, metadata } = found as KubeObject;
    return (
      status?.observedGeneration === metadata.generation &&
      status.updatedReplicas === spec.replicas &&
      status.availableReplicas === spec.replicas &&
      status.replicas === spec.replicas &&
      found
    );
  };

  it('spreads its pods over the nodes that take them, heals, and scales', async () => {
    await p.create('Deployment', { name: 'web' }, web(4));
    const pods = await p.until(() => live(4));
    const nodes = pods.map((pod) => pod.spec.nodeName).sort();
    expect(nodes).toEqual(['c-worker', 'c-worker', 'c-worker2', 'c-worker2']);
    expect(pods[0]?.metadata.name).toMatch(/^web-[a-z0-9]{8,10}-[a-z0-9]{5}$/);

    await p.client.delete(gr('pods'), pods[0]?.metadata.name ?? '', 'default');
    await p.until(async () => (await live(4))?.every((pod) => pod.metadata.uid !== pods[0]?.metadata.uid));
    await p.client.patch(DEPLOYMENTS, 'web', 'default', { spec: { replicas: 1 } });
    await p.until(() => live(1));
    const done = await p.until(available);
    expect(done.status.conditions).toMatchObject([
      { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
      { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
    ]);
    expect(await events('ScalingReplicaSet')).toContainEqual(
      expect.stringMatching(/^Scaled up replica set web-\S+ from 0 to 4$/),
    );
  });

  it('rolls from one template to the next without falling below what is promised, and back', async () => {
    await p.create('Deployment', { name: 'web' }, web(4));
    await p.until(() => live(4));
    let least = 4;
    const informer = p.client.informer(gr('pods'));
    informer.onChange(() => {
      least = Math.min(
        least,
        informer.list().filter((pod) => ready(pod) && !pod.metadata.deletionTimestamp).length,
      );
    });
    await p.client.patch(DEPLOYMENTS, 'web', 'default', { spec: { template: template('web', 'nginx:2') } });
    await p.until(async () => (await live(4))?.every((pod) => pod.spec.containers[0].image === 'nginx:2'));
    await p.until(available);
    informer.stop();
    expect(least).toBeGreaterThanOrEqual(3);
    const sets = await p.client.list(SETS, { namespace: 'default' });
    expect(sets.map(({ spec }) => spec.replicas).sort()).toEqual([0, 4]);
    expect(((await available()) as KubeObject).metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '2',
    });

    await p.client.patch(DEPLOYMENTS, 'web', 'default', { spec: { template: template('web') } });
    await p.until(async () => (await live(4))?.every((pod) => pod.spec.containers[0].image === 'nginx'));
    expect(await p.client.list(SETS, { namespace: 'default' })).toHaveLength(2);
    await p.until(
      async () =>
        (await p.client.get(DEPLOYMENTS, 'web', 'default'))?.metadata.annotations?.[
          'deployment.kubernetes.io/revision'
        ] === '3',
    );
  });

  it('stops a rollout at pods that do not become ready', async () => {
    await p.create('Deployment', { name: 'web' }, web(3));
    await p.until(() => live(3));
    await p.client.patch(DEPLOYMENTS, 'web', 'default', { spec: { template: template('web', 'broken') } });
    await p.until(async () => (await p.pods()).length === 4);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await p.pods()).filter(ready)).toHaveLength(3);
  });

  it('goes with all that it owns', async () => {
    await p.create('Deployment', { name: 'web' }, web(3));
    await p.until(() => live(3));
    await p.client.delete(DEPLOYMENTS, 'web', 'default', { propagation: 'Foreground' });
    await p.until(
      async () => (await p.pods()).length === 0 && !(await p.client.get(DEPLOYMENTS, 'web', 'default')),
    );
    expect(await p.client.list(SETS, { namespace: 'default' })).toEqual([]);
  });

  it('leaves its pods when they are to be orphaned', async () => {
    await p.create('Deployment', { name: 'web' }, web(2));
    await p.until(() => live(2));
    await p.client.delete(DEPLOYMENTS, 'web', 'default', { propagation: 'Orphan' });
    await p.until(async () => !(await p.client.get(DEPLOYMENTS, 'web', 'default')));
    expect(await live(2)).toBeDefined();
    const [set] = await p.client.list(SETS, { namespace: 'default' });
    expect(set?.metadata.ownerReferences ?? []).toEqual([]);
  });
});

it('a ReplicaSet lets a pod go that is relabelled, and takes one that fits', async () => {
  await p.create(
    'ReplicaSet',
    { name: 'rs' },
    { replicas: 2, selector: { matchLabels: { app: 'a' } }, template: template('a') },
  );
  const [first] = await p.until(() => live(2));
  await p.client.patch(gr('pods'), first?.metadata.name ?? '', 'default', {
    metadata: { labels: { app: 'b' } },
  });
  await p.until(() => live(3));
  const released = await p.client.get(gr('pods'), first?.metadata.name ?? '', 'default');
  expect(released?.metadata.ownerReferences ?? []).toEqual([]);
  await p.client.patch(gr('pods'), first?.metadata.name ?? '', 'default', {
    metadata: { labels: { app: 'a' } },
  });
  await p.until(() => live(2));
});

it('a StatefulSet makes its pods in order, with their names, and replaces them from the highest', async () => {
  await p.create(
    'StatefulSet',
    { name: 'db' },
    { replicas: 3, serviceName: 'db', selector: { matchLabels: { app: 'db' } }, template: template('db') },
  );
  const pods = await p.until(() => live(3));
  expect(pods.map((pod) => pod.metadata.name).sort()).toEqual(['db-0', 'db-1', 'db-2']);
  expect(pods.every(({ spec, metadata }) => spec.hostname === metadata.name && spec.subdomain === 'db')).toBe(
    true,
  );
  const born = pods.sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion));
  expect(born.map((pod) => pod.metadata.name)).toEqual(['db-0', 'db-1', 'db-2']);

  const order: string[] = [];
  const informer = p.client.informer(gr('pods'));
  informer.onChange(({ type, object }) => type === 'DELETED' && order.push(object.metadata.name));
  await p.client.patch(gr('statefulsets', 'apps'), 'db', 'default', {
    spec: { template: template('db', 'nginx:2') },
  });
  await p.until(async () => (await live(3))?.every((pod) => pod.spec.containers[0].image === 'nginx:2'));
  expect(order).toEqual(['db-2', 'db-1', 'db-0']);
  informer.stop();
  await p.until(async () => {
    const set = await p.client.get(gr('statefulsets', 'apps'), 'db', 'default');
    return set?.status.currentRevision === set?.status.updateRevision && set?.status.readyReplicas === 3;
  });
});

it('a DaemonSet has one pod on each node that it tolerates, also on nodes that come later', async () => {
  await p.create(
    'DaemonSet',
    { name: 'agent' },
    { selector: { matchLabels: { app: 'agent' } }, template: template('agent') },
  );
  expect((await p.until(() => live(2))).map((pod) => pod.spec.nodeName).sort()).toEqual([
    'c-worker',
    'c-worker2',
  ]);
  await p.node('c-worker3');
  await p.until(() => live(3));
  await p.client.patch(gr('daemonsets', 'apps'), 'agent', 'default', {
    spec: { template: template('agent', 'nginx:2', { tolerations: [{ operator: 'Exists' }] }) },
  });
  await p.until(async () => (await live(4))?.every((pod) => pod.spec.containers[0].image === 'nginx:2'));
  await p.until(
    async () =>
      (await p.client.get(gr('daemonsets', 'apps'), 'agent', 'default'))?.status.numberAvailable === 4,
  );
});

it('a Job runs until enough pods have succeeded, and gives up after its limit', async () => {
  const job = (image: string, more: object) => ({
    template: template('j', image, { restartPolicy: 'Never' }),
    ...more,
  });
  await p.create(
    'Job',
    { name: 'good' },
    job('done', { completions: 3, parallelism: 2, completionMode: 'Indexed' }),
  );
  await p.create('Job', { name: 'bad' }, job('failed', { backoffLimit: 0 }));
  const ended = (name: string) => async () => {
    const found = await p.client.get(gr('jobs', 'batch'), name, 'default');
    return found?.status?.conditions?.length ? found : undefined;
  };
  const good = await p.until(ended('good'));
  expect(good.status).toMatchObject({ succeeded: 3, completedIndexes: '0-2' });
  expect(good.status.conditions.map(({ type }: any) => type)).toEqual(['SuccessCriteriaMet', 'Complete']);
  const bad = await p.until(ended('bad'));
  expect(bad.status.conditions.at(-1)).toMatchObject({ type: 'Failed', reason: 'BackoffLimitExceeded' });
});

it('times of cron', () => {
  const next = (schedule: string, after: string) =>
    new Date(parseSchedule(schedule).next(Date.parse(after)) ?? 0).toISOString();
  expect(next('*/15 * * * *', '2026-11-30T01:07:30Z')).toBe('2026-11-30T01:15:00.000Z');
  expect(next('0 9 * * mon-fri', '2026-11-27T09:00:00Z')).toBe('2026-11-30T09:00:00.000Z');
  expect(next('30 2 29 feb *', '2026-01-01T00:00:00Z')).toBe('2028-02-29T02:30:00.000Z');
  expect(next('@hourly', '2026-12-31T23:30:00Z')).toBe('2027-01-01T00:00:00.000Z');
  expect(() => parseSchedule('61 * * * *')).toThrow();
});

it('a namespace goes with everything in it', async () => {
  await p.create('Namespace', { name: 'team' });
  await p.create(
    'Deployment',
    { name: 'web', namespace: 'team' },
    { replicas: 2, selector: { matchLabels: { app: 'w' } }, template: template('w') },
  );
  await p.create(
    'Service',
    { name: 'web', namespace: 'team' },
    { selector: { app: 'w' }, ports: [{ port: 80 }] },
  );
  await p.until(async () => (await p.pods('team')).filter(ready).length === 2);
  await p.client.delete(gr('namespaces'), 'team');
  await p.until(async () => !(await p.client.get(gr('namespaces'), 'team')));
  expect(await p.pods('team')).toEqual([]);
  expect(await p.client.list(gr('endpointslices', 'discovery.k8s.io'), { namespace: 'team' })).toEqual([]);
});

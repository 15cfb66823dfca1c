/** Where pods go, why they go nowhere, and what happens to those on nodes that fall silent. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gr } from '../../../src/engine/client/types.ts';
import { createNodeLifecycleController } from '../../../src/engine/controllers/nodes.ts';
import { plane, template, type Plane } from './control-plane.ts';

let p: Plane;
beforeEach(async () => {
  p = await plane();
  await p.node('cp', {
    spec: { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] },
  });
  await p.node('w1', { metadata: { name: '', labels: { zone: 'a', disk: 'ssd' } } });
  await p.node('w2', { metadata: { name: '', labels: { zone: 'b' } } });
});
afterEach(() => p.stop());

let count = 0;
/** Creates a pod and gives its node, or the words why it has none. */
async function place(spec: object, labels: Record<string, string> = {}): Promise<string> {
  const name = `p${++count}`;
  await p.create('Pod', { name, labels }, { ...template('x').spec, ...spec });
  const pod = await p.until(async () => {
    const found = await p.client.get(gr('pods'), name, 'default');
    const scheduled = found?.status?.conditions?.find((one: any) => one.type === 'PodScheduled');
    return found?.spec.nodeName || scheduled?.reason === 'Unschedulable' ? found : undefined;
  });
  return pod.spec.nodeName ?? pod.status.conditions.find((one: any) => one.type === 'PodScheduled').message;
}
const term = (labels: Record<string, string>, topologyKey = 'kubernetes.io/hostname') => ({
  topologyKey,
  labelSelector: { matchLabels: labels },
});

describe('the scheduler', () => {
  it('goes by nodeSelector, affinity, taints and their tolerations', async () => {
    expect(await place({ nodeSelector: { disk: 'ssd' } })).toBe('w1');
    expect(await place({ nodeSelector: { zone: 'b' } })).toBe('w2');
    const key = 'node-role.kubernetes.io/control-plane';
    expect(
      await place({
        nodeSelector: { 'kubernetes.io/hostname': 'cp' },
        tolerations: [{ key, operator: 'Exists' }],
      }),
    ).toBe('cp');
    expect(await place({ nodeSelector: { disk: 'none' } })).toBe(
      "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
    );
    const wanted = (operator: string) => ({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator, values: ['a'] }] }],
          },
        },
      },
    });
    expect(await place(wanted('In'))).toBe('w1');
    expect(await place(wanted('NotIn'))).toBe('w2');
  });

  it('keeps pods together and apart, and one host port for one pod', async () => {
    expect(await place({ nodeSelector: { zone: 'b' } }, { app: 'db' })).toBe('w2');
    const near = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term({ app: 'db' })] } };
    const far = {
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term({ app: 'db' }, 'zone')] },
    };
    expect(await place({ affinity: near })).toBe('w2');
    expect(await place({ affinity: far })).toBe('w1');
    const only = {
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term({ solo: 'y' })] },
    };
    const nodes = [
      await place({ affinity: only }, { solo: 'y' }),
      await place({ affinity: only }, { solo: 'y' }),
    ];
    expect(nodes.sort()).toEqual(['w1', 'w2']);
    expect(await place({ affinity: only }, { solo: 'y' })).toContain(
      "2 node(s) didn't match pod anti-affinity rules",
    );

    const host = {
      containers: [{ name: 'c', image: 'nginx', ports: [{ containerPort: 80, hostPort: 8080 }] }],
    };
    const taken = [await place(host), await place(host)];
    expect(taken.sort()).toEqual(['w1', 'w2']);
    expect(await place(host)).toContain("2 node(s) didn't have free ports for the requested pod ports");
  });

  it('spreads as it is told, counts what pods ask for, and tries again when something changes', async () => {
    const spread = {
      topologySpreadConstraints: [
        {
          topologyKey: 'zone',
          maxSkew: 1,
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: { s: 'y' } },
        },
      ],
    };
    const nodes = [];
    for (let i = 0; i < 4; i++) nodes.push(await place(spread, { s: 'y' }));
    expect(nodes.sort()).toEqual(['w1', 'w1', 'w2', 'w2']);

    const big = { containers: [{ name: 'c', image: 'nginx', resources: { requests: { cpu: '3' } } }] };
    const taken = [await place(big), await place(big)];
    expect(taken.sort()).toEqual(['w1', 'w2']);
    expect(await place(big)).toContain('2 Insufficient cpu');
    expect(await place(big)).toContain('2 No preemption victims found for incoming pod');
    const waiting = [`p${count - 1}`, `p${count}`];
    await p.node('w3');
    const onW3 = async (name: string) =>
      (await p.client.get(gr('pods'), name, 'default'))?.spec.nodeName === 'w3';
    await p.until(async () => (await Promise.all(waiting.map(onW3))).filter(Boolean).length === 1);
  });

  it('leaves a cordoned node alone', async () => {
    await p.client.patch(gr('nodes'), 'w1', undefined, { spec: { unschedulable: true } });
    expect(await place({})).toBe('w2');
    await p.until(
      async () =>
        (await p.client.get(gr('nodes'), 'w1'))?.spec.taints?.[0]?.key === 'node.kubernetes.io/unschedulable',
    );
    await p.client.patch(gr('nodes'), 'w1', undefined, { spec: { unschedulable: null } });
    await p.until(async () => !(await p.client.get(gr('nodes'), 'w1'))?.spec?.taints?.length);
  });
});

it('a node whose kubelet is silent becomes Unknown and tainted, its pods not ready, and in time they go', async () => {
  await p.parts.get('node-lifecycle-controller')?.stop();
  const lifecycle = createNodeLifecycleController({ client: p.client, graceMs: 300, periodMs: 20 });
  const lease = (renewTime: string) => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'w1', namespace: 'kube-node-lease' },
    spec: { holderIdentity: 'w1', renewTime },
  });
  await p.client.create(gr('leases', 'coordination.k8s.io'), lease(new Date().toISOString()));
  await lifecycle.start();
  const toleration = (key: string) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 1,
  });
  await place({ nodeSelector: { zone: 'a' }, tolerations: [toleration('node.kubernetes.io/unreachable')] });
  const name = `p${count}`;
  const node = await p.until(async () => {
    const found = await p.client.get(gr('nodes'), 'w1');
    return found?.spec?.taints?.length === 2 ? found : undefined;
  });
  expect(node.status.conditions).toContainEqual(
    expect.objectContaining({ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }),
  );
  expect(node.spec.taints.map(({ key, effect }: any) => `${key}:${effect}`)).toEqual([
    'node.kubernetes.io/unreachable:NoSchedule',
    'node.kubernetes.io/unreachable:NoExecute',
  ]);
  await p.until(async () => !(await p.client.get(gr('pods'), name, 'default')));
  await lifecycle.stop();
});

it('pods of a node that is gone go with it', async () => {
  await place({ nodeSelector: { zone: 'a' } });
  await p.client.delete(gr('nodes'), 'w1');
  await p.until(async () => !(await p.client.get(gr('pods'), `p${count}`, 'default')));
});

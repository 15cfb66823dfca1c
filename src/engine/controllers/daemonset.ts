/** DaemonSets: one pod on each node that the template fits. */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from './controller.ts';
import { equal, scaled, selects, type LabelSelector } from './objects.ts';
import { isAvailable, isReady, isTerminal, podOf, PODS, podsIn, type Pod, type PodTemplate } from './pods.ts';
import { claim, watchOwned } from './replicaset.ts';
import { REVISION_LABEL, revisionOf } from './revisions.ts';
import { matchesNode, untolerated, type Node, type Toleration } from './scheduler/node-fit.ts';

const SETS = gr('daemonsets', 'apps');

type DaemonSet = KubeObject<
  {
    selector?: LabelSelector;
    template: PodTemplate;
    minReadySeconds?: number;
    revisionHistoryLimit?: number;
    updateStrategy?: { type?: string; rollingUpdate?: { maxUnavailable?: number | string } };
  },
  Record<string, unknown>
>;

export function createDaemonSetController(options: ControllerOptions): Component {
  return controller(options, 'daemonset-controller', 'daemonset-controller', (work) => {
    const sets = work.watch<DaemonSet>(SETS, ({ object }) => work.queue.add(keyOf(object)));
    const nodes = work.watch<Node>(gr('nodes'), ({ type, object, before }) => {
      const view = (node: Node) => [node.metadata.labels, node.spec?.taints, node.spec?.unschedulable];
      if (type === 'MODIFIED' && before && equal(view(before), view(object))) return;
      for (const set of sets.list()) work.queue.add(keyOf(set));
    });
    watchOwned(work, 'DaemonSet', (pod) => {
      for (const set of sets.list())
        if (
          set.metadata.namespace === pod.metadata.namespace &&
          selects(set.spec?.selector, pod.metadata.labels)
        )
          work.queue.add(keyOf(set));
    });

    return async (key) => {
      const { namespace, name } = splitKey(key);
      const found = sets.get(name, namespace);
      if (!found) return;
      const set = { ...found, apiVersion: 'apps/v1', kind: 'DaemonSet' };
      const mine = async () =>
        claim(work.client, set, await podsIn(work.client, namespace), (labels) =>
          selects(set.spec?.selector, labels),
        );
      const pods = await mine();
      const template = set.spec?.template as PodTemplate;
      const used = new Set(pods.map((pod) => pod.metadata.labels?.[REVISION_LABEL]));
      const revision = await revisionOf(
        work.client,
        set,
        template,
        set.spec?.revisionHistoryLimit ?? 10,
        used,
      );
      if (!set.metadata.deletionTimestamp) {
        await place(work, set, nodes.list(), pods, revision.hash);
        await roll(work, set, nodes.list(), await mine(), revision.hash);
      }
      await report(work, set, nodes.list(), await mine(), revision.hash);
    };
  });
}

/** Tolerations that every daemon has: it is there before the node is ready and stays when it is not. */
function tolerations(template: PodTemplate): Toleration[] {
  const found: Toleration[] = [...((template.spec?.['tolerations'] ?? []) as Toleration[])];
  const add = (name: string, effect: Toleration['effect']) => {
    const key = `node.kubernetes.io/${name}`;
    if (!found.some((one) => one.key === key && one.effect === effect))
      found.push({ key, operator: 'Exists', effect });
  };
  add('not-ready', 'NoExecute');
  add('unreachable', 'NoExecute');
  for (const pressure of ['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable'])
    add(pressure, 'NoSchedule');
  if (template.spec?.hostNetwork) add('network-unavailable', 'NoSchedule');
  return found;
}

/** Whether a daemon's pod should be placed on a node, and whether one that is there may stay. */
function fits(set: DaemonSet, node: Node): { run: boolean; stay: boolean } {
  const template = set.spec?.template as PodTemplate;
  const spec = template.spec as NonNullable<Pod['spec']>;
  if (!matchesNode(spec, node) || (spec.nodeName && spec.nodeName !== node.metadata.name))
    return { run: false, stay: false };
  const taint = (effects: string[]) => untolerated(node.spec?.taints ?? [], tolerations(template), effects);
  return { run: !taint(['NoSchedule', 'NoExecute']), stay: !taint(['NoExecute']) };
}

/** The node of a pod: where it runs, or where it is meant to run. */
function nodeOf({ spec }: Pod): string | undefined {
  const terms =
    spec?.['affinity']?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return spec?.nodeName ?? terms?.[0]?.matchFields?.[0]?.values?.[0];
}

async function place(
  work: Work,
  set: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  hash: string,
): Promise<void> {
  const { client, events } = work;
  const remove = async (pod: Pod) => {
    if (pod.metadata.deletionTimestamp) return;
    await client.delete(PODS, pod.metadata.name, pod.metadata.namespace, { uid: pod.metadata.uid ?? '' });
    events(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
  };
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) byNode.set(nodeOf(pod) ?? '', [...(byNode.get(nodeOf(pod) ?? '') ?? []), pod]);
  for (const node of nodes) {
    const here = byNode.get(node.metadata.name) ?? [];
    byNode.delete(node.metadata.name);
    const { run, stay } = fits(set, node);
    for (const pod of here)
      if (isTerminal(pod)) {
        events(
          set,
          'Warning',
          'FailedDaemonPod',
          `Found failed daemon pod ${keyOf(pod)} on node ${node.metadata.name}, will try to kill it`,
        );
        await remove(pod);
      } else if (!stay) await remove(pod);
    const alive = here.filter((pod) => !isTerminal(pod)).sort((a, b) => age(a) - age(b));
    for (const pod of alive.slice(1)) await remove(pod);
    if (run && here.length === 0) await createOn(work, set, node.metadata.name, hash);
  }
  // Nodes that are gone.
  for (const left of byNode.values()) for (const pod of left) await remove(pod);
}

const age = ({ metadata }: Pod) => Date.parse(metadata.creationTimestamp ?? '') || 0;

async function createOn({ client, events }: Work, set: DaemonSet, node: string, hash: string): Promise<void> {
  const template = set.spec?.template as PodTemplate;
  const generation = set.metadata.annotations?.['deprecated.daemonset.template.generation'];
  const pod = podOf(
    set,
    template,
    { generateName: `${set.metadata.name}-` },
    {
      labels: {
        [REVISION_LABEL]: hash,
        'pod-template-generation': generation ?? `${set.metadata.generation ?? 1}`,
      },
    },
  );
  const affinity = { ...pod.spec?.['affinity'] };
  // The scheduler places it, on this node and no other (instead of spec.nodeName, since 1.12).
  affinity.nodeAffinity = {
    ...affinity.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
    },
  };
  pod.spec = {
    ...(pod.spec as object & NonNullable<Pod['spec']>),
    affinity,
    tolerations: tolerations(template),
  };
  try {
    const created = await client.create<Pod>(PODS, pod);
    events(set, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
  } catch (error) {
    events(
      set,
      'Warning',
      'FailedCreate',
      `Error creating: ${error instanceof Error ? error.message : String(error)}`,
    );
    throw error;
  }
}

/** Replaces pods of an old template, so many at a time. */
async function roll(
  work: Work,
  set: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  hash: string,
): Promise<void> {
  const { updateStrategy, minReadySeconds = 0 } = set.spec ?? {};
  if (updateStrategy?.type === 'OnDelete') return;
  const wanted = nodes.filter((node) => fits(set, node).run).length;
  const allowed = Math.max(1, scaled(updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, wanted, true));
  const isOld = (pod: Pod) => pod.metadata.labels?.[REVISION_LABEL] !== hash;
  const available = pods.filter(
    (pod) => !pod.metadata.deletionTimestamp && isAvailable(pod, minReadySeconds),
  );
  let spare = allowed - (wanted - available.length);
  for (const pod of pods.filter((one) => isOld(one) && !one.metadata.deletionTimestamp)) {
    const counted = available.includes(pod);
    if (counted && spare <= 0) continue;
    if (counted) spare--;
    await work.client.delete(PODS, pod.metadata.name, pod.metadata.namespace, {
      uid: pod.metadata.uid ?? '',
    });
    work.events(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
  }
}

async function report(
  work: Work,
  set: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  hash: string,
): Promise<void> {
  const { minReadySeconds = 0 } = set.spec ?? {};
  const wanted = new Set(nodes.filter((node) => fits(set, node).run).map(({ metadata }) => metadata.name));
  const scheduled = pods.filter((pod) => pod.spec?.nodeName && !isTerminal(pod));
  const right = scheduled.filter((pod) => wanted.has(pod.spec?.nodeName ?? ''));
  const available = right.filter((pod) => isAvailable(pod, minReadySeconds)).length;
  const updated = right.filter((pod) => pod.metadata.labels?.[REVISION_LABEL] === hash).length;
  const ready = right.filter(isReady).length;
  const status = {
    currentNumberScheduled: right.length,
    numberMisscheduled: scheduled.length - right.length,
    desiredNumberScheduled: wanted.size,
    numberReady: ready,
    observedGeneration: set.metadata.generation ?? 1,
    ...(updated > 0 ? { updatedNumberScheduled: updated } : {}),
    ...(available > 0 ? { numberAvailable: available } : {}),
    ...(wanted.size > available ? { numberUnavailable: wanted.size - available } : {}),
  };
  if (available < ready) work.queue.addAfter(keyOf(set), minReadySeconds * 1_000);
  if (equal(status, set.status)) return;
  const fresh = await work.client.get<DaemonSet>(SETS, set.metadata.name, set.metadata.namespace);
  if (fresh && fresh.metadata.uid === set.metadata.uid)
    await work.client.updateStatus(SETS, { ...fresh, status });
}

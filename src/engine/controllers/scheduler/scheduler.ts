/** kube-scheduler: gives each pod without a node the best one, one pod after the other. */
import { gr } from '../../client/types.ts';
import type { Component } from '../../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from '../controller.ts';
import { withCondition } from '../objects.ts';
import { isTerminal, PODS, type Pod } from '../pods.ts';
import { ClusterView } from './cluster.ts';
import { refusal, type Refusal } from './filters.ts';
import type { Node } from './node-fit.ts';
import { best } from './scores.ts';

const NAME = 'default-scheduler';

/** How often pods that found no node are tried again without any change, in ms (upstream: podMaxInUnschedulablePodsDuration). */
const AGAIN_MS = 60_000;

export function createScheduler(options: ControllerOptions): Component {
  return controller(options, 'kube-scheduler', NAME, (work) => {
    const view = new ClusterView();
    const unplaced = new Set<string>();
    const wake = () => unplaced.forEach((key) => work.queue.add(key));
    work.watch<Node>(gr('nodes'), ({ type, object, before }) => {
      if (type === 'DELETED') view.nodes.delete(object.metadata.name);
      else view.nodes.set(object.metadata.name, object);
      // Heartbeats change nothing that matters here.
      const matters = ({ metadata, spec, status }: Node) =>
        JSON.stringify([metadata.labels, spec, status?.allocatable]);
      if (!before || type === 'DELETED' || matters(before) !== matters(object)) wake();
    });
    work.watch(gr('namespaces'), ({ type, object }) => {
      if (type === 'DELETED') view.namespaces.delete(object.metadata.name);
      else view.namespaces.set(object.metadata.name, object);
    });
    const pods = work.watch<Pod>(PODS, ({ type, object, before }) => {
      const gone = type === 'DELETED';
      view.see(object, gone);
      if (gone || isTerminal(object) || object.spec?.nodeName) {
        unplaced.delete(keyOf(object));
        if (gone || isTerminal(object)) wake(); // Room, or a port, or the reason of an anti-affinity has gone.
        return;
      }
      // One that found no place is tried again when it asks for something else (a toleration, a gate lifted).
      const asksAnew = before && JSON.stringify(before.spec) !== JSON.stringify(object.spec);
      if (isOurs(object) && (asksAnew || !unplaced.has(keyOf(object)))) work.queue.add(keyOf(object));
    });
    work.every(AGAIN_MS, wake);

    return async (key) => {
      const { namespace, name } = splitKey(key);
      const pod = pods.get(name, namespace);
      if (!pod || pod.spec?.nodeName || !isOurs(pod)) {
        unplaced.delete(key);
        return;
      }
      if ((pod.spec?.['schedulingGates'] as unknown[] | undefined)?.length) return;
      unplaced.add(key);
      const why = new Map<string, number>();
      const refusals: Refusal[][] = [];
      const good: Node[] = [];
      for (const node of view.nodes.values()) {
        const reasons = refusal(view, node, pod);
        if (reasons.length === 0) good.push(node);
        else refusals.push(reasons);
        for (const { reason } of reasons) why.set(reason, (why.get(reason) ?? 0) + 1);
      }
      const node = best(view, good, pod);
      if (!node) return fail(work, pod, view.nodes.size, why, refusals);
      unplaced.delete(key);
      await bind(work, pod, node.metadata.name);
    };
  });
}

const isOurs = ({ spec, metadata }: Pod): boolean =>
  (spec?.['schedulerName'] ?? NAME) === NAME && !metadata.deletionTimestamp;

async function bind({ client, events }: Work, pod: Pod, node: string): Promise<void> {
  const { name, namespace } = pod.metadata;
  const bound = await client.patch<Pod>(PODS, name, namespace, { spec: { nodeName: node } }, 'binding');
  const conditions = withCondition(
    bound.status?.conditions?.map((condition) => condition),
    { type: 'PodScheduled', status: 'True' },
  ).map((condition) =>
    condition.type === 'PodScheduled' ? { lastProbeTime: null, ...bare(condition) } : condition,
  );
  await client.patch(PODS, name, namespace, { status: { conditions } }, 'status');
  events(bound, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
}

/** Without the words of an earlier failure. */
function bare<T extends { reason?: string; message?: string }>(condition: T): T {
  const { reason: _, message: __, ...rest } = condition;
  return rest as T;
}

async function fail(
  { client, events }: Work,
  pod: Pod,
  total: number,
  why: ReadonlyMap<string, number>,
  refusals: readonly Refusal[][],
): Promise<void> {
  const message = explanation(total, why, refusals);
  const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (before?.message !== message) {
    const conditions = withCondition(pod.status?.conditions, {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
    });
    await client.patch(PODS, pod.metadata.name, pod.metadata.namespace, { status: { conditions } }, 'status');
  }
  events(pod, 'Warning', 'FailedScheduling', message);
}

/** `0/3 nodes are available: 1 ..., 2 .... preemption: ...` in upstream's words. */
function explanation(
  total: number,
  why: ReadonlyMap<string, number>,
  refusals: readonly Refusal[][],
): string {
  if (total === 0) return 'no nodes available to schedule pods';
  const reasons = [...why].map(([reason, count]) => `${count} ${reason}`).sort();
  const hopeless = refusals.filter((some) => some.some(({ resolvable }) => !resolvable)).length;
  const victims = total - hopeless;
  const parts = [
    ...(victims > 0 ? [`${victims} No preemption victims found for incoming pod`] : []),
    ...(hopeless > 0 ? [`${hopeless} Preemption is not helpful for scheduling`] : []),
  ].sort();
  return `0/${total} nodes are available: ${reasons.join(', ')}. preemption: 0/${total} nodes are available: ${parts.join(', ')}.`;
}

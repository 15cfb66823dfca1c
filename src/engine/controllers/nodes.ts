/** Node lifecycle: a node that stops reporting becomes Unknown, gets taints, and in time loses its pods; and pods of nodes that are gone. */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from './controller.ts';
import { equal, timestamp, withCondition, type Condition } from './objects.ts';
import { isTerminal, PODS, type Pod } from './pods.ts';
import { tolerates, type Node, type Taint, type Toleration } from './scheduler/node-fit.ts';

const NODES = gr('nodes');
const LEASES = gr('leases', 'coordination.k8s.io');
const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
/** Taints that this controller sets and takes away; others are somebody else's. */
const OURS = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE]);

export interface NodeLifecycleOptions extends ControllerOptions {
  /** How long a kubelet may be silent, in ms (--node-monitor-grace-period, 50 s). A node without a Lease is never held silent. */
  readonly graceMs?: number;
  /** How often to look, in ms (--node-monitor-period, 5 s). */
  readonly periodMs?: number;
}

export function createNodeLifecycleController(options: NodeLifecycleOptions): Component {
  const { graceMs = 50_000, periodMs = 5_000 } = options;
  return controller(options, 'node-lifecycle-controller', 'node-controller', (work) => {
    /** Nodes that were ready and are no longer: their pods count as not ready from that moment on. */
    const fell = new Set<string>();
    const nodes = work.watch<Node>(NODES, ({ type, object, before }) => {
      const { name } = object.metadata;
      if (type === 'DELETED' || readiness(object)?.status === 'True') fell.delete(name);
      else if (before && readiness(before)?.status === 'True') fell.add(name);
      work.queue.add(`node/${name}`);
    });
    const leases = work.watch(LEASES, () => undefined, { namespace: 'kube-node-lease' });
    const pods = work.watch<Pod>(PODS, ({ type, object, before }) => {
      if (type !== 'DELETED' && object.spec?.nodeName && before?.spec?.nodeName !== object.spec.nodeName)
        work.queue.add(`pod/${keyOf(object)}`);
    });
    work.every(periodMs, () =>
      nodes.list().forEach(({ metadata }) => work.queue.add(`node/${metadata.name}`)),
    );

    return async (key) => {
      const [kind, rest = ''] = [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)];
      if (kind === 'pod') {
        const { namespace, name } = splitKey(rest);
        const pod = pods.get(name, namespace);
        const node = nodes.get(pod?.spec?.nodeName ?? '');
        if (pod && node) await evict(work, node, pod);
        return;
      }
      let node = nodes.get(rest);
      if (!node) return;
      node = await watchOver(work, node, leases.get(rest, 'kube-node-lease'), graceMs);
      const taints = taintsOf(node);
      if (!equal(taints, node.spec?.taints ?? []))
        node = await work.client.patch<Node>(NODES, rest, undefined, {
          spec: { taints: taints.length > 0 ? taints : null },
        });
      const here = pods.list().filter(({ spec }) => spec?.nodeName === rest);
      if (fell.has(rest)) {
        await markNotReady(work, here);
        fell.delete(rest);
      }
      if (taints.some(({ effect }) => effect === 'NoExecute'))
        for (const pod of here) await evict(work, node, pod);
    };
  });
}

const readiness = (node: Node) => node.status?.conditions?.find(({ type }) => type === 'Ready');

/** Marks a node as Unknown when its kubelet has been silent for too long. */
async function watchOver(
  { client, events }: Work,
  node: Node,
  lease: KubeObject | undefined,
  graceMs: number,
): Promise<Node> {
  const renewed = Date.parse(lease?.spec?.renewTime ?? '');
  const ready = readiness(node);
  if (Number.isNaN(renewed) || Date.now() - renewed <= graceMs || !ready || ready.status === 'Unknown')
    return node;
  let conditions = (node.status?.conditions ?? []) as Condition[];
  for (const type of ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'])
    conditions = withCondition(conditions, {
      ...conditions.find((one) => one.type === type),
      type,
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    });
  events(node, 'Normal', 'NodeNotReady', `Node ${node.metadata.name} status is now: NodeNotReady`);
  return client.patch<Node>(NODES, node.metadata.name, undefined, { status: { conditions } }, 'status');
}

function taintsOf(node: Node): Taint[] {
  const kept = (node.spec?.taints ?? []).filter(({ key }) => !OURS.has(key));
  const status = readiness(node)?.status;
  const wanted: [string, Taint['effect']][] = [];
  if (node.spec?.unschedulable) wanted.push([UNSCHEDULABLE, 'NoSchedule']);
  const down = status === 'Unknown' ? UNREACHABLE : status === 'True' ? undefined : NOT_READY;
  if (down) wanted.push([down, 'NoSchedule']);
  // A node that has never told anything is new: nothing runs there that could be evicted.
  if (down && status !== undefined) wanted.push([down, 'NoExecute']);
  return [
    ...kept,
    ...wanted.map(([key, effect]) => {
      const there = node.spec?.taints?.find((taint) => taint.key === key && taint.effect === effect);
      return there ?? { key, effect, timeAdded: timestamp() };
    }),
  ];
}

/** Pods of a node that does not report count as not ready: Services stop sending traffic there. */
async function markNotReady({ client, events }: Work, pods: readonly Pod[]): Promise<void> {
  for (const pod of pods) {
    const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status !== 'True') continue;
    const conditions = withCondition(pod.status?.conditions, { ...ready, status: 'False' });
    await client.patch(PODS, pod.metadata.name, pod.metadata.namespace, { status: { conditions } }, 'status');
    events(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
  }
}

/** Taint-based eviction: a pod goes that does not tolerate a NoExecute taint, or when its time of toleration is over. */
async function evict({ client, events, queue }: Work, node: Node, pod: Pod): Promise<void> {
  if (pod.metadata.deletionTimestamp || isTerminal(pod)) return;
  const tolerations = (pod.spec?.['tolerations'] ?? []) as Toleration[];
  let until = Infinity;
  for (const taint of node.spec?.taints ?? []) {
    if (taint.effect !== 'NoExecute') continue;
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    const seconds = matching.map(({ tolerationSeconds }) => tolerationSeconds ?? Infinity);
    const since = Date.parse(taint.timeAdded ?? '') || Date.now();
    until = Math.min(until, matching.length === 0 ? 0 : since + Math.max(0, Math.min(...seconds)) * 1_000);
  }
  if (until === Infinity) return;
  if (until > Date.now()) return queue.addAfter(`pod/${keyOf(pod)}`, until - Date.now());
  const { name, namespace, uid } = pod.metadata;
  events(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
  await client.delete(PODS, name, namespace, { uid: uid ?? '' });
}

/** The pod garbage collector: pods of nodes that no longer exist. */
export function createPodGarbageCollector(options: ControllerOptions): Component {
  return controller(options, 'pod-garbage-collector-controller', 'pod-garbage-collector', (work) => {
    const pods = work.watch<Pod>(PODS, ({ type, object }) => {
      if (type === 'ADDED') work.queue.add(keyOf(object));
    });
    const nodes = work.watch<Node>(NODES, ({ type, object }) => {
      if (type !== 'DELETED') return;
      for (const pod of pods.list())
        if (pod.spec?.nodeName === object.metadata.name) work.queue.add(keyOf(pod));
    });
    return async (key) => {
      const { namespace, name } = splitKey(key);
      const pod = pods.get(name, namespace);
      if (!pod?.spec?.nodeName || nodes.get(pod.spec.nodeName)) return;
      await work.client.delete(PODS, name, namespace, { graceSeconds: 0, uid: pod.metadata.uid ?? '' });
    };
  });
}

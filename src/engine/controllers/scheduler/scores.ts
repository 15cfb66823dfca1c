/** Which of the nodes that would do is best: few pods of the same kind there first, then preferences, then room. */
import { controllerRef } from '../objects.ts';
import type { Pod } from '../pods.ts';
import { domainCounts, domainHas, preferred, type SpreadConstraint } from './affinity.ts';
import { requestsOf, type ClusterView } from './cluster.ts';
import { meetsTerm, untolerated, type Node, type NodeSelectorTerm, type Toleration } from './node-fit.ts';
import { quantity } from './quantity.ts';

/** Weights of kube-scheduler's default profile, on scores from 0 to 100. */
const WEIGHTS = { taints: 3, nodeAffinity: 2, podAffinity: 2, spread: 2, room: 1, pods: 0.1 };

/** The best node; among equals the first by name, so that a lesson comes out the same each time. */
export function best(view: ClusterView, nodes: readonly Node[], pod: Pod): Node | undefined {
  const taints = inverse(nodes.map((node) => preferNot(node, pod)));
  const affinity = normal(nodes.map((node) => nodePreference(node, pod)));
  const others = normal(nodes.map((node) => podPreference(view, node, pod)));
  const spread = inverse(nodes.map((node) => alike(view, node, pod)));
  const count = inverse(nodes.map((node) => view.countOn(node.metadata.name)));
  let found: { node: Node; score: number } | undefined;
  nodes.forEach((node, i) => {
    const score =
      WEIGHTS.taints * (taints[i] ?? 0) +
      WEIGHTS.nodeAffinity * (affinity[i] ?? 0) +
      WEIGHTS.podAffinity * (others[i] ?? 0) +
      WEIGHTS.spread * (spread[i] ?? 0) +
      WEIGHTS.pods * (count[i] ?? 0) +
      WEIGHTS.room * room(view, node, pod);
    const better =
      !found ||
      score > found.score + 1e-6 ||
      (Math.abs(score - found.score) <= 1e-6 && node.metadata.name < found.node.metadata.name);
    if (better) found = { node, score };
  });
  return found?.node;
}

/** Numbers of any size to 0 ... 100. */
function normal(raw: readonly number[]): number[] {
  const low = Math.min(...raw, 0);
  const high = Math.max(...raw);
  return raw.map((value) => (high === low ? 0 : (100 * (value - low)) / (high - low)));
}

/** The same for numbers of which less is better. */
function inverse(raw: readonly number[]): number[] {
  const high = Math.max(...raw);
  return raw.map((value) => (high === 0 ? 100 : (100 * (high - value)) / high));
}

const preferNot = (node: Node, pod: Pod): number =>
  (node.spec?.taints ?? []).filter((taint) =>
    untolerated([taint], (pod.spec?.['tolerations'] ?? []) as Toleration[], ['PreferNoSchedule']),
  ).length;

function nodePreference(node: Node, pod: Pod): number {
  const terms = (pod.spec?.['affinity']?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ??
    []) as {
    weight: number;
    preference: NodeSelectorTerm;
  }[];
  return terms.reduce((sum, { weight, preference }) => sum + (meetsTerm(preference, node) ? weight : 0), 0);
}

function podPreference(view: ClusterView, node: Node, pod: Pod): number {
  let sum = 0;
  for (const { weight, podAffinityTerm } of preferred(pod, 'podAffinity'))
    if (domainHas(view, node, podAffinityTerm, pod)) sum += weight;
  for (const { weight, podAffinityTerm } of preferred(pod, 'podAntiAffinity'))
    if (domainHas(view, node, podAffinityTerm, pod)) sum -= weight;
  return sum;
}

/** Pods like this one that are there: by its own soft constraints, or by default those of the same controller. */
function alike(view: ClusterView, node: Node, pod: Pod): number {
  const soft = ((pod.spec?.['topologySpreadConstraints'] ?? []) as SpreadConstraint[]).filter(
    ({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway',
  );
  if (soft.length > 0)
    return soft.reduce((sum, constraint) => {
      const domain = node.metadata.labels?.[constraint.topologyKey];
      const counts = domainCounts(view, pod, constraint);
      // A node without the label is the worst.
      return sum + (domain === undefined ? Math.max(0, ...counts.values()) + 1 : (counts.get(domain) ?? 0));
    }, 0);
  const owner = controllerRef(pod)?.uid;
  let count = 0;
  if (owner)
    for (const other of view.podsOn(node.metadata.name)) if (controllerRef(other)?.uid === owner) count++;
  return count;
}

/** Share of cpu and memory that would be left, 0 ... 100 (LeastAllocated). */
function room(view: ClusterView, node: Node, pod: Pod): number {
  const used = view.usedOn(node.metadata.name);
  const wanted = requestsOf(pod);
  const shares = ['cpu', 'memory'].map((name) => {
    const all = quantity(node.status?.allocatable?.[name]);
    if (all === 0) return 0;
    return Math.max(0, (all - (used.get(name) ?? 0) - (wanted.get(name) ?? 0)) / all);
  });
  return (100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length;
}

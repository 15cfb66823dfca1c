/** Inter-pod affinity and anti-affinity, and topology spread constraints (core/v1 API reference). */
import type { KubeObject } from '../../client/types.ts';
import { selects, type LabelSelector } from '../objects.ts';
import type { Pod } from '../pods.ts';
import type { ClusterView } from './cluster.ts';
import { matchesNode, untolerated, type Node, type Toleration } from './node-fit.ts';

export interface PodTerm {
  topologyKey: string;
  labelSelector?: LabelSelector;
  namespaces?: string[];
  namespaceSelector?: LabelSelector;
}

export interface SpreadConstraint {
  topologyKey: string;
  maxSkew: number;
  whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway';
  labelSelector?: LabelSelector;
  minDomains?: number;
  matchLabelKeys?: string[];
  nodeAffinityPolicy?: 'Honor' | 'Ignore';
  nodeTaintsPolicy?: 'Honor' | 'Ignore';
}

const affinityOf = (pod: Pod) => pod.spec?.['affinity'] ?? {};
export const requiredAffinity = (pod: Pod): PodTerm[] =>
  affinityOf(pod).podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
export const requiredAntiAffinity = (pod: Pod): PodTerm[] =>
  affinityOf(pod).podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
export const preferred = (
  pod: Pod,
  kind: 'podAffinity' | 'podAntiAffinity',
): { weight: number; podAffinityTerm: PodTerm }[] =>
  affinityOf(pod)[kind]?.preferredDuringSchedulingIgnoredDuringExecution ?? [];

/** Whether a term of `owner` takes `other`. */
export function takes(
  term: PodTerm,
  owner: Pod,
  other: Pod,
  namespaces: ReadonlyMap<string, KubeObject>,
): boolean {
  const where = other.metadata.namespace ?? '';
  const named = term.namespaces ?? [];
  const inNamespace =
    named.includes(where) ||
    (term.namespaceSelector !== undefined &&
      selects(term.namespaceSelector, namespaces.get(where)?.metadata.labels)) ||
    (named.length === 0 && term.namespaceSelector === undefined && where === owner.metadata.namespace);
  return inNamespace && selects(term.labelSelector, other.metadata.labels);
}

const domainOf = (node: Node, key: string): string | undefined => node.metadata.labels?.[key];

/** Whether some pod in the node's domain is taken by the term. */
export function domainHas(view: ClusterView, node: Node, term: PodTerm, owner: Pod): boolean {
  const domain = domainOf(node, term.topologyKey);
  if (domain === undefined) return false;
  for (const other of view.nodes.values())
    if (domainOf(other, term.topologyKey) === domain)
      for (const pod of view.podsOn(other.metadata.name))
        if (takes(term, owner, pod, view.namespaces)) return true;
  return false;
}

/** Whether the pod can go where its required affinity wants; the first of a group may go anywhere its own labels satisfy. */
export function affinityMet(view: ClusterView, node: Node, pod: Pod): boolean {
  const terms = requiredAffinity(pod);
  if (terms.length === 0) return true;
  if (terms.some(({ topologyKey }) => domainOf(node, topologyKey) === undefined)) return false;
  if (terms.every((term) => domainHas(view, node, term, pod))) return true;
  const nowhere = terms.every((term) =>
    [...view.nodes.values()].every((other) => !domainHas(view, other, term, pod)),
  );
  return nowhere && terms.every((term) => takes(term, pod, pod, view.namespaces));
}

export const antiAffinityMet = (view: ClusterView, node: Node, pod: Pod): boolean =>
  requiredAntiAffinity(pod).every((term) => !domainHas(view, node, term, pod));

/** Whether pods that are there already refuse this one. */
export function othersAntiAffinityMet(view: ClusterView, node: Node, pod: Pod): boolean {
  for (const other of view.nodes.values())
    for (const there of view.podsOn(other.metadata.name))
      for (const term of requiredAntiAffinity(there)) {
        const domain = domainOf(other, term.topologyKey);
        if (
          domain !== undefined &&
          domain === domainOf(node, term.topologyKey) &&
          takes(term, there, pod, view.namespaces)
        )
          return false;
      }
  return true;
}

/** How many matching pods each domain has, over the nodes that the pod could use at all. */
export function domainCounts(view: ClusterView, pod: Pod, constraint: SpreadConstraint): Map<string, number> {
  const counts = new Map<string, number>();
  const tolerations = (pod.spec?.['tolerations'] ?? []) as Toleration[];
  const selector: LabelSelector = {
    ...constraint.labelSelector,
    matchLabels: {
      ...constraint.labelSelector?.matchLabels,
      ...Object.fromEntries(
        (constraint.matchLabelKeys ?? []).flatMap((key) => {
          const value = pod.metadata.labels?.[key];
          return value === undefined ? [] : [[key, value]];
        }),
      ),
    },
  };
  for (const node of view.nodes.values()) {
    const domain = domainOf(node, constraint.topologyKey);
    if (domain === undefined || !pod.spec) continue;
    if (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesNode(pod.spec, node)) continue;
    if (
      constraint.nodeTaintsPolicy === 'Honor' &&
      untolerated(node.spec?.taints ?? [], tolerations, ['NoSchedule', 'NoExecute'])
    )
      continue;
    let count = counts.get(domain) ?? 0;
    for (const other of view.podsOn(node.metadata.name))
      if (
        other.metadata.namespace === pod.metadata.namespace &&
        !other.metadata.deletionTimestamp &&
        selects(selector, other.metadata.labels)
      )
        count++;
    counts.set(domain, count);
  }
  return counts;
}

/** Whether a node meets a spread constraint: 'missing' when it has no such label. */
export function spreadMet(
  view: ClusterView,
  node: Node,
  pod: Pod,
  constraint: SpreadConstraint,
): true | 'missing' | 'skewed' {
  const domain = domainOf(node, constraint.topologyKey);
  if (domain === undefined) return 'missing';
  const counts = domainCounts(view, pod, constraint);
  const least = counts.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...counts.values());
  const self = selects(constraint.labelSelector, pod.metadata.labels) ? 1 : 0;
  return (counts.get(domain) ?? 0) + self - least <= constraint.maxSkew ? true : 'skewed';
}

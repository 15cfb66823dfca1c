/** What the scheduler knows: nodes, and the pods that are placed on them, with what they take. */
import type { KubeObject } from '../../client/types.ts';
import { isTerminal, type Pod } from '../pods.ts';
import type { Node } from './node-fit.ts';
import { quantity } from './quantity.ts';

export type Resources = Map<string, number>;

export class ClusterView {
  readonly nodes = new Map<string, Node>();
  readonly namespaces = new Map<string, KubeObject>();
  private readonly byNode = new Map<string, Map<string, Pod>>();
  private readonly placed = new Map<string, string>();

  /** Takes in a pod that exists (or with `gone`, no longer); pods without node count nowhere. */
  see(pod: Pod, gone = false): void {
    const key = pod.metadata.uid ?? `${pod.metadata.namespace}/${pod.metadata.name}`;
    const before = this.placed.get(key);
    if (before !== undefined) this.byNode.get(before)?.delete(key);
    this.placed.delete(key);
    const node = pod.spec?.nodeName;
    if (gone || !node || isTerminal(pod)) return;
    this.placed.set(key, node);
    const there = this.byNode.get(node) ?? new Map<string, Pod>();
    this.byNode.set(node, there);
    there.set(key, pod);
  }

  podsOn(node: string): Iterable<Pod> {
    return this.byNode.get(node)?.values() ?? [];
  }

  countOn(node: string): number {
    return this.byNode.get(node)?.size ?? 0;
  }

  /** What the pods on a node have asked for. */
  usedOn(node: string): Resources {
    const used: Resources = new Map();
    for (const pod of this.podsOn(node)) addTo(used, requestsOf(pod));
    return used;
  }
}

function addTo(sum: Resources, more: Resources): void {
  for (const [name, amount] of more) sum.set(name, (sum.get(name) ?? 0) + amount);
}

/** What a pod asks for: its containers together, or the largest init container, whichever is more. */
export function requestsOf(pod: Pod): Resources {
  const read = (requests: Record<string, string> = {}) =>
    new Map(Object.entries(requests).map(([name, amount]) => [name, quantity(amount)]));
  const sum: Resources = new Map();
  for (const { resources } of pod.spec?.containers ?? []) addTo(sum, read(resources?.requests));
  const largest: Resources = new Map();
  for (const { resources, restartPolicy } of pod.spec?.initContainers ?? []) {
    const requests = read(resources?.requests);
    if (restartPolicy === 'Always') addTo(sum, requests);
    else for (const [name, amount] of requests) largest.set(name, Math.max(largest.get(name) ?? 0, amount));
  }
  for (const [name, amount] of largest) sum.set(name, Math.max(sum.get(name) ?? 0, amount));
  return sum;
}

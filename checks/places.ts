/** Where pods are put, and small things that experiments share. */
import type { PodWish, RowWish, Stage } from './experiment.ts';
import type { Observation } from '../src/model/observation.ts';
import { PodlabError } from '../src/model/errors.ts';
import { text } from '../src/model/text.ts';

/**
 * Names of `count` different nodes: workers first, then the control plane.
 * @throws PodlabError `too-few-nodes`
 */
export function nodesApart(stage: Stage, count: number): string[] {
  const workers = stage.workers.map((node) => node.name);
  const others = stage.nodes.map((node) => node.name).filter((name) => !workers.includes(name));
  const all = [...workers, ...others];
  if (all.length >= count) return all.slice(0, count);
  throw new PodlabError({
    code: 'too-few-nodes',
    fault: 'user',
    message: text(
      `this experiment needs ${count} nodes and the cluster has ${all.length}`,
      `此实验需要 ${count} 个节点，而集群只有 ${all.length} 个`,
    ),
  });
}

/** A pod on that node, be it the control plane. */
export const at = (node: string, wish: Omit<PodWish, 'node'> = {}): PodWish => ({
  ...wish,
  node,
  spec: { tolerations: [{ operator: 'Exists' }], ...wish.spec },
});

/** A row's words. */
export const row = (id: string, en: string, zh: string, more: Partial<RowWish> = {}): RowWish => ({
  id,
  question: text(en, zh),
  ...more,
});

/**
 * The answer that the experiment cannot go on without.
 * @throws PodlabError `not-asked`
 */
export function valueOf<T>(seen: Observation<T>): T {
  if (seen.asked) return seen.value;
  throw new PodlabError({ code: 'not-asked', fault: 'machine', message: seen.reason });
}

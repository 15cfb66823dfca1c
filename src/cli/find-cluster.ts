/** Finds the cluster that a person means. */
import type { Backend, Cluster, ClusterSummary } from '../cluster/port.ts';
import { PodlabError } from '../model/errors.ts';
import { near } from '../model/near.ts';
import { text } from '../model/text.ts';

/** A cluster in a list, with the backend that keeps it. */
export interface Known {
  readonly backend: Backend;
  readonly summary: ClusterSummary;
}

/** Every cluster of every backend, by name. */
export async function known(backends: readonly Backend[]): Promise<Known[]> {
  const lists = await Promise.all(
    backends.map(async (backend) => (await backend.list()).map((summary) => ({ backend, summary }))),
  );
  return lists.flat().sort((a, b) => a.summary.name.localeCompare(b.summary.name));
}

/**
 * The cluster of that name, or the only one there is.
 * @throws PodlabError `no-cluster`, `unknown-cluster`, `which-cluster` (user), with the names to choose from
 */
export async function meant(name: string | undefined, backends: readonly Backend[]): Promise<Known> {
  const all = await known(backends);
  const names = all.map((one) => one.summary.name);
  if (all.length === 0)
    throw new PodlabError({
      code: 'no-cluster',
      fault: 'user',
      message: text('There is no cluster.', '没有集群。'),
      hint: text('Make one: `./podlab up`', '创建一个：`./podlab up`'),
    });
  if (name === undefined) {
    if (all.length === 1) return all[0]!;
    throw new PodlabError({
      code: 'which-cluster',
      fault: 'user',
      message: text('There are several clusters; which one?', '有多个集群；要哪一个？'),
      hint: text(`Name one of: ${names.join(', ')}`, `请指定其中之一：${names.join('、')}`),
    });
  }
  const found = all.find((one) => one.summary.name === name);
  if (found) return found;
  const close = near(name, names);
  throw new PodlabError({
    code: 'unknown-cluster',
    fault: 'user',
    message: text(`There is no cluster "${name}".`, `没有名为“${name}”的集群。`),
    hint:
      close.length > 0
        ? text(`Did you mean ${close.join(', ')}?`, `是不是想输入 ${close.join('、')}？`)
        : text(`There are: ${names.join(', ')}`, `现有：${names.join('、')}`),
  });
}

/** The same, running. @throws PodlabError `not-running` (machine) */
export async function running(name: string | undefined, backends: readonly Backend[]): Promise<Cluster> {
  const { backend, summary } = await meant(name, backends);
  const cluster = summary.state === 'running' ? await backend.find(summary.name) : undefined;
  if (cluster) return cluster;
  throw new PodlabError({
    code: 'not-running',
    fault: 'machine',
    message: text(
      `The cluster "${summary.name}" is not running (${summary.state}).`,
      `集群“${summary.name}”没有在运行（${summary.state}）。`,
    ),
    hint: text(
      `Remove it and make it anew: \`./podlab down ${summary.name} && ./podlab up ${summary.name} --cni ${summary.cni}\``,
      `删除后重新创建：\`./podlab down ${summary.name} && ./podlab up ${summary.name} --cni ${summary.cni}\``,
    ),
  });
}

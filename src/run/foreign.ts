/** A cluster that is somebody else's, as a run sees it: it is there or not, and is neither made nor removed. */
import type { Backend, Cluster } from '../cluster/port.ts';
import { openKubeconfigCluster, type KubeconfigChoice } from '../cluster/kubeconfig/cluster.ts';
import { PodlabError } from '../model/errors.ts';
import type { Listener } from '../model/events.ts';
import { text } from '../model/text.ts';
import { enforcesPolicy } from './enforces.ts';

/**
 * Opens it and asks first, with packets, whether it enforces NetworkPolicy.
 * @throws PodlabError `bad-kubeconfig` (user), `cluster-unreachable`, `not-asked` (machine)
 */
export async function foreignCluster(
  choice: KubeconfigChoice,
  signal: AbortSignal,
  listener: Listener,
): Promise<Cluster> {
  const stranger = await openKubeconfigCluster(choice, false);
  const title = text('does it enforce NetworkPolicy?', '它执行 NetworkPolicy 吗？');
  listener({ type: 'phase', of: stranger.name, id: 'enforces', title, ms: undefined });
  const began = performance.now();
  const seen = await enforcesPolicy(stranger, signal, listener);
  const ms = Math.round(performance.now() - began);
  if (!seen.asked)
    throw new PodlabError({
      code: 'not-asked',
      fault: 'machine',
      message: text(
        `Could not find out whether the cluster enforces NetworkPolicy: ${seen.reason.en}`,
        `无法确定该集群是否执行 NetworkPolicy：${seen.reason.zh}`,
      ),
      hint: text(
        'Can pods of the image in checks/images.ts run there? `podlab verify --cluster kubeconfig --dry-run` lists all that is made.',
        '该集群能运行 checks/images.ts 中的镜像吗？`podlab verify --cluster kubeconfig --dry-run` 会列出要创建的全部对象。',
      ),
    });
  const note = seen.value ? text('yes', '执行') : text('no: policies are ignored', '不执行：策略被忽略');
  listener({ type: 'phase', of: stranger.name, id: 'enforces', title, ms, note });
  return openKubeconfigCluster(choice, seen.value);
}

/** The backend that holds just this cluster. */
export function foreignBackend(cluster: Cluster): Backend {
  const never = () =>
    Promise.reject(new Error('a cluster known by a kubeconfig is neither made nor removed'));
  return {
    name: 'kubeconfig',
    up: never,
    down: never,
    downAll: never,
    find: () =>
      cluster.nodes().then(
        () => cluster,
        () => undefined,
      ),
    list: () => Promise.resolve([]),
  };
}

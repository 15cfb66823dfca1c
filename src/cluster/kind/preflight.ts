/** What a cluster of this size needs of the machine, looked at before anything is made. */
import { readFileSync, readdirSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { ensure, stateFolder } from '../../exec/folders.ts';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';

/** inotify instances of root, measured: systemd 4, containerd 1, kubelet 7, kube-proxy 1; API server 6, controllers 7. */
const INOTIFY_PER_WORKER = 13;
const INOTIFY_OF_LEADER = 26;
/** Disk that a node's writable layer and images want, in bytes. */
const DISK_PER_NODE = 1.5e9;

/** inotify instances: the most that a user may have, and how many root has now (inotify(7)). */
export function inotify(): { readonly limit: number; readonly used: number } {
  const limit = Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8'));
  let used = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (statSync(`/proc/${pid}`).uid !== 0) continue;
      for (const fd of readdirSync(`/proc/${pid}/fd`))
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) === 'anon_inode:inotify') used += 1;
    } catch {
      // It ended, or it is not ours to look at.
    }
  }
  return { limit, used };
}

/** inotify instances that a cluster of so many nodes needs. */
export const inotifyNeeded = (nodes: number): number => INOTIFY_OF_LEADER + (nodes - 1) * INOTIFY_PER_WORKER;

/** @throws PodlabError `inotify-limit` or `disk-full`, with the command that mends it */
export function preflight(nodes: number): void {
  if (process.platform !== 'linux') return; // Docker Desktop's machine has its own limits.
  const { limit, used } = inotify();
  const need = inotifyNeeded(nodes);
  if (used + need > limit) {
    const better = Math.max(512, used + need);
    throw new PodlabError({
      code: 'inotify-limit',
      fault: 'machine',
      message: text(
        `${nodes} nodes need about ${need} inotify instances; ${used} of ${limit} are in use.`,
        `${nodes} 个节点约需 ${need} 个 inotify 实例，目前已用 ${used}/${limit}。`,
      ),
      hint: text(
        `Raise the limit: sudo sysctl fs.inotify.max_user_instances=${better} ; or remove a cluster: ./podlab list`,
        `提高上限：sudo sysctl fs.inotify.max_user_instances=${better} ；或删除一个集群：./podlab list`,
      ),
    });
  }
  const disk = statfsSync(ensure(stateFolder()));
  const free = disk.bavail * disk.bsize;
  if (free < nodes * DISK_PER_NODE)
    throw new PodlabError({
      code: 'disk-full',
      fault: 'machine',
      message: text(
        `${nodes} nodes need about ${((nodes * DISK_PER_NODE) / 1e9).toFixed(1)} GB of disk; ${(free / 1e9).toFixed(1)} GB are free.`,
        `${nodes} 个节点约需 ${((nodes * DISK_PER_NODE) / 1e9).toFixed(1)} GB 磁盘空间，目前可用 ${(free / 1e9).toFixed(1)} GB。`,
      ),
      hint: text(
        `Free some, or point PODLAB_STATE at a bigger disk (now ${stateFolder()}).`,
        `请清理磁盘，或把 PODLAB_STATE 指向更大的磁盘（现为 ${stateFolder()}）。`,
      ),
    });
}

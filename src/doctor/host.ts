/** Limits and versions of this machine that decide what can run. */
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { inotify, inotifyNeeded } from '../cluster/kind/preflight.ts';
import { cacheFolder, ensure, stateFolder } from '../exec/folders.ts';
import { run, which } from '../exec/run.ts';
import { text } from '../model/text.ts';
import type { Fact } from './fact.ts';

/** Node.js that the kit needs: package.json, `engines`. */
const NODE: readonly [number, number] = [20, 19];
/** What the offline image set takes while it is built, and when it is there, in bytes. */
const SET_BYTES = 12e9;
/** A cluster of this size is the usual one. */
const USUAL_NODES = 3;

export function nodeFact(version = process.versions.node): Fact {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const good = major > NODE[0] || (major === NODE[0] && minor >= NODE[1]);
  return {
    id: 'node',
    title: text('Node.js', 'Node.js'),
    state: good ? 'ok' : 'lack',
    detail: text(
      `${version}, ${NODE.join('.')} or later is needed`,
      `${version}，需要 ${NODE.join('.')} 或更新`,
    ),
    mend: good ? undefined : 'https://nodejs.org/en/download',
  };
}

export function cgroupFact(): Fact {
  const two = existsSync('/sys/fs/cgroup/cgroup.controllers');
  return {
    id: 'cgroup',
    title: text('cgroup version', 'cgroup 版本'),
    state: two ? 'ok' : 'note',
    detail: two
      ? text('v2', 'v2')
      : text(
          'v1: Kubernetes up to 1.34 only (1.35 and later want v2); the offline set is 1.34',
          'v1：仅支持 Kubernetes 1.34 及以下（1.35 起需要 v2），离线镜像集为 1.34',
        ),
  };
}

export function inotifyFact(): Fact {
  const { limit, used } = inotify();
  const need = inotifyNeeded(USUAL_NODES);
  const good = limit - used >= need;
  return {
    id: 'inotify',
    title: text('inotify instances', 'inotify 实例数'),
    state: good ? 'ok' : 'lack',
    detail: text(
      `${used} of ${limit} in use; a kind cluster of ${USUAL_NODES} nodes needs about ${need}`,
      `已用 ${used}/${limit}；${USUAL_NODES} 节点的 kind 集群约需 ${need}`,
    ),
    mend: good ? undefined : `sudo sysctl fs.inotify.max_user_instances=${Math.max(512, used + need)}`,
  };
}

/** Whether an ordinary user may make a user namespace with everything in it, which the embedded engine needs. */
export async function userNamespaceFact(): Promise<Fact> {
  const title = text('user namespaces', '用户命名空间');
  // The plain truth: make one, with a network namespace inside, and see.
  const tried = await run(
    ['unshare', '--user', '--map-root-user', '--net', '--mount', '--', 'ip', 'link', 'set', 'lo', 'up'],
    {
      timeout: 10_000,
    },
  );
  if (tried.ok)
    return {
      id: 'userns',
      title,
      state: 'ok',
      detail: text('work (the embedded cluster)', '可用（内嵌集群）'),
    };
  const knob = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined);
  const [setting, value] =
    knob('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1'
      ? ['kernel.apparmor_restrict_unprivileged_userns', 0]
      : knob('/proc/sys/kernel/unprivileged_userns_clone') === '0'
        ? ['kernel.unprivileged_userns_clone', 1]
        : knob('/proc/sys/user/max_user_namespaces') === '0'
          ? ['user.max_user_namespaces', 10000]
          : [undefined, undefined];
  const why = setting ?? tried.broken ?? tried.stderr.trim();
  return {
    id: 'userns',
    title,
    state: 'lack',
    detail: text(`refused (${why}); the embedded cluster needs them`, `被拒绝（${why}）；内嵌集群需要它`),
    mend: setting === undefined ? undefined : `sudo sysctl ${setting}=${value}`,
  };
}

export function diskFact(): Fact {
  const free = Math.min(
    ...[cacheFolder(), stateFolder()].map((folder) => {
      const disk = statfsSync(ensure(folder));
      return disk.bavail * disk.bsize;
    }),
  );
  const good = free >= SET_BYTES;
  return {
    id: 'disk',
    title: text('disk space', '磁盘空间'),
    state: good ? 'ok' : 'note',
    detail: text(
      `${(free / 1e9).toFixed(0)} GB free; building the offline image set takes up to ${SET_BYTES / 1e9} GB`,
      `可用 ${(free / 1e9).toFixed(0)} GB；构建离线镜像集最多需要 ${SET_BYTES / 1e9} GB`,
    ),
    mend: good ? undefined : 'export PODLAB_CACHE=/bigger/disk/podlab',
  };
}

/** Debian packages that the embedded engine's data plane is made of, by a program of each. */
const EMBEDDED: readonly (readonly [program: string, debian: string])[] = [
  ['ip', 'iproute2'],
  ['iptables', 'iptables'],
  ['nft', 'nftables'],
  ['ipset', 'ipset'],
  ['conntrack', 'conntrack'],
  ['tcpdump', 'tcpdump'],
  ['bwrap', 'bubblewrap'],
  ['bird', 'bird'],
  ['nginx', 'nginx-light'],
  ['busybox', 'busybox'],
  ['dig', 'dnsutils'],
  ['curl', 'curl'],
  ['ping', 'iputils-ping'],
  ['bridge', 'iproute2'],
];

export async function embeddedPackagesFact(): Promise<Fact> {
  const missing = new Set<string>();
  for (const [program, debian] of EMBEDDED) if (!(await which(program))) missing.add(debian);
  if (!existsSync('/usr/lib/cni/bridge')) missing.add('containernetworking-plugins');
  const list = [...missing].join(' ');
  return {
    id: 'embedded-packages',
    title: text('packages of the embedded cluster', '内嵌集群所需的软件包'),
    state: missing.size === 0 ? 'ok' : 'lack',
    detail: missing.size === 0 ? text('all there', '齐全') : text(`missing: ${list}`, `缺少：${list}`),
    mend: missing.size === 0 ? undefined : `sudo apt-get install -y --no-install-recommends ${list}`,
  };
}

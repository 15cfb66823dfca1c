/** What the tests of the kind backend share: folders of their own, and a look at the host's network. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inotify, inotifyNeeded } from '../../src/cluster/kind/preflight.ts';
import { findDocker } from '../../src/docker/docker.ts';
import { must } from '../../src/exec/run.ts';
import { findImageSet } from '../../src/offline/image-set.ts';

/**
 * Why kind clusters cannot be made here, or undefined.
 * @param clusters nodes of each cluster that is up at the same time
 */
export async function whyNot(clusters: readonly number[] = []): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'needs Linux';
  if (!(await findImageSet())) return 'needs the offline image set: ./podlab offline build';
  const { limit, used } = inotify();
  const need = clusters.reduce((sum, nodes) => sum + inotifyNeeded(nodes), 0);
  if (used + need > limit) return `needs ${need} inotify instances, ${limit - used} of ${limit} are free`;
  const own = process.getuid?.() === 0;
  return own || (await findDocker()) ? undefined : 'needs root or a Docker that answers';
}

/** Points the state and run folders at fresh ones (short: unix sockets lie there); the cache stays. */
export function ownFolders(): { readonly root: string; readonly remove: () => void } {
  const root = mkdtempSync('/tmp/pk-');
  process.env['PODLAB_STATE'] = join(root, 's');
  process.env['PODLAB_RUN'] = join(root, 'r');
  // The engine of our own is what is tested, wherever another answers.
  process.env['PODLAB_DOCKER'] = 'own';
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** Kernel-wide settings that kubelets and engines like to write. */
const WATCHED = /^(net\.|vm\.(overcommit_memory|panic_on_oom)|kernel\.(panic|keys|core_pattern)|fs\.inotify)/;
/** Counters and what the kernel writes by itself. */
const VOLATILE = /conntrack_count|\.nr_|netdev_rss_key|route\.flush|stable_secret|ipv4\.(tcp_fastopen_key)/;

/** The host's network configuration, as text to compare. */
export async function hostNetwork(): Promise<Record<string, string>> {
  const ask = async (...argv: string[]) => (await must(argv)).stdout;
  const sysctls = (
    await must(['sysctl', '-a', '--ignore']).catch((error: { ran: { stdout: string } }) => error.ran)
  ).stdout
    .split('\n')
    .filter((line) => WATCHED.test(line) && !VOLATILE.test(line));
  return {
    links: await ask('ip', '-o', 'link'),
    // Lifetimes of addresses that a router announced run by themselves.
    addresses: (await ask('ip', '-o', 'addr')).replace(/_lft \d+sec/g, '_lft'),
    routes: (await ask('ip', 'route', 'show', 'table', 'all')).replace(/ expires \d+sec/g, ''),
    routes6: (await ask('ip', '-6', 'route', 'show', 'table', 'all')).replace(/ expires \d+sec/g, ''),
    rules: await ask('ip', 'rule'),
    firewall: await ask('nft', 'list', 'ruleset'),
    sysctls: sysctls.join('\n'),
  };
}

/** Processes that name a folder in their command line, and mounts under it. */
export function leftIn(root: string): { readonly processes: string[]; readonly mounts: string[] } {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => {
      const file = `/proc/${pid}/cmdline`;
      try {
        const line = existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\0', ' ').trim() : '';
        return line.includes(root) ? [line] : [];
      } catch {
        return [];
      }
    });
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .filter((point) => point.startsWith(root));
  return { processes, mounts };
}

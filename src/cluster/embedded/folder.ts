/** The run folder of each embedded cluster: what is in it, and whether its processes live. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startTime } from '../../exec/daemon.ts';
import { runFolder } from '../../exec/folders.ts';
import type { ClusterConfig } from '../../engine/config.ts';
import { FILES } from '../../engine/config.ts';

/** Short, because unix sockets lie below and their paths are limited to 107 bytes (unix(7)). */
const all = (): string => join(runFolder(), 'e');
export const clusterFolder = (name: string): string => join(all(), name);
export const lockFile = (name: string): string => join(all(), `${name}.lock`);
export const kubeconfigOf = (name: string): string => join(clusterFolder(name), 'kubeconfig');

export function readConfig(name: string): ClusterConfig | undefined {
  try {
    return JSON.parse(readFileSync(join(clusterFolder(name), FILES.config), 'utf8')) as ClusterConfig;
  } catch {
    return undefined;
  }
}

/** Process id of the relay, if it is the very process that wrote it down and lives. */
export function relayOf(name: string): number | undefined {
  try {
    const [pid = '', started] = readFileSync(join(clusterFolder(name), FILES.pid), 'utf8')
      .trim()
      .split(' ');
    return startTime(Number(pid)) === started ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}

export function clusterNames(): string[] {
  if (!existsSync(all())) return [];
  return readdirSync(all(), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** The last lines of a cluster's log. */
export function logTail(name: string): string {
  try {
    return readFileSync(join(clusterFolder(name), FILES.log), 'utf8')
      .slice(-4000)
      .trim();
  } catch {
    return '';
  }
}

/** Ends a cluster's processes and removes its folder. @returns whether there was one */
export async function removeCluster(name: string): Promise<boolean> {
  const folder = clusterFolder(name);
  const pid = relayOf(name);
  if (pid !== undefined) {
    // The kernel ends the sandbox with it (see src/engine/relay.ts), and the network with the sandbox.
    process.kill(pid, 'SIGKILL');
    for (let waited = 0; startTime(pid) !== undefined && waited < 5000; waited += 2)
      await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const there = existsSync(folder);
  rmSync(folder, { recursive: true, force: true });
  return there;
}

/**
 * What an engine of ours can leave behind when it was killed: containerd, shims, containers, mounts.
 * Ours are known by our own folders in their command lines and mount points; nothing else is touched.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startTime } from '../exec/daemon.ts';
import { run } from '../exec/run.ts';

const END_MS = 20_000;
const LOOK_EVERY_MS = 50;
const CGROUPS = '/sys/fs/cgroup';
const FREEZER = join(CGROUPS, 'freezer');

/** Ends every process of an engine whose folders these are, and undoes its mounts. */
export async function endLeftovers(execRoot: string, dataRoot: string): Promise<void> {
  const own = processesNaming(execRoot);
  // A shim's children are a container's processes: whoever ends the shim alone leaves them to init.
  const family = [...own, ...descendants(own)].map((pid) => ({ pid, start: startTime(pid) }));
  for (const container of containersOf(own)) thaw(container);
  for (const { pid, start } of family) if (start !== undefined && startTime(pid) === start) kill(pid);
  const until = Date.now() + END_MS;
  while (family.some(({ pid, start }) => start !== undefined && startTime(pid) === start)) {
    if (Date.now() > until) break;
    await delay(LOOK_EVERY_MS);
  }
  for (const point of mountsUnder([execRoot, dataRoot])) await run(['umount', '--lazy', point]);
}

/**
 * Lets every process of a container run again: runc freezes a cgroup (v1) before it signals all of it, and when it is
 * killed in between, frozen processes cannot die (kernel documentation, cgroup-v1/freezer-subsystem).
 * @param container id of the container as it stands in its cgroup's path
 */
export function thaw(container: string): void {
  const walk = (folder: string, within: boolean) => {
    let entries: string[];
    try {
      entries = readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    } catch {
      return; // It went away meanwhile.
    }
    for (const name of entries) {
      const inside = within || name.includes(container);
      if (inside) write(join(folder, name, 'freezer.state'), 'THAWED');
      walk(join(folder, name), inside);
    }
  };
  if (existsSync(FREEZER)) walk(FREEZER, false);
}

/** Removes the cgroups of that name that hold no process any more, in every hierarchy (v1) or in the one (v2). */
export function removeCgroups(name: string): void {
  const remove = (folder: string) => {
    try {
      for (const entry of readdirSync(folder, { withFileTypes: true }))
        if (entry.isDirectory()) remove(join(folder, entry.name));
      rmdirSync(folder); // Refused while a process is in it.
    } catch {
      // Not there, or in use by another engine of ours.
    }
  };
  const hierarchies = readdirSync(CGROUPS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const folder of [CGROUPS, ...hierarchies.map((entry) => join(CGROUPS, entry.name))])
    remove(join(folder, name));
}

function write(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch {
    // It went away meanwhile.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

const pids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** dockerd, containerd and shims that were told to use our folder; docker's proxies are their children. */
function processesNaming(execRoot: string): number[] {
  return pids().filter((pid) => {
    const [program = '', ...args] = commandLine(pid);
    return (
      /(^|\/)(dockerd|containerd|containerd-shim[\w-]*)$/.test(program) &&
      args.some((word) => word === execRoot || word.startsWith(`${execRoot}/`))
    );
  });
}

/** A shim is told its container's id: `containerd-shim-runc-v2 -namespace … -id ID -address …`. */
function containersOf(own: readonly number[]): string[] {
  return own.flatMap((pid) => {
    const words = commandLine(pid);
    const id = words[words.indexOf('-id') + 1];
    return words.includes('-id') && id ? [id] : [];
  });
}

function descendants(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const pid of pids()) {
    const parent = parentOf(pid);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found: number[] = [];
  const walk = (pid: number) => {
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      walk(child);
    }
  };
  roots.forEach(walk);
  return found;
}

/** proc(5), stat field 4. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/** Mount points at or under our folders (dockerd binds its data root to itself), deepest first (proc(5), mountinfo field 5, octal escapes). */
function mountsUnder(folders: readonly string[]): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(parseInt(octal, 8)),
      ),
    )
    .filter((point) => folders.some((folder) => point === folder || point.startsWith(`${folder}/`)))
    .sort((a, b) => b.length - a.length);
}

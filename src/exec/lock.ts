/** A lock between processes of ours: a file that names its holder, so that a dead holder's lock is free. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startTime } from './daemon.ts';

const LOOK_EVERY_MS = 100;

/** Process id and start time: the name of one process for ever. */
export interface ProcessName {
  readonly pid: number;
  readonly start: string;
}

/** Our own name. */
export const ownName = (): ProcessName => ({ pid: process.pid, start: startTime(process.pid) ?? '' });

/** Whether exactly that process still runs. */
export const alive = (name: ProcessName | undefined): boolean =>
  name !== undefined && startTime(name.pid) === name.start;

/**
 * Runs `work` while nobody else holds `file`. Waits for a living holder without limit (its work is bounded),
 * until `signal` says stop; `onWait` is told once for whom.
 */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
  onWait?: (holder: ProcessName) => void,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const own = `${file}.${process.pid}.${Math.random().toString(36).slice(2, 8)}`;
  writeFileSync(own, JSON.stringify(ownName()), { mode: 0o600 });
  let told = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      if (takes(own, file)) break;
      const holder = holderOf(file);
      if (holder === undefined || !alive(holder)) {
        freeDead(file, `${own}.dead`);
        continue;
      }
      if (!told) onWait?.(holder);
      told = true;
      await delay(LOOK_EVERY_MS);
    }
  } finally {
    rmSync(own, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** link(2) is atomic and fails when the name is taken: the file never exists without its content. */
function takes(own: string, file: string): boolean {
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead holder's lock away: rename(2) lets one of several do so. One that was new by then is put back. */
function freeDead(file: string, aside: string): void {
  try {
    renameSync(file, aside);
    if (alive(holderOf(aside))) takes(aside, file);
    rmSync(aside, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function holderOf(file: string): ProcessName | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessName;
  } catch {
    return undefined;
  }
}

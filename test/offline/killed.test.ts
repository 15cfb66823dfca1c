/** A build that is killed at any moment, or that fills the disk: nothing stays behind, and the next one goes on. */
import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../src/exec/run.ts';

const BUILD = fileURLToPath(new URL('fixtures/build.ts', import.meta.url));
const BOUND_MS = 60_000;
const mayMount = process.getuid?.() === 0;

let folder: string;
let work: string;
let hold: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podlab-killed-'));
  work = join(folder, 'work');
  hold = join(folder, 'hold');
  mkdirSync(hold);
});
afterEach(() => rmSync(folder, { recursive: true }));

const argv = () => [process.execPath, '--import', 'tsx', BUILD, work, hold];
const ran = () => readFileSync(join(hold, 'ran'), 'utf8').trim().split('\n');

/** Processes and mounts that mention the test's folder. */
function leftovers(): readonly string[] {
  const own = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = own.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
    } catch {
      return false; // It has just ended.
    }
  });
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return [...found, ...mounts.filter((line) => line.includes(folder))];
}

async function until(what: () => boolean): Promise<void> {
  const began = Date.now();
  while (!what()) {
    if (Date.now() - began > BOUND_MS) throw new Error('did not come to pass');
    await delay(20);
  }
}

describe.skipIf(!mayMount)('a build killed by SIGKILL (needs root, for mounts)', () => {
  it.each(['a', 'b', 'c', 'd'])(
    'in step %s leaves nothing, and the next one does only what is left',
    async (at) => {
      writeFileSync(join(hold, at), '');
      const child = spawn(argv()[0] ?? '', argv().slice(1), { stdio: 'ignore' });
      await until(() => leftovers().some((pid) => isHeld(pid)));
      // Steps of other lanes may still be under way: they are killed as well, wherever they are.
      child.kill('SIGKILL');
      await once(child, 'exit');
      await until(() => leftovers().length === 0);
      const finished = readdirSync(work).filter((name) => !name.endsWith('.part'));
      unlinkSync(join(hold, at));
      writeFileSync(join(hold, 'ran'), '');
      const again = await run(argv(), { timeout: BOUND_MS });
      expect(again.stderr).toBe('');
      expect(again.code).toBe(0);
      expect([...ran()].sort()).toEqual(['a', 'b', 'c', 'd'].filter((name) => !finished.includes(name)));
      expect(readdirSync(work).sort()).toEqual(['a', 'b', 'c', 'd']);
      expect(finished).not.toContain(at);
    },
  );

  /** Whether a process is the one that a step was told to stop at. */
  function isHeld(pid: string): boolean {
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
      return [pid, ...children].some(
        (id) => id !== '' && readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('424242'),
      );
    } catch {
      return false;
    }
  }
});

describe.skipIf(!mayMount)('a disk that is full (needs root, for a small tmpfs)', () => {
  it('is told in both languages, keeps what was finished, and is gone on from when there is room', async () => {
    mkdirSync(work);
    // The tmpfs lives in a mount namespace of its own: the host never sees it.
    const script = [
      'mount -t tmpfs -o size=5m podlab-small "$1"',
      'STEP_BYTES=1000000 "${@:3}"; echo "exit $?"',
      'ls "$1"; mount -o remount,size=20m "$1"; : >"$2/ran"',
      'STEP_BYTES=1000000 "${@:3}"; echo "exit $?"; cat "$2/ran"',
    ].join('\n');
    const told = await run(['unshare', '--mount', 'bash', '-c', script, 'bash', work, hold, ...argv()], {
      timeout: BOUND_MS,
    });
    const lines = told.stdout.trim().split('\n');
    const error = JSON.parse(lines[0] ?? '') as Record<string, string>;
    expect(error).toMatchObject({ code: 'OFFLINE_DISK_FULL' });
    expect(error['en']).toContain('full');
    expect(error['zh']).toContain('已满');
    expect(error['hint']).toContain('PODLAB_CACHE');
    expect(lines[1]).toBe('exit 3');
    const exits = lines.lastIndexOf('exit 0');
    const finished = lines.slice(2, exits).filter((name) => !name.endsWith('.part'));
    expect(finished.length).toBeGreaterThan(0);
    expect(exits).toBeGreaterThan(1);
    const later = lines.slice(exits + 1);
    expect([...finished, ...later].sort()).toEqual(['a', 'b', 'c', 'd']);
  });
});

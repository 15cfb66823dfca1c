/** SIGKILL of `up` at several points: what comes next works, and in the end nothing is left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kindBackend } from '../../src/cluster/kind/backend.ts';
import { findDocker } from '../../src/docker/docker.ts';
import { hostNetwork, leftIn, ownFolders, whyNot } from './setup.ts';

const reason = await whyNot([1]);
const TSX = createRequire(import.meta.url).resolve('tsx');
const CHILD = fileURLToPath(new URL('up-child.ts', import.meta.url));

/** Starts `up` in a process of its own and kills it a while after a phase has begun. */
async function killedUp(name: string, phase: string, afterMs: number): Promise<void> {
  const child = spawn(process.execPath, ['--import', TSX, CHILD, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let told = '';
  const reached = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (piece: Buffer) => {
      told += piece.toString();
      if (told.split('\n').includes(phase)) resolve();
    });
    child.on('exit', (code) => reject(new Error(`ended with ${code} before ${phase}: ${told}`)));
  });
  await reached;
  await delay(afterMs); // Somewhere within the phase: the point itself is not what is tested.
  child.kill('SIGKILL');
  await ended;
}

const FREEZER = '/sys/fs/cgroup/freezer';

/** Freezes every cgroup of a node's pods that holds processes (cgroup v1). @returns how many */
function freezePods(container: string): number {
  if (!existsSync(FREEZER)) return 0;
  const folders = readdirSync(FREEZER, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.includes(container) && path.includes('kubepods') && path.endsWith('cgroup.procs'),
  );
  const full = folders
    .map((path) => dirname(join(FREEZER, path)))
    .filter((folder) => readFileSync(join(folder, 'cgroup.procs'), 'utf8') !== '');
  for (const folder of full) writeFileSync(join(folder, 'freezer.state'), 'FROZEN');
  return full.length;
}

describe.skipIf(reason)(`a killed up${reason ? ` (${reason})` : ''}`, () => {
  let before: Record<string, string>;
  let folders: ReturnType<typeof ownFolders>;
  beforeAll(async () => {
    before = await hostNetwork();
    folders = ownFolders();
  });
  afterAll(async () => {
    await kindBackend.downAll();
    folders.remove();
  });

  for (const [phase, afterMs] of [
    ['engine', 300],
    ['boot', 200],
    ['boot', 8_000],
  ] as const)
    it(`in ${phase}, after ${afterMs} ms: down --all leaves nothing`, async () => {
      await killedUp('k', phase, afterMs);
      await kindBackend.downAll();
      expect(await kindBackend.list()).toEqual([]);
      expect(leftIn(folders.root)).toEqual({ processes: [], mounts: [] });
    });

  it('in cni: the next up of that name removes what was half made, and is ready', async () => {
    await killedUp('k', 'cni', 1_000);
    expect((await kindBackend.list()).map(({ state }) => state)).toEqual(['half-made']);
    const cluster = await kindBackend.up({ name: 'k', cni: 'flannel', proxy: 'iptables', workers: 0 });
    expect((await cluster.nodes()).length).toBe(1);
  });

  it('a pod that runc left frozen does not keep the cluster from going', async () => {
    const docker = await findDocker();
    const id = (await docker!.must(['ps', '--quiet', '--no-trunc'])).stdout.trim();
    const frozen = freezePods(id);
    // Only cgroup v1 has processes that cannot die; there the pods of a control plane are some.
    if (existsSync(FREEZER)) expect(frozen).toBeGreaterThan(3);
    await kindBackend.down('k');
    expect((await docker!.must(['ps', '--all', '--quiet'])).stdout).toBe('');
  });

  it('Ctrl-C removes what was made and keeps the engine for the next time', async () => {
    const stop = new AbortController();
    const up = kindBackend.up(
      { name: 'k', cni: 'flannel', proxy: 'iptables', workers: 0 },
      ({ id, ms }) => {
        if (id === 'boot' && ms === undefined) setTimeout(() => stop.abort(), 3_000);
      },
      stop.signal,
    );
    await expect(up).rejects.toThrow();
    expect(await kindBackend.list()).toEqual([]);
    const docker = await findDocker();
    expect((await docker!.must(['ps', '--all', '--quiet'])).stdout).toBe('');
    expect(
      (await docker!.must(['network', 'ls', '--quiet', '--filter', 'label=podlab.cluster'])).stdout,
    ).toBe('');
  });

  it("after all that, the host's network is as it was", async () => {
    await kindBackend.downAll();
    expect(leftIn(folders.root)).toEqual({ processes: [], mounts: [] });
    expect(await hostNetwork()).toEqual(before);
  });
});

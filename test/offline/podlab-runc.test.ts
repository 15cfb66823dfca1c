/** podlab-runc, built and run for real, in front of a program that shows what runc would have read. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { has, must } from '../../src/exec/run.ts';

const SOURCE = fileURLToPath(new URL('../../cluster-config/offline/modules/podlab-runc', import.meta.url));
const canRun = process.getuid?.() === 0 && (await has('go')) && (await has('setpriv'));
/** Of the bounding set that the test leaves. */
const DROPPED = '-sys_resource,-net_raw';

interface Process {
  oomScoreAdj?: number;
  rlimits?: unknown;
  capabilities: Record<string, string[]>;
}

describe.skipIf(!canRun)('podlab-runc (needs root, Go and setpriv)', () => {
  let folder: string;
  let program: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podlab-runc-'));
    program = join(folder, 'podlab-runc');
    await must(['go', 'build', '-o', program, '.'], {
      cwd: SOURCE,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
    });
    writeFileSync(join(folder, 'runc'), '#!/bin/sh\nprintf "%s\\n" "$@"\n');
    chmodSync(join(folder, 'runc'), 0o755);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const asked: Process = {
    oomScoreAdj: -998,
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 18446744073709551615n.toString(), soft: 1 }],
    capabilities: {
      bounding: ['CAP_CHOWN', 'CAP_NET_RAW', 'CAP_SYS_RESOURCE', 'CAP_FROM_THE_FUTURE'],
      effective: ['CAP_CHOWN', 'CAP_NET_RAW'],
    },
  };
  const call = async (...args: readonly string[]) => {
    const env = { ...process.env, PODLAB_REAL_RUNC: join(folder, 'runc') };
    const argv = ['setpriv', `--bounding-set=${DROPPED}`, program, ...args];
    return (await must(argv, { env })).stdout.trim().split('\n');
  };

  it('asks for what may be had, of a container', async () => {
    const bundle = join(folder, 'bundle');
    mkdirSync(bundle);
    // A number beyond 2^53 has to come through as it is.
    const spec = JSON.stringify({ ociVersion: '1.0.2', process: asked, linux: { resources: { memory: 0 } } });
    writeFileSync(join(bundle, 'config.json'), spec.replace('"memory":0', '"memory":18446744073709551615'));
    const args = ['--root', '/run/x', '--log-format', 'json', 'create', '--bundle', bundle, 'id'];
    expect(await call(...args)).toEqual(args);
    const raw = readFileSync(join(bundle, 'config.json'), 'utf8');
    const { process: got } = JSON.parse(raw) as { process: Process };
    expect(got.capabilities).toEqual({ bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'] });
    expect(got.rlimits).toBeUndefined();
    expect(got.oomScoreAdj).toBe(Number(readFileSync('/proc/self/oom_score_adj', 'utf8')));
    expect(raw).toContain('"memory":18446744073709551615');
  });

  it('asks for what may be had, of a process in a container', async () => {
    const file = join(folder, 'process.json');
    writeFileSync(file, JSON.stringify({ ...asked, oomScoreAdj: 900 }));
    await call('exec', `--process=${file}`, '--detach', 'id');
    const got = JSON.parse(readFileSync(file, 'utf8')) as Process;
    expect(got.capabilities['effective']).toEqual(['CAP_CHOWN']);
    expect(got.oomScoreAdj).toBe(900);
  });

  it('hands every other command on as it is', async () => {
    expect(await call('--root', '/r', 'delete', '--force', 'id')).toEqual([
      '--root',
      '/r',
      'delete',
      '--force',
      'id',
    ]);
  });
});

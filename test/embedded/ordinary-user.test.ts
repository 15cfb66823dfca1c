/** A fresh copy of the kit, an empty HOME, a user who is nobody: `verify` without options judges every claim. */
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS } from '../../checks/claims/index.ts';
import { embeddedPackagesFact, userNamespaceFact } from '../../src/doctor/host.ts';
import { has, must, run } from '../../src/exec/run.ts';
import type { Result } from '../../src/model/result.ts';

const source = fileURLToPath(new URL('../../', import.meta.url));
/** The user that owns nothing (Debian: nobody). */
const NOBODY = 65534;
const LIMIT = 8 * 60_000;

const lacks = [await embeddedPackagesFact(), await userNamespaceFact()].find(({ state }) => state === 'lack');
const reason =
  lacks?.detail.en ??
  (process.getuid?.() === 0 && (await has('setpriv'))
    ? undefined
    : 'needs root and setpriv, to become another user');

describe.skipIf(reason)(`an ordinary user${reason ? ` (${reason})` : ''}`, () => {
  let root: string;
  const asNobody = (...argv: string[]) =>
    run(['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--', ...argv], {
      cwd: join(root, 'podlab'),
      env: { HOME: join(root, 'home'), PATH: process.env['PATH'], LANG: 'C.UTF-8' },
      timeout: LIMIT,
    });

  beforeAll(async () => {
    root = mkdtempSync('/tmp/pu-');
    for (const folder of ['home', 'podlab']) mkdirSync(join(root, folder));
    // What git tracks and the dependencies, as after a clone and `npm ci`.
    const archive = await must([
      'git',
      '-C',
      source,
      'ls-files',
      '-z',
      '--cached',
      '--others',
      '--exclude-standard',
    ]);
    const files = archive.stdout.split('\0').filter(Boolean).join('\n');
    await must(
      ['tar', '-C', source, '-cf', join(root, 'kit.tar'), '--ignore-failed-read', '-T', '-', 'node_modules'],
      { input: files },
    );
    await must(['tar', '-C', join(root, 'podlab'), '-xf', join(root, 'kit.tar')]);
    rmSync(join(root, 'kit.tar'));
    await must(['chown', '-R', `${NOBODY}:${NOBODY}`, root]);
    chownSync(root, NOBODY, NOBODY);
  }, LIMIT);

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('doctor says that the embedded cluster works here', async () => {
    const ran = await asNobody('./podlab', 'doctor');
    expect(ran.stdout).toContain('--cluster embedded: works here');
    expect(ran.code).toBe(0);
  });

  it('verify judges every claim as expected', async () => {
    const file = join(root, 'home', 'result.json');
    const ran = await asNobody('./podlab', 'verify', '--json', file);
    const result = JSON.parse(readFileSync(file, 'utf8')) as Result;
    const others = result.claims
      .filter((one) => !one.asExpected)
      .map((one) => `${one.id} ${one.verdict}: ${one.why.en}`);
    expect(others).toEqual([]);
    expect(result.claims.length).toBe(CLAIMS.length);
    expect(ran.code).toBe(0);
  });

  it('leaves no process behind', async () => {
    const left = await run(['pgrep', '-u', String(NOBODY), '-f', root]);
    expect(left.stdout).toBe('');
  });
});

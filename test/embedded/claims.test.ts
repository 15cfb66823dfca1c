/**
 * Every claim on the embedded engine, by the command that a person would use: as expected, the same as on real
 * Kubernetes (evidence/kind-*.json), and able to come out otherwise.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS } from '../../checks/claims/index.ts';
import { embeddedPackagesFact, userNamespaceFact } from '../../src/doctor/host.ts';
import { run } from '../../src/exec/run.ts';
import type { Result } from '../../src/model/result.ts';

const entry = fileURLToPath(new URL('../../podlab', import.meta.url));
const evidence = (name: string) => fileURLToPath(new URL(`../../evidence/${name}.json`, import.meta.url));
const lacks = [await embeddedPackagesFact(), await userNamespaceFact()].find(({ state }) => state === 'lack');
const reason = lacks?.detail.en;
const LIMIT = 14 * 60_000;

const recorded = ['kind-flannel', 'kind-calico'].filter((name) => existsSync(evidence(name)));

describe.skipIf(reason)(`claims on the embedded engine${reason ? ` (${reason})` : ''}`, () => {
  let root: string;
  let result: Result;

  beforeAll(async () => {
    root = mkdtempSync('/tmp/pc-');
    const file = join(root, 'result.json');
    const env = { ...process.env, PODLAB_RUN: join(root, 'r'), PODLAB_STATE: join(root, 's') };
    const ran = await run([entry, 'verify', '--cluster', 'embedded', '--sabotage', '--json', file], {
      env,
      timeout: LIMIT,
      onOutput: (piece) => process.stderr.write(piece),
    });
    expect(ran.broken).toBeUndefined();
    result = JSON.parse(readFileSync(file, 'utf8')) as Result;
  }, LIMIT);

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(CLAIMS.map(({ id }) => id))('claim %s', (id) => {
    const claim = result.claims.find((one) => one.id === id);
    expect({ verdict: claim?.verdict, why: claim?.why.en }).toEqual({
      verdict: claim?.expected,
      why: claim?.why.en,
    });
  });

  it.each(recorded)('the same verdicts as recorded in evidence/%s.json', (name) => {
    const kind = JSON.parse(readFileSync(evidence(name), 'utf8')) as Result;
    const judged = kind.claims.filter((one) => one.verdict !== undefined);
    expect(judged.length).toBeGreaterThan(0);
    const of = (all: Result['claims']) => all.map((one) => `${one.id} ${one.verdict}`);
    const ids = new Set(judged.map((one) => one.id));
    expect(of(result.claims.filter((one) => ids.has(one.id)))).toEqual(of(judged));
  });

  const sabotages = CLAIMS.flatMap(({ id, sabotages: all }) => all.map((one) => [id, one.id] as const));
  it.each(sabotages)('claim %s turns under sabotage %s', (claim, id) => {
    const found = result.sabotages?.find((one) => one.claim === claim && one.id === id);
    expect({ turned: found?.turned, verdict: found?.verdict, why: found?.why.en }).toMatchObject({
      turned: true,
    });
  });
});

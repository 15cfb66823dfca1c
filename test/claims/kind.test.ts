/** Every claim on real clusters, by the command that a person would use: as expected, and able to come out otherwise. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLAIMS } from '../../checks/claims/index.ts';
import { kindBackend } from '../../src/cluster/kind/backend.ts';
import { run } from '../../src/exec/run.ts';
import type { Result } from '../../src/model/result.ts';
import { ownFolders, whyNot } from '../kind/setup.ts';

const entry = fileURLToPath(new URL('../../podlab', import.meta.url));
const reason = await whyNot();
/** All claims and all sabotages in four clusters, two at a time. */
const LIMIT = 40 * 60_000;

describe.skipIf(reason)(`claims on kind${reason ? ` (${reason})` : ''}`, () => {
  let result: Result;
  let folders: ReturnType<typeof ownFolders>;

  beforeAll(async () => {
    folders = ownFolders();
    const file = join(await mkdtemp(join(tmpdir(), 'podlab-claims-')), 'result.json');
    const ran = await run([entry, 'verify', '--cluster', 'kind', '--sabotage', '--json', file], {
      timeout: LIMIT,
      onOutput: (piece) => process.stderr.write(piece),
    });
    expect(ran.broken).toBeUndefined();
    result = JSON.parse(await readFile(file, 'utf8')) as Result;
  }, LIMIT);

  afterAll(async () => {
    await kindBackend.downAll();
    folders.remove();
  });

  it.each(CLAIMS.map(({ id }) => id))('claim %s', (id) => {
    const claim = result.claims.find((one) => one.id === id);
    expect({ verdict: claim?.verdict, why: claim?.why.en }).toEqual({
      verdict: claim?.expected,
      why: claim?.why.en,
    });
  });

  const sabotages = CLAIMS.flatMap(({ id, sabotages: all }) => all.map((one) => [id, one.id] as const));
  it.each(sabotages)('claim %s turns under sabotage %s', (claim, id) => {
    const found = result.sabotages?.find((one) => one.claim === claim && one.id === id);
    expect({ turned: found?.turned, verdict: found?.verdict, why: found?.why.en }).toMatchObject({
      turned: true,
    });
  });
});

/** The recorded evidence: described by its schema, and its verdicts follow from its own rows. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import type { Result } from '../../../src/model/result.ts';
import { judge } from '../../../src/model/verdict.ts';
import { readLedger } from '../../../src/run/ledger.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => JSON.parse(readFileSync(new URL(path, root), 'utf8')) as unknown;
const valid = new Ajv({ strictRequired: false }).compile(read('checks/schema/result.schema.json') as object);
const folder = new URL('evidence', root);
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];

describe.skipIf(files.length === 0)(
  'evidence (when none is recorded: node --import tsx scripts/evidence.ts)',
  () => {
    it('is there for kind', () =>
      expect(files).toEqual(expect.arrayContaining(['kind-flannel.json', 'kind-calico.json'])));
  },
);

it.each(files)('%s', async (file) => {
  const result = read(`evidence/${file}`) as Result;
  expect(valid(result), JSON.stringify(valid.errors)).toBe(true);
  const expected = new Map((await readLedger()).map((entry) => [entry.id, entry.expected_verdict]));
  for (const { id, rows, verdict } of result.claims.filter((one) => one.verdict !== undefined)) {
    expect([id, judge(rows).verdict]).toEqual([id, verdict]);
    expect([id, verdict]).toEqual([id, expected.get(id)]);
    expect(
      rows.every((row) => row.probes.length > 0),
      id,
    ).toBe(true);
  }
});

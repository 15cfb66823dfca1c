import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { CLAIMS } from '../../../checks/claims/index.ts';
import type { LedgerEntry } from '../../../src/model/ledger.ts';

const ledger = parse(readFileSync('checks/ledger.yaml', 'utf8')) as { claims: LedgerEntry[] };

it('every claim with an experiment is in the ledger, once, in its order, and can be sabotaged', () => {
  const order = ledger.claims.map((entry) => entry.id);
  const ids = CLAIMS.map((claim) => claim.id);
  expect(new Set(ids).size).toBe(ids.length);
  const places = ids.map((id) => order.indexOf(id));
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(CLAIMS.filter((claim) => claim.sabotages.length === 0).map((claim) => claim.id)).toEqual([]);
});

/** From rows to results, and from results to an exit code. */
import type { Claim, Sabotage } from '../../checks/experiment.ts';
import { EXIT } from '../model/errors.ts';
import type { LedgerEntry } from '../model/ledger.ts';
import type { ClaimResult, Result, SabotageResult } from '../model/result.ts';
import type { Row } from '../model/row.ts';
import { text, type Text } from '../model/text.ts';
import { judge, type Verdict } from '../model/verdict.ts';

const base = (entry: LedgerEntry) => ({
  id: entry.id,
  quote: entry.quote,
  claim: text(entry.claim_en, entry.quote),
  expected: entry.expected_verdict,
});

/** A claim judged by the rows of all its experiments. */
export function claimResult(entry: LedgerEntry, rows: readonly Row[], ms: number): ClaimResult {
  const { verdict, why, decidedBy } = judge(rows);
  return {
    ...base(entry),
    verdict,
    asExpected: verdict === entry.expected_verdict,
    why,
    decidedBy,
    rows,
    ms,
  };
}

/** A claim that was not asked. */
export const skippedClaim = (entry: LedgerEntry, reason: Text): ClaimResult => ({
  ...base(entry),
  verdict: undefined,
  asExpected: undefined,
  why: reason,
  skipped: reason,
  rows: [],
  ms: 0,
});

/** Whether a verdict under sabotage is one that it has to bring about. */
function hasTurned(sabotage: Sabotage, expected: Verdict, verdict: Verdict, rows: readonly Row[]): boolean {
  if (sabotage.becomes) return sabotage.becomes.includes(verdict);
  // A probe that broke has shown nothing, so it is no proof that the check can fail.
  return verdict !== expected && rows.every((row) => row.met !== undefined);
}

/** A sabotage judged: its rows, with those of the claim's other clusters where nothing was sabotaged. */
export function sabotageResult(
  claim: Claim,
  sabotage: Sabotage,
  expected: Verdict,
  run: { rows: readonly Row[]; ms: number; struck: boolean },
): SabotageResult {
  const { verdict, why } = judge(run.rows);
  const { rows, ms, struck } = run;
  const shared = { claim: claim.id, id: sabotage.id, title: sabotage.title, verdict, rows, ms };
  if (!struck)
    return {
      ...shared,
      turned: false,
      why: text(
        `it never struck: no point "${sabotage.at}" was reached`,
        `破坏没有发生：未到达“${sabotage.at}”`,
      ),
    };
  return { ...shared, turned: hasTurned(sabotage, expected, verdict, rows), why };
}

export const skippedSabotage = (claim: Claim, sabotage: Sabotage, reason: Text): SabotageResult => ({
  claim: claim.id,
  id: sabotage.id,
  title: sabotage.title,
  verdict: undefined,
  turned: undefined,
  why: reason,
  skipped: reason,
  rows: [],
  ms: 0,
});

/** 0 as expected, 1 something differs, 2 nothing was run, 3 something was inconclusive. */
export function exitCode(result: Pick<Result, 'claims' | 'sabotages'>): number {
  const judged = result.claims.filter((one) => one.verdict !== undefined);
  if (judged.length === 0) return EXIT.usage;
  const differs = judged.some((one) => !one.asExpected && one.verdict !== 'INCONCLUSIVE');
  if (differs || result.sabotages?.some((one) => one.turned === false)) return EXIT.differs;
  return judged.some((one) => !one.asExpected) ? EXIT.machine : EXIT.ok;
}

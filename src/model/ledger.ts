import type { Verdict } from './verdict.ts';

/** A sentence of the article as the ledger (checks/ledger.yaml) holds it: prose, never a result. */
export interface LedgerEntry {
  readonly id: string;
  readonly section: string;
  /** Verbatim from the article. */
  readonly quote: string;
  readonly claim_en: string;
  readonly concept: string;
  /** The verdict that we expect; the computed one is compared with it. */
  readonly expected_verdict: Verdict;
  readonly reasoning: string;
  readonly sources: readonly string[];
  readonly experiment: {
    readonly control: string;
    readonly falsifier: string;
  };
  readonly lab?: string;
  readonly note?: string;
  /** Where the experiment in checks/claims/ does otherwise than the ledger says, and why. */
  readonly kit_note?: string;
}

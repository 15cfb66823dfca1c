/** Every claim that has an experiment, in the ledger's order. */
import type { Claim } from '../experiment.ts';

export const CLAIMS: readonly Claim[] = [];

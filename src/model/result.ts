/** What a run of `verify` leaves behind; its JSON form is described by checks/schema/result.schema.json. */
import type { Row } from './row.ts';
import type { Text } from './text.ts';
import type { Verdict } from './verdict.ts';

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const RESULT_VERSION = 1;

/** One claim, judged. */
export interface ClaimResult {
  readonly id: string;
  readonly quote: string;
  readonly claim: Text;
  readonly expected: Verdict;
  /** undefined when it was not judged here: then `skipped` says why. */
  readonly verdict: Verdict | undefined;
  readonly asExpected: boolean | undefined;
  readonly why: Text;
  /** The row to show first. */
  readonly decidedBy?: string;
  readonly skipped?: Text;
  readonly rows: readonly Row[];
  /** Milliseconds of all its experiments. */
  readonly ms: number;
}

/** A claim's experiment run again with a sabotage in place: proof that the check can fail. */
export interface SabotageResult {
  readonly claim: string;
  readonly id: string;
  readonly title: Text;
  /** undefined when it was not tried: then `skipped` says why. */
  readonly verdict: Verdict | undefined;
  /** Whether the verdict turned as it had to. */
  readonly turned: boolean | undefined;
  readonly why: Text;
  readonly skipped?: Text;
  readonly rows: readonly Row[];
  readonly ms: number;
}

/** A cluster that questions were put to. */
export interface ClusterFacts {
  readonly name: string;
  readonly backend: string;
  readonly cni: string;
  readonly proxy: string;
  readonly nodes: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** The whole run. */
export interface Result {
  readonly version: typeof RESULT_VERSION;
  readonly podlab: string;
  readonly began: string;
  readonly ended: string;
  readonly clusters: readonly ClusterFacts[];
  /** Phases with their time in milliseconds (image, boot, cni, ready, each claim). */
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
  readonly claims: readonly ClaimResult[];
  /** Only when sabotages were run. */
  readonly sabotages?: readonly SabotageResult[];
}

/** The one stream that everything shown is rendered from: terminal, JSON, JUnit, later HTML and the demo page. */
import type { ClaimResult, ClusterFacts, Result, SabotageResult } from './result.ts';
import type { Row } from './row.ts';
import type { Text } from './text.ts';

/** A part of a long piece of work: begun (`ms` undefined) or done. */
export interface PhaseEvent {
  readonly type: 'phase';
  /** What it belongs to: a cluster's name, `offline build`. */
  readonly of: string;
  readonly id: string;
  readonly title: Text;
  readonly ms: number | undefined;
  readonly note?: Text;
}

export type RunEvent =
  | PhaseEvent
  | { readonly type: 'cluster'; readonly cluster: ClusterFacts }
  | { readonly type: 'claim-begin'; readonly id: string; readonly cluster: string }
  /** Settling after a change: how long it took, and how many looks contradicted it. */
  | {
      readonly type: 'settled';
      readonly claim: string;
      readonly what: Text;
      readonly ms: number;
      readonly looks: number;
      readonly held: boolean;
    }
  | { readonly type: 'row'; readonly claim: string; readonly row: Row }
  | { readonly type: 'note'; readonly claim: string; readonly note: Text }
  | { readonly type: 'claim-end'; readonly result: ClaimResult }
  | { readonly type: 'sabotage-end'; readonly result: SabotageResult }
  | { readonly type: 'end'; readonly result: Result };

export type Listener = (event: RunEvent) => void;

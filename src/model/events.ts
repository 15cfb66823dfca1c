/** The one stream that everything shown is rendered from: terminal, JSON, JUnit, later HTML and the demo page. */
import type { ClaimResult, ClusterFacts, Result } from './result.ts';
import type { Row } from './row.ts';
import type { Text } from './text.ts';

/** Long work, by phase. `ms` is set at the end. */
export interface PhaseEvent {
  readonly type: 'phase';
  /** What it belongs to: a cluster's name, `offline build`, `docker`. */
  readonly of: string;
  readonly phase: string;
  readonly title: Text;
  readonly state: 'begin' | 'end' | 'note' | 'failed';
  readonly ms?: number;
  readonly detail?: string;
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
  | { readonly type: 'end'; readonly result: Result };

export type Listener = (event: RunEvent) => void;
/** Reports a phase; everything that takes over two seconds has one. */
export type OnPhase = (event: Omit<PhaseEvent, 'type'>) => void;

/** What long work tells while it runs. Rendered by src/cli. */
import type { Text } from '../model/text.ts';

/** One event: a phase begins, ends (with its time), or has something to say meanwhile. */
export interface Phase {
  readonly phase: Text;
  readonly state: 'begin' | 'end' | 'note';
  /** Milliseconds that the phase took, at its end. */
  readonly ms?: number;
  /** `cached` for a phase that had nothing to do, or one line of what goes on. */
  readonly detail?: Text;
}

export type OnPhase = (event: Phase) => void;

/** Options of every long command of this folder. */
export interface LongWork {
  readonly onPhase?: OnPhase;
  readonly signal?: AbortSignal;
}

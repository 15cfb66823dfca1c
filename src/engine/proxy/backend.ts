/** What the two kinds of service proxy have in common towards the loop that drives them. */
import type { Changed, ProxyState } from './state.ts';

/** Runs a program inside the node's network namespace; `input` goes to its standard input. Never throws. */
export type NodeExec = (
  argv: readonly string[],
  input?: string,
) => Promise<{ readonly ok: boolean; readonly stdout: string; readonly stderr: string }>;

/** What a sync did, for the log and for tests: bytes handed to the kernel's tool. */
export interface Synced {
  readonly bytes: number;
}

export interface Backend {
  /** Writes what changed. On an error everything is written at the next call. */
  sync(state: ProxyState, changed: Changed): Promise<Synced>;
  /** Whether somebody removed our rules from the kernel; then everything is written at the next sync. */
  removed(): Promise<boolean>;
  /** Forgets what was written, so that the next sync writes all. */
  forget(): void;
}

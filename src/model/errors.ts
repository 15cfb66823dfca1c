import type { Text } from './text.ts';

/** Process exit codes, the same for every command. */
export const EXIT = {
  /** Everything came out as expected. */
  ok: 0,
  /** Something came out otherwise: a verdict differs, a submission fails. */
  differs: 1,
  /** Usage, bad input, or nothing to run. */
  usage: 2,
  /** The machine failed, or some answers could not be had. */
  machine: 3,
  /** A defect of podlab itself. */
  bug: 70,
  /** Interrupted by Ctrl-C (128 + SIGINT). */
  interrupted: 130,
} as const;

/** Whose fault an error is; decides the exit code. */
export type Fault = 'user' | 'machine' | 'podlab';

/** What an error says. `hint` is what to do next; `evidence` is raw output worth reading. */
export interface PodlabErrorInit {
  readonly code: string;
  readonly fault: Fault;
  readonly message: Text;
  readonly hint?: Text;
  readonly evidence?: string;
  readonly cause?: unknown;
}

/** The one shape of an error that is told to a person. */
export class PodlabError extends Error {
  readonly code: string;
  readonly fault: Fault;
  readonly text: Text;
  readonly hint: Text | undefined;
  readonly evidence: string | undefined;

  constructor(init: PodlabErrorInit) {
    super(init.message.en, { cause: init.cause });
    this.name = 'PodlabError';
    this.code = init.code;
    this.fault = init.fault;
    this.text = init.message;
    this.hint = init.hint;
    this.evidence = init.evidence;
  }

  /** The exit code that belongs to this error. */
  get exitCode(): number {
    return this.fault === 'user' ? EXIT.usage : this.fault === 'machine' ? EXIT.machine : EXIT.bug;
  }
}

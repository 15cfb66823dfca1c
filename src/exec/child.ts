/** The door to programs that run beside us: descriptors and environment exactly as given. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';

export interface StartOptions {
  /** As for child_process: 'ignore', 'pipe', or a descriptor, by position. */
  readonly stdio: StdioOptions;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** A session of its own (setsid). */
  readonly detached?: boolean;
}

/** Starts a program and returns its process; the caller listens to 'exit' and 'error'. */
export function start(argv: readonly string[], options: StartOptions): ChildProcess {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError('start: empty argv');
  return spawn(program, args, { ...options });
}

export type { ChildProcess };

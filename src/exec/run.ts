/**
 * The one door to other programs: argv arrays, never a shell.
 *
 * Success and failure have one shape, {@link Ran}. A program that could not be started or
 * was stopped at its time limit is told apart from one that ran and said no.
 */
import { spawn, type ChildProcess } from 'node:child_process';

/** How much of one output stream is kept, in bytes. What is beyond is dropped and `truncated` is set. */
const MOST_KEPT = 64 * 1024 * 1024;

/** What a program did. */
export interface Ran {
  readonly argv: readonly string[];
  /** Exit code; `undefined` when it was never started or ended by a signal. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Wall time in milliseconds by the monotonic clock. */
  readonly ms: number;
  /** `true` only for exit code 0. */
  readonly ok: boolean;
  /** Why there is no exit code of its own: not found, time limit, abort, signal. */
  readonly broken: string | undefined;
  readonly truncated: boolean;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Environment in place of ours. Use `{...process.env, X: 'y'}` to add. */
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
  /** Time limit in milliseconds; then SIGTERM, and SIGKILL 2 s later. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Called with each piece of output as it arrives. */
  readonly onOutput?: (piece: string, stream: 'stdout' | 'stderr') => void;
  /** Own session, so that Ctrl-C in our terminal does not reach it; the whole group is ended by us. */
  readonly ownGroup?: boolean;
}

/** Runs a program to its end. Never throws for what the program did: look at `ok`, `code`, `broken`. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError('run: empty argv');
  const began = process.hrtime.bigint();
  return new Promise((resolve) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let kept = 0;
    let truncated = false;
    let broken: string | undefined;
    let limit: NodeJS.Timeout | undefined;
    let last: NodeJS.Timeout | undefined;

    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      clearTimeout(limit);
      clearTimeout(last);
      options.signal?.removeEventListener('abort', abort);
      resolve({
        argv,
        code: code ?? undefined,
        signal: signal ?? undefined,
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
        ms: Number((process.hrtime.bigint() - began) / 1_000_000n),
        ok: code === 0 && broken === undefined,
        broken: broken ?? (signal ? `ended by ${signal}` : undefined),
        truncated,
      });
    };
    const kill = (signal: NodeJS.Signals) => {
      try {
        if (options.ownGroup && child.pid) process.kill(-child.pid, signal);
        else child.kill(signal);
      } catch {
        // It is gone already.
      }
    };
    const stop = (why: string) => {
      if (broken !== undefined) return;
      broken = why;
      kill('SIGTERM');
      last = setTimeout(() => kill('SIGKILL'), 2_000);
    };
    const abort = () => stop('interrupted');

    if (options.signal?.aborted) {
      broken = 'interrupted';
      end(null, null);
      return;
    }
    const child: ChildProcess = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: options.ownGroup ?? false,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const keep = (into: Buffer[], stream: 'stdout' | 'stderr') => (piece: Buffer) => {
      if (kept < MOST_KEPT) into.push(piece);
      else truncated = true;
      kept += piece.length;
      options.onOutput?.(piece.toString('utf8'), stream);
    };
    child.stdout?.on('data', keep(out, 'stdout'));
    child.stderr?.on('data', keep(err, 'stderr'));
    child.on('error', (error: NodeJS.ErrnoException) => {
      broken ??= error.code === 'ENOENT' ? `${program}: not found` : error.message;
      if (child.pid === undefined) end(null, null);
    });
    child.on('close', end);
    child.stdin?.on('error', () => undefined); // A program may end before it has read everything.
    if (options.input !== undefined) child.stdin?.end(options.input);
    if (options.timeout !== undefined)
      limit = setTimeout(() => stop(`no end within ${options.timeout} ms`), options.timeout);
    options.signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Thrown by {@link must} when a program failed. */
export class CommandFailed extends Error {
  readonly ran: Ran;
  constructor(ran: Ran) {
    const why = ran.broken ?? `exit code ${ran.code}`;
    super(`${paste(ran.argv)}\n${why}\n${(ran.stderr || ran.stdout).trim().slice(-2000)}`.trim());
    this.name = 'CommandFailed';
    this.ran = ran;
  }
}

/**
 * Runs a program that has to succeed.
 * @throws CommandFailed with the command in a form that can be pasted
 */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const ran = await run(argv, options);
  if (!ran.ok) throw new CommandFailed(ran);
  return ran;
}

/** A command as a person would type it. */
export function paste(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

/** Whether a program is on the PATH. */
export async function has(program: string): Promise<boolean> {
  return (await which(program)) !== undefined;
}

/** The path of a program on the PATH, and in the sbin folders that an ordinary user's PATH lacks. */
export async function which(program: string): Promise<string | undefined> {
  const { access, constants } = await import('node:fs/promises');
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (!folder) continue;
    const path = `${folder}/${program}`;
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/**
 * Exec in a container. A question is put to a shell that stays open in the container, because an exec of its own costs
 * the cluster ten times what the question costs; a container without a shell gets an exec for each.
 */
import { PassThrough, Writable } from 'node:stream';
import { Exec, type KubeConfig, type V1Status } from '@kubernetes/client-node';
import { Shell } from './shell.ts';

export interface ExecOptions {
  /** Milliseconds; 10 000 when not said. */
  readonly timeout?: number;
  readonly input?: string;
}

/** What became of an exec: it ran and ended, or it was never reached or never came back. */
export type ExecAnswer =
  | {
      readonly reached: true;
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
      readonly ms: number;
    }
  | {
      readonly reached: false;
      readonly reason: string;
      readonly stdout: string;
      readonly stderr: string;
      readonly ms: number;
    };

export interface ContainerRef {
  readonly namespace: string;
  readonly name: string;
  readonly container?: string;
}

/** A stream of an exec that has to be closed by somebody. */
export interface OpenExec {
  close(): void;
}

/** Shells kept open in one container at most; more questions wait for one. */
const SHELLS = 4;

export class ExecDoor {
  readonly #exec: Exec;
  readonly #shells = new Map<string, Shell[]>();
  readonly #shellLess = new Set<string>();
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(config: KubeConfig) {
    this.#exec = new Exec(config);
  }

  close(): void {
    for (const shells of this.#shells.values()) for (const shell of shells) shell.close();
    this.#shells.clear();
  }

  async exec(pod: ContainerRef, argv: readonly string[], options: ExecOptions): Promise<ExecAnswer> {
    const key = `${pod.namespace}/${pod.name}/${pod.container ?? ''}`;
    if (this.#shellLess.has(key)) return this.#once(pod, argv, options);
    const shell = await this.#free(key, pod);
    if (shell === undefined) {
      this.#shellLess.add(key);
      return this.#once(pod, argv, options);
    }
    try {
      return await shell.ask(argv, options);
    } finally {
      if (shell.broken !== undefined) this.#forget(key, shell);
      else shell.busy = false;
      this.#waiting.get(key)?.shift()?.();
    }
  }

  /** A shell with nothing to do, opened if need be; undefined when the container has none. */
  async #free(key: string, pod: ContainerRef): Promise<Shell | undefined> {
    for (;;) {
      const shells = this.#shells.get(key) ?? [];
      this.#shells.set(key, shells);
      const idle = shells.find((one) => !one.busy && one.broken === undefined);
      if (idle) {
        idle.busy = true;
        return idle;
      }
      if (shells.length < SHELLS) {
        const shell = new Shell((stdout, stderr, stdin, onEnd) =>
          this.#open(pod, ['sh'], stdout, stderr, stdin, onEnd),
        );
        shells.push(shell);
        if ((await shell.ready()) || !shell.absent) return shell; // A broken one says so when asked.
        this.#forget(key, shell);
        return undefined;
      }
      await new Promise<void>((resolve) => {
        const waiting = this.#waiting.get(key) ?? [];
        this.#waiting.set(key, waiting);
        waiting.push(resolve);
      });
      if (this.#shellLess.has(key)) return undefined;
    }
  }

  #forget(key: string, shell: Shell): void {
    shell.close();
    this.#shells.set(
      key,
      (this.#shells.get(key) ?? []).filter((one) => one !== shell),
    );
  }

  async #once(pod: ContainerRef, argv: readonly string[], options: ExecOptions): Promise<ExecAnswer> {
    const began = process.hrtime.bigint();
    const ms = () => Number((process.hrtime.bigint() - began) / 1_000_000n);
    const [out, readOut] = collector();
    const [err, readErr] = collector();
    const stdin = options.input === undefined ? undefined : new PassThrough();
    stdin?.end(options.input);
    return new Promise((resolve) => {
      let opened: OpenExec | undefined;
      const end = (answer: { code: number } | { reason: string }) => {
        clearTimeout(limit);
        opened?.close();
        const rest = { stdout: readOut(), stderr: readErr(), ms: ms() };
        resolve(
          'code' in answer
            ? { reached: true, code: answer.code, ...rest }
            : { reached: false, reason: answer.reason, ...rest },
        );
      };
      const limit = setTimeout(
        () => end({ reason: `no end within ${options.timeout ?? 10_000} ms` }),
        options.timeout ?? 10_000,
      );
      this.#open(pod, argv, out, err, stdin, end).then(
        (open) => (opened = open),
        (error: unknown) => end({ reason: reasonOf(error) }),
      );
    });
  }

  async #open(
    pod: ContainerRef,
    argv: readonly string[],
    stdout: Writable,
    stderr: Writable,
    stdin: PassThrough | undefined,
    onEnd: (end: { code: number } | { reason: string }) => void,
  ): Promise<OpenExec> {
    const socket = await this.#exec.exec(
      pod.namespace,
      pod.name,
      pod.container ?? '',
      [...argv],
      stdout,
      stderr,
      stdin ?? null,
      false,
      (status) => onEnd(endOf(status)),
    );
    socket.on('close', () => onEnd({ reason: 'the connection closed' }));
    socket.on('error', (error: unknown) => onEnd({ reason: reasonOf(error) }));
    return { close: () => socket.close() };
  }
}

/** A writable that keeps what it gets. */
function collector(): [Writable, () => string] {
  const pieces: Buffer[] = [];
  const into = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(Buffer.from(piece));
      done();
    },
  });
  return [into, () => Buffer.concat(pieces).toString('utf8')];
}

/** The end of an exec as its error channel tells it (remotecommand v4: Status with an ExitCode cause). */
function endOf(status: V1Status): { code: number } | { reason: string } {
  if (status.status === 'Success') return { code: 0 };
  const cause = status.details?.causes?.find((one) => one.reason === 'ExitCode');
  const code = Number(cause?.message);
  return status.reason === 'NonZeroExitCode' && Number.isInteger(code)
    ? { code }
    : { reason: status.message ?? 'exec failed' };
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : ((error as { message?: string })?.message ?? String(error));

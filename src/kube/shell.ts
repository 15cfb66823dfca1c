/** One open `sh` in a container: a question is a line in, its answer ends with a mark on both output streams. */
import { randomBytes } from 'node:crypto';
import { PassThrough, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { ExecAnswer, ExecOptions, OpenExec } from './exec.ts';

type Opener = (
  stdout: Writable,
  stderr: Writable,
  stdin: PassThrough,
  onEnd: (end: { code: number } | { reason: string }) => void,
) => Promise<OpenExec>;

/** Output of one question that is kept, in characters. */
const MOST_KEPT = 16 * 1024 * 1024;

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

export class Shell {
  /** Taken by whoever asks. */
  busy = true;
  /** Why it can be asked no more. */
  broken: string | undefined;
  /** The container has no shell. */
  absent = false;
  readonly #stdin = new PassThrough();
  /** A word that no output holds by chance. */
  readonly #mark = randomBytes(12).toString('hex');
  #out = '';
  #err = '';
  #onChange: () => void = () => undefined;
  #opened: OpenExec | undefined;
  readonly #opening: Promise<void>;

  constructor(open: Opener) {
    const into = (take: (piece: string) => void) => {
      const decoder = new StringDecoder('utf8'); // A character may come in two pieces.
      return new Writable({
        write: (piece: Buffer, _encoding, done) => {
          take(decoder.write(piece));
          this.#onChange();
          done();
        },
      });
    };
    const stdout = into((piece) => (this.#out += piece));
    const stderr = into((piece) => (this.#err += piece));
    this.#opening = open(stdout, stderr, this.#stdin, (end) =>
      this.#end('reason' in end ? end.reason : `the shell ended with ${end.code}`),
    ).then(
      (opened) => {
        this.#opened = opened;
      },
      (error: unknown) =>
        this.#end(
          error instanceof Error ? error.message : String((error as { message?: string })?.message ?? error),
        ),
    );
  }

  /** Whether the shell answers. */
  async ready(): Promise<boolean> {
    await this.#opening;
    if (this.broken !== undefined) return false;
    const answer = await this.#ask(':', { timeout: 20_000 });
    return answer.reached;
  }

  close(): void {
    this.broken ??= 'closed';
    this.#opened?.close();
    this.#stdin.destroy();
  }

  ask(argv: readonly string[], options: ExecOptions): Promise<ExecAnswer> {
    const words = argv.map(quote).join(' ');
    const feed =
      options.input === undefined
        ? '</dev/null'
        : `<<'${this.#mark}-input'\n${options.input}\n${this.#mark}-input`;
    return this.#ask(`${words} ${feed}`, options);
  }

  #end(reason: string): void {
    if (/executable file not found|no such file or directory/i.test(reason)) this.absent = true;
    this.broken ??= reason;
    this.#onChange();
  }

  #ask(line: string, options: ExecOptions): Promise<ExecAnswer> {
    const began = process.hrtime.bigint();
    const timeout = options.timeout ?? 10_000;
    const ending = new RegExp(`${this.#mark} (\\d+)\\n`);
    this.#out = '';
    this.#err = '';
    return new Promise((resolve) => {
      const done = (answer: { code: number } | { reason: string }) => {
        clearTimeout(limit);
        this.#onChange = () => undefined;
        const stdout = this.#out.split(this.#mark)[0]!;
        const stderr = this.#err.split(this.#mark)[0]!;
        const ms = Number((process.hrtime.bigint() - began) / 1_000_000n);
        resolve(
          'code' in answer
            ? { reached: true, code: answer.code, stdout, stderr, ms }
            : { reached: false, reason: answer.reason, stdout, stderr, ms },
        );
      };
      const limit = setTimeout(() => {
        // What still runs in it would answer into the next question.
        this.broken ??= `no end within ${timeout} ms`;
        done({ reason: this.broken });
      }, timeout);
      const look = () => {
        if (this.#out.length + this.#err.length > MOST_KEPT) this.broken ??= 'too much output';
        const end = ending.exec(this.#out.slice(-64));
        if (end && this.#err.includes(this.#mark)) done({ code: Number(end[1]) });
        else if (this.broken !== undefined) done({ reason: this.broken });
      };
      this.#onChange = look;
      if (this.broken !== undefined) return look();
      this.#stdin.write(`${line}\n{ printf '%s %d\\n' ${this.#mark} $?; printf %s ${this.#mark} >&2; }\n`);
    });
  }
}

/** Talks to a cluster's control socket (src/engine/node/control.ts): JSON lines, many requests at once. */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { FILES } from '../../engine/config.ts';
import type { Ran } from '../../exec/run.ts';

interface Answer {
  readonly id: number;
  readonly ran?: Ran;
  readonly value?: unknown;
  readonly error?: string;
}

/** The engine has gone, or was never there. */
export class EngineGone extends Error {}

/** One connection, opened at the first request and kept; it does not keep our process alive. */
export class Control {
  readonly #folder: string;
  #socket: Socket | undefined;
  #next = 1;
  readonly #waiting = new Map<number, (answer: Answer | undefined) => void>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  #open(): Socket {
    if (this.#socket !== undefined) return this.#socket;
    const socket = connect(join(this.#folder, FILES.control));
    this.#socket = socket;
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      rest += piece;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const answer = JSON.parse(rest.slice(0, end)) as Answer;
        rest = rest.slice(end + 1);
        this.#waiting.get(answer.id)?.(answer);
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#socket = undefined;
      for (const tell of this.#waiting.values()) tell(undefined);
    });
    return socket;
  }

  /** @throws EngineGone, or Error with the engine's words */
  async ask(request: Record<string, unknown>, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    const socket = this.#open();
    const id = this.#next;
    this.#next += 1;
    const cancel = () => socket.write(`${JSON.stringify({ id, op: 'cancel' })}\n`);
    try {
      const answer = await new Promise<Answer | undefined>((resolve) => {
        this.#waiting.set(id, resolve);
        socket.ref();
        signal?.addEventListener('abort', cancel, { once: true });
        socket.write(`${JSON.stringify({ id, ...request })}\n`);
      });
      if (answer === undefined) throw new EngineGone('the engine of the cluster has gone');
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer;
    } finally {
      signal?.removeEventListener('abort', cancel);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) socket.unref();
    }
  }
}

/**
 * The door for whoever made the cluster: commands on nodes and questions about the whole, as JSON lines over a unix
 * socket in the run folder (mode 0600). One request a line, one answer a line, matched by `id`; many may be under way.
 */
import { chmodSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Ran } from '../../exec/run.ts';

export interface ControlRequest {
  readonly id: number;
  /** `run` a command on a node; `settled`, `nodes`, `components`, `start`, `stop`; `cancel` ends the command of that id. */
  readonly op: 'run' | 'settled' | 'nodes' | 'components' | 'start' | 'stop' | 'cancel';
  readonly node?: string;
  readonly argv?: readonly string[];
  /** Base64. */
  readonly input?: string;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly component?: string;
}

export type ControlAnswer =
  | { readonly id: number; readonly ran: Ran }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

export interface ControlHandlers {
  run(request: ControlRequest, signal: AbortSignal): Promise<Ran>;
  /** What is still missing; empty when all is settled. Answers when it is, or at the time limit. */
  settled(timeout: number, signal: AbortSignal): Promise<readonly string[]>;
  nodes(): readonly { name: string; address: string; role: string; podCidr: string }[];
  components(): readonly { name: string; node: string | undefined; running: boolean }[];
  switch(component: string, node: string | undefined, on: boolean): Promise<void>;
}

/** The most of each output stream that an answer carries, in bytes. */
const MOST_OUTPUT = 16 * 1024 * 1024;

export function serveControl(path: string, handlers: ControlHandlers): Promise<void> {
  rmSync(path, { force: true });
  const server = createServer((socket) => serve(socket, handlers));
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    // Under its name only when it listens: between bind(2) and listen(2) it would refuse.
    const fresh = `${path}.new`;
    server.listen(fresh, () => {
      chmodSync(fresh, 0o600);
      renameSync(fresh, path);
      resolve();
    });
  });
}

function serve(socket: Socket, handlers: ControlHandlers): void {
  const running = new Map<number, AbortController>();
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    for (const controller of running.values()) controller.abort();
  });
  socket.on('data', (piece: string) => {
    rest += piece;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const request = JSON.parse(rest.slice(0, end)) as ControlRequest;
      rest = rest.slice(end + 1);
      if (request.op === 'cancel') {
        running.get(request.id)?.abort();
        continue;
      }
      const controller = new AbortController();
      running.set(request.id, controller);
      void answer(request, handlers, controller.signal).then((told) => {
        running.delete(request.id);
        if (!socket.destroyed) socket.write(`${JSON.stringify(told)}\n`);
      });
    }
  });
}

async function answer(
  request: ControlRequest,
  handlers: ControlHandlers,
  signal: AbortSignal,
): Promise<ControlAnswer> {
  const { id } = request;
  try {
    switch (request.op) {
      case 'run': {
        const ran = await handlers.run(request, signal);
        return {
          id,
          ran: { ...ran, stdout: ran.stdout.slice(0, MOST_OUTPUT), stderr: ran.stderr.slice(0, MOST_OUTPUT) },
        };
      }
      case 'settled':
        return { id, value: await handlers.settled(request.timeout ?? 60_000, signal) };
      case 'nodes':
        return { id, value: handlers.nodes() };
      case 'components':
        return { id, value: handlers.components() };
      default:
        await handlers.switch(request.component ?? '', request.node, request.op === 'start');
        return { id, value: null };
    }
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

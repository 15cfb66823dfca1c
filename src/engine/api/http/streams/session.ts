/** exec and attach apart from the wire: streams in, the kubelet's answer out as a Status. */
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { ApiError, type KubeObject } from '../../../client/types.ts';
import { isObject } from '../../json.ts';
import type { ContainerStreams, ExecResult, TerminalSize } from '../../kubelet-port.ts';
import { internal, statusObject } from '../../status.ts';
import type { Context } from '../context.ts';
import { needKubelet } from '../kubelet.ts';

/** What an exec or attach request asks for. */
export interface Asked {
  readonly verb: 'exec' | 'attach';
  readonly pod: KubeObject;
  readonly container: string;
  readonly argv: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The client's side of a session, whatever the wire. */
export interface Wire {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Lines of `{"Width":80,"Height":24}`. */
  readonly resize: Readable | undefined;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

/** Runs a session to its end and returns the Status that the client gets on its error stream. */
export async function runSession(context: Context, asked: Asked, wire: Wire): Promise<object> {
  let size: TerminalSize | undefined;
  const listeners: ((size: TerminalSize) => void)[] = [];
  if (wire.resize)
    readSizes(wire.resize, (next) => {
      size = next;
      for (const listener of listeners) listener(next);
    });
  const streams: ContainerStreams = {
    stdin: wire.stdin,
    stdout: wire.stdout,
    stderr: asked.tty ? undefined : wire.stderr,
    tty: asked.tty,
    signal: wire.signal,
    onResize: (listener) => {
      listeners.push(listener);
      if (size) listener(size);
    },
  };
  try {
    const kubelet = needKubelet(context);
    const result: ExecResult =
      asked.verb === 'exec'
        ? await kubelet.exec(asked.pod, asked.container, asked.argv, streams)
        : await kubelet.attach(asked.pod, asked.container, streams);
    return exitStatus(result.exitCode);
  } catch (error) {
    return statusObject(error instanceof ApiError ? error : internal((error as Error).message));
  }
}

/** How a non-zero exit code travels (remotecommand's v4 protocol). */
const exitStatus = (code: number): object =>
  code === 0
    ? { metadata: {}, status: 'Success' }
    : {
        metadata: {},
        status: 'Failure',
        message: `command terminated with non-zero exit code: exit status ${code}`,
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
      };

/** Sizes come as JSON objects one after another, with or without line ends. */
function readSizes(stream: Readable, tell: (size: TerminalSize) => void): void {
  let text = '';
  stream.on('error', () => undefined);
  stream.on('data', (piece: Buffer) => {
    text = (text + piece.toString('utf8')).slice(-4_096);
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const one = text.slice(0, end + 1).trim();
      text = text.slice(end + 1);
      try {
        const value: unknown = JSON.parse(one);
        if (isObject(value) && Number.isInteger(value['Width']) && Number.isInteger(value['Height']))
          tell({ width: value['Width'], height: value['Height'] });
      } catch {
        // A size that cannot be read is left out; the next one may be sound.
      }
    }
  });
}

/** A stream that takes bytes and hands them to a function; `done` says when it can take more. */
export function sink(send: (data: Buffer, done: () => void) => void): Writable {
  const stream = new PassThrough();
  stream.on('error', () => undefined);
  stream.on('data', (data: Buffer) => {
    stream.pause();
    send(data, () => stream.resume());
  });
  return stream;
}

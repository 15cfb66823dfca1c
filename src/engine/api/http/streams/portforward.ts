/** kubectl port-forward over SPDY: for each connection a stream for errors and one for data. */
import type { Duplex } from 'node:stream';
import type { KubeObject } from '../../../client/types.ts';
import type { Context } from '../context.ts';
import { needKubelet } from '../kubelet.ts';
import { SpdyConnection, type SpdyStream } from './spdy.ts';

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
}

export function forwardSpdy(context: Context, pod: KubeObject, wire: Duplex, head: Buffer): void {
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(wire, head);
  connection.on('stream', (stream) => {
    const { streamtype: type, requestid: id = '', port = '' } = stream.headers;
    if (type !== 'error' && type !== 'data') return stream.destroy();
    const pair = pairs.get(id) ?? {};
    pairs.set(id, pair);
    pair[type] = stream;
    if (!pair.error || !pair.data) return;
    pairs.delete(id);
    void join(context, pod, Number(port), pair.data, pair.error);
  });
}

async function join(
  context: Context,
  pod: KubeObject,
  port: number,
  data: SpdyStream,
  error: SpdyStream,
): Promise<void> {
  error.resume();
  const fail = (why: string) => {
    error.end(`error forwarding port ${port} to pod ${String(pod.metadata.uid)}, uid : ${why}`);
    data.end();
  };
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return fail(`${port} is no port`);
  let target: Duplex;
  try {
    target = await needKubelet(context).portForward(pod, port);
  } catch (failure) {
    return fail((failure as Error).message);
  }
  target.on('error', (failure) => {
    fail(failure.message);
    target.destroy();
  });
  data.on('close', () => target.destroy());
  target.on('close', () => {
    data.end();
    error.end();
  });
  data.pipe(target);
  target.pipe(data);
}

/**
 * exec, attach and port-forward over WebSocket: each message begins with the number of its channel
 * (v4.channel.k8s.io, and v5, which can close a channel: KEP-4006).
 */
import type { IncomingMessage } from 'node:http';
import { PassThrough, type Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer, type WebSocket } from 'ws';
import type { KubeObject } from '../../../client/types.ts';
import { badRequest } from '../../status.ts';
import type { Context } from '../context.ts';
import { needKubelet } from '../kubelet.ts';
import { forwardSpdy } from './portforward.ts';
import { runSession, sink, type Asked } from './session.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
/** v5: the second byte is the channel that is closed. */
const CLOSE = 255;

const COMMAND_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io', ''];
/** kubectl's port-forward: SPDY inside a WebSocket. */
const TUNNEL = 'SPDY/3.1+portforward.k8s.io';
const FORWARD_PROTOCOLS = [TUNNEL, 'v4.channel.k8s.io', ''];

/** How often we ask whether the client is still there, in ms; proxies cut what is silent. */
const PING_EVERY = 15_000;

function accept(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocols: readonly string[],
): Promise<WebSocket> {
  const offered = String(request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => !word.startsWith('base64url.bearer.authorization.k8s.io.'));
  const chosen = protocols.find((protocol) => offered.includes(protocol));
  if (chosen === undefined)
    throw badRequest(`unable to upgrade: none of the protocols is supported: ${offered.join(', ')}`);
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: () => chosen || false,
    maxPayload: 32 * 1024 * 1024,
  });
  return new Promise((resolve) => {
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const ping = setInterval(() => webSocket.ping(), PING_EVERY);
      ping.unref();
      webSocket.on('close', () => clearInterval(ping));
      webSocket.on('error', () => undefined);
      resolve(webSocket);
    });
  });
}

const bytesOf = (data: Buffer | ArrayBuffer | Buffer[]): Buffer =>
  Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data);

const sender = (webSocket: WebSocket, channel: number) => (data: Buffer, done: () => void) => {
  if (webSocket.readyState !== webSocket.OPEN) return done();
  webSocket.send(Buffer.concat([Buffer.from([channel]), data]), { binary: true }, () => done());
};

export async function commandOverWebSocket(
  context: Context,
  asked: Asked,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const webSocket = await accept(request, socket, head, COMMAND_PROTOCOLS);
  const abort = new AbortController();
  const stdin = asked.stdin ? new PassThrough() : undefined;
  const resize = asked.tty ? new PassThrough() : undefined;
  webSocket.on('close', () => {
    stdin?.end();
    abort.abort();
  });
  webSocket.on('message', (message: Buffer | ArrayBuffer | Buffer[]) => {
    const data = bytesOf(message);
    const rest = data.subarray(1);
    switch (data[0]) {
      case STDIN:
        if (stdin && !stdin.writableEnded && !stdin.write(rest)) {
          webSocket.pause();
          stdin.once('drain', () => webSocket.resume());
        }
        break;
      case RESIZE:
        resize?.write(rest);
        break;
      case CLOSE:
        if (rest[0] === STDIN) stdin?.end();
        break;
    }
  });
  // Clients know by a first empty message on each channel that it is open.
  const stdout = asked.stdout ? sink(sender(webSocket, STDOUT)) : undefined;
  const stderr = asked.stderr && !asked.tty ? sink(sender(webSocket, STDERR)) : undefined;
  const status = await runSession(context, asked, { stdin, stdout, stderr, resize, signal: abort.signal });
  await Promise.all([stdout, stderr].map((stream) => stream && drained(stream)));
  sender(webSocket, ERROR)(Buffer.from(JSON.stringify(status)), () => webSocket.close(1_000));
}

/** Ends a sink and waits until all of it has been sent. */
const drained = (stream: NodeJS.WritableStream): Promise<void> =>
  new Promise((resolve) => {
    (stream as PassThrough).once('end', () => resolve());
    stream.end();
  });

/** @param ports of the query, for the protocol in which every port has a data and an error channel */
export async function forwardOverWebSocket(
  context: Context,
  pod: KubeObject,
  ports: readonly number[],
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const webSocket = await accept(request, socket, head, FORWARD_PROTOCOLS);
  if (webSocket.protocol === TUNNEL) {
    forwardSpdy(context, pod, createWebSocketStream(webSocket), Buffer.alloc(0));
    return;
  }
  for (const [i, port] of ports.entries()) {
    const data = sender(webSocket, 2 * i);
    const error = sender(webSocket, 2 * i + 1);
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    data(number, () => undefined);
    error(number, () => undefined);
    const incoming = new PassThrough();
    webSocket.on('message', (message: Buffer | ArrayBuffer | Buffer[]) => {
      const bytes = bytesOf(message);
      if (bytes[0] === 2 * i && !incoming.writableEnded) incoming.write(bytes.subarray(1));
    });
    webSocket.on('close', () => incoming.end());
    try {
      const connection = await needKubelet(context).portForward(pod, port);
      connection.on('error', () => webSocket.close());
      incoming.pipe(connection);
      const out = sink(data);
      connection.pipe(out);
      webSocket.on('close', () => connection.destroy());
      connection.on('close', () => webSocket.close());
    } catch (failure) {
      error(Buffer.from((failure as Error).message), () => webSocket.close());
    }
  }
}

/** exec, attach and port-forward: requests that leave HTTP for WebSocket or SPDY. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { KubeObject } from '../../../client/types.ts';
import { badRequest, noSuchPath, statusObject } from '../../status.ts';
import { asApiError } from '../answer.ts';
import type { Context } from '../context.ts';
import { containerOf } from '../logs.ts';
import { flag, numberOf, resourcePath, type Exchange } from '../request.ts';
import { forwardSpdy } from './portforward.ts';
import { runSession, type Asked } from './session.ts';
import { SpdyConnection, type SpdyStream } from './spdy.ts';

/** The newest first; v4 brings exit codes, v3 terminal sizes. */
const SPDY_PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];

export async function upgradePod(
  context: Context,
  exchange: Exchange,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const path = resourcePath(exchange.path);
  const verb = path?.subresource;
  if (!path?.name || path.plural !== 'pods' || path.group !== '') throw noSuchPath();
  if (verb !== 'exec' && verb !== 'attach' && verb !== 'portforward') throw noSuchPath();
  const pods = context.registry.catalog.byKey('', 'pods');
  if (!pods) throw noSuchPath();
  const pod = context.registry.need(pods, path.namespace ?? '', path.name);
  const kind = String(exchange.request.headers.upgrade ?? '').toLowerCase();
  if (kind !== 'websocket' && !kind.startsWith('spdy/3.1'))
    throw badRequest(`unable to upgrade: unknown protocol ${JSON.stringify(kind)}`);
  if (!pod.spec?.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  if (verb === 'portforward') return forward(context, exchange, pod, kind, socket, head);
  const asked = askedOf(exchange, verb, pod);
  if (kind === 'websocket') {
    const { commandOverWebSocket } = await import('./websocket.ts');
    return commandOverWebSocket(context, asked, exchange.request, socket, head);
  }
  switchToSpdy(exchange, socket, SPDY_PROTOCOLS);
  commandOverSpdy(context, asked, new SpdyConnection(socket, head));
}

function askedOf(exchange: Exchange, verb: 'exec' | 'attach', pod: KubeObject): Asked {
  const { query } = exchange;
  const argv = query.getAll('command');
  if (verb === 'exec' && argv.length === 0)
    throw badRequest('you must specify at least 1 command for the container');
  const [stdin, stdout, stderr, tty] = ['stdin', 'stdout', 'stderr', 'tty'].map((name) => flag(query, name));
  if (!stdin && !stdout && !stderr) throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  return {
    verb,
    pod,
    container: containerOf(pod, query.get('container')),
    argv,
    stdin: stdin ?? false,
    stdout: stdout ?? false,
    stderr: stderr ?? false,
    tty: tty ?? false,
  };
}

async function forward(
  context: Context,
  exchange: Exchange,
  pod: KubeObject,
  kind: string,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  if (pod.status?.phase !== 'Running')
    throw badRequest(
      `unable to forward port because pod is not running. Current status=${pod.status?.phase}`,
    );
  if (kind === 'websocket') {
    const { forwardOverWebSocket } = await import('./websocket.ts');
    const port = numberOf(exchange.query, 'ports');
    const ports = exchange.query
      .getAll('ports')
      .flatMap((text) => text.split(','))
      .map(Number);
    if (port !== undefined && ports.some((one) => !(one > 0 && one < 65_536))) throw badRequest('bad ports');
    return forwardOverWebSocket(context, pod, ports, exchange.request, socket, head);
  }
  switchToSpdy(exchange, socket, ['portforward.k8s.io']);
  forwardSpdy(context, pod, socket, head);
}

/** Answers 101 with the newest protocol that both know. */
function switchToSpdy(exchange: Exchange, socket: Duplex, protocols: readonly string[]): void {
  const offered = String(exchange.request.headers['x-stream-protocol-version'] ?? '')
    .split(',')
    .map((word) => word.trim());
  const chosen =
    protocols.find((protocol) => offered.includes(protocol)) ??
    (offered[0] === '' ? protocols.at(-1) : undefined);
  if (chosen === undefined)
    throw badRequest(
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(', ')}], server accepts [${protocols.join(', ')}]`,
    );
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${chosen}\r\n\r\n`,
  );
}

/** Waits for the streams that the request announced, then runs the command. */
function commandOverSpdy(context: Context, asked: Asked, connection: SpdyConnection): void {
  const streams = new Map<string, SpdyStream>();
  const wanted = [
    'error',
    ...(asked.stdin ? ['stdin'] : []),
    ...(asked.stdout ? ['stdout'] : []),
    ...(asked.stderr && !asked.tty ? ['stderr'] : []),
    ...(asked.tty ? ['resize'] : []),
  ];
  const abort = new AbortController();
  connection.on('close', () => abort.abort());
  connection.on('stream', (stream) => {
    const type = stream.headers['streamtype'] ?? '';
    if (streams.has(type) || !wanted.includes(type)) return stream.destroy();
    streams.set(type, stream);
    if (streams.size < wanted.length) return;
    const error = streams.get('error') as SpdyStream;
    const [stdout, stderr] = [streams.get('stdout'), streams.get('stderr')];
    for (const quiet of [error, stdout, stderr]) quiet?.resume();
    const wire = {
      stdin: streams.get('stdin'),
      stdout,
      stderr,
      resize: streams.get('resize'),
      signal: abort.signal,
    };
    void runSession(context, asked, wire).then((status) => {
      stdout?.end();
      stderr?.end();
      error.end(JSON.stringify(status), () => {
        // What the client has not ended (stdin) ends with the connection.
        connection.end();
      });
    });
  });
}

/** Answers an upgrade that is not granted, in plain HTTP. */
export function refuse(socket: Duplex, error: unknown, onError: (error: unknown) => void): void {
  const known = asApiError(error, onError);
  const body = JSON.stringify(statusObject(known));
  const { code } = known.status;
  if (!socket.writable) return;
  socket.end(
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Error'}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

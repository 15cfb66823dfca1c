/**
 * Probes of containers, really executed: HTTP and TCP from the node's network, exec in the container
 * (Kubernetes: Configure Liveness, Readiness and Startup Probes).
 */
import { request as httpRequest } from 'node:http';
import { PassThrough } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { NetNamespace } from '../linux/netns.ts';
import { Container } from './container.ts';
import { execute } from './exec.ts';
import type { ContainerDef, Handler, Probe } from './pod-types.ts';
import type { Running } from './running.ts';

export interface Asked {
  readonly ok: boolean;
  /** In the kubelet's words. */
  readonly message: string;
}

/** What a probe needs to know of where it goes. */
export interface ProbeTarget {
  /** The node's network: probes come from the kubelet. */
  readonly from: NetNamespace;
  readonly podIp: string;
  readonly container: Running;
  readonly def: ContainerDef;
}

/** Asks once. `timeout` in seconds. Never throws. */
export async function ask(handler: Handler, timeout: number, target: ProbeTarget): Promise<Asked> {
  try {
    if (handler.exec) return await askExec(handler.exec.command ?? [], timeout, target);
    if (handler.httpGet) return await askHttp(handler.httpGet, timeout, target);
    if (handler.tcpSocket) return await askTcp(handler.tcpSocket, timeout, target);
    if (handler.grpc) return await askTcp({ port: handler.grpc.port }, timeout, target);
    return { ok: false, message: 'missing probe handler' };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

export function portNumber(port: number | string, def: ContainerDef): number {
  if (typeof port === 'number') return port;
  const named = def.ports?.find((one) => one.name === port)?.containerPort;
  return named ?? Number(port);
}

async function askExec(argv: readonly string[], timeout: number, target: ProbeTarget): Promise<Asked> {
  if (!(target.container instanceof Container)) return { ok: true, message: '' };
  const output = new PassThrough();
  const pieces: Buffer[] = [];
  output.on('data', (piece: Buffer) => pieces.push(piece));
  const signal = AbortSignal.timeout(timeout * 1000);
  const { exitCode } = await execute(target.container, argv, {
    stdin: undefined,
    stdout: output,
    stderr: output,
    tty: false,
    onResize: () => undefined,
    signal,
  });
  const text = Buffer.concat(pieces).toString('utf8').slice(0, 10_240);
  if (signal.aborted)
    return { ok: false, message: `command timed out: "${argv.join(' ')}" timed out after ${timeout}s` };
  return { ok: exitCode === 0, message: text };
}

function askHttp(get: NonNullable<Handler['httpGet']>, timeout: number, target: ProbeTarget): Promise<Asked> {
  const host = get.host ?? target.podIp;
  const port = portNumber(get.port, target.def);
  const secure = get.scheme === 'HTTPS';
  const path = get.path ?? '/';
  const url = `${secure ? 'https' : 'http'}://${host}:${port}${path.startsWith('/') ? path : `/${path}`}`;
  const headers: Record<string, string> = {
    'User-Agent': 'kube-probe/1.34',
    Accept: '*/*',
    Connection: 'close',
  };
  for (const { name, value } of get.httpHeaders ?? []) headers[name] = value;
  return new Promise((resolve) => {
    const end = (ok: boolean, message: string) => {
      clearTimeout(limit);
      resolve({ ok, message });
      sent.destroy();
    };
    const options = {
      host,
      port,
      path: path.startsWith('/') ? path : `/${path}`,
      headers,
      // No agent: Node would let it connect, from the wrong network.
      createConnection: () => {
        const socket = target.from.connect(host, port);
        return secure ? tlsConnect({ socket, rejectUnauthorized: false }) : socket;
      },
    };
    const sent = httpRequest(options);
    const limit = setTimeout(
      () =>
        end(
          false,
          `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
        ),
      timeout * 1000,
    );
    sent.on('response', (response) => {
      const code = response.statusCode ?? 0;
      response.resume();
      if (code >= 200 && code < 400) end(true, '');
      else end(false, `HTTP probe failed with statuscode: ${code}`);
    });
    sent.on('error', (error) => end(false, `Get "${url}": ${dialError(host, port, error)}`));
    sent.end();
  });
}

function askTcp(
  socket: NonNullable<Handler['tcpSocket']>,
  timeout: number,
  target: ProbeTarget,
): Promise<Asked> {
  const host = socket.host ?? target.podIp;
  const port = portNumber(socket.port, target.def);
  return new Promise((resolve) => {
    const connection = target.from.connect(host, port);
    const end = (ok: boolean, message: string) => {
      clearTimeout(limit);
      connection.destroy();
      resolve({ ok, message });
    };
    const limit = setTimeout(() => end(false, `dial tcp ${host}:${port}: i/o timeout`), timeout * 1000);
    connection.on('connect', () => end(true, ''));
    connection.on('error', (error) => end(false, dialError(host, port, error)));
  });
}

function dialError(host: string, port: number, error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return `dial tcp ${host}:${port}: connect: connection refused`;
  if (error.code === 'EHOSTUNREACH') return `dial tcp ${host}:${port}: connect: no route to host`;
  return error.message;
}

export type ProbeKind = 'Startup' | 'Liveness' | 'Readiness';

/** What a probe's results add up to. */
export interface ProbeListener {
  /** Enough results in a row of one kind; told at each change only. */
  onVerdict(kind: ProbeKind, ok: boolean): void;
  onFailure(kind: ProbeKind, message: string): void;
}

/** First look after a container's start, in milliseconds; later looks keep to the period. */
const FIRST_LOOK = 100;

/** Runs one probe until it is stopped. @returns how to stop it */
export function startProbe(
  kind: ProbeKind,
  probe: Probe,
  target: ProbeTarget,
  listener: ProbeListener,
): () => void {
  const period = (probe.periodSeconds ?? 10) * 1000;
  let stopped = false;
  let timer: NodeJS.Timeout;
  let verdict: boolean | undefined = kind === 'Liveness' ? true : undefined;
  let streak = 0;
  let last: boolean | undefined;
  // Until the first success, a readiness or startup probe looks more often within its first period:
  // those looks can only find that the container is ready; failures count by the period.
  let eager = kind === 'Liveness' ? Infinity : FIRST_LOOK;
  const due = Date.now() + (probe.initialDelaySeconds ?? 0) * 1000;
  // The kubelet's worker looks at its period, and at readiness and start-up at once when a container has started.
  let nextCounted = due + (kind === 'Liveness' ? period : FIRST_LOOK);
  const look = async () => {
    const counted = Date.now() >= nextCounted;
    const asked = await ask(probe, probe.timeoutSeconds ?? 1, target);
    if (stopped) return;
    if (asked.ok || counted) {
      streak = asked.ok === last ? streak + 1 : 1;
      last = asked.ok;
      if (!asked.ok) listener.onFailure(kind, asked.message);
      const needed = asked.ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
      if (streak >= needed && verdict !== asked.ok) {
        verdict = asked.ok;
        if (!asked.ok && kind === 'Readiness') eager = Infinity;
        listener.onVerdict(kind, asked.ok);
      }
      if (stopped) return;
      if (counted) while (nextCounted <= Date.now()) nextCounted += period;
    }
    if (asked.ok) eager = Infinity;
    eager *= 2;
    timer = setTimeout(() => void look(), Math.max(0, Math.min(eager, nextCounted - Date.now())));
  };
  timer = setTimeout(() => void look(), Math.max(0, nextCounted - Date.now()));
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** What does a web server say? Asked with curl; agnhost's netexec answers with its pod's name and the address it saw. */
import { derive, type Observation } from '../src/model/observation.ts';
import type { Outcome } from '../src/model/outcome.ts';
import { batch, byPod, quote, understand, type Piece } from './batch.ts';
import type { PodHandle, Stage } from './experiment.ts';

export interface Request {
  readonly from: PodHandle;
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly data?: string;
  /** More words for curl, e.g. `--interface`. */
  readonly more?: readonly string[];
}

/** The end of a request. `status` is there when an HTTP answer came. */
export interface HttpAnswer {
  readonly outcome: Outcome;
  readonly status?: number;
  readonly body: string;
  /** The address and port that it was sent from, as the sender sees them. */
  readonly local?: string;
}

const LIMIT = 2;

/** Puts what curl tells of the connection (stderr) behind a mark, because its words, not its exit code, tell why. */
const CURL = `h() { { curl -sSv -w '\\n@@http %{http_code} %{exitcode} %{time_connect} %{local_ip} %{local_port}\\n' "$@" 2>&1 1>&3 | sed 's/^/! /'; } 3>&1; }`;

/** curl's exit codes (curl manual, EXIT CODES). */
const NOT_RESOLVED = 6;
const NOT_CONNECTED = 7;
const TOO_LATE = 28;

/** Reads what the shell function prints. @returns undefined when it cannot be made sense of */
export function readCurl({ output }: Piece): HttpAnswer | undefined {
  const lines = output.split('\n');
  const told = lines.filter((line) => line.startsWith('! ')).join('\n');
  const rest = lines.filter((line) => !line.startsWith('! ')).join('\n');
  const end = /\n?@@http (\d+) (\d+) ([\d.]+) (\S*) (\d+)\s*$/.exec(rest);
  if (!end) return undefined;
  const body = rest.slice(0, end.index);
  const [status, exit, connected] = [Number(end[1]), Number(end[2]), Number(end[3])];
  const local = end[4] ? `${end[4]}:${end[5]}` : undefined;
  if (status > 0) return { outcome: 'CONNECTED', status, body, local };
  if (exit === NOT_RESOLVED) return { outcome: 'DNS', body };
  if (exit === TOO_LATE) return { outcome: 'TIMEOUT', body };
  if (exit === NOT_CONNECTED) {
    if (/connection refused/i.test(told)) return { outcome: 'REFUSED', body };
    if (/no route to host|network (is )?unreachable|host (is )?unreachable/i.test(told))
      return { outcome: 'UNREACHABLE', body };
    return undefined;
  }
  // Connected, and then no answer in HTTP: closed or reset by the other side.
  return connected > 0 ? { outcome: 'CONNECTED', body, local } : undefined;
}

/** Sends all requests at once, one exec in each pod that sends. */
export function httpAll(stage: Stage, requests: readonly Request[]): Promise<Observation<HttpAnswer>[]> {
  return byPod(requests, async (pod, group) => {
    const commands = group.map(({ url, method, headers = {}, data, more = [] }) => {
      const words = [
        ...['--connect-timeout', String(LIMIT), '--max-time', String(2 * LIMIT), '--path-as-is'],
        ...(method === undefined ? [] : ['-X', method]),
        ...Object.entries(headers).flatMap(([key, value]) => ['-H', `${key}: ${value}`]),
        ...(data === undefined ? [] : ['--data-binary', data]),
        ...more,
        url,
      ];
      return { argv: ['h', ...words], shown: ['curl', '-sSv', ...words].map(quote).join(' ') };
    });
    const pieces = await batch(stage, pod, commands, { each: 2 * LIMIT * 1000, functions: CURL });
    return pieces.map((piece) => understand(piece, readCurl));
  });
}

export async function http(
  stage: Stage,
  from: PodHandle,
  url: string,
  more: Omit<Request, 'from' | 'url'> = {},
): Promise<Observation<HttpAnswer>> {
  return (await httpAll(stage, [{ from, url, ...more }]))[0]!;
}

const host = (to: string, port: number): string => `${to.includes(':') ? `[${to}]` : to}:${port}`;

/** A body, or the outcome when there was none: what a row shows. */
const spoken = (answer: HttpAnswer): string =>
  answer.status === 200 ? answer.body.trim() : answer.status ? `HTTP ${answer.status}` : answer.outcome;

/** The name of the pod that answered (netexec `/hostname`), or the outcome when none did. */
export async function answeredBy(
  stage: Stage,
  from: PodHandle,
  to: string,
  port = 80,
): Promise<Observation<string>> {
  return derive(await http(stage, from, `http://${host(to, port)}/hostname`), spoken);
}

/** The address that the server saw the request come from (netexec `/clientip`), without its port; or the outcome. */
export async function sourceSeenBy(
  stage: Stage,
  from: PodHandle,
  to: string,
  port = 80,
): Promise<Observation<string>> {
  return derive(await http(stage, from, `http://${host(to, port)}/clientip`), (answer) =>
    spoken(answer).replace(/:\d+$/, ''),
  );
}

/** What a server says of itself and of us over one connection. */
export interface Banner {
  readonly pod: string;
  /** `address:port` as the server saw it. */
  readonly peer: string;
}

/** Asks both over one connection, so that behind a Service it is one and the same pod that answers. */
export async function banner(
  stage: Stage,
  from: PodHandle,
  to: string,
  port = 80,
): Promise<Observation<Banner | Outcome>> {
  const root = `http://${host(to, port)}`;
  const words = ['-sS', '--max-time', String(2 * LIMIT), '-w', '\\n', `${root}/hostname`, `${root}/clientip`];
  const [piece] = await batch(stage, from, [{ argv: ['curl', ...words] }], { each: 2 * LIMIT * 1000 });
  return understand(piece!, ({ code, output }): Banner | Outcome | undefined => {
    if (code === TOO_LATE) return 'TIMEOUT';
    if (code === NOT_RESOLVED) return 'DNS';
    const [pod, peer] = output.trim().split('\n');
    return code === 0 && pod && peer ? { pod, peer } : undefined;
  });
}

/** Routes of a node and who made them. */
import { json, nodeOutput, parsed } from './node-command.ts';
import type { Stage } from './experiment.ts';
import type { Observation } from '../src/model/observation.ts';

/** One route as `ip -j route` has it (iproute2, ip/iproute.c); fields that no check reads are left out. */
export interface Route {
  /** `unicast` when the kernel says nothing else. */
  readonly type: string;
  /** `10.244.1.0/24`, `10.244.1.7` or `default`. */
  readonly dst: string;
  readonly gateway: string | undefined;
  readonly dev: string | undefined;
  /** Who made it: kernel, boot, static, bird ...; a number where iproute2 knows no name (80 is felix). */
  readonly protocol: string;
  /** `main` when not said. */
  readonly table: string;
  readonly metric: number;
}

/** Numbers of rtnetlink(7) and /etc/iproute2/rt_protos, for an iproute2 without that file. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  2: 'kernel',
  3: 'boot',
  4: 'static',
  12: 'bird',
  186: 'bgp',
};

/** Reads `ip -j route show table all`. */
export function readRoutes(output: string): Route[] {
  return json<Record<string, unknown>[]>(output).map((raw) => {
    const word = (name: string) => (raw[name] === undefined ? undefined : String(raw[name]));
    if (raw['dst'] === undefined) throw new Error(`a route without dst: ${JSON.stringify(raw)}`);
    const via = raw['via'] as { host?: string } | undefined;
    const protocol = word('protocol') ?? 'boot';
    return {
      type: word('type') ?? 'unicast',
      dst: String(raw['dst']),
      gateway: word('gateway') ?? via?.host,
      dev: word('dev'),
      protocol: PROTOCOLS[protocol] ?? protocol,
      table: word('table') ?? 'main',
      metric: Number(raw['metric'] ?? 0),
    };
  });
}

/** A dump that changed under its reader is said by the kernel (NLM_F_DUMP_INTR) and asked again. */
const SCRIPT = `
for try in 1 2 3 4 5 6; do
  said=$("$@" 2>/tmp/podlab-dump.$$); code=$?
  if ! grep -q 'Dump was interrupted' /tmp/podlab-dump.$$; then cat /tmp/podlab-dump.$$ >&2; rm -f /tmp/podlab-dump.$$; printf '%s\\n' "$said"; exit $code; fi
done
rm -f /tmp/podlab-dump.$$; echo 'every dump was interrupted' >&2; exit 75`;

const dump = (stage: Stage, node: string, argv: readonly string[]) =>
  nodeOutput(stage, node, ['sh', '-c', SCRIPT, 'podlab', ...argv]);

/** All IPv4 routes of a node, in every table. */
export async function routes(stage: Stage, node: string): Promise<Observation<Route[]>> {
  return parsed(await dump(stage, node, ['ip', '-4', '-j', 'route', 'show', 'table', 'all']), readRoutes);
}

/** The node's policy routing rules, one text each. */
export async function routingRules(stage: Stage, node: string): Promise<Observation<string[]>> {
  const seen = await dump(stage, node, ['ip', '-4', '-j', 'rule']);
  return parsed(seen, (output) => json<object[]>(output).map((rule) => JSON.stringify(rule)));
}

const asNumber = (ip: string) => ip.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);

/** Whether an IPv4 address lies in a destination (`10.244.0.0/16`, `10.244.1.7`, `default`). */
export function covers(dst: string, ip: string): boolean {
  if (dst === 'default') return true;
  const [address = '', length = '32'] = dst.split('/');
  const size = 2 ** (32 - Number(length));
  return Math.floor(asNumber(address) / size) === Math.floor(asNumber(ip) / size);
}

const lengthOf = (dst: string) => (dst === 'default' ? 0 : Number(dst.split('/')[1] ?? 32));

/** The routes of table main that lead to an address, the most specific first; the default route is none. */
export const routesTo = (all: readonly Route[], ip: string): Route[] =>
  all
    .filter((route) => route.table === 'main' && route.dst !== 'default' && covers(route.dst, ip))
    .sort((a, b) => lengthOf(b.dst) - lengthOf(a.dst) || a.metric - b.metric);

/** A route as `ip route` would print it. */
export const printRoute = (route: Route): string =>
  [
    route.type === 'unicast' ? '' : route.type,
    route.dst,
    route.gateway && `via ${route.gateway}`,
    route.dev && `dev ${route.dev}`,
    route.table === 'main' ? '' : `table ${route.table}`,
    `proto ${route.protocol}`,
    route.metric && `metric ${route.metric}`,
  ]
    .filter(Boolean)
    .join(' ');

/**
 * What changed between two looks, as `+ route` and `- route`. The host routes to the pods of the node itself are left out:
 * they come and go with pods (calico's `dev cali…`, others' `dev veth…`, `dev lxc…`), also with those on their way out.
 */
export function difference(before: readonly Route[], after: readonly Route[]): string[] {
  const print = (all: readonly Route[]) =>
    new Set(all.filter((route) => !/^(cali|veth|lxc)/.test(route.dev ?? '')).map(printRoute));
  const [old, now] = [print(before), print(after)];
  return [
    ...[...now].filter((one) => !old.has(one)).map((one) => `+ ${one}`),
    ...[...old].filter((one) => !now.has(one)).map((one) => `- ${one}`),
  ];
}

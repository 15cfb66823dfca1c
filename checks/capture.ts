/**
 * Captures with tcpdump on a named interface of a node, or of a pod's network namespace as its node sees it.
 * One that was not listening, or that the kernel dropped packets of, answers nothing.
 */
import { nodeOutput, parsed } from './node-command.ts';
import type { Stage } from './experiment.ts';
import { notAsked, type Observation, type Probe } from '../src/model/observation.ts';
import { text } from '../src/model/text.ts';

export interface CaptureWish {
  readonly node: string;
  /** Path of the network namespace to listen in; the node's own when not said. */
  readonly netns?: Observation<string>;
  /** `eth0`, `lo`, or `any` for all of them. */
  readonly device: string;
  /** pcap-filter(7); keep it narrow: what it lets through has to be read in full. */
  readonly filter: string;
}

/** One packet as captured. Ports are 0 where the protocol has none. */
export interface Packet {
  /** With `any` only: the device it was seen on, and whether it came in or went out. */
  readonly device: string | undefined;
  readonly way: 'In' | 'Out' | undefined;
  readonly src: string;
  readonly sport: number;
  readonly dst: string;
  readonly dport: number;
}

export interface Captured {
  readonly packets: Packet[];
}

/** A running capture. */
export interface Capture {
  /** Reads to the end of what has arrived, stops, and tells it. */
  stop(): Promise<Observation<Captured>>;
}

/** $1 device, $2 filter, $3 namespace or ''. Prints its folder and process once tcpdump listens. `timeout` ends it if we cannot. */
const START = `
d=$(mktemp -d /tmp/podlab-capture.XXXXXX) || exit 1
set -- "$1" "$2" \${3:+nsenter} \${3:+--net="$3"} \${3:+--}
device=$1; filter=$2; shift 2
command -v tcpdump >/dev/null || { echo 'tcpdump: not found' >&2; rm -rf "$d"; exit 127; }
setsid timeout -s INT 240 "$@" tcpdump -i "$device" -nn -tt -l -s 160 --immediate-mode "$filter" >"$d/out" 2>"$d/err" </dev/null &
p=$!
tries=0
until grep -q 'listening on' "$d/err"; do
  tries=$((tries + 1))
  if [ $tries -gt 150 ] || grep -Eq 'ermi(tted|ssion)|No such device|syntax error|not supported' "$d/err"; then cat "$d/err" >&2; kill -INT -$p 2>/dev/null; rm -rf "$d"; exit 1; fi
  sleep 0.05
done
echo "$d $p"`;

/** $1 folder, $2 process. Waits until the output has stopped growing, ends tcpdump, waits for its statistics. */
const STOP = `
size=-1
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  sleep 0.1; now=$(wc -c <"$1/out"); [ "$now" = "$size" ] && break; size=$now
done
kill -INT "-$2" 2>/dev/null
tries=0
until grep -q 'dropped by kernel' "$1/err" || [ $tries -gt 100 ]; do tries=$((tries + 1)); sleep 0.05; done
cat "$1/out"; echo '--- tcpdump'; cat "$1/err"
rm -rf "$1"`;

/** Starts a capture; it listens when this resolves, or its `stop` tells why it never did. */
export async function capture(stage: Stage, wish: CaptureWish): Promise<Capture> {
  const { netns } = wish;
  if (netns && !netns.asked) return { stop: () => Promise.resolve(netns) };
  const started = await nodeOutput(
    stage,
    wish.node,
    ['sh', '-c', START, 'podlab', wish.device, wish.filter, netns?.value ?? ''],
    { timeout: 20_000 },
  );
  if (!started.asked) return { stop: () => Promise.resolve(started) };
  const [folder = '', process = ''] = started.value.trim().split(' ');
  let ended: Promise<Observation<string>> | undefined;
  const end = () =>
    (ended ??= nodeOutput(stage, wish.node, ['sh', '-c', STOP, 'podlab', folder, process], {
      timeout: 20_000,
    }));
  stage.undo(end);
  return {
    stop: async () => {
      const seen = await end();
      return whole(parsed(seen, readCapture), started.probes);
    },
  };
}

/** What tcpdump printed: packets, then its own statistics. */
export interface Reading extends Captured {
  readonly dropped: number;
}

/** Refuses a capture that missed something. */
function whole(seen: Observation<Reading>, before: readonly Probe[]): Observation<Captured> {
  const probes = [...before, ...seen.probes];
  if (!seen.asked) return { ...seen, probes };
  const { packets, dropped } = seen.value;
  if (dropped > 0)
    return notAsked(
      text(`the kernel dropped ${dropped} packets of the capture`, `抓包时内核丢弃了 ${dropped} 个包`),
      ...probes,
    );
  return { asked: true, value: { packets }, probes };
}

/** Reads `tcpdump -nn -tt`; the packet inside a tunnel is on a line without a time and belongs to the one before. */
export function readCapture(output: string): Reading {
  const [lines = '', statistics] = output.split('--- tcpdump\n');
  if (statistics === undefined) throw new Error('no statistics of tcpdump');
  // "received by filter" counts a packet on lo twice and is no measure of what was missed.
  const dropped = /^(\d+) packets? dropped by kernel/m.exec(statistics)?.[1];
  if (dropped === undefined) throw new Error('tcpdump did not say how many packets the kernel dropped');
  const packets = lines.split('\n').flatMap((line) => {
    const found = /^\d+\.\d+ (?:(\S+) +(In|Out|[A-Z]+) +)?IP6? (\S+) > (\S+?):? /.exec(`${line} `);
    if (!found) return [];
    const [src, sport] = split(found[3]!);
    const [dst, dport] = split(found[4]!);
    const way = found[2] === 'In' || found[2] === 'Out' ? found[2] : undefined;
    return [{ device: found[1], way, src, sport, dst, dport } as Packet];
  });
  return { packets, dropped: Number(dropped) };
}

/** `10.244.1.2.80` is an address with a port, `10.244.1.2` one without. */
function split(address: string): [string, number] {
  const words = address.split('.');
  if (address.includes(':')) return words.length === 2 ? [words[0]!, Number(words[1])] : [address, 0];
  return words.length === 5 ? [words.slice(0, 4).join('.'), Number(words[4])] : [address, 0];
}

/** The packets of one flow, in both directions. */
export const ofFlow = (
  captured: Captured,
  a: { ip: string; port: number },
  b: { ip: string; port: number },
) =>
  captured.packets.filter(
    (one) =>
      (one.src === a.ip && one.sport === a.port && one.dst === b.ip && one.dport === b.port) ||
      (one.src === b.ip && one.sport === b.port && one.dst === a.ip && one.dport === a.port),
  );

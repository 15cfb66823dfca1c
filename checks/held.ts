/** Does a connection that is already there live on? One TCP connection is held open and used again and again. */
import { text } from '../src/model/text.ts';
import { derive, notAsked, type Observation } from '../src/model/observation.ts';
import type { PodHandle, Stage } from './experiment.ts';

/** What became of a held connection while new ones were tried beside it. */
export interface Held {
  /** Requests that it answered before the first new connection was denied. */
  readonly before: number;
  /** Requests that it answered while new connections were denied. */
  readonly since: number;
  /** Whether it went silent in the end. */
  readonly died: boolean;
}

/**
 * After a second in which nothing else is tried, one request a round over the held connection and one new connection
 * beside it; a round each fifth of a second.
 * It ends when the held one is silent for 2 s, when `$3` rounds saw new ones denied, or after `$4` seconds.
 * bash, because its /dev/tcp holds a connection without another program.
 */
const SCRIPT = String.raw`
exec 3<>"/dev/tcp/$1/$2" || exit 1
echo connected
ask() {
  printf 'GET /hostname HTTP/1.1\r\nHost: held\r\n\r\n' >&3 || return 1
  IFS= read -r -t 2 -u 3 line || return 1
  size=0
  while IFS= read -r -t 2 -u 3 line; do
    line=${'$'}{line%$'\r'}
    [ -z "$line" ] && break
    case $line in [Cc]ontent-[Ll]ength:*) size=${'$'}{line#*: } ;; esac
  done
  IFS= read -r -t 2 -u 3 -N "$size" body
}
ask && echo "$body" && sleep 1
denied=0
while [ "$SECONDS" -lt "$4" ] && [ "$denied" -lt "$3" ]; do
  if ask; then held=$body; else held=-; fi
  new=$(/agnhost connect --timeout=1s "$1:$2" 2>&1)
  echo "held $held new ${'$'}{new:-CONNECTED}"
  [ "$held" = - ] && break
  [ -n "$new" ] && denied=$((denied + 1))
  sleep 0.2
done
echo end`;

/** Reads the rounds. @returns undefined when it was never connected or did not come to its end */
export function readHeld(stdout: string): Held | undefined {
  if (!/^connected\n/.test(stdout) || !/\nend\n?$/.test(stdout)) return undefined;
  const greeted = /^connected\n(?!held )(?!end)\S+\n/.test(stdout) ? 1 : 0;
  const rounds = [...stdout.matchAll(/^held (\S+) new (\S+)/gm)].map(([, held, fresh]) => ({
    answered: held !== '-',
    denied: fresh !== 'CONNECTED',
  }));
  const first = rounds.findIndex((one) => one.denied);
  const [early, late] = first < 0 ? [rounds, []] : [rounds.slice(0, first), rounds.slice(first)];
  const answers = (some: typeof rounds) => some.filter((one) => one.answered).length;
  return { before: greeted + answers(early), since: answers(late), died: rounds.at(-1)?.answered === false };
}

/** Holds a connection to netexec until `denials` rounds saw new connections denied, it died, or `seconds` have passed. */
export async function hold(
  stage: Stage,
  from: PodHandle,
  to: PodHandle,
  options: { denials: number; seconds: number },
): Promise<Observation<Held>> {
  const argv = ['bash', '-c', SCRIPT, 'hold', to.ip, '80', String(options.denials), String(options.seconds)];
  const seen = await stage.exec(from, argv, { timeout: options.seconds * 1000 + 20_000 });
  if (!seen.asked) return seen;
  const value = readHeld(seen.value.stdout);
  if (value) return { ...seen, value };
  const said = `${seen.value.stdout} ${seen.value.stderr}`.trim().slice(0, 300);
  return notAsked(text(`the connection was not held: ${said}`, `未能保持连接：${said}`), ...seen.probes);
}

/** Connections of one pod to port 80 of another that are established right now, by the kernel's own table. */
export async function heldOpen(stage: Stage, from: PodHandle, to: PodHandle): Promise<Observation<number>> {
  const seen = await stage.exec(from, ['cat', '/proc/net/tcp']);
  return derive(seen, ({ stdout }) => establishedIn(stdout, to.ip, 80));
}

/** Counts lines of /proc/net/tcp in state 01 (Linux: Documentation/networking/proc_net_tcp.rst); addresses are little-endian hex. */
export function establishedIn(table: string, address: string, port: number): number {
  const hex = (value: number, width: number) => value.toString(16).toUpperCase().padStart(width, '0');
  const parts = address.split('.').map((part) => hex(Number(part), 2));
  const remote = `${parts.reverse().join('')}:${hex(port, 4)}`;
  return table.split('\n').filter((line) => {
    const [, , to, state] = line.trim().split(/\s+/);
    return to === remote && state === '01';
  }).length;
}

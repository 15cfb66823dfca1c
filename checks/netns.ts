/** Pods seen from their node: a pod is a network namespace there, and the node's root may enter it. */
import { nodeOutput } from './node-command.ts';
import type { AskOptions, CommandAnswer, PodHandle, Stage } from './experiment.ts';
import { notAsked, type Observation } from '../src/model/observation.ts';
import type { Outcome } from '../src/model/outcome.ts';
import { text } from '../src/model/text.ts';

/** $1 an IPv4 address: prints the named namespace that holds it. Container runtimes name theirs under /var/run/netns. */
const FIND = `
for n in /var/run/netns/*; do
  [ -e "$n" ] || continue
  if nsenter --net="$n" ip -4 -o addr show 2>/dev/null | grep -qF " $1/"; then echo "$n"; exit 0; fi
done
exit 0`;

/** The path of the pod's network namespace on its node. */
export async function netnsOf(stage: Stage, pod: PodHandle): Promise<Observation<string>> {
  const seen = await nodeOutput(stage, pod.node, ['sh', '-c', FIND, 'podlab', pod.ip]);
  if (!seen.asked) return seen;
  const path = seen.value.trim();
  return path === ''
    ? notAsked(
        text(
          `no network namespace on ${pod.node} holds ${pod.ip}`,
          `${pod.node} 上没有网络命名空间持有 ${pod.ip}`,
        ),
        ...seen.probes,
      )
    : { ...seen, value: path };
}

/** Runs a program of the node inside the pod's network namespace. */
export async function inNetns(
  stage: Stage,
  pod: PodHandle,
  netns: Observation<string>,
  argv: readonly string[],
  options?: AskOptions,
): Promise<Observation<CommandAnswer>> {
  if (!netns.asked) return netns;
  return stage.onNode(pod.node, ['nsenter', `--net=${netns.value}`, '--', ...argv], options);
}

/** An HTTP/1.0 request by bash's own sockets: $1 address, $2 port, $3 path. Prints the whole answer. */
const GET = `exec 3<>"/dev/tcp/$1/$2" || exit 7
printf 'GET %s HTTP/1.0\\r\\n\\r\\n' "$3" >&3
cat <&3`;

export interface Answer {
  readonly outcome: Outcome;
  /** The body of the HTTP answer; '' when there was none. */
  readonly body: string;
}

/**
 * Asks an HTTP server from inside a pod's network namespace, without the Kubernetes API in between: exec would pass
 * through the node's own lo (the container runtime's streaming server), which an experiment may have taken down.
 */
export async function getFromNetns(
  stage: Stage,
  pod: PodHandle,
  netns: Observation<string>,
  to: { readonly ip: string; readonly port: number; readonly path?: string },
  seconds = 2,
): Promise<Observation<Answer>> {
  const argv = ['timeout', String(seconds), 'bash', '-c', GET, 'podlab', to.ip, String(to.port)];
  const seen = await inNetns(stage, pod, netns, [...argv, to.path ?? '/hostname']);
  return seen.asked ? readAnswer(seen) : seen;
}

/** Reads what {@link GET} under `timeout` did; exit code 124 is timeout(1)'s own. */
export function readAnswer(seen: Observation<CommandAnswer> & { asked: true }): Observation<Answer> {
  const { code, stdout, stderr } = seen.value;
  const none = (outcome: Outcome): Observation<Answer> => ({ ...seen, value: { outcome, body: '' } });
  if (code === 0 && /^HTTP\/1\.[01] 200/.test(stdout)) {
    const body = stdout.slice(stdout.search(/\r?\n\r?\n/)).trim();
    return { ...seen, value: { outcome: 'CONNECTED', body } };
  }
  if (code === 124) return none('TIMEOUT');
  if (/Connection timed out/i.test(stderr)) return none('TIMEOUT');
  if (/Connection refused/i.test(stderr)) return none('REFUSED');
  if (/No route to host|Network is unreachable|Host is unreachable/i.test(stderr)) return none('UNREACHABLE');
  const said = `exit code ${code}: ${(stderr || stdout).trim().slice(0, 200)}`;
  return notAsked(text(`the request broke off: ${said}`, `请求中断：${said}`), ...seen.probes);
}

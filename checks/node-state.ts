/**
 * Changes to a node that are put back by machine, three times over: by the experiment, by `stage.undo`, and by a timer
 * on the node itself, should this process be killed in between.
 */
import { nodeOutput } from './node-command.ts';
import type { Stage } from './experiment.ts';
import { PodlabError } from '../src/model/errors.ts';
import { text } from '../src/model/text.ts';

/** Two `sh` scripts. `revert` must be harmless when there is nothing to put back, and end with 0. */
export interface NodeChange {
  readonly apply: string;
  readonly revert: string;
  /** Seconds until the node puts it back by itself; 240 when not said. */
  readonly within?: number;
}

/** A change in force; `revert` may be called more than once. */
export interface Changed {
  revert(): Promise<void>;
}

/** $1 apply, $2 revert, $3 seconds. The timer starts first: a change without one never exists. */
const APPLY = `
setsid sh -c 'sleep "$1"; sh -c "$2"' podlab-revert "$3" "$2" </dev/null >/dev/null 2>&1 &
timer=$!
sh -ec "$1" >&2
code=$?
if [ $code = 0 ]; then echo $timer; exit 0; fi
kill -TERM -$timer 2>/dev/null
sh -c "$2"
exit $code`;

/** $1 the timer's process (and group), $2 revert. A process id may have been given to another since: its name is looked at. */
const REVERT = `
if [ -n "$1" ] && grep -qs podlab-revert "/proc/$1/cmdline"; then kill -TERM "-$1" 2>/dev/null; fi
sh -ec "$2"`;

/**
 * Changes a node until it is reverted.
 * @throws PodlabError `node-change-failed`; then nothing is left changed
 */
export async function changeNode(stage: Stage, node: string, change: NodeChange): Promise<Changed> {
  let timer = '';
  let reverted = false;
  const revert = async () => {
    if (reverted) return;
    await mustOnNode(stage, node, ['sh', '-c', REVERT, 'podlab', timer, change.revert]);
    reverted = true;
  };
  stage.undo(revert);
  const within = String(change.within ?? 240);
  timer = (
    await mustOnNode(stage, node, ['sh', '-c', APPLY, 'podlab', change.apply, change.revert, within])
  ).trim();
  return { revert };
}

/**
 * Runs a command on a node that has to succeed for the experiment to go on.
 * @throws PodlabError `node-change-failed`
 */
export async function mustOnNode(stage: Stage, node: string, argv: readonly string[]): Promise<string> {
  const seen = await nodeOutput(stage, node, argv);
  if (seen.asked) return seen.value;
  throw new PodlabError({
    code: 'node-change-failed',
    fault: 'machine',
    message: text(
      `A change on node ${node} failed: ${seen.reason.en}`,
      `在节点 ${node} 上的改动失败：${seen.reason.zh}`,
    ),
    evidence: seen.probes.map((probe) => `$ ${probe.command}\n${probe.stderr}`).join('\n'),
  });
}

/** A chain of nftables: its first line says where it hooks in, and the rest are rules (nft(8)). */
export type Chains = Readonly<Record<string, readonly string[]>>;

/** A table as nft reads it. nft 1.0.6 wants a line's end behind each brace. */
export const tableText = (family: 'ip' | 'inet', name: string, chains: Chains): string =>
  [
    `table ${family} ${name} {`,
    ...Object.entries(chains).flatMap(([chain, lines]) => [`chain ${chain} {`, ...lines, '}']),
    '}',
  ].join('\n');

/**
 * An nftables table of our own on a node, until it is reverted.
 * @param id is part of its name, so it must be unique among changes in force at the same time
 */
export function tableOnNode(
  stage: Stage,
  node: string,
  id: string,
  family: 'ip' | 'inet',
  chains: Chains,
  netns?: string,
): Promise<Changed> {
  const name = `podlab-${id}`;
  const nft = netns === undefined ? 'nft' : `nsenter --net=${netns} nft`;
  const text = tableText(family, name, chains);
  return changeNode(stage, node, {
    apply: `${nft} '${text}'`,
    revert: `${nft} delete table ${family} ${name} 2>/dev/null || true`,
  });
}

/**
 * Drops packets on a node, before any other rule sees them and after all others have: priorities -500 and 500 lie
 * outside those of iptables, kube-proxy and felix (nft(8), "Standard priority names").
 * @param matches nft match expressions: `tcp dport 179`
 */
export function dropOnNode(
  stage: Stage,
  node: string,
  id: string,
  matches: { readonly incoming?: readonly string[]; readonly outgoing?: readonly string[] },
): Promise<Changed> {
  const drops = (of: readonly string[] = []) => of.map((match) => `${match} counter drop`);
  return tableOnNode(stage, node, id, 'inet', {
    incoming: ['type filter hook prerouting priority -500', ...drops(matches.incoming)],
    outgoing: ['type filter hook postrouting priority 500', ...drops(matches.outgoing)],
  });
}

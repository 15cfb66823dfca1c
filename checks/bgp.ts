/** TCP/179, the port that BGP speaks on (RFC 4271 section 2), taken away and put back. */
import { notAsked, type Observation } from '../src/model/observation.ts';
import { text } from '../src/model/text.ts';
import type { Stage } from './experiment.ts';
import { nodeOutput } from './node-command.ts';
import { dropOnNode, type Changed } from './node-state.ts';

export const BGP = 179;

/** Drops all TCP/179 on a node, in both directions. */
export const dropBgp = (stage: Stage, node: string): Promise<Changed> =>
  dropOnNode(stage, node, 'bgp', {
    incoming: [`tcp dport ${BGP}`, `tcp sport ${BGP}`],
    outgoing: [`tcp dport ${BGP}`, `tcp sport ${BGP}`],
  });

/** $1 address, $2 port. */
const KNOCK = 'exec 3<>"/dev/tcp/$1/$2"';

/**
 * What becomes of a TCP connection from a node to port 179 of another: `REFUSED` where nobody listens, `TIMEOUT` where
 * it is dropped. A speaker accepts and closes again when it does not know the peer.
 */
export async function knock(stage: Stage, from: string, to: string): Promise<Observation<string>> {
  const argv = ['timeout', '2', 'bash', '-c', KNOCK, 'podlab', to, String(BGP)];
  const seen = await stage.onNode(from, argv);
  if (!seen.asked) return seen;
  const { code, stderr } = seen.value;
  if (code === 0) return { ...seen, value: 'CONNECTED' };
  if (code === 124) return { ...seen, value: 'TIMEOUT' };
  if (/Connection refused/i.test(stderr)) return { ...seen, value: 'REFUSED' };
  return notAsked(
    text(`the attempt broke off: exit code ${code}: ${stderr}`, `尝试中断：退出码 ${code}：${stderr}`),
    ...seen.probes,
  );
}

/** The packets that our rule has dropped on a node so far. */
export async function droppedBgp(stage: Stage, node: string): Promise<Observation<number>> {
  const seen = await nodeOutput(stage, node, ['nft', 'list', 'table', 'inet', 'podlab-bgp']);
  if (!seen.asked) return seen;
  const counts = [...seen.value.matchAll(/counter packets (\d+)/g)].map((found) => Number(found[1]));
  return { ...seen, value: counts.reduce((sum, count) => sum + count, 0) };
}

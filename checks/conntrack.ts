/** What a node's connection tracking knows: the tuple as sent, and the tuple that answers come back with. */
import { nodeOutput, parsed } from './node-command.ts';
import type { Stage } from './experiment.ts';
import type { Observation } from '../src/model/observation.ts';

/** Addresses and ports of one direction. */
export interface Tuple {
  readonly src: string;
  readonly dst: string;
  readonly sport: number;
  readonly dport: number;
}

/** One tracked flow. Where a Service was translated, `original.dst` is its address and `reply.src` the pod's. */
export interface Flow {
  readonly protocol: string;
  readonly original: Tuple;
  readonly reply: Tuple;
}

/** Reads `conntrack -L` (libnetfilter_conntrack's default format); a flow's reply tuple follows its original one. */
export function readFlows(output: string): Flow[] {
  return output
    .split('\n')
    .filter((line) => line.includes(' src='))
    .map((line) => {
      const tuples = [...line.matchAll(/src=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?/g)].map((found) => ({
        src: found[1]!,
        dst: found[2]!,
        sport: Number(found[3] ?? 0),
        dport: Number(found[4] ?? 0),
      }));
      const [original, reply] = tuples;
      if (!original || !reply) throw new Error(`conntrack said: ${line}`);
      return { protocol: line.trim().split(/\s+/)[0]!, original, reply };
    });
}

/** A node's TCP flows whose original destination is `ip`. */
export async function flowsTo(stage: Stage, node: string, ip: string): Promise<Observation<Flow[]>> {
  return parsed(await nodeOutput(stage, node, ['conntrack', '-L', '-p', 'tcp', '--orig-dst', ip]), readFlows);
}

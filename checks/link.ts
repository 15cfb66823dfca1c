/** Links, their forwarding entries and listening sockets of a node. */
import { json, nodeOutput, parsed } from './node-command.ts';
import { mustOnNode } from './node-state.ts';
import type { Stage } from './experiment.ts';
import type { Observation } from '../src/model/observation.ts';

/** One link as `ip -j -d link` has it. */
export interface Link {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** `vxlan`, `bridge`, `veth` ...; undefined for a plain device. */
  readonly kind: string | undefined;
  /** VXLAN only: UDP port, network identifier. */
  readonly vxlan: { readonly port: number; readonly id: number } | undefined;
}

/** Reads `ip -j -d link`. */
export const readLinks = (output: string): Link[] =>
  json<
    {
      ifname: string;
      address?: string;
      mtu: number;
      flags: string[];
      linkinfo?: { info_kind?: string; info_data?: { port?: number; id?: number } };
    }[]
  >(output).map((raw) => {
    const data = raw.linkinfo?.info_data;
    return {
      name: raw.ifname,
      mac: raw.address ?? '',
      mtu: raw.mtu,
      up: raw.flags.includes('UP'),
      kind: raw.linkinfo?.info_kind,
      vxlan:
        raw.linkinfo?.info_kind === 'vxlan' ? { port: Number(data?.port), id: Number(data?.id) } : undefined,
    };
  });

export const links = async (stage: Stage, node: string): Promise<Observation<Link[]>> =>
  parsed(await nodeOutput(stage, node, ['ip', '-j', '-d', 'link', 'show']), readLinks);

/** One entry of a forwarding database: frames to `mac` go to the tunnel end `dst`. */
export interface FdbEntry {
  readonly mac: string;
  readonly dst: string | undefined;
  readonly state: string;
}

/** Reads `bridge -j fdb show dev X`. */
export const readFdb = (output: string): FdbEntry[] =>
  json<{ mac: string; dst?: string; state?: string }[]>(output).map((raw) => ({
    mac: raw.mac,
    dst: raw.dst,
    state: raw.state ?? '',
  }));

export const fdb = async (stage: Stage, node: string, device: string): Promise<Observation<FdbEntry[]>> =>
  parsed(await nodeOutput(stage, node, ['bridge', '-j', 'fdb', 'show', 'dev', device]), readFdb);

/** A TCP socket of the node: `LISTEN`, `ESTAB` ... */
export interface Socket {
  readonly state: string;
  readonly localPort: number;
  readonly peer: string;
  readonly peerPort: number;
}

/** Reads `ss -Htan`: state, two queues, local and peer address. */
export const readSockets = (output: string): Socket[] =>
  output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [state, , , local, peer] = line.trim().split(/\s+/);
      if (!state || !local?.includes(':') || !peer?.includes(':')) throw new Error(`ss said: ${line}`);
      const port = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1)) || 0;
      const host = peer.slice(0, peer.lastIndexOf(':')).replace(/^\[(::ffff:)?(.*)\]$/, '$2');
      return { state, localPort: port(local), peer: host, peerPort: port(peer) };
    });

/** The node's TCP sockets, in its own network namespace. */
export const sockets = async (stage: Stage, node: string): Promise<Observation<Socket[]>> =>
  parsed(await nodeOutput(stage, node, ['ss', '-Htan']), readSockets);

/** The device that a node's packets to an address leave by (ip-route(8), `ip route get`). */
export async function deviceTowards(stage: Stage, node: string, ip: string): Promise<string> {
  const said = await mustOnNode(stage, node, ['ip', '-4', '-j', 'route', 'get', ip]);
  return json<{ dev: string }[]>(said)[0]!.dev;
}

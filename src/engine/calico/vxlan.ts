/**
 * Routes of calico's VXLAN backend as felix programs them (projectcalico/calico felix/dataplane/linux/vxlan_mgr.go):
 * device vxlan.calico (VNI 4096, UDP 4789, no learning), a route per foreign block via its tunnel address, and static
 * neighbour and FDB entries for each other node. Own blocks are blackholes, so that what is free in them goes nowhere.
 */
import { createHash } from 'node:crypto';
import type { KubeObject } from '../client/types.ts';
import { addressOf, blocksOf } from './blocks.ts';
import { KernelRefused, type NodeExec } from './write.ts';

const DEVICE = 'vxlan.calico';

/** The tunnel device's MAC: felix makes it from the node's name. */
const macOf = (node: string): string => {
  const digest = createHash('sha1').update(node).digest('hex');
  return `66:${[0, 2, 4, 6, 8].map((at) => digest.slice(at, at + 2)).join(':')}`;
};

export class VxlanRoutes {
  readonly #node: string;
  readonly #exec: NodeExec;
  #made = false;
  /** What was written, by what undoes it. */
  #written = new Map<string, string>();

  constructor(node: string, exec: NodeExec) {
    this.#node = node;
    this.#exec = exec;
  }

  async sync(nodes: readonly KubeObject[], pods: readonly KubeObject[]): Promise<void> {
    const blocks = blocksOf(nodes, pods);
    const own = nodes.find((one) => one.metadata.name === this.#node);
    const ownAddress = own && addressOf(own);
    const tunnel = (node: string) => blocks.get(node)?.[0]?.split('/')[0];
    const ownTunnel = tunnel(this.#node);
    if (!ownAddress || !ownTunnel) return; // The node is not registered yet; its event brings us back.
    if (!this.#made) await this.#make(ownAddress, ownTunnel);

    const wanted = new Map<string, string>();
    const entry = (command: string, undo: string) => wanted.set(command, undo);
    for (const block of blocks.get(this.#node) ?? [])
      entry(`route replace blackhole ${block} proto 80`, `route del blackhole ${block} proto 80`);
    for (const node of nodes) {
      const name = node.metadata.name;
      const address = addressOf(node);
      const via = tunnel(name);
      if (name === this.#node || !address || !via) continue;
      entry(
        `neigh replace ${via} lladdr ${macOf(name)} dev ${DEVICE} nud permanent`,
        `neigh del ${via} dev ${DEVICE}`,
      );
      entry(`fdb ${macOf(name)} ${address}`, `unfdb ${macOf(name)} ${address}`);
      for (const block of blocks.get(name) ?? [])
        entry(
          `route replace ${block} via ${via} dev ${DEVICE} onlink proto 80`,
          `route del ${block} dev ${DEVICE} proto 80`,
        );
    }
    const lines = [
      ...[...this.#written].filter(([command]) => !wanted.has(command)).map(([, undo]) => undo),
      ...[...wanted.keys()].filter((command) => !this.#written.has(command)),
    ];
    const fdb = lines.filter((line) => /^(un)?fdb /.test(line));
    const ip = lines.filter((line) => !/^(un)?fdb /.test(line));
    if (ip.length > 0) await this.#run(['ip', '-batch', '-'], `${ip.join('\n')}\n`);
    if (fdb.length > 0)
      await this.#run(
        ['bridge', '-batch', '-'],
        `${fdb
          .map((line) => line.split(' '))
          .map(
            ([verb, mac, to]) =>
              `fdb ${verb === 'fdb' ? 'replace' : 'del'} ${mac} dev ${DEVICE} dst ${to} self permanent`,
          )
          .join('\n')}\n`,
      );
    this.#written = wanted;
  }

  async #make(address: string, tunnel: string): Promise<void> {
    const exists = await this.#exec(['ip', 'link', 'show', DEVICE]);
    if (exists.code !== 0)
      await this.#run(
        ['ip', '-batch', '-'],
        [
          `link add ${DEVICE} address ${macOf(this.#node)} type vxlan id 4096 dstport 4789 local ${address} dev eth0 nolearning`,
          `addr add ${tunnel}/32 dev ${DEVICE}`,
          `link set ${DEVICE} up`,
          '',
        ].join('\n'),
      );
    this.#made = true;
  }

  async #run(argv: readonly string[], input: string): Promise<void> {
    const ran = await this.#exec(argv, input);
    if (ran.code !== 0) throw new KernelRefused(argv, ran.stderr, input);
  }
}

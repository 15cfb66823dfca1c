/**
 * flanneld on one node: writes what the CNI plugin reads, tells of itself in annotations of its Node
 * (the kube subnet manager), and keeps device, routes, neighbours and FDB for the other nodes.
 */
import { gr, type Client, type Informer, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import type { Machine } from '../node/machine.ts';
import {
  hostGwPeer,
  type Lines,
  type Peer,
  drawMac,
  vxlanDevice,
  VXLAN_DEVICE,
  VXLAN_OVERHEAD,
  vxlanPeer,
} from './routes.ts';
import { SUBNET_FILE } from './plugin.ts';
import { masqueradeRules } from './masquerade.ts';

export { flannelPlugin } from './plugin.ts';

const PREFIX = 'flannel.alpha.coreos.com';

export type FlannelMode = 'vxlan' | 'host-gw';

export interface FlannelInit {
  readonly client: Client;
  readonly machine: Machine;
  readonly mode: FlannelMode;
  /** 10.244.0.0/16 */
  readonly podSubnet: string;
  readonly log: (line: string) => void;
}

export class Flanneld implements Component {
  readonly name = 'flanneld';
  readonly #init: FlannelInit;
  #nodes: Informer | undefined;
  /** What the kernel was told, by node. */
  readonly #peers = new Map<string, Peer>();
  #queue: Promise<void> = Promise.resolve();

  constructor(init: FlannelInit) {
    this.#init = init;
  }

  get node(): string {
    return this.#init.machine.name;
  }

  get running(): boolean {
    return this.#nodes !== undefined;
  }

  async start(): Promise<void> {
    if (this.running) return;
    const { client, machine, mode, podSubnet } = this.#init;
    const nodes = client.informer(gr('nodes'));
    this.#nodes = nodes;
    const there =
      mode === 'vxlan'
        ? (await machine.run(['cat', `/sys/class/net/${VXLAN_DEVICE}/address`])).stdout.trim()
        : '';
    const device = mode === 'vxlan' && there === '';
    // flanneld keeps the MAC that its node tells of; a node that joins anew draws one.
    const told = peerOf((await client.get(gr('nodes'), machine.name))!)?.vtepMac;
    const mac = there || told || drawMac();
    await Promise.all([
      device ? machine.ip(vxlanDevice(machine.address, machine.podCidr, mac)) : undefined,
      masqueradeRules(machine, podSubnet),
    ]);
    this.#writeSubnet();
    machine.writeFile('/etc/cni/net.d/10-flannel.conflist', CONFLIST);
    await client.patch(gr('nodes'), machine.name, undefined, {
      metadata: {
        annotations: {
          [`${PREFIX}/backend-type`]: mode,
          [`${PREFIX}/backend-data`]: mode === 'vxlan' ? JSON.stringify({ VNI: 1, VtepMAC: mac }) : 'null',
          [`${PREFIX}/kube-subnet-manager`]: 'true',
          [`${PREFIX}/public-ip`]: machine.address,
        },
      },
    });
    nodes.onChange(({ type, object }) => {
      this.#queue = this.#queue
        .then(() => this.#saw(type === 'DELETED', object))
        .catch((error: unknown) => {
          this.#init.log(String(error));
        });
    });
    await this.#queue;
    this.#init.log('Running backend.');
  }

  /** Leaves device, routes and FDB in the kernel, as a killed flanneld does. */
  async stop(): Promise<void> {
    this.#nodes?.stop();
    this.#nodes = undefined;
    await this.#queue;
    this.#peers.clear();
  }

  #writeSubnet(): void {
    const { machine, mode, podSubnet } = this.#init;
    const gateway = machine.podCidr.replace(/\.0\//, '.1/');
    const mtu = mode === 'vxlan' ? 1500 - VXLAN_OVERHEAD : 1500;
    machine.writeFile(
      SUBNET_FILE,
      `FLANNEL_NETWORK=${podSubnet}\nFLANNEL_SUBNET=${gateway}\nFLANNEL_MTU=${mtu}\nFLANNEL_IPMASQ=true\n`,
    );
  }

  async #saw(deleted: boolean, node: KubeObject): Promise<void> {
    const { machine } = this.#init;
    const name = node.metadata.name;
    if (name === machine.name || !this.running) return;
    const known = this.#peers.get(name);
    const now = deleted ? undefined : peerOf(node);
    if (JSON.stringify(known) === JSON.stringify(now)) return;
    if (known !== undefined) await this.#tell(known, 'del').catch(() => undefined);
    this.#peers.delete(name);
    if (now === undefined) return;
    await this.#tell(now, 'replace');
    this.#peers.set(name, now);
  }

  async #tell(peer: Peer, action: 'replace' | 'del'): Promise<void> {
    const { machine, mode } = this.#init;
    const lines: Lines = mode === 'vxlan' ? vxlanPeer(peer, action) : hostGwPeer(peer, action);
    await machine.ip(lines.ip);
    if (lines.bridge.length === 0) return;
    const ran = await machine.run(['bridge', '-batch', '-'], { input: `${lines.bridge.join('\n')}\n` });
    if (!ran.ok) throw new Error(`bridge -batch: ${ran.stderr.trim()}`);
  }
}

/** What another node's annotations tell; undefined until its flanneld has written them. */
function peerOf(node: KubeObject): Peer | undefined {
  const annotations = node.metadata.annotations ?? {};
  const publicIp = annotations[`${PREFIX}/public-ip`];
  const subnet = node.spec?.podCIDR as string | undefined;
  if (publicIp === undefined || subnet === undefined) return undefined;
  const data = JSON.parse(annotations[`${PREFIX}/backend-data`] ?? 'null') as { VtepMAC?: string } | null;
  return { publicIp, subnet, vtepMac: data?.VtepMAC ?? '' };
}

/** kube-flannel.yml's cni-conf.json. */
const CONFLIST = `${JSON.stringify(
  {
    name: 'cbr0',
    cniVersion: '0.3.1',
    plugins: [
      { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  },
  undefined,
  2,
)}\n`;

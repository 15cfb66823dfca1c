/**
 * Routes of calico's BGP backend: a real BIRD on each node, in a full mesh, with the configuration that confd writes
 * from calico's templates (projectcalico/calico confd/etc/calico/confd/templates/bird.cfg.template), for BIRD 1.6:
 * without `krt_tunnel`, which only calico's fork knows, and with a hold time that a lab can wait for.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../client/types.ts';
import { addressOf, blocksOf, toNumber } from './blocks.ts';

/** BGP hold time in seconds (RFC 4271 section 4.2); BIRD's own default of 240 outlasts a lesson. */
export const HOLD_TIME = 9;
/** Calico's default AS number. */
const AS = 64512;

/** A long-running program in a node's namespaces. */
export interface NodeProcess {
  readonly pid: number;
  kill(signal: 'SIGTERM' | 'SIGKILL' | 'SIGHUP'): void;
  readonly ended: Promise<void>;
}

export interface BirdInit {
  readonly node: string;
  /** Folder of this node's own, for configuration, control socket and process id (short: a socket lies in it). */
  readonly folder: string;
  spawn(argv: readonly string[]): NodeProcess;
}

export class Bird {
  readonly #init: BirdInit;
  #process: NodeProcess | undefined;
  #config = '';
  #stopped = false;

  constructor(init: BirdInit) {
    this.#init = init;
  }

  get config(): string {
    return join(this.#init.folder, 'bird.cfg');
  }

  get socket(): string {
    return join(this.#init.folder, 'bird.ctl');
  }

  /** Writes the configuration and makes BIRD read it, if it changed. */
  sync(nodes: readonly KubeObject[], pods: readonly KubeObject[], poolCidr: string): void {
    const blocks = blocksOf(nodes, pods).get(this.#init.node) ?? [];
    const own = nodes.find((one) => one.metadata.name === this.#init.node);
    const address = own && addressOf(own);
    if (!address || blocks.length === 0) return; // Not registered yet; its event brings us back.
    const peers = nodes
      .filter((one) => one.metadata.name !== this.#init.node)
      .map(addressOf)
      .filter((one): one is string => one !== undefined);
    const config = birdConfig({ address, blocks, peers, poolCidr });
    if (config === this.#config) return;
    this.#config = config;
    mkdirSync(this.#init.folder, { recursive: true });
    writeFileSync(this.config, config);
    if (this.#process) this.#process.kill('SIGHUP');
    else this.#start();
  }

  stop(): void {
    this.#stopped = true;
    this.#process?.kill('SIGKILL'); // As the node's crash would: peers keep their routes until the hold time.
    this.#process = undefined;
    this.#config = '';
  }

  /** Runs BIRD and runs it again when it dies, as runit does in calico-node. */
  #start(): void {
    this.#stopped = false;
    const child = this.#init.spawn(['bird', '-f', '-R', '-s', this.socket, '-c', this.config]);
    this.#process = child;
    void child.ended.then(() => {
      if (this.#process !== child) return;
      this.#process = undefined;
      if (!this.#stopped) setTimeout(() => !this.#stopped && !this.#process && this.#start(), 1_000).unref();
    });
  }
}

/** The configuration of one node. `-R` makes BIRD take up the routes that an earlier one left (graceful restart). */
export function birdConfig(of: {
  address: string;
  blocks: readonly string[];
  peers: readonly string[];
  poolCidr: string;
}): string {
  const [pool, length] = of.poolCidr.split('/');
  const sessions = of.peers.map((peer) => {
    // Of two that connect at once one has to wait (calico: the one with the greater address).
    const passive = toNumber(of.address) > toNumber(peer) ? '\n  passive on;' : '';
    return `protocol bgp Mesh_${peer.replaceAll('.', '_')} from bgp_template {\n  neighbor ${peer} as ${AS};\n  source address ${of.address};${passive}\n}\n`;
  });
  return `router id ${of.address};
# Peers learn whole blocks, not the pods in them.
function reject_local_routes() {
${of.blocks.map((block) => `  if ( net = ${block} ) then { accept; }\n  if ( net ~ ${block} ) then { reject; }`).join('\n')}
}
filter calico_export_to_bgp_peers {
  reject_local_routes();
  if ( net ~ ${pool}/${length} ) then { accept; }
  reject;
}
filter calico_kernel_programming {
  if ( net ~ ${pool}/${length} ) then { accept; }
  accept;
}
protocol static {
${of.blocks.map((block) => `  route ${block} blackhole;`).join('\n')}
}
protocol kernel {
  learn;
  persist;
  scan time 2;
  import all;
  export filter calico_kernel_programming;
  graceful restart;
  merge paths on;
}
protocol device {
  scan time 2;
}
protocol direct {
  interface -"cali*", -"kube-ipvs*", "*";
}
template bgp bgp_template {
  local as ${AS};
  multihop;
  gateway recursive;
  import all;
  export filter calico_export_to_bgp_peers;
  add paths on;
  graceful restart;
  hold time ${HOLD_TIME};
  keepalive time ${HOLD_TIME / 3};
  connect delay time 1;
  connect retry time 2;
  error wait time 2,5;
}
${sessions.join('')}`;
}

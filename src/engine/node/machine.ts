/**
 * A node as a machine: a network namespace on the segment and a root file system of its own.
 *
 * What a learner does on a node happens here, and so do CNI plugins, kube-proxy and the network agents:
 * commands run in the node's network namespace with its root as `/` (chroot(2) is enough: a node is trusted).
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, type Ran, type RunOptions } from '../../exec/run.ts';
import type { LayerStore } from '../images/layers.ts';
import { bindFile, bindMount, mountVirtual } from '../linux/mounts.ts';
import { NetNamespace } from '../linux/netns.ts';
import { sourceFile } from '../source.ts';
import { mountRoot } from '../linux/rootfs.ts';

/** Environment of commands on nodes: as for root at a login, and nothing of the host's. */
export const NODE_ENV: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/cni/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  // CNI plugins are Go programs of a few milliseconds; one processor is enough for them and starts faster.
  GOMAXPROCS: '1',
};

export interface MachineOptions {
  readonly name: string;
  /** Its place among the cluster's nodes, from 0. */
  readonly index: number;
  /** InternalIP. */
  readonly address: string;
  readonly role: 'control-plane' | 'worker';
  /** The node's share of the pod network. */
  readonly podCidr: string;
  /** Labels of the node beside those that the kubelet sets. */
  readonly labels?: Readonly<Record<string, string>>;
  /** A control-plane node that takes no ordinary pods, as with more than one node. */
  readonly tainted?: boolean;
  /** Folder of the sandbox; everything of this node lies in a folder of it. */
  readonly sandbox: string;
}

export class Machine {
  readonly name: string;
  readonly address: string;
  readonly role: 'control-plane' | 'worker';
  readonly podCidr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tainted: boolean;
  readonly folder: string;
  readonly net: NetNamespace;
  /** The node's `/` as the engine sees it. */
  readonly root: string;

  constructor(options: MachineOptions, layers: LayerStore) {
    this.name = options.name;
    this.address = options.address;
    this.role = options.role;
    this.podCidr = options.podCidr;
    this.labels = options.labels ?? {};
    this.tainted = options.tainted ?? false;
    // Short, because unix sockets lie below it and their paths are limited to 107 bytes.
    this.folder = join(options.sandbox, `n${options.index}`);
    mkdirSync(this.folder, { recursive: true });
    this.net = NetNamespace.create(join(this.folder, 'net'), options.name);
    this.root = mountRoot(this.folder, layers.base('debian'));
    this.#furnish(options.sandbox);
  }

  #furnish(sandbox: string): void {
    for (const folder of [
      'etc/cni/net.d',
      'opt/cni/bin',
      'run/netns',
      'run/flannel',
      'var/lib/cni',
      'var/log',
    ])
      mkdirSync(join(this.root, folder), { recursive: true });
    mountVirtual('proc', join(this.root, 'proc'));
    this.net.in(() => mountVirtual('sysfs', join(this.root, 'sys')));
    bindMount(join(sandbox, 'dev'), join(this.root, 'dev'));
    this.writeFile('/etc/hostname', `${this.name}\n`);
  }

  /** Lets `podlab-component` on this node reach the engine. @param socket the control socket */
  openDoor(socket: string): void {
    bindFile(socket, this.path('/run/podlab.sock'));
    this.writeFile(
      '/usr/local/bin/podlab-component',
      readFileSync(sourceFile('node/podlab-component.pl'), 'utf8'),
    );
    chmodSync(this.path('/usr/local/bin/podlab-component'), 0o755);
  }

  /** Where a path of the node lies for the engine. */
  path(inside: string): string {
    return join(this.root, inside);
  }

  writeFile(inside: string, content: string): void {
    const path = this.path(inside);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content);
  }

  /** The argv that runs a command with the node's root. */
  argv(command: readonly string[]): string[] {
    return ['/usr/sbin/chroot', this.root, ...command];
  }

  /** Runs a command on the node, to its end. */
  run(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return this.net.in(() => run(this.argv(command), { env: NODE_ENV, ...options }));
  }

  /** `ip -batch` in the node's network: one process for many lines. */
  async ip(lines: readonly string[]): Promise<void> {
    await ipBatch(this.net, lines);
  }
}

/** Runs lines of ip(8) in a namespace. @throws with the first line that failed */
export async function ipBatch(net: NetNamespace, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const ran = await net.in(() =>
    run(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n`, env: NODE_ENV }),
  );
  if (!ran.ok) throw new Error(`ip -batch: ${ran.broken ?? ran.stderr.trim()}\n${lines.join('\n')}`);
}

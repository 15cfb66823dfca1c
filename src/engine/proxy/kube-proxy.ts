/** kube-proxy on one node as a component: watches, waits a moment for more changes, and has its backend write them. */
import { gr, type Client } from '../client/types.ts';
import type { Component } from '../component.ts';
import type { Backend, NodeExec } from './backend.ts';
import { removeStaleFlows } from './conntrack.ts';
import { HealthServers, type Listen } from './health.ts';
import { IptablesBackend } from './iptables.ts';
import { removeIptables, removeNftables } from './leftovers.ts';
import { NftablesBackend } from './nftables.ts';
import type { EndpointSlice, Service } from './objects.ts';
import { ProxyState } from './state.ts';

export type ProxyMode = 'iptables' | 'nftables';

export interface KubeProxyOptions {
  readonly client: Client;
  readonly node: string;
  /** The node's IPv4 address. */
  readonly nodeIP: string;
  readonly mode: ProxyMode;
  /** Range of pod addresses, e.g. 10.244.0.0/16. */
  readonly clusterCIDR?: string;
  /** Range of Service addresses, e.g. 10.96.0.0/16. */
  readonly serviceCIDR?: string;
  /** Runs a program in the node's network namespace. */
  readonly exec: NodeExec;
  /** Makes servers listen in the node's network namespace. */
  readonly listen: Listen;
  /** Least time between two syncs, in ms; the first change after a quiet time is written at once. */
  readonly minSyncPeriod?: number;
  /** How often to look whether somebody flushed our rules, in ms. */
  readonly monitorPeriod?: number;
  /** A line of kube-proxy's log. */
  readonly log?: (line: string) => void;
}

export interface KubeProxy extends Component {
  /** Resolves when everything known so far is in the kernel. For tests and for whoever waits for a settled cluster. */
  settled(): Promise<void>;
  /** Bytes that the last sync handed to the kernel's tool. */
  readonly lastBytes: number;
}

/** Makes the kube-proxy of one node; it does nothing until it is started. */
export function createKubeProxy(options: KubeProxyOptions): KubeProxy {
  return new Proxy(options);
}

class Proxy implements KubeProxy {
  readonly name = 'kube-proxy';
  running = false;
  lastBytes = 0;
  private state: ProxyState;
  private backend: Backend;
  private health: HealthServers;
  private stoppers: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private syncing: Promise<void> = Promise.resolve();
  private pending = false;
  /** When the last sync ended and how long it took, in ms. */
  private lastEnd = -Infinity;
  private lastDuration = 0;
  private zone = '';
  private readonly log: (line: string) => void;

  constructor(private readonly options: KubeProxyOptions) {
    this.log = options.log ?? (() => undefined);
    this.state = new ProxyState(options.node);
    this.backend = this.makeBackend();
    this.health = new HealthServers(options.listen, options.mode, this.log);
  }

  get node(): string {
    return this.options.node;
  }

  async start(): Promise<void> {
    if (this.running) return;
    this.running = true;
    const { client, node, mode, exec } = this.options;
    // Begins anew as a new process would: what is in the kernel is read, not remembered.
    this.state = new ProxyState(node);
    this.health = new HealthServers(this.options.listen, mode, this.log);
    this.log(`Using ${mode} Proxier`);
    await (mode === 'iptables' ? removeNftables(exec) : removeIptables(exec));
    if (mode === 'iptables')
      // NodePorts on 127.0.0.1 are routed away from lo, which the kernel forbids otherwise (ip-sysctl: route_localnet).
      await exec(['tee', '/proc/sys/net/ipv4/conf/all/route_localnet'], '1\n');

    const nodes = client.informer(gr('nodes'), { fieldSelector: `metadata.name=${node}` });
    const services = client.informer<Service>(gr('services'));
    const slices = client.informer<EndpointSlice>(gr('endpointslices', 'discovery.k8s.io'));
    this.zone = nodes.get(node)?.metadata.labels?.['topology.kubernetes.io/zone'] ?? '';
    this.backend = this.makeBackend();
    this.stoppers = [
      nodes.onChange(({ object }) => {
        const zone = object.metadata.labels?.['topology.kubernetes.io/zone'] ?? '';
        if (zone === this.zone || object.metadata.name !== node) return;
        this.zone = zone;
        const old = this.backend;
        this.syncing = this.syncing.then(() => {
          if (this.backend === old) this.backend = this.makeBackend();
        });
        this.soon();
      }),
      services.onChange((change) => this.state.onService(change) && this.soon()),
      slices.onChange((change) => this.state.onSlice(change) && this.soon()),
      () => [nodes, services, slices].forEach((informer) => informer.stop()),
    ];
    const monitor = setInterval(() => void this.look(), this.options.monitorPeriod ?? 30_000);
    this.stoppers.push(() => clearInterval(monitor));
    await this.health.start();
    this.soon();
    await this.settled();
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    this.stoppers.forEach((stop) => stop());
    clearTimeout(this.timer);
    this.timer = undefined;
    this.pending = false;
    this.health.stop();
    await this.syncing;
  }

  async settled(): Promise<void> {
    while (this.running && this.pending) {
      await this.syncing;
      if (this.pending) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await this.syncing;
  }

  private makeBackend(): Backend {
    const { node, nodeIP, clusterCIDR, serviceCIDR, mode, exec } = this.options;
    const settings = {
      node,
      nodeIP,
      zone: this.zone,
      clusterCIDR,
      serviceCIDR,
      // Upstream's defaults: all addresses with iptables, the primary one with nftables.
      nodePortIPs: mode === 'nftables' ? [nodeIP] : undefined,
    };
    return mode === 'nftables' ? new NftablesBackend(settings, exec) : new IptablesBackend(settings, exec);
  }

  /** Arranges for one sync: at once after a quiet time, else when the least period is over. */
  private soon(delay = 0): void {
    if (this.pending || !this.running) return;
    this.pending = true;
    // At most half of the time is spent on syncing, however many Services change.
    const period = Math.max(this.options.minSyncPeriod ?? 50, this.lastDuration);
    const wait = Math.max(delay, this.lastEnd + period - performance.now(), 0);
    this.timer = setTimeout(() => {
      this.syncing = this.syncing.then(() => this.sync());
    }, wait);
  }

  private async sync(): Promise<void> {
    this.pending = false; // Changes from now on ask for another one.
    if (!this.running) return;
    const began = performance.now();
    const changed = this.state.take();
    try {
      this.lastBytes = (await this.backend.sync(this.state, changed)).bytes;
      await this.health.update(this.healthChecks());
      if (changed.udp) await removeStaleFlows(this.state, this.options.exec);
    } catch (error) {
      this.log(`Sync failed: ${error instanceof Error ? error.message : String(error)}`);
      this.backend.forget();
      this.soon(1_000);
    }
    this.lastEnd = performance.now();
    this.lastDuration = this.lastEnd - began;
  }

  private healthChecks(): Map<string, { port: number; localEndpoints: number }> {
    const checks = new Map<string, { port: number; localEndpoints: number }>();
    for (const service of this.state.services()) {
      const port = this.state.portsOf(service)[0]?.healthCheckNodePort ?? 0;
      if (port !== 0) checks.set(service, { port, localEndpoints: this.state.localReady(service) });
    }
    return checks;
  }

  private async look(): Promise<void> {
    await this.syncing;
    if (!(await this.backend.removed()) || !this.running) return;
    this.log('Rules were removed by somebody else: writing all of them again');
    this.backend.forget();
    this.soon();
  }
}

/** kube-proxy's nftables mode: keeps what it wrote, and writes what differs in one transaction. */
import type { Backend, NodeExec, Synced } from './backend.ts';
import { CONTAINERS, emptyState, portState, type NftState } from './nftables-service.ts';
import { deleteChains, scripts, setUp, transition } from './nftables-table.ts';
import type { ProxySettings } from './place.ts';
import type { Changed, ProxyState } from './state.ts';

/** How long the kernel may take to notice that a chain is no longer used, in ms (upstream's figure). */
const SETTLE_MS = 1_000;

export class NftablesBackend implements Backend {
  private written: NftState | undefined;
  private readonly states = new Map<string, NftState[]>();
  /** Emptied chains and since when (ms of the monotonic clock). */
  private readonly stale = new Map<string, number>();

  constructor(
    private readonly settings: ProxySettings,
    private readonly exec: NodeExec,
  ) {}

  async sync(state: ProxyState, changed: Changed): Promise<Synced> {
    for (const service of changed.services) this.states.delete(service);
    const wanted = emptyState();
    for (const service of state.services()) {
      let ports = this.states.get(service);
      if (!ports) {
        ports = state.portsOf(service).map((port) => portState(port, state.endpointsOf(port), this.settings));
        this.states.set(service, ports);
      }
      for (const port of ports) merge(wanted, port);
    }

    const before = this.written;
    if (!before) this.stale.clear();
    else await this.deleteStale(wanted);
    const groups = transition(before ?? emptyState(), wanted);
    if (!before) groups.unshift(setUp(this.settings));
    if (groups.length === 0) return { bytes: 0 };
    this.written = undefined;
    const bytes = await this.nft(groups);
    this.written = wanted;
    const now = performance.now();
    for (const chain of before?.chains.keys() ?? [])
      if (!wanted.chains.has(chain)) this.stale.set(chain, now);
    return { bytes };
  }

  async removed(): Promise<boolean> {
    return (
      this.written !== undefined &&
      !(await this.exec(['nft', 'list', 'chain', 'ip', 'kube-proxy', 'services'])).ok
    );
  }

  forget(): void {
    this.written = undefined;
    this.states.clear();
  }

  private async deleteStale(wanted: NftState): Promise<void> {
    for (const chain of this.stale.keys()) if (wanted.chains.has(chain)) this.stale.delete(chain);
    const now = performance.now();
    const old = [...this.stale].filter(([, since]) => now - since >= SETTLE_MS).map(([chain]) => chain);
    if (old.length === 0) return;
    for (const chain of old) this.stale.delete(chain);
    await this.nft(deleteChains(old));
  }

  /** Runs groups of lines, as one transaction when they fit; gives the number of bytes. */
  private async nft(groups: string[][]): Promise<number> {
    let bytes = 0;
    for (const script of scripts(groups)) {
      const ran = await this.exec(['nft', '-f', '-'], script);
      if (!ran.ok) {
        this.written = undefined;
        throw new Error(`nft: ${ran.stderr.trim().slice(0, 2_000)}`);
      }
      bytes += script.length;
    }
    return bytes;
  }
}

function merge(into: NftState, from: NftState): void {
  for (const [chain, rules] of from.chains) into.chains.set(chain, rules);
  for (const container of CONTAINERS)
    for (const [key, element] of from.elements[container]) into.elements[container].set(key, element);
  for (const [set, seconds] of from.affinity) into.affinity.set(set, seconds);
}

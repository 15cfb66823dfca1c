/** kube-proxy's iptables mode: keeps what it wrote, and writes chains that differ in one transaction. */
import type { Backend, NodeExec, Synced } from './backend.ts';
import { portRules, type PortRules } from './iptables-service.ts';
import { present, restoreInput } from './iptables-restore.ts';
import { LARGE_CLUSTER, ruleset, type Ruleset } from './iptables-ruleset.ts';
import type { ProxySettings } from './place.ts';
import type { Changed, ProxyState } from './state.ts';

/** A chain that is ours in every table: when it is gone, somebody has flushed the firewall (upstream: iptables Monitor). */
const CANARY = 'KUBE-PROXY-CANARY';

export class IptablesBackend implements Backend {
  private written: Ruleset | undefined;
  private readonly rules = new Map<string, PortRules[]>();
  private brief = false;

  constructor(
    private readonly settings: ProxySettings,
    private readonly exec: NodeExec,
  ) {}

  async sync(state: ProxyState, changed: Changed): Promise<Synced> {
    const brief = state.countEndpoints() > LARGE_CLUSTER;
    if (brief !== this.brief) this.rules.clear();
    this.brief = brief;
    for (const service of changed.services) this.rules.delete(service);

    const all: PortRules[] = [];
    for (const service of state.services()) {
      let rules = this.rules.get(service);
      if (!rules) {
        rules = state
          .portsOf(service)
          .map((port) => portRules(port, state.endpointsOf(port), this.settings, brief));
        this.rules.set(service, rules);
      }
      all.push(...rules);
    }
    const wanted = ruleset(all, this.settings);
    let input = restoreInput(
      this.written ? { written: this.written, strangers: NOBODY, missing: [] } : present(await this.saved()),
      wanted,
    );
    if (!this.written)
      input += ['mangle', 'nat', 'filter'].map((table) => `*${table}\n:${CANARY} - [0:0]\nCOMMIT\n`).join('');
    if (input === '') return { bytes: 0 };
    // Unknown while it is being written: after a failure all has to be written again.
    this.written = undefined;
    const ran = await this.exec(['iptables-restore', '-w', '5', '--noflush', '--counters'], input);
    if (!ran.ok) throw new Error(`iptables-restore: ${ran.stderr.trim()}`);
    this.written = wanted;
    return { bytes: input.length };
  }

  async removed(): Promise<boolean> {
    if (!this.written) return false;
    for (const table of ['mangle', 'nat', 'filter'])
      if (!(await this.exec(['iptables', '-w', '5', '-t', table, '-n', '-L', CANARY])).ok) return true;
    return false;
  }

  forget(): void {
    this.written = undefined;
    this.rules.clear();
  }

  private async saved(): Promise<string> {
    const ran = await this.exec(['iptables-save']);
    if (!ran.ok) throw new Error(`iptables-save: ${ran.stderr.trim()}`);
    return ran.stdout;
  }
}

const NOBODY = { filter: new Set<string>(), nat: new Set<string>() };

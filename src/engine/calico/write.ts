/** Writes chains and sets into a node's kernel: only what changed, each in one transaction. */
import { HOOKS, type Chains, type Hook } from './rules.ts';
import type { AddressSet } from './policy.ts';

/** Runs a program in the node's network namespace. */
export type NodeExec = (
  argv: readonly string[],
  input?: string,
) => Promise<{ readonly code: number | undefined; readonly stdout: string; readonly stderr: string }>;

/** A kernel command failed; `message` is what it said. */
export class KernelRefused extends Error {
  constructor(argv: readonly string[], stderr: string, input: string) {
    super(`${argv.join(' ')}: ${stderr.trim()}\n${input.slice(0, 2000)}`);
    this.name = 'KernelRefused';
  }
}

type Table = 'filter' | 'nat';

/** What this node's kernel was last told. */
export class Writer {
  readonly #exec: NodeExec;
  readonly #chains: Record<Table, Chains> = { filter: new Map(), nat: new Map() };
  readonly #sets = new Map<string, AddressSet>();
  /** Hooks that the kernel has already. */
  readonly #hooked = new Set<string>();

  constructor(exec: NodeExec) {
    this.#exec = exec;
  }

  /**
   * Reads what an earlier agent left in the kernel, so that it is replaced and not doubled: its chains count as
   * unknown (and are written anew or removed), its hooks as made.
   */
  async adopt(): Promise<void> {
    for (const table of ['filter', 'nat'] as const) {
      const saved = await this.#exec(['iptables-save', '-t', table]);
      for (const line of saved.stdout.split('\n')) {
        const chain = /^:(cali-\S+) /.exec(line)?.[1];
        if (chain) this.#chains[table].set(chain, ['unknown']);
        const tag = /^-A (?:INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING) .*?"(cali:[^"]+)"/.exec(line)?.[1];
        if (tag) this.#hooked.add(`${table} ${tag}`);
      }
    }
  }

  /** Brings the kernel to this state: new sets, then rules, then what nothing refers to any more goes. */
  async write(wanted: { filter: Chains; nat: Chains; sets: ReadonlyMap<string, AddressSet> }): Promise<void> {
    await this.#writeSets(wanted.sets);
    const input = `${this.#table('nat', wanted.nat)}${this.#table('filter', wanted.filter)}`;
    if (input) {
      await this.#run(['iptables-restore', '--noflush', '--wait', '5'], input);
      for (const one of HOOKS) this.#hooked.add(hookId(one));
      this.#chains.nat = wanted.nat;
      this.#chains.filter = wanted.filter;
    }
    const gone = [...this.#sets.keys()].filter((name) => !wanted.sets.has(name));
    if (gone.length > 0) {
      await this.#run(['ipset', 'restore'], gone.map((name) => `destroy ${name}\n`).join(''));
      for (const name of gone) this.#sets.delete(name);
    }
  }

  async #writeSets(wanted: ReadonlyMap<string, AddressSet>): Promise<void> {
    const lines: string[] = [];
    for (const set of wanted.values()) {
      const old = this.#sets.get(set.name);
      if (!old)
        lines.push(`create ${set.name} ${set.type} family inet maxelem 1048576 -exist`, `flush ${set.name}`);
      for (const member of set.members)
        if (!old?.members.has(member)) lines.push(`add ${set.name} ${member} -exist`);
      for (const member of old?.members ?? [])
        if (!set.members.has(member)) lines.push(`del ${set.name} ${member.replace(/ nomatch$/, '')} -exist`);
    }
    if (lines.length > 0) await this.#run(['ipset', 'restore'], `${lines.join('\n')}\n`);
    for (const set of wanted.values()) this.#sets.set(set.name, set);
  }

  /** One table of `iptables-restore --noflush`: a chain that is named is emptied, so only changed ones are. */
  #table(table: Table, wanted: Chains): string {
    const old = this.#chains[table];
    const changed = [...wanted].filter(([chain, rules]) => !same(old.get(chain), rules));
    const gone = [...old.keys()].filter((chain) => !wanted.has(chain));
    const hooks = HOOKS.filter((one) => one.table === table && !this.#hooked.has(hookId(one)));
    if (changed.length + gone.length + hooks.length === 0) return '';
    const lines = [
      `*${table}`,
      ...[...changed.map(([chain]) => chain), ...gone].map((chain) => `:${chain} - [0:0]`),
      ...hooks.map((one) =>
        one.place === 'first' ? `-I ${one.chain} 1 ${one.rule}` : `-A ${one.chain} ${one.rule}`,
      ),
      ...changed.flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
      ...gone.map((chain) => `-X ${chain}`),
      'COMMIT',
    ];
    return `${lines.join('\n')}\n`;
  }

  async #run(argv: readonly string[], input: string): Promise<void> {
    const ran = await this.#exec(argv, input);
    if (ran.code !== 0) throw new KernelRefused(argv, ran.stderr, input);
  }
}

const same = (a: readonly string[] | undefined, b: readonly string[]): boolean =>
  a !== undefined && a.length === b.length && a.every((rule, index) => rule === b[index]);

const hookId = (hook: Hook): string => `${hook.table} ${/"(cali:[^"]+)"/.exec(hook.rule)![1]}`;

/**
 * The difference between two sets of rules as input for `iptables-restore --noflush --counters`.
 *
 * Chains that did not change are not written. As long as it fits, everything is one transaction. The limit: an nft
 * transaction is one netlink message of at most the socket's send buffer, which a process without CAP_NET_ADMIN in the
 * first user namespace cannot enlarge (socket(7), SO_SNDBUFFORCE). Beyond it the input has several COMMITs, in an order in
 * which nothing leads to what is not there yet.
 */
import { isServiceChain, JUMPS, SHARED, type Ruleset, type Table } from './iptables-ruleset.ts';

/** What is in the kernel before a sync. */
export interface Present {
  /** The rules that we wrote last; undefined when unknown, then everything is written. */
  readonly written: Ruleset | undefined;
  /** Chains that exist though we did not write them now: those of an earlier life. */
  readonly strangers: Record<Table, ReadonlySet<string>>;
  /** Jumps that are missing. */
  readonly missing: readonly { table: Table; chain: string; rule: string }[];
}

/** Lines that stay in one transaction. */
interface Group {
  readonly headers: readonly string[];
  readonly rules: readonly string[];
}

/** Bytes of netlink message: the least that net.core.wmem_default is, less some room. */
const BUDGET = 190_000;
/** Bytes that a rule takes at most as measured (714 for DNAT, 797 with a match on port, about 1,100 with `recent`), and a chain. */
const costOf = ({ headers, rules }: Group) =>
  headers.length * 100 + rules.reduce((sum, rule) => sum + (rule.includes('-m recent') ? 1_100 : 820), 0);

/** A shared chain up to this long is written anew at every sync, as upstream does, so that it heals from what others do to it. */
const HEALED = 60;

/** Order in which chains can be written: each only leads to earlier ones. */
const RANKS = ['KUBE-MARK-MASQ', 'KUBE-SEP-', 'KUBE-SVC-', 'KUBE-SVL-', 'KUBE-EXT-', 'KUBE-FW-', 'KUBE-'];
const rank = (chain: string) => RANKS.findIndex((prefix) => chain.startsWith(prefix));

/** Input for iptables-restore that leads from `present` to `wanted`; '' when there is nothing to do. */
export function restoreInput(present: Present, wanted: Ruleset): string {
  const differences = (['filter', 'nat'] as const).map((table) => {
    const before = present.written?.[table];
    return {
      table,
      before,
      changed: [...wanted[table]].filter(([chain, rules]) => !alike(before?.get(chain), rules)),
      gone: [...new Set([...(before?.keys() ?? []), ...present.strangers[table]])].filter(
        (chain) => isServiceChain(chain) && !wanted[table].has(chain),
      ),
      jumps: present.missing.filter((jump) => jump.table === table),
    };
  });
  if (differences.every(({ changed, gone, jumps }) => changed.length + gone.length + jumps.length === 0))
    return '';

  let input = '';
  for (const { table, before, changed, gone, jumps } of differences) {
    const names = new Set(changed.map(([chain]) => chain));
    const healed = SHARED[table]
      .filter((chain) => before && !names.has(chain))
      .map((chain) => [chain, wanted[table].get(chain) ?? []] as const)
      .filter(([, rules]) => rules.length <= HEALED);
    const groups: Group[] = [];
    for (const [chain, rules] of [...changed, ...healed].sort(([a], [b]) => rank(a) - rank(b)))
      groups.push(...write(chain, before?.get(chain), rules));
    if (gone.length > 0)
      // Emptied first: one may lead to another that goes as well.
      groups.push(
        ...parts(gone, 1_000).map((some) => ({ headers: some.map(header), rules: [] })),
        ...parts(gone, 200).map((some) => ({ headers: [], rules: some.map((chain) => `-X ${chain}`) })),
      );
    groups.push({ headers: [], rules: jumps.map(({ chain, rule }) => `-I ${chain} ${rule}`) });
    input += pack(groups)
      .map((lines) => `*${table}\n${lines.join('\n')}\nCOMMIT\n`)
      .join('');
  }
  return input;
}

const header = (chain: string) => `:${chain} - [0:0]`;

const alike = (a: readonly string[] | undefined, b: readonly string[]) =>
  a !== undefined && (a === b || (a.length === b.length && a.every((rule, i) => rule === b[i])));

/** A chain anew, or, when it is a long one of which little changed, only its lines that come and go. */
function write(chain: string, before: readonly string[] | undefined, now: readonly string[]): Group[] {
  if (before && before.length > HEALED) {
    const edits = edit(chain, before, now);
    if (edits && edits.length < now.length / 2) return [{ headers: [], rules: edits }];
  }
  const [first = [], ...rest] = parts(now, 200);
  const append = (rules: readonly string[]) => rules.map((rule) => `-A ${chain} ${rule}`);
  return [
    { headers: [header(chain)], rules: append(first) },
    ...rest.map((rules) => ({ headers: [], rules: append(rules) })),
  ];
}

/**
 * Deletions and insertions that lead from one list to the other; undefined when the lines that stay change their order.
 * Deleted by what they say, not by number: if somebody removed a line, the transaction fails and all is written anew.
 */
function edit(chain: string, before: readonly string[], now: readonly string[]): string[] | undefined {
  const old = new Set(before);
  const wanted = new Set(now);
  if (old.size !== before.length || wanted.size !== now.length) return undefined;
  const stay = now.filter((rule) => old.has(rule));
  if (
    !alike(
      before.filter((rule) => wanted.has(rule)),
      stay,
    )
  )
    return undefined;
  return [
    ...before.filter((rule) => !wanted.has(rule)).map((rule) => `-D ${chain} ${rule}`),
    ...now.flatMap((rule, i) => (old.has(rule) ? [] : [`-I ${chain} ${i + 1} ${rule}`])),
  ];
}

/** Puts groups together into transactions: headers of chains first, then rules. */
function pack(groups: readonly Group[]): string[][] {
  const blocks: { headers: string[]; rules: string[] }[] = [];
  let room = 0;
  for (const group of groups) {
    const cost = costOf(group);
    if (cost === 0) continue;
    let block = blocks.at(-1);
    if (!block || cost > room) {
      block = { headers: [], rules: [] };
      blocks.push(block);
      room = BUDGET;
    }
    block.headers.push(...group.headers);
    block.rules.push(...group.rules);
    room -= cost;
  }
  return blocks.map(({ headers, rules }) => [...headers, ...rules]);
}

function parts<T>(list: readonly T[], size: number): T[][] {
  const result: T[][] = [];
  for (let at = 0; at < list.length; at += size) result.push(list.slice(at, at + size));
  return result;
}

/** Reads the output of `iptables-save`: which chains there are and which jumps are missing. */
export function present(saved: string): Present {
  const strangers = { filter: new Set<string>(), nat: new Set<string>() };
  const jumps = new Set<string>();
  let table = '';
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    else if (table !== 'filter' && table !== 'nat') continue;
    else if (line.startsWith(':')) strangers[table].add(line.slice(1).split(' ')[0] ?? '');
    else if (/^-A (INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING) /.test(line)) jumps.add(`${table} ${line}`);
  }
  const missing = JUMPS.filter(({ table, chain, rule }) => !jumps.has(`${table} -A ${chain} ${rule}`));
  return { written: undefined, strangers, missing };
}

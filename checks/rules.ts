/** Packet-rewriting rules of a node with their counters: iptables as iptables-save prints them, nftables as nft lists them. */
import { nodeOutput, parsed } from './node-command.ts';
import type { Stage } from './experiment.ts';
import { changeNode, type Changed } from './node-state.ts';
import { asked, type Observation } from '../src/model/observation.ts';

/** One rule of `iptables-save -c`. */
export interface IptablesRule {
  readonly table: string;
  readonly chain: string;
  /** As printed: `-A KUBE-SERVICES -d 10.96.0.10/32 -p udp …`. */
  readonly rule: string;
  readonly packets: number;
}

/** Reads `iptables-save -c`. */
export function readIptables(output: string): IptablesRule[] {
  const rules: IptablesRule[] = [];
  let table: string | undefined;
  for (const line of output.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim();
    else if (line.startsWith('COMMIT')) table = undefined;
    else if (line.startsWith('[')) {
      const found = /^\[(\d+):\d+\] (-A (\S+).*)$/.exec(line);
      if (!found || table === undefined) throw new Error(`iptables-save said: ${line}`);
      rules.push({ table, chain: found[3]!, rule: found[2]!, packets: Number(found[1]) });
    }
  }
  return rules;
}

/** All iptables rules of a node. */
export const iptables = async (stage: Stage, node: string): Promise<Observation<IptablesRule[]>> =>
  parsed(await nodeOutput(stage, node, ['iptables-save', '-c']), readIptables);

/**
 * The lines of kube-proxy's nftables table that say something (`table ip kube-proxy`, KEP-3866); empty where there is none.
 */
export async function kubeProxyTable(stage: Stage, node: string): Promise<Observation<string[]>> {
  const tables = await nodeOutput(stage, node, ['nft', 'list', 'tables', 'ip']);
  if (!tables.asked) return tables;
  if (!/^table ip kube-proxy$/m.test(tables.value)) return asked([], ...tables.probes);
  const listed = await nodeOutput(stage, node, ['nft', 'list', 'table', 'ip', 'kube-proxy']);
  return parsed(listed, (output) =>
    output
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && line !== '}'),
  );
}

/** Where a node holds rules for an address of a Service. */
export interface RulesFor {
  /** Rules of iptables' kube-proxy chains (`KUBE-…`). */
  readonly iptables: string[];
  /** Lines of kube-proxy's nftables table. */
  readonly nftables: string[];
}

/** kube-proxy's rules on a node that name an address. */
export async function rulesFor(stage: Stage, node: string, ip: string): Promise<Observation<RulesFor>> {
  const [old, young] = await Promise.all([iptables(stage, node), kubeProxyTable(stage, node)]);
  if (!old.asked) return old;
  if (!young.asked) return young;
  const names = (line: string) => line.split(/[^\d.]+/).includes(ip);
  return asked(
    {
      iptables: old.value
        .filter((one) => one.chain.startsWith('KUBE-') && names(one.rule))
        .map((one) => one.rule),
      nftables: young.value.filter(names),
    },
    ...old.probes,
    ...young.probes,
  );
}

/** In a word where rules stand: `iptables`, `nftables`, `iptables+nftables` or `none`. */
export const whereRulesStand = (rules: RulesFor): string =>
  [rules.iptables.length > 0 && 'iptables', rules.nftables.length > 0 && 'nftables']
    .filter(Boolean)
    .join('+') || 'none';

/**
 * Takes a Service's entry out of a node's rules and leaves everything else: kube-proxy's line in KUBE-SERVICES, or its
 * element in the map `service-ips`. kube-proxy must be stopped on that node, or it may put the entry back.
 */
export function withoutEntry(stage: Stage, node: string, ip: string, port: number): Promise<Changed> {
  const kept = `/tmp/podlab-entry-${ip}-${port}`;
  const element = `${ip} . tcp . ${port}`;
  const restore = (rewrite: string) =>
    `{ echo '*nat'; sed '${rewrite}' ${kept}.iptables; echo COMMIT; } | iptables-restore --noflush`;
  return changeNode(stage, node, {
    apply: [
      `iptables-save -t nat | grep -F -- '-d ${ip}/32 ' | grep -e '^-A KUBE-SERVICES ' >${kept}.iptables || true`,
      `nft list map ip kube-proxy service-ips 2>/dev/null | grep -o '${element.replaceAll('.', '\\.')} *: *goto [^ ,}]*' >${kept}.nft || true`,
      `[ -s ${kept}.iptables ] || [ -s ${kept}.nft ] || { echo 'no rule of kube-proxy for ${ip}'; exit 1; }`,
      `[ ! -s ${kept}.iptables ] || ${restore('s/^-A/-D/')}`,
      `[ ! -s ${kept}.nft ] || nft delete element ip kube-proxy service-ips "{ ${element} }"`,
    ].join('\n'),
    revert: [
      `[ ! -s ${kept}.iptables ] || ${restore('s/^-A KUBE-SERVICES/-I KUBE-SERVICES/')}`,
      `[ ! -s ${kept}.nft ] || nft add element ip kube-proxy service-ips "{ $(cat ${kept}.nft) }"`,
      `rm -f ${kept}.iptables ${kept}.nft`,
    ].join('\n'),
  });
}

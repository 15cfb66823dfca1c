/** The fixed part of table `ip kube-proxy`, and the difference between two states of its changing part as an nft script. */
import { MASQUERADE_MARK, type ProxySettings } from './place.ts';
import { CONTAINERS, type Container, type Element, type NftState } from './nftables-service.ts';

const TABLE = 'ip kube-proxy';
const MARK = `0x${MASQUERADE_MARK.toString(16)}`;

const BASE_CHAINS: readonly [name: string, kind: string][] = [
  ['filter-prerouting-pre-dnat', 'type filter hook prerouting priority dstnat - 10'],
  ['filter-output-pre-dnat', 'type filter hook output priority -110'],
  ['filter-input', 'type filter hook input priority filter'],
  ['filter-forward', 'type filter hook forward priority filter'],
  ['filter-output', 'type filter hook output priority filter'],
  ['nat-prerouting', 'type nat hook prerouting priority dstnat'],
  ['nat-output', 'type nat hook output priority -100'],
  ['nat-postrouting', 'type nat hook postrouting priority srcnat'],
];

const ADDRESS = 'ipv4_addr . inet_proto . inet_service : verdict';
const CONTAINER_SPECS: Record<Container, { kind: 'map' | 'set'; type: string; comment: string }> = {
  'cluster-ips': { kind: 'set', type: 'ipv4_addr', comment: 'Active ClusterIPs' },
  'service-ips': { kind: 'map', type: ADDRESS, comment: 'ClusterIP, ExternalIP and LoadBalancer IP traffic' },
  'service-nodeports': {
    kind: 'map',
    type: 'inet_proto . inet_service : verdict',
    comment: 'NodePort traffic',
  },
  'no-endpoint-services': {
    kind: 'map',
    type: ADDRESS,
    comment: 'vmap to drop or reject packets to services with no endpoints',
  },
  'no-endpoint-nodeports': {
    kind: 'map',
    type: 'inet_proto . inet_service : verdict',
    comment: 'vmap to drop or reject packets to service nodeports with no endpoints',
  },
  'firewall-ips': {
    kind: 'map',
    type: ADDRESS,
    comment: 'destinations that are subject to LoadBalancerSourceRanges',
  },
};

/**
 * Replaces whatever the table held by the fixed part, in the same transaction as what follows.
 * (kube-proxy itself keeps old elements over its restart; we begin anew, so session affinity is forgotten then.)
 */
export function setUp(settings: ProxySettings): string[] {
  const lines: string[] = [
    `add table ${TABLE}`,
    `delete table ${TABLE}`,
    `add table ${TABLE} { comment "rules for kube-proxy" ; }`,
  ];
  const chain = (name: string, body = '') =>
    lines.push(`add chain ${TABLE} ${name}${body && ` { ${body} ; }`}`);
  const rule = (name: string, text: string) => lines.push(`add rule ${TABLE} ${name} ${text}`);

  for (const [name, kind] of BASE_CHAINS) chain(name, kind);
  for (const name of [
    'nodeport-endpoints-check',
    'service-endpoints-check',
    'firewall-check',
    'services',
    'masquerading',
    'cluster-ips-check',
    'mark-for-masquerade',
  ])
    chain(name);
  chain('reject-chain', 'comment "helper for @no-endpoint-services / @no-endpoint-nodeports"');
  for (const name of CONTAINERS) {
    const { kind, type, comment } = CONTAINER_SPECS[name];
    lines.push(`add ${kind} ${TABLE} ${name} { type ${type} ; comment "${comment}" ; }`);
  }
  if (settings.nodePortIPs) {
    lines.push(
      `add set ${TABLE} nodeport-ips { type ipv4_addr ; comment "IPs that accept NodePort traffic" ; }`,
    );
    for (const ip of settings.nodePortIPs) lines.push(`add element ${TABLE} nodeport-ips { ${ip} }`);
  }

  rule('filter-input', 'ct state new jump nodeport-endpoints-check');
  for (const hook of ['input', 'forward', 'output'])
    rule(`filter-${hook}`, 'ct state new jump service-endpoints-check');
  for (const hook of ['prerouting', 'output'])
    rule(`filter-${hook}-pre-dnat`, 'ct state new jump firewall-check');
  rule('nat-output', 'jump services');
  rule('nat-prerouting', 'jump services');
  rule('nat-postrouting', 'jump masquerading');
  for (const hook of ['forward', 'output']) rule(`filter-${hook}`, 'ct state new jump cluster-ips-check');

  rule('mark-for-masquerade', `mark set mark or ${MARK}`);
  rule('masquerading', `mark and ${MARK} == 0 return`);
  rule('masquerading', `mark set mark xor ${MARK}`);
  rule('masquerading', 'masquerade fully-random');
  rule(
    'cluster-ips-check',
    'ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"',
  );
  if (settings.serviceCIDR)
    rule(
      'cluster-ips-check',
      `ip daddr { ${settings.serviceCIDR} } drop comment "Drop traffic to unallocated ClusterIPs"`,
    );
  rule('reject-chain', 'reject');
  rule('service-endpoints-check', 'ip daddr . meta l4proto . th dport vmap @no-endpoint-services');
  const onNode = settings.nodePortIPs ? 'ip daddr @nodeport-ips' : 'ip daddr != 127.0.0.0/8';
  rule('nodeport-endpoints-check', `${onNode} meta l4proto . th dport vmap @no-endpoint-nodeports`);
  rule('firewall-check', 'ip daddr . meta l4proto . th dport vmap @firewall-ips');
  rule('services', 'ip daddr . meta l4proto . th dport vmap @service-ips');
  rule(
    'services',
    `${settings.nodePortIPs ? '' : 'fib daddr type local '}${onNode} meta l4proto . th dport vmap @service-nodeports`,
  );
  return lines;
}

/**
 * The lines that lead from one state to another, in groups that have to stay together and in an order in which nothing
 * leads to what is not there yet; none when the states are the same.
 * Chains that are no longer used are emptied only: before Linux 6.2 the kernel notices late that no map leads to them
 * any more, so they are deleted a second later (`deleteChains`).
 */
export function transition(before: NftState, wanted: NftState): string[][] {
  const groups: string[][] = [];
  // A set's time limit cannot be changed: the set is made anew, and so is every chain that names it.
  const renewed = [...wanted.affinity]
    .filter(([set, seconds]) => (before.affinity.get(set) ?? seconds) !== seconds)
    .map(([set]) => set);
  const names = (rules: readonly string[]) =>
    rules.some((rule) => renewed.some((set) => rule.includes(`@${set} `)));
  const alike = (a: readonly string[] | undefined, b: readonly string[]) =>
    a !== undefined && (a === b || (a.length === b.length && a.every((rule, i) => rule === b[i])));
  const changed = [...wanted.chains].filter(
    ([chain, rules]) => !alike(before.chains.get(chain), rules) || names(rules),
  );
  const gone = [...before.chains.keys()].filter((chain) => !wanted.chains.has(chain));

  for (const [chain] of changed) if (!before.chains.has(chain)) groups.push([`add chain ${TABLE} ${chain}`]);
  if (renewed.length > 0)
    groups.push([
      ...[...before.chains]
        .filter(([, rules]) => names(rules))
        .map(([chain]) => `flush chain ${TABLE} ${chain}`),
      ...renewed.map((set) => `delete set ${TABLE} ${set}`),
    ]);
  for (const [set, seconds] of wanted.affinity)
    if (before.affinity.get(set) !== seconds)
      groups.push([
        `add set ${TABLE} ${set} { type ipv4_addr ; flags dynamic,timeout ; timeout ${seconds}s ; }`,
      ]);
  for (const [chain, rules] of changed)
    groups.push([
      // One that is not among those before is new, or was emptied when it went.
      ...(before.chains.has(chain) ? [`flush chain ${TABLE} ${chain}`] : []),
      ...rules.map((rule) => `add rule ${TABLE} ${chain} ${rule}`),
    ]);
  for (const container of CONTAINERS) {
    const old = before.elements[container];
    const remove = (key: string) => `delete element ${TABLE} ${container} { ${key} }`;
    for (const [key, element] of wanted.elements[container]) {
      const then = old.get(key);
      if (then && then.verdict === element.verdict && then.comment === element.comment) continue;
      groups.push([
        ...(then ? [remove(key)] : []),
        `add element ${TABLE} ${container} { ${written(key, element)} }`,
      ]);
    }
    for (const key of old.keys()) if (!wanted.elements[container].has(key)) groups.push([remove(key)]);
  }
  for (const chain of gone) groups.push([`flush chain ${TABLE} ${chain}`]);
  for (const set of before.affinity.keys())
    if (!wanted.affinity.has(set)) groups.push([`delete set ${TABLE} ${set}`]);
  return groups;
}

const written = (key: string, { verdict, comment }: Element) =>
  `${key}${comment ? ` comment "${comment}"` : ''}${verdict ? ` : ${verdict}` : ''}`;

export const deleteChains = (chains: readonly string[]) =>
  chains.map((chain) => [`delete chain ${TABLE} ${chain}`]);

/** Bytes of netlink message that a transaction may have; see iptables-restore.ts for the reason. */
const BUDGET = 190_000;

/** Puts groups together into scripts, one transaction each: one, unless they do not fit. */
export function scripts(groups: readonly string[][]): string[] {
  const found: string[][] = [];
  let room = 0;
  for (const group of groups) {
    // Measured: an element 104 bytes, a chain 96, a rule 148, one of three verdicts 647; names are most of it.
    const cost = group.reduce(
      (sum, line) => sum + 60 + (line.startsWith('add rule') ? 2.5 : 1) * line.length,
      0,
    );
    if (found.length === 0 || cost > room) {
      found.push([]);
      room = BUDGET;
    }
    found.at(-1)?.push(...group);
    room -= cost;
  }
  return found.map((lines) => `${lines.join('\n')}\n`);
}

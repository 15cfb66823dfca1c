/** The whole of kube-proxy's rules in the tables filter and nat. */
import { MASQUERADE_MARK, type ProxySettings } from './place.ts';
import type { Chains, PortRules } from './iptables-service.ts';

export type Table = 'filter' | 'nat';
export type Ruleset = Record<Table, Chains>;

/** More endpoints than this in all, and comments on endpoints are left out. */
export const LARGE_CLUSTER = 1000;

const MARK = `0x${MASQUERADE_MARK.toString(16)}`;

/** The chains that kube-proxy fills for all Services together; the kubelet makes KUBE-FIREWALL as well, with the same rule. */
export const SHARED: Record<Table, readonly string[]> = {
  filter: [
    'KUBE-SERVICES',
    'KUBE-EXTERNAL-SERVICES',
    'KUBE-FORWARD',
    'KUBE-NODEPORTS',
    'KUBE-PROXY-FIREWALL',
    'KUBE-FIREWALL',
  ],
  nat: ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ'],
};

const STATE_NEW = '-m conntrack --ctstate NEW ';

/** Rules in the kernel's own chains that lead to ours, in the order in which each is put on top. */
export const JUMPS: readonly { table: Table; chain: string; rule: string }[] = [
  ...(
    [
      [
        'filter',
        'INPUT',
        'KUBE-EXTERNAL-SERVICES',
        'kubernetes externally-visible service portals',
        STATE_NEW,
      ],
      [
        'filter',
        'FORWARD',
        'KUBE-EXTERNAL-SERVICES',
        'kubernetes externally-visible service portals',
        STATE_NEW,
      ],
      ['filter', 'INPUT', 'KUBE-NODEPORTS', 'kubernetes health check service ports', ''],
      ['filter', 'FORWARD', 'KUBE-SERVICES', 'kubernetes service portals', STATE_NEW],
      ['filter', 'OUTPUT', 'KUBE-SERVICES', 'kubernetes service portals', STATE_NEW],
      ['filter', 'FORWARD', 'KUBE-FORWARD', 'kubernetes forwarding rules', ''],
      ['filter', 'INPUT', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', STATE_NEW],
      ['filter', 'OUTPUT', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', STATE_NEW],
      ['filter', 'FORWARD', 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', STATE_NEW],
      ['nat', 'OUTPUT', 'KUBE-SERVICES', 'kubernetes service portals', ''],
      ['nat', 'PREROUTING', 'KUBE-SERVICES', 'kubernetes service portals', ''],
      ['nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules', ''],
    ] as const
  ).map(([table, chain, target, why, state]) => ({
    table,
    chain,
    rule: `${state}-m comment --comment "${why}" -j ${target}`,
  })),
  { table: 'filter', chain: 'INPUT', rule: '-j KUBE-FIREWALL' },
  { table: 'filter', chain: 'OUTPUT', rule: '-j KUBE-FIREWALL' },
];

/** A chain made for one service port: only such ones are ever deleted. */
export const isServiceChain = (chain: string) => /^KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(chain);

/** Puts the rules of all ports together with those that are always there. */
export function ruleset(ports: Iterable<PortRules>, settings: ProxySettings): Ruleset {
  const whole: Ruleset = {
    filter: new Map(SHARED.filter.map((chain) => [chain, []])),
    nat: new Map(SHARED.nat.map((chain) => [chain, []])),
  };
  const add = (table: Table, chain: string, ...rules: string[]) => whole[table].get(chain)?.push(...rules);

  add('nat', 'KUBE-POSTROUTING', `-m mark ! --mark ${MARK}/${MARK} -j RETURN`);
  // The mark is taken off again, or a packet that is encapsulated and comes back would be masqueraded twice.
  add('nat', 'KUBE-POSTROUTING', `-j MARK --xor-mark ${MARK}`);
  add(
    'nat',
    'KUBE-POSTROUTING',
    '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
  );
  add('nat', 'KUBE-MARK-MASQ', `-j MARK --or-mark ${MARK}`);
  // route_localnet lets NodePorts work on 127.0.0.1, and would let neighbours reach loopback services: CVE-2020-8558.
  add(
    'filter',
    'KUBE-FIREWALL',
    '-m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
  );

  for (const port of ports) {
    for (const table of ['filter', 'nat'] as const)
      for (const [chain, rules] of port[table]) add(table, chain, ...rules);
    for (const [chain, rules] of port.own) whole.nat.set(chain, rules);
  }

  const last =
    '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"';
  if (settings.nodePortIPs === undefined)
    add('nat', 'KUBE-SERVICES', `${last} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`);
  else
    for (const ip of settings.nodePortIPs) add('nat', 'KUBE-SERVICES', `${last} -d ${ip} -j KUBE-NODEPORTS`);
  add(
    'filter',
    'KUBE-FORWARD',
    '-m conntrack --ctstate INVALID -j DROP',
    `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${MARK}/${MARK} -j ACCEPT`,
    '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  );
  return whole;
}

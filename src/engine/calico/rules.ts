/**
 * The chains of felix in iptables' own words (projectcalico/calico felix/rules/{static,dispatch,endpoints,policy}.go).
 * Marks: 0x10000 accept, 0x20000 pass. A chain is a list of rules without `-A chain`.
 */
import { policyChain, ruleTag, vethName, workloadChain } from './names.ts';
import type { Endpoint, Match, Meaning } from './policy.ts';

/** A table's chains by name. */
export type Chains = Map<string, readonly string[]>;

const ACCEPT = '0x10000/0x10000';
const say = (comment: string) => `-m comment --comment "${comment}"`;

/** Adds felix's tag to each rule, as `iptables-save` shows it first. */
function tagged(chain: string, rules: readonly string[]): string[] {
  let soFar = '';
  return rules.map((rule) => {
    const tag = ruleTag(chain, soFar, rule);
    soFar += `${rule}\n`;
    return `${say(tag)} ${rule}`;
  });
}

/** Jumps from the kernel's own chains; `first` goes to the top, the rest to the end. */
export interface Hook {
  readonly table: 'filter' | 'nat';
  readonly chain: string;
  readonly rule: string;
  readonly place: 'first' | 'last';
}

const hook = (table: Hook['table'], chain: string, rule: string, place: Hook['place'] = 'first'): Hook => ({
  table,
  chain,
  rule: tagged(chain, [rule])[0]!,
  place,
});

export const HOOKS: readonly Hook[] = [
  hook('filter', 'INPUT', '-j cali-INPUT'),
  hook('filter', 'FORWARD', '-j cali-FORWARD'),
  hook('filter', 'OUTPUT', '-j cali-OUTPUT'),
  hook(
    'filter',
    'FORWARD',
    `${say('Policy explicitly accepted packet.')} -m mark --mark ${ACCEPT} -j ACCEPT`,
    'last',
  ),
  hook('nat', 'PREROUTING', '-j cali-PREROUTING'),
  hook('nat', 'POSTROUTING', '-j cali-POSTROUTING'),
  hook('nat', 'OUTPUT', '-j cali-OUTPUT'),
];

/** The nat table: pods that leave the pod network do so under the node's address (IPPool natOutgoing). */
export function natChains(): Chains {
  return tagAll({
    'cali-PREROUTING': ['-j cali-fip-dnat'],
    'cali-OUTPUT': ['-j cali-fip-dnat'],
    'cali-POSTROUTING': ['-j cali-fip-snat', '-j cali-nat-outgoing'],
    'cali-fip-dnat': [],
    'cali-fip-snat': [],
    'cali-nat-outgoing': [
      '-m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j MASQUERADE',
    ],
  });
}

/** The filter table for the workloads of one node. */
export function filterChains(local: readonly Endpoint[], meaning: Meaning): Chains {
  const byVeth = local
    .map((endpoint) => ({ endpoint, veth: vethName(endpoint.namespace, endpoint.name) }))
    .sort((a, b) => (a.veth < b.veth ? -1 : 1));
  const dispatch = (direction: 'in' | 'out') => [
    ...byVeth.map(
      ({ veth }) => `${direction === 'in' ? '-o' : '-i'} ${veth} -g ${workloadChain(direction, veth)}`,
    ),
    `${say('Unknown interface')} -j DROP`,
  ];
  const chains: Record<string, string[]> = {
    'cali-INPUT': [
      `-p udp ${say('Allow IPv4 VXLAN packets from allowed hosts')} -m multiport --dports 4789 -m set --match-set cali40all-vxlan-net src -m addrtype --dst-type LOCAL -j ACCEPT`,
      '-i cali+ -g cali-wl-to-host',
      `-m mark --mark ${ACCEPT} -j ACCEPT`,
      '-j MARK --set-xmark 0x0/0xf0000',
      '-j cali-from-host-endpoint',
      `${say('Host endpoint policy accepted packet.')} -m mark --mark ${ACCEPT} -j ACCEPT`,
    ],
    'cali-FORWARD': [
      '-j MARK --set-xmark 0x0/0xe0000',
      '-m mark --mark 0x0/0x10000 -j cali-from-hep-forward',
      '-i cali+ -j cali-from-wl-dispatch',
      '-o cali+ -j cali-to-wl-dispatch',
      '-j cali-to-hep-forward',
      '-j cali-cidr-block',
    ],
    'cali-OUTPUT': [
      `-m mark --mark ${ACCEPT} -j ACCEPT`,
      '-o cali+ -j RETURN',
      '-j MARK --set-xmark 0x0/0xf0000',
      '-m conntrack ! --ctstate DNAT -j cali-to-host-endpoint',
      `${say('Host endpoint policy accepted packet.')} -m mark --mark ${ACCEPT} -j ACCEPT`,
    ],
    'cali-wl-to-host': [
      '-j cali-from-wl-dispatch',
      `${say('Configured DefaultEndpointToHostAction')} -j ACCEPT`,
    ],
    'cali-from-hep-forward': [],
    'cali-to-hep-forward': [],
    'cali-from-host-endpoint': [],
    'cali-to-host-endpoint': [],
    'cali-cidr-block': [],
    'cali-from-wl-dispatch': dispatch('out'),
    'cali-to-wl-dispatch': dispatch('in'),
  };
  const used = new Set<string>();
  for (const { endpoint, veth } of byVeth)
    for (const direction of ['in', 'out'] as const) {
      const own = meaning.sides.filter((side) => side.direction === direction && side.selects(endpoint));
      const policies = own.map((side) => policyChain(direction, side.namespace, side.name));
      for (const chain of policies) used.add(chain);
      chains[workloadChain(direction, veth)] = workload(direction, policies, endpoint.namespace);
    }
  for (const side of meaning.sides) {
    const chain = policyChain(side.direction, side.namespace, side.name);
    if (used.has(chain)) chains[chain] = policyRules(side.direction, side.name, side.namespace, side.matches);
  }
  // Profiles: what is not isolated is allowed (calico: profile kns.<namespace> of the Kubernetes datastore).
  for (const namespace of new Set(local.map((one) => one.namespace)))
    for (const direction of ['in', 'out'] as const)
      chains[profileChain(direction, namespace)] = [
        `${say(`Profile kns.${namespace} ${direction === 'in' ? 'ingress' : 'egress'}`)} -j MARK --set-xmark ${ACCEPT}`,
        `-m mark --mark ${ACCEPT} -j RETURN`,
      ];
  return tagAll(chains);
}

const profileChain = (direction: 'in' | 'out', namespace: string): string => {
  const chain = `cali-pr${direction === 'in' ? 'i' : 'o'}-kns.${namespace}`;
  return chain.length <= 28
    ? chain
    : policyChain(direction, namespace, 'profile').replace('cali-p', 'cali-pr').slice(0, 28);
};

/** What happens to a packet to or from one workload. */
function workload(direction: 'in' | 'out', policies: readonly string[], namespace: string): string[] {
  return [
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-m conntrack --ctstate INVALID -j DROP',
    '-j MARK --set-xmark 0x0/0x10000',
    ...(direction === 'out'
      ? [
          `-p udp ${say('Drop VXLAN encapped packets originating in workloads')} -m multiport --dports 4789 -j DROP`,
          `-p ipencap ${say('Drop IPinIP encapped packets originating in workloads')} -j DROP`,
        ]
      : []),
    ...(policies.length > 0
      ? [
          `${say('Start of tier default')} -j MARK --set-xmark 0x0/0x20000`,
          ...policies.flatMap((chain) => [
            `-m mark --mark 0x0/0x20000 -j ${chain}`,
            `${say('Return if policy accepted')} -m mark --mark ${ACCEPT} -j RETURN`,
          ]),
          `${say('End of tier default. Drop if no policies passed packet')} -m mark --mark 0x0/0x20000 -j DROP`,
        ]
      : []),
    `-j ${profileChain(direction, namespace)}`,
    `${say('Return if profile accepted')} -m mark --mark ${ACCEPT} -j RETURN`,
    `${say('Drop if no profiles matched')} -j DROP`,
  ];
}

function policyRules(
  direction: 'in' | 'out',
  name: string,
  namespace: string,
  matches: readonly Match[],
): string[] {
  const comment = say(`Policy ${namespace}/knp.default.${name} ${direction === 'in' ? 'ingress' : 'egress'}`);
  return matches.flatMap((match) => [
    [
      ...(match.protocol ? [`-p ${match.protocol}`] : []),
      comment,
      ...(match.peerSet ? [`-m set --match-set ${match.peerSet} ${direction === 'in' ? 'src' : 'dst'}`] : []),
      ...(match.portSet ? [`-m set --match-set ${match.portSet} dst,dst`] : []),
      ...(match.ports ? [`-m multiport --dports ${match.ports}`] : []),
      `-j MARK --set-xmark ${ACCEPT}`,
    ].join(' '),
    `-m mark --mark ${ACCEPT} -j RETURN`,
  ]);
}

const tagAll = (chains: Record<string, readonly string[]>): Chains =>
  new Map(Object.entries(chains).map(([chain, rules]) => [chain, tagged(chain, rules)]));

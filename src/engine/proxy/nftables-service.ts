/**
 * What one service port is in kube-proxy's nftables mode (1.34): chains of its own and elements of the shared maps.
 *
 * Where iptables asks rule after rule, one lookup in a verdict map leads to the chain of the port (KEP-3866).
 * The table is `ip kube-proxy`; names are what people see in `nft list table ip kube-proxy`, so they are the same here.
 */
import { shortHash } from './hash.ts';
import { allowsNode } from './iptables-service.ts';
import type { ProxySettings } from './place.ts';
import { usable } from './policy.ts';
import {
  externallyAccessible,
  usesClusterEndpoints,
  usesLocalEndpoints,
  type Endpoint,
  type ServicePort,
} from './service-port.ts';

/** The shared containers that ports put elements into. */
export const CONTAINERS = [
  'cluster-ips',
  'service-ips',
  'service-nodeports',
  'no-endpoint-services',
  'no-endpoint-nodeports',
  'firewall-ips',
] as const;
export type Container = (typeof CONTAINERS)[number];

/** An element of a map or set as nft writes it; no verdict in a set. */
export interface Element {
  readonly verdict?: string;
  readonly comment?: string;
}

/** All that a port needs, or all ports together. */
export interface NftState {
  /** Chain -> rules. */
  readonly chains: Map<string, readonly string[]>;
  /** Container -> key -> element. */
  readonly elements: Record<Container, Map<string, Element>>;
  /** Set of clients of an endpoint with session affinity -> seconds. */
  readonly affinity: Map<string, number>;
}

export const emptyState = (): NftState => ({
  chains: new Map(),
  elements: Object.fromEntries(CONTAINERS.map((name) => [name, new Map()])) as NftState['elements'],
  affinity: new Map(),
});

/** The kernel's limit of a name is 256; upstream stays below it. */
const LONGEST = 240;

function nameBase(name: string): string {
  const whole = `${shortHash(name, 8)}-${name}`;
  return whole.length > LONGEST ? `${whole.slice(0, LONGEST - 3)}...` : whole;
}

const portPath = ({ namespace, service, protocol, portName }: ServicePort) =>
  `${namespace}/${service}/${protocol}/${portName}`;

/** Chains and elements of a port with these endpoints on this node. */
export function portState(
  port: ServicePort,
  endpoints: readonly Endpoint[],
  settings: ProxySettings,
): NftState {
  const { cluster, local, reachable, any } = usable(port, endpoints, settings);
  const state = emptyState();
  const { protocol } = port;
  const base = nameBase(portPath(port));
  const names = new Map(
    reachable.map((endpoint) => [
      endpoint.address,
      nameBase(`${portPath(port)}__${endpoint.ip}/${endpoint.port}`),
    ]),
  );
  const chainOf = (endpoint: Endpoint) => `endpoint-${names.get(endpoint.address)}`;
  const setOf = (endpoint: Endpoint) => `affinity-${names.get(endpoint.address)}`;
  const sticky = port.stickySeconds > 0;

  const svc = `service-${base}`;
  const svl = `local-${base}`;
  const ext = `external-${base}`;
  const fw = `firewall-${base}`;
  const internal = port.internalLocal ? svl : svc;
  const hasInternal = any && (!port.internalLocal || local.length > 0);
  const hasExternal = any && (!port.externalLocal || local.length > 0);
  const firewall = port.loadBalancerVIPs.length > 0 && port.sourceRanges.length > 0;
  const refuse: Element = { verdict: any ? 'drop' : 'goto reject-chain', comment: port.name };
  const at = (ip: string) => `${ip} . ${protocol} . ${port.port}`;
  const put = (container: Container, key: string, element: Element) =>
    state.elements[container].set(key, element);

  put('cluster-ips', port.clusterIP, {});
  if (hasInternal) put('service-ips', at(port.clusterIP), { verdict: `goto ${internal}` });
  else put('no-endpoint-services', at(port.clusterIP), refuse);
  for (const ip of [...port.externalIPs, ...port.loadBalancerVIPs]) {
    if (any) put('service-ips', at(ip), { verdict: `goto ${ext}` });
    if (!hasExternal) put('no-endpoint-services', at(ip), refuse);
  }
  if (firewall)
    for (const ip of port.loadBalancerVIPs) put('firewall-ips', at(ip), { verdict: `goto ${fw}` });
  if (port.nodePort !== 0) {
    const key = `${protocol} . ${port.nodePort}`;
    if (any) put('service-nodeports', key, { verdict: `goto ${ext}` });
    if (!hasExternal) put('no-endpoint-nodeports', key, refuse);
  }

  if (sticky) for (const endpoint of reachable) state.affinity.set(setOf(endpoint), port.stickySeconds);

  const choose = (among: readonly Endpoint[]) => [
    ...(sticky ? among.map((endpoint) => `ip saddr @${setOf(endpoint)} goto ${chainOf(endpoint)}`) : []),
    `numgen random mod ${among.length} vmap { ${among.map((endpoint, i) => `${i} : goto ${chainOf(endpoint)}`).join(' , ')} }`,
  ];
  // Off-cluster traffic to a cluster IP that is routed to this node: the answer has to come back this way.
  const masquerade = (chain: string) =>
    chain === internal && hasInternal && settings.clusterCIDR
      ? [`ip daddr ${port.clusterIP} ip saddr != ${settings.clusterCIDR} jump mark-for-masquerade`]
      : [];
  if (cluster.length > 0 && usesClusterEndpoints(port))
    state.chains.set(svc, [...masquerade(svc), ...choose(cluster)]);
  if (local.length > 0 && usesLocalEndpoints(port))
    state.chains.set(svl, [...masquerade(svl), ...choose(local)]);

  if (any && externallyAccessible(port)) {
    const short = settings.clusterCIDR
      ? [`ip saddr ${settings.clusterCIDR} goto ${svc} comment "short-circuit pod traffic"`]
      : [];
    state.chains.set(ext, [
      ...(port.externalLocal
        ? [
            ...short,
            'fib saddr type local jump mark-for-masquerade comment "masquerade local traffic"',
            `fib saddr type local goto ${svc} comment "short-circuit local traffic"`,
          ]
        : ['jump mark-for-masquerade']),
      ...(hasExternal ? [`goto ${port.externalLocal ? svl : svc}`] : []),
    ]);
  }
  if (firewall) {
    const sources = [
      ...port.sourceRanges,
      ...(allowsNode(port, settings.nodeIP) ? port.loadBalancerVIPs : []),
    ];
    state.chains.set(fw, [`ip saddr != { ${sources.join(', ')} } drop`]);
  }

  for (const endpoint of reachable)
    state.chains.set(chainOf(endpoint), [
      // Hairpin: a pod that meets itself would answer itself directly, past the translation.
      `ip saddr ${endpoint.ip} jump mark-for-masquerade`,
      ...(sticky ? [`update @${setOf(endpoint)} { ip saddr }`] : []),
      `meta l4proto ${protocol} dnat to ${endpoint.address}`,
    ]);
  return state;
}

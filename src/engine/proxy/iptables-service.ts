/**
 * The iptables rules of one service port, chain by chain, as kube-proxy 1.34 writes them.
 *
 * A packet to a Service takes KUBE-SERVICES (nat, by address and port) -> KUBE-SVC-* (choose an endpoint) -> KUBE-SEP-* (DNAT).
 * From outside it takes KUBE-EXT-* first, which decides on masquerading and traffic policy; source ranges put KUBE-FW-* before
 * that. KUBE-SVL-* chooses among the endpoints of this node. Names of chains and texts of comments are what people look for
 * on a real node, so they are the same here.
 */
import { shortHash } from './hash.ts';
import type { ProxySettings } from './place.ts';
import { usable } from './policy.ts';
import {
  externallyAccessible,
  usesClusterEndpoints,
  usesLocalEndpoints,
  type Endpoint,
  type ServicePort,
} from './service-port.ts';

/** Rules by chain, in the order of the chains; a rule is what stands behind `-A CHAIN `. */
export type Chains = Map<string, string[]>;

/** What one port adds to the shared chains, and the chains of its own. */
export interface PortRules {
  /** filter: KUBE-SERVICES, KUBE-EXTERNAL-SERVICES, KUBE-NODEPORTS, KUBE-PROXY-FIREWALL. */
  readonly filter: Chains;
  /** nat: KUBE-SERVICES, KUBE-NODEPORTS. */
  readonly nat: Chains;
  /** nat: KUBE-SVC-*, KUBE-SVL-*, KUBE-EXT-*, KUBE-FW-*, KUBE-SEP-*. */
  readonly own: Chains;
}

/** The name of a chain of a port: KUBE-SVC-, KUBE-SVL-, KUBE-EXT-, KUBE-FW-. */
export const portChain = (prefix: 'SVC' | 'SVL' | 'EXT' | 'FW', port: ServicePort) =>
  `KUBE-${prefix}-${shortHash(port.name + port.protocol, 16)}`;

export const endpointChain = (port: ServicePort, endpoint: Endpoint) =>
  `KUBE-SEP-${shortHash(port.name + port.protocol + endpoint.address, 16)}`;

const quote = (text: string) => (/[^\w./:-]/.test(text) ? `"${text}"` : text);
const comment = (text: string) => `-m comment --comment ${quote(text)}`;

function contains(cidr: string, ip: string): boolean {
  const number = (address: string) =>
    address.split('.').reduce((sum, part) => ((sum << 8) | Number(part)) >>> 0, 0);
  const [base = '', length = '32'] = cidr.split('/');
  const mask = Number(length) === 0 ? 0 : (0xffffffff << (32 - Number(length))) >>> 0;
  return (number(base) & mask) >>> 0 === (number(ip) & mask) >>> 0;
}

/** Whether one of the source ranges holds the node's own address. */
export const allowsNode = (port: ServicePort, nodeIP: string) =>
  port.sourceRanges.some((range) => contains(range, nodeIP));

/** The rules of a port with these endpoints on this node. `brief` leaves comments out (more than 1,000 endpoints in all). */
export function portRules(
  port: ServicePort,
  endpoints: readonly Endpoint[],
  settings: ProxySettings,
  brief = false,
): PortRules {
  const { cluster, local, reachable, any } = usable(port, endpoints, settings);
  const rules: PortRules = { filter: new Map(), nat: new Map(), own: new Map() };
  const into = (chains: Chains) => (chain: string, rule: string) => {
    const list = chains.get(chain);
    if (list) list.push(rule);
    else chains.set(chain, [rule]);
  };
  const filter = into(rules.filter);
  const nat = into(rules.nat);
  const own = into(rules.own);
  const { protocol, name } = port;

  const svc = portChain('SVC', port);
  const svl = portChain('SVL', port);
  const ext = portChain('EXT', port);
  const internal = port.internalLocal ? svl : svc;
  const hasInternal = any && (!port.internalLocal || local.length > 0);
  const hasExternal = any && (!port.externalLocal || local.length > 0);
  const usesExternal = any && externallyAccessible(port);
  const firewall = any && port.loadBalancerVIPs.length > 0 && port.sourceRanges.length > 0;
  const fw = portChain('FW', port);
  // No endpoints at all is answered at once; none on this node is silence, so that a load balancer's health check decides.
  const refuse = any ? 'DROP' : 'REJECT';
  const why = comment(any ? `${name} has no local endpoints` : `${name} has no endpoints`);
  const to = (ip: string, at = port.port) => `-m ${protocol} -p ${protocol} -d ${ip} --dport ${at}`;

  if (hasInternal)
    nat('KUBE-SERVICES', `${comment(`${name} cluster IP`)} ${to(port.clusterIP)} -j ${internal}`);
  else filter('KUBE-SERVICES', `${why} ${to(port.clusterIP)} -j ${refuse}`);

  for (const ip of port.externalIPs) {
    if (any) nat('KUBE-SERVICES', `${comment(`${name} external IP`)} ${to(ip)} -j ${ext}`);
    if (!hasExternal) filter('KUBE-EXTERNAL-SERVICES', `${why} ${to(ip)} -j ${refuse}`);
  }
  for (const ip of port.loadBalancerVIPs) {
    if (any)
      nat('KUBE-SERVICES', `${comment(`${name} loadbalancer IP`)} ${to(ip)} -j ${firewall ? fw : ext}`);
    if (firewall)
      filter('KUBE-PROXY-FIREWALL', `${comment(`${name} traffic not accepted by ${fw}`)} ${to(ip)} -j DROP`);
    if (!hasExternal) filter('KUBE-EXTERNAL-SERVICES', `${why} ${to(ip)} -j ${refuse}`);
  }
  if (port.nodePort !== 0) {
    const match = `-m ${protocol} -p ${protocol} --dport ${port.nodePort}`;
    if (any) nat('KUBE-NODEPORTS', `${comment(name)} ${match} -j ${ext}`);
    if (!hasExternal)
      filter('KUBE-EXTERNAL-SERVICES', `${why} -m addrtype --dst-type LOCAL ${match} -j ${refuse}`);
  }
  if (port.healthCheckNodePort !== 0)
    filter(
      'KUBE-NODEPORTS',
      `${comment(`${name} health check node port`)} -m tcp -p tcp --dport ${port.healthCheckNodePort} -j ACCEPT`,
    );

  // Off-cluster traffic to a cluster IP that is routed to this node: the answer has to come back this way.
  if (hasInternal && settings.clusterCIDR)
    own(
      internal,
      `${comment(`${name} cluster IP`)} ${to(port.clusterIP)} ! -s ${settings.clusterCIDR} -j KUBE-MARK-MASQ`,
    );

  if (usesExternal) {
    rules.own.set(ext, []);
    if (!port.externalLocal)
      own(ext, `${comment(`masquerade traffic for ${name} external destinations`)} -j KUBE-MARK-MASQ`);
    else {
      if (settings.clusterCIDR)
        own(
          ext,
          `${comment(`pod traffic for ${name} external destinations`)} -s ${settings.clusterCIDR} -j ${svc}`,
        );
      own(
        ext,
        `${comment(`masquerade LOCAL traffic for ${name} external destinations`)} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ`,
      );
      own(
        ext,
        `${comment(`route LOCAL traffic for ${name} external destinations`)} -m addrtype --src-type LOCAL -j ${svc}`,
      );
    }
    if (hasExternal) own(ext, `-j ${port.externalLocal ? svl : svc}`);
  }

  if (firewall) {
    const allowed = allowsNode(port, settings.nodeIP) ? port.loadBalancerVIPs : [];
    for (const source of [...port.sourceRanges, ...allowed])
      own(fw, `${comment(`${name} loadbalancer IP`)} -s ${source} -j ${ext}`);
    // It has no target: the packet falls out without DNAT and meets KUBE-PROXY-FIREWALL.
    own(fw, comment(`other traffic to ${name} will be dropped by KUBE-PROXY-FIREWALL`));
  }

  if (cluster.length > 0 && usesClusterEndpoints(port)) choose(svc, cluster);
  if (local.length > 0 && usesLocalEndpoints(port)) choose(svl, local);

  for (const endpoint of reachable) {
    const chain = endpointChain(port, endpoint);
    const note = brief ? '' : `${comment(name)} `;
    const sticky = port.stickySeconds > 0 ? `-m recent --name ${chain} --set ` : '';
    // Hairpin: a pod that meets itself would answer itself directly, past the translation.
    own(chain, `${note}-s ${endpoint.ip} -j KUBE-MARK-MASQ`);
    own(chain, `${note}${sticky}-m ${protocol} -p ${protocol} -j DNAT --to-destination ${endpoint.address}`);
  }
  return rules;

  function choose(chain: string, among: readonly Endpoint[]) {
    const note = (endpoint: Endpoint) => (brief ? '' : `${comment(`${name} -> ${endpoint.address}`)} `);
    if (port.stickySeconds > 0)
      for (const endpoint of among) {
        const target = endpointChain(port, endpoint);
        own(
          chain,
          `${note(endpoint)}-m recent --name ${target} --rcheck --seconds ${port.stickySeconds} --reap -j ${target}`,
        );
      }
    among.forEach((endpoint, index) => {
      const left = among.length - index;
      const dice = left > 1 ? `-m statistic --mode random --probability ${(1 / left).toFixed(10)} ` : '';
      own(chain, `${note(endpoint)}${dice}-j ${endpointChain(port, endpoint)}`);
    });
  }
}

/**
 * What NetworkPolicy v1 asks for, as felix would be told it: per policy and direction a list of rules, each with the
 * sets of addresses that it matches (Kubernetes: Network Policies; API reference NetworkPolicySpec).
 */
import type { KubeObject } from '../client/types.ts';
import { setName } from './names.ts';

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

interface Peer {
  podSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  ipBlock?: { cidr: string; except?: string[] };
}

interface Port {
  protocol?: string;
  port?: number | string;
  endPort?: number;
}

/** What felix knows of a pod. */
export interface Endpoint {
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
}

/** An ipset with its members, in ipset's own words. */
export interface AddressSet {
  readonly name: string;
  readonly type: 'hash:ip' | 'hash:net' | 'hash:ip,port';
  readonly members: ReadonlySet<string>;
}

/** One match of a policy chain: a protocol, ports, a set of addresses on the other side. Undefined matches all. */
export interface Match {
  readonly protocol?: string;
  readonly ports?: string;
  /** A set of address and port of the destination, for a named port. */
  readonly portSet?: string;
  readonly peerSet?: string;
}

/** One policy in one direction. */
export interface Side {
  readonly namespace: string;
  readonly name: string;
  readonly direction: 'in' | 'out';
  readonly matches: readonly Match[];
  selects(endpoint: Endpoint): boolean;
}

export interface Meaning {
  readonly sides: readonly Side[];
  readonly sets: ReadonlyMap<string, AddressSet>;
}

/** Whether labels meet a selector; an empty selector is met by all (LabelSelector v1 meta). */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const byLabel = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    byLabel &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const has = Object.hasOwn(labels, key);
      switch (operator) {
        case 'In':
          return has && values.includes(labels[key]!);
        case 'NotIn':
          return !has || !values.includes(labels[key]!);
        case 'Exists':
          return has;
        case 'DoesNotExist':
          return !has;
        default:
          return false; // Validation refuses it before it comes here.
      }
    })
  );
}

/** Whether a NetworkPolicy is about this pod. */
export const selectsPod = (policy: KubeObject, endpoint: Endpoint): boolean =>
  policy.metadata.namespace === endpoint.namespace && selects(policy.spec.podSelector ?? {}, endpoint.labels);

/** Works out what the policies mean for these pods and namespaces. */
export function meaningOf(
  policies: readonly KubeObject[],
  endpoints: readonly Endpoint[],
  namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>,
): Meaning {
  const sets = new Map<string, AddressSet>();
  const keep = (name: string, type: AddressSet['type'], members: () => Iterable<string>): string => {
    if (!sets.has(name)) sets.set(name, { name, type, members: new Set(members()) });
    return name;
  };

  const chosen = (peer: Peer, own: string) =>
    endpoints.filter(
      (one) =>
        (peer.namespaceSelector
          ? namespaces.has(one.namespace) && selects(peer.namespaceSelector, namespaces.get(one.namespace)!)
          : one.namespace === own) && selects(peer.podSelector ?? {}, one.labels),
    );

  const peerSet = (peer: Peer, own: string): string => {
    if (peer.ipBlock) {
      const { cidr, except = [] } = peer.ipBlock;
      return keep(setName('b', JSON.stringify([cidr, except])), 'hash:net', () => [
        ...halves(cidr),
        ...except.flatMap(halves).map((net) => `${net} nomatch`),
      ]);
    }
    const where = peer.namespaceSelector ? JSON.stringify(peer.namespaceSelector) : own;
    const meaning = `${where} ${JSON.stringify(peer.podSelector ?? {})}`;
    return keep(setName('s', meaning), 'hash:ip', () => chosen(peer, own).map((one) => one.ip));
  };

  /** A named port is another number in each pod: a set of address and port of those that have it. */
  const portMatch = (port: Port): Match => {
    const protocol = (port.protocol ?? 'TCP').toLowerCase();
    if (port.port === undefined) return { protocol };
    if (typeof port.port === 'number')
      return {
        protocol,
        ports: port.endPort === undefined ? `${port.port}` : `${port.port}:${port.endPort}`,
      };
    const name = port.port;
    const portSet = keep(setName('n', `${protocol} ${name}`), 'hash:ip,port', () =>
      endpoints.flatMap((one) =>
        one.ports
          .filter((own) => own.name === name && own.protocol.toLowerCase() === protocol)
          .map((own) => `${one.ip},${protocol}:${own.port}`),
      ),
    );
    return { protocol, portSet };
  };

  const matchesOf = (
    rule: { peers: Peer[] | undefined; ports: Port[] | undefined },
    own: string,
  ): Match[] => {
    const ports: Match[] = rule.ports?.length ? rule.ports.map(portMatch) : [{}];
    const peers: Match[] = rule.peers?.length
      ? rule.peers.map((peer) => ({ peerSet: peerSet(peer, own) }))
      : [{}];
    return ports.flatMap((port) => peers.map((peer) => ({ ...port, ...peer })));
  };

  const sides = policies.flatMap((policy): Side[] => {
    const namespace = policy.metadata.namespace!;
    const { ingress = [], egress, policyTypes } = policy.spec;
    const types: string[] = policyTypes ?? (egress?.length ? ['Ingress', 'Egress'] : ['Ingress']);
    const side = (direction: 'in' | 'out', matches: Match[]): Side => ({
      namespace,
      name: policy.metadata.name,
      direction,
      matches,
      selects: (one) => selectsPod(policy, one),
    });
    return [
      ...(types.includes('Ingress')
        ? [
            side(
              'in',
              ingress.flatMap((rule: { from?: Peer[]; ports?: Port[] }) =>
                matchesOf({ peers: rule.from, ports: rule.ports }, namespace),
              ),
            ),
          ]
        : []),
      ...(types.includes('Egress')
        ? [
            side(
              'out',
              (egress ?? []).flatMap((rule: { to?: Peer[]; ports?: Port[] }) =>
                matchesOf({ peers: rule.to, ports: rule.ports }, namespace),
              ),
            ),
          ]
        : []),
    ];
  });
  // Policies of one order are applied by name (calico: policy ordering).
  sides.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return { sides, sets };
}

/** A hash:net set cannot hold a prefix of length 0 (ipset(8)): the whole is written as its two halves. */
const halves = (cidr: string): string[] => (cidr.endsWith('/0') ? ['0.0.0.0/1', '128.0.0.0/1'] : [cidr]);

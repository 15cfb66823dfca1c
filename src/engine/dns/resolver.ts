/**
 * Answers as CoreDNS with kubeadm's Corefile does: `kubernetes cluster.local in-addr.arpa` with `pods insecure`,
 * `fallthrough in-addr.arpa`, `ttl 30`, `forward . /etc/resolv.conf` and `loadbalance`.
 *
 * There is nobody to forward to: the sandbox has no way out. Names outside the cluster get `upstream`.
 */
import type { ClusterNames, Found, Lookup } from './records.ts';
import {
  formatError,
  readQuery,
  TYPES,
  writeReply,
  type Answer,
  type Query,
  type Rcode,
  type Reply,
} from './wire.ts';

export interface ResolverOptions {
  /** In lower case without a last dot. */
  readonly domain: string;
  /** How names outside the cluster are answered. */
  readonly upstream: Rcode;
  /** In [0, 1): for the order of addresses. */
  readonly random?: () => number;
}

const TTL = 30;
/** RFC 1035: what every asker takes by UDP. */
const UDP_LIMIT = 512;
const REVERSE = 'in-addr.arpa';

/** A pure function of the names: a message in, a message out; undefined for what is no query and gets no answer. */
export function createResolver(names: ClusterNames, options: ResolverOptions) {
  const { domain, upstream, random = Math.random } = options;

  return function answer(message: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
    let query: Query | undefined;
    try {
      query = readQuery(message);
    } catch {
      return message.length >= 12 ? formatError(message) : undefined;
    }
    if (!query) return undefined;
    const limit = transport === 'tcp' ? 65_535 : (query.udpSize ?? UDP_LIMIT);
    return writeReply(query, reply(query), limit);
  };

  function reply(query: Query): Reply {
    const lower = query.name.toLowerCase();
    if (query.opcode !== 0) return bare('NOTIMP', false);
    if (query.type === TYPES.AXFR || query.type === TYPES.IXFR) return bare('REFUSED', false);
    if (lower === REVERSE || lower.endsWith(`.${REVERSE}`)) return reverse(query, lower);
    if (lower !== domain && !lower.endsWith(`.${domain}`)) return bare(upstream, false);

    // The zone keeps the case of the question, as names in answers do.
    const zone = query.name.slice(query.name.length - domain.length);
    const relative = lower.slice(0, -domain.length).replace(/\.$/, '');
    return cluster(query, zone, relative);
  }

  function cluster(query: Query, zone: string, relative: string): Reply {
    const { name, type } = query;
    if (relative === '' && type === TYPES.SOA) return full([soa(zone)]);
    if (relative === '' && type === TYPES.NS) {
      const dns = `kube-dns.kube-system.svc.${zone}`;
      const target = names.find('kube-dns.kube-system.svc') === 'absent' ? `ns.dns.${zone}` : dns;
      return full([{ type: 'NS', name: zone, ttl: TTL, target }], addresses(target, names.find('ns.dns')));
    }
    if (relative === 'dns-version' && type === TYPES.TXT)
      return full([{ type: 'TXT', name, ttl: 28_800, text: '1.1.0' }]);

    const found = names.find(relative);
    if (found === 'absent') return negative('NXDOMAIN', zone);
    let answers: Answer[] = [];
    let additional: Answer[] = [];
    if (type === TYPES.A || type === TYPES.AAAA) answers = follow(name, found, type, 0);
    else if (type === TYPES.CNAME) answers = aliases(name, found);
    else if (type === TYPES.SRV) [answers, additional] = services(name, found);
    if (answers.length === 0) return negative('NOERROR', zone);
    return full(answers, additional);
  }

  /** Addresses of a name, through aliases as far as they lead to names of the cluster (at most 8). */
  function follow(name: string, found: readonly Found[], type: number, depth: number): Answer[] {
    if (type === TYPES.A && found.some(({ kind }) => kind === 'address'))
      return shuffle(addresses(name, found));
    return aliases(name, found).flatMap((alias) => {
      if (alias.type !== 'CNAME' || depth > 7) return [];
      const target = alias.target.toLowerCase();
      if (target === name.toLowerCase()) return [];
      if (!target.endsWith(`.${domain}`)) return [alias]; // Asked upstream, which knows nothing.
      const next = names.find(target.slice(0, -domain.length - 1));
      const rest = next === 'absent' ? [] : follow(alias.target, next, type, depth + 1);
      return rest.length > 0 ? [alias, ...rest] : [];
    });
  }

  function addresses(name: string, found: Lookup): Answer[] {
    if (found === 'absent') return [];
    const all = found.flatMap((one) => (one.kind === 'address' ? [one.address] : []));
    return [...new Set(all)].map((address) => ({ type: 'A', name, ttl: TTL, address }));
  }

  function aliases(name: string, found: readonly Found[]): Answer[] {
    return found.flatMap((one) =>
      one.kind === 'alias' ? [{ type: 'CNAME' as const, name, ttl: TTL, target: one.target }] : [],
    );
  }

  /** SRV records, and the addresses of what they name. Weights share 100 (CoreDNS; RFC 2782 leaves them to the server). */
  function services(name: string, found: readonly Found[]): [Answer[], Answer[]] {
    const all = found.filter((one) => one.kind === 'address');
    const answers: Answer[] = [];
    const extra = new Map<string, Answer>();
    const weight = Math.floor(100 / Math.max(all.length, 1));
    for (const { address, port, owner } of all) {
      answers.push({
        type: 'SRV',
        name,
        ttl: TTL,
        priority: 0,
        weight,
        port: Math.max(port, 0),
        target: owner,
      });
      extra.set(`${owner} ${address}`, { type: 'A', name: owner, ttl: TTL, address });
    }
    return [answers, [...extra.values()]];
  }

  function reverse(query: Query, lower: string): Reply {
    const address = lower
      .slice(0, -REVERSE.length - 1)
      .split('.')
      .reverse()
      .join('.');
    const targets = names.reverse(address);
    if (targets.length === 0) return bare(upstream, false); // fallthrough in-addr.arpa
    if (query.type !== TYPES.PTR) return negative('NOERROR', REVERSE);
    return full(targets.map((target) => ({ type: 'PTR', name: query.name, ttl: TTL, target })));
  }

  function soa(zone: string): Answer {
    return {
      type: 'SOA',
      name: zone,
      ttl: TTL,
      mname: `ns.dns.${zone}`,
      rname: `hostmaster.${zone}`,
      serial: names.serial,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: TTL,
    };
  }

  /** The zone's SOA says how long the absence may be remembered (RFC 2308). */
  function negative(rcode: Rcode, zone: string): Reply {
    return { ...bare(rcode, true), authority: [soa(zone)] };
  }

  function full(answers: readonly Answer[], additional: readonly Answer[] = []): Reply {
    return { ...bare('NOERROR', true), answers, additional };
  }

  function bare(rcode: Rcode, authoritative: boolean): Reply {
    return {
      rcode,
      authoritative,
      recursionAvailable: !authoritative,
      answers: [],
      authority: [],
      additional: [],
    };
  }

  function shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [list[i], list[j]] = [list[j] as T, list[i] as T];
    }
    return list;
  }
}

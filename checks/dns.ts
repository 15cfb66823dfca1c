/** What does the cluster's DNS say? Asked with dig from inside a pod, of the server that the pod's resolv.conf names. */
import { derive, notAsked, type Observation } from '../src/model/observation.ts';
import { text } from '../src/model/text.ts';
import type { Cluster } from '../src/cluster/port.ts';
import { batch, byPod, quote, understand, type Piece } from './batch.ts';
import type { PodHandle, Stage } from './experiment.ts';

export interface DnsQuestion {
  readonly from: PodHandle;
  /**
   * A name. One that ends in `.svc` is completed by the cluster's domain (`web.lab.svc` -> `web.lab.svc.cluster.local`),
   * which the pod's own resolv.conf tells; any other is asked as it is.
   */
  readonly name: string;
  /** `A` when not said. */
  readonly type?: 'A' | 'AAAA' | 'SRV' | 'PTR' | 'TXT';
  readonly server?: string;
}

export interface DnsAnswer {
  /** NOERROR, NXDOMAIN, SERVFAIL ... (RFC 1035 section 4.1.1), or `NO-ANSWER` when no server answered. */
  readonly rcode: string;
  /** Data of the answer section, sorted: addresses, `0 100 80 web...` for SRV. */
  readonly data: readonly string[];
  /** Time to live of the first record, in seconds. */
  readonly ttl?: number;
}

const LIMIT = 2;

/** dig's exit code for no reply from a server (dig manual, RETURN CODES). */
const NO_REPLY = 9;

/** Reads dig's answer. @returns undefined when it cannot be made sense of */
export function readDig({ code, output }: Piece): DnsAnswer | undefined {
  const rcode = /->>HEADER<<- opcode: \w+, status: (\w+),/.exec(output)?.[1];
  if (rcode === undefined)
    return code === NO_REPLY || /no servers could be reached/.test(output)
      ? { rcode: 'NO-ANSWER', data: [] }
      : undefined;
  const section = /;; ANSWER SECTION:\n([^]*?)(?:\n\n|\n;;|$)/.exec(output)?.[1] ?? '';
  const records = section
    .split('\n')
    .map((line) => /^\S+\s+(\d+)\s+IN\s+(\S+)\s+(.*)$/.exec(line.trim()))
    .filter((match) => match !== null);
  return {
    rcode,
    data: records.map((match) => match[3]!).sort(),
    ...(records[0] ? { ttl: Number(records[0][1]) } : {}),
  };
}

/** The cluster's domain as a pod's resolv.conf tells it (Kubernetes: DNS for Services and Pods). */
export const domainOf = (resolvConf: string): string | undefined =>
  /^search\s.*?\bsvc\.(\S+)/m.exec(resolvConf)?.[1]?.replace(/\.$/, '');

const domains = new WeakMap<Cluster, string>();

/** Asks a pod for the cluster's domain, once for each cluster. */
export async function clusterDomain(stage: Stage, pod: PodHandle): Promise<Observation<string>> {
  const known = domains.get(stage.cluster);
  if (known !== undefined) return { asked: true, value: known, probes: [] };
  const seen = await stage.exec(pod, ['cat', '/etc/resolv.conf']);
  if (!seen.asked) return seen;
  const domain = domainOf(seen.value.stdout);
  if (domain === undefined)
    return notAsked(
      text('resolv.conf of the pod names no cluster domain', 'Pod 的 resolv.conf 中没有集群域名'),
      ...seen.probes,
    );
  domains.set(stage.cluster, domain);
  return { ...seen, value: domain };
}

/** Asks all questions at once, one exec in each pod that asks. One try each: what got no answer says so. */
export function dnsAll(stage: Stage, questions: readonly DnsQuestion[]): Promise<Observation<DnsAnswer>[]> {
  return byPod(questions, async (pod, group): Promise<Observation<DnsAnswer>[]> => {
    const domain = await clusterDomain(stage, pod);
    if (!domain.asked) return group.map(() => domain);
    const commands = group.map(({ name, type = 'A', server }) => {
      const whole = /\.svc$/.test(name) ? `${name}.${domain.value}.` : name;
      const argv = ['dig', '+tries=1', `+time=${LIMIT}`, ...(server ? [`@${server}`] : []), whole, type];
      return { argv, shown: argv.map(quote).join(' ') };
    });
    const pieces = await batch(stage, pod, commands, { each: LIMIT * 1000 });
    return pieces.map((piece) => understand(piece, readDig));
  });
}

export async function dns(
  stage: Stage,
  from: PodHandle,
  name: string,
  type: DnsQuestion['type'] = 'A',
): Promise<Observation<DnsAnswer>> {
  return (await dnsAll(stage, [{ from, name, type }]))[0]!;
}

/** As a row shows it: the data of a good answer, or the code of any other; `NOERROR (empty)` for a name without such a record. */
export const dnsSaid = (seen: Observation<DnsAnswer>): Observation<string> =>
  derive(seen, ({ rcode, data }) =>
    data.length > 0 ? data.join(' ') : rcode === 'NOERROR' ? 'NOERROR (empty)' : rcode,
  );

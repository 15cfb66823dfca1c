/** The names of a cluster, as CoreDNS' kubernetes plugin finds them (Kubernetes DNS specification 1.1.0). */
import type { Client, Informer, KubeObject } from '../client/types.ts';
import { gr } from '../client/types.ts';

interface ServiceLike extends KubeObject {
  spec?: {
    type?: string;
    clusterIP?: string;
    externalName?: string;
    ports?: { name?: string; port: number; protocol?: string }[];
  };
}

interface SliceLike extends KubeObject {
  addressType: string;
  ports?: { name?: string; port?: number; protocol?: string }[];
  endpoints: { addresses: string[]; hostname?: string; conditions?: { ready?: boolean } }[];
}

/** One thing that a name stands for. */
export type Found =
  | { readonly kind: 'address'; readonly address: string; readonly port: number; readonly owner: string }
  | { readonly kind: 'alias'; readonly target: string };

/** 'absent' is NXDOMAIN; an empty list is a name that exists without such records. */
export type Lookup = readonly Found[] | 'absent';

const isIPv4 = (address: string | undefined): address is string => /^\d+\.\d+\.\d+\.\d+$/.test(address ?? '');

export class ClusterNames {
  private readonly services = new Map<string, ServiceLike>();
  private readonly slices = new Map<string, Map<string, SliceLike>>();
  private readonly namespaces: Informer;
  private readonly stops: (() => void)[];
  /** When something last changed, in seconds since 1970: the serial of the zone. */
  serial = Math.floor(Date.now() / 1000);

  /** @param domain of the cluster, in lower case without a last dot, e.g. `cluster.local` */
  constructor(
    client: Client,
    private readonly domain: string,
  ) {
    const services = client.informer<ServiceLike>(gr('services'));
    const slices = client.informer<SliceLike>(gr('endpointslices', 'discovery.k8s.io'));
    this.namespaces = client.informer(gr('namespaces'));
    services.onChange(({ type, object }) => {
      const key = `${object.metadata.name}.${object.metadata.namespace}`;
      if (type === 'DELETED') this.services.delete(key);
      else this.services.set(key, object);
      this.touch();
    });
    slices.onChange(({ type, object }) => {
      const key = `${object.metadata.labels?.['kubernetes.io/service-name']}.${object.metadata.namespace}`;
      const some = this.slices.get(key) ?? new Map<string, SliceLike>();
      if (type === 'DELETED' || object.addressType !== 'IPv4') some.delete(object.metadata.name);
      else some.set(object.metadata.name, object);
      if (some.size > 0) this.slices.set(key, some);
      else this.slices.delete(key);
      this.touch();
    });
    this.stops = [services, slices, this.namespaces].map((informer) => () => informer.stop());
  }

  stop(): void {
    this.stops.forEach((stop) => stop());
  }

  /** Looks a name below the domain up; `relative` is what stands before the domain, in lower case, '' for the domain itself. */
  find(relative: string): Lookup {
    if (relative === 'ns.dns') return this.find('kube-dns.kube-system.svc');
    const labels = relative === '' ? [] : relative.split('.');
    const kind = labels.pop();
    if (kind === undefined) return [];
    if (kind !== 'svc' && kind !== 'pod') return 'absent';
    const namespace = labels.pop();
    if (namespace === undefined) return [];
    if (!this.namespaces.get(namespace)) return 'absent';
    const name = labels.pop();
    if (name === undefined) return [];
    return kind === 'pod' ? this.pod(name, namespace, labels) : this.service(name, namespace, labels);
  }

  /** What an address is called; [] when it is nobody's. */
  reverse(address: string): string[] {
    for (const { metadata, spec } of this.services.values())
      if (spec?.clusterIP === address) return [`${metadata.name}.${metadata.namespace}.svc.${this.domain}`];
    const names: string[] = [];
    for (const [service, slices] of this.slices)
      for (const { endpoints } of slices.values())
        for (const endpoint of endpoints ?? [])
          if (isReady(endpoint) && endpoint.addresses[0] === address)
            names.push(`${hostOf(endpoint)}.${service}.svc.${this.domain}`);
    return names;
  }

  private touch(): void {
    this.serial = Math.floor(Date.now() / 1000);
  }

  /** `pods insecure`: the address is taken from the name, whether such a pod exists or not. */
  private pod(name: string, namespace: string, before: readonly string[]): Lookup {
    const address = name.replaceAll('-', '.');
    if (before.length > 0 || !isIPv4(address) || address.split('.').some((part) => Number(part) > 255))
      return 'absent';
    return [{ kind: 'address', address, port: 0, owner: `${name}.${namespace}.pod.${this.domain}` }];
  }

  /** `before` is what stands before the Service: nothing, the host name of an endpoint, or `_port._protocol`. */
  private service(name: string, namespace: string, before: readonly string[]): Lookup {
    if (before.length > 2) return 'absent';
    const key = `${name}.${namespace}`;
    const spec = this.services.get(key)?.spec;
    if (!spec) return 'absent';
    const host = before.length === 1 ? before[0] : undefined;
    const [portName, protocol] = before.length === 2 ? before.map((label) => label.replace(/^_/, '')) : [];
    const owner = `${key}.svc.${this.domain}`;
    const matches = (port: { name?: string; protocol?: string }) =>
      portName === undefined ||
      (portName === (port.name ?? '').toLowerCase() && protocol === (port.protocol ?? 'TCP').toLowerCase());

    if (spec.type === 'ExternalName')
      return before.length === 0 && spec.externalName
        ? [{ kind: 'alias', target: spec.externalName.replace(/\.$/, '') }]
        : 'absent';

    const found: Found[] = [];
    if (spec.clusterIP === 'None' || host !== undefined) {
      const seen = new Set<string>();
      for (const { endpoints, ports } of this.slices.get(key)?.values() ?? [])
        for (const endpoint of endpoints ?? []) {
          const [address] = endpoint.addresses;
          if (!isReady(endpoint) || address === undefined) continue;
          if (host !== undefined && hostOf(endpoint) !== host) continue;
          // A headless Service may have no ports at all; its addresses are found all the same.
          const all = ports?.length ? ports : [{ port: 0 }];
          for (const port of all) {
            const once = `${address} ${port.port} ${hostOf(endpoint)}`;
            if (!matches(port) || seen.has(once)) continue;
            seen.add(once);
            found.push({
              kind: 'address',
              address,
              port: port.port ?? 0,
              owner: `${hostOf(endpoint)}.${owner}`,
            });
          }
        }
    } else if (isIPv4(spec.clusterIP))
      for (const port of spec.ports ?? [])
        if (matches(port)) found.push({ kind: 'address', address: spec.clusterIP, port: port.port, owner });
    return found.length > 0 ? found : 'absent';
  }
}

const isReady = ({ conditions }: SliceLike['endpoints'][number]) => conditions?.ready ?? true;

/** The name of an endpoint below its Service: its host name, or its address with dashes. */
const hostOf = ({ hostname, addresses }: SliceLike['endpoints'][number]) =>
  hostname || (addresses[0] ?? '').replaceAll('.', '-');

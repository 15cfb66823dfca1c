/**
 * A Service cut into ports, and its EndpointSlices into endpoints per port: what the rules are made from.
 * IPv4 only. Source of the semantics: the Service and EndpointSlice API references, KEP-1669 (terminating endpoints).
 */
import { SERVICE_NAME, OTHER_PROXY, type EndpointSlice, type Protocol, type Service } from './objects.ts';

/** One port of one Service. All addresses are IPv4 in dotted form. */
export interface ServicePort {
  /** `namespace/name:port`, or `namespace/name` for a port without a name. */
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly portName: string;
  /** Lower case, as in rules. */
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly clusterIP: string;
  readonly port: number;
  /** 0 when there is none. */
  readonly nodePort: number;
  readonly externalIPs: readonly string[];
  /** Ingress addresses of mode VIP (KEP-1860). */
  readonly loadBalancerVIPs: readonly string[];
  /** Empty means everybody. */
  readonly sourceRanges: readonly string[];
  /** Seconds that a client stays with its endpoint; 0 without session affinity. */
  readonly stickySeconds: number;
  readonly externalLocal: boolean;
  readonly internalLocal: boolean;
  /** 0 when there is none. */
  readonly healthCheckNodePort: number;
}

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
  /** `ip:port` */
  readonly address: string;
  readonly local: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
}

const isIPv4 = (address: string) => /^\d+\.\d+\.\d+\.\d+(\/\d+)?$/.test(address);

/** Whether traffic can come from outside by this port. */
export const externallyAccessible = (port: ServicePort) =>
  port.nodePort !== 0 || port.loadBalancerVIPs.length > 0 || port.externalIPs.length > 0;

/**
 * Whether endpoints on all nodes are ever used: also with an external policy of Local,
 * because traffic that starts inside the cluster is not subject to it.
 */
export const usesClusterEndpoints = (port: ServicePort) => !port.internalLocal || externallyAccessible(port);

export const usesLocalEndpoints = (port: ServicePort) =>
  port.internalLocal || (port.externalLocal && externallyAccessible(port));

/** The key of one port among all: two ports of a Service may share a number with different protocols. */
export const portKey = (namespace: string, service: string, portName: string, protocol: string) =>
  `${namespace}/${service}:${portName}/${protocol.toLowerCase()}`;

/** The ports of a Service that a proxy has to serve: none for headless and ExternalName ones. */
export function servicePorts(service: Service): ServicePort[] {
  const { spec, metadata, status } = service;
  if (!spec || spec.type === 'ExternalName' || metadata.labels?.[OTHER_PROXY] !== undefined) return [];
  const clusterIP = spec.clusterIPs?.find(isIPv4) ?? spec.clusterIP ?? '';
  if (!isIPv4(clusterIP)) return [];
  const namespace = metadata.namespace ?? 'default';
  const ranges = (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()).filter(isIPv4);
  const external =
    spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.externalIPs?.length ?? 0) > 0;
  const externalLocal = external && spec.externalTrafficPolicy === 'Local';
  const common = {
    namespace,
    service: metadata.name,
    clusterIP,
    externalIPs: (spec.externalIPs ?? []).filter(isIPv4),
    loadBalancerVIPs: (status?.loadBalancer?.ingress ?? [])
      .filter(({ ip, ipMode }) => ip !== undefined && isIPv4(ip) && (ipMode ?? 'VIP') === 'VIP')
      .map(({ ip }) => ip as string),
    sourceRanges: ranges.some((range) => range.endsWith('/0')) ? [] : ranges,
    stickySeconds:
      spec.sessionAffinity === 'ClientIP'
        ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800)
        : 0,
    externalLocal,
    internalLocal: spec.internalTrafficPolicy === 'Local',
    healthCheckNodePort: spec.type === 'LoadBalancer' && externalLocal ? (spec.healthCheckNodePort ?? 0) : 0,
  };
  return (spec.ports ?? []).map((port) => ({
    ...common,
    name: `${namespace}/${metadata.name}${port.name ? `:${port.name}` : ''}`,
    portName: port.name ?? '',
    protocol: (port.protocol ?? 'TCP').toLowerCase() as ServicePort['protocol'],
    port: port.port,
    nodePort: port.nodePort ?? 0,
  }));
}

/** The Service that a slice belongs to, as `namespace/name`; undefined for a slice of nobody. */
export function serviceOfSlice(slice: EndpointSlice): string | undefined {
  const name = slice.metadata.labels?.[SERVICE_NAME];
  return name ? `${slice.metadata.namespace ?? 'default'}/${name}` : undefined;
}

/**
 * The endpoints of all slices of one Service, by {@link portKey}, sorted by address as text.
 * An address that stands in several slices counts once; the one on this node wins.
 */
export function endpointsByPort(slices: Iterable<EndpointSlice>, node: string): Map<string, Endpoint[]> {
  const found = new Map<string, Map<string, Endpoint>>();
  for (const slice of slices) {
    const service = slice.metadata.labels?.[SERVICE_NAME];
    if (slice.addressType !== 'IPv4' || !service) continue;
    for (const { name, port, protocol } of slice.ports ?? []) {
      if (!port) continue;
      const key = portKey(
        slice.metadata.namespace ?? 'default',
        service,
        name ?? '',
        protocol ?? ('TCP' satisfies Protocol),
      );
      const among = found.get(key) ?? new Map<string, Endpoint>();
      found.set(key, among);
      for (const { addresses, conditions, nodeName, hints } of slice.endpoints ?? []) {
        const ip = addresses[0];
        if (ip === undefined) continue;
        const address = `${ip}:${port}`;
        const local = nodeName === node;
        if (among.has(address) && !local) continue;
        among.set(address, {
          ip,
          port,
          address,
          local,
          ready: conditions?.ready ?? true,
          serving: conditions?.serving ?? true,
          terminating: conditions?.terminating ?? false,
          zoneHints: (hints?.forZones ?? []).map((zone) => zone.name),
          nodeHints: (hints?.forNodes ?? []).map((on) => on.name),
        });
      }
    }
  }
  const sorted = new Map<string, Endpoint[]>();
  for (const [key, among] of found)
    sorted.set(
      key,
      [...among.values()].sort((a, b) => (a.address < b.address ? -1 : 1)),
    );
  return sorted;
}

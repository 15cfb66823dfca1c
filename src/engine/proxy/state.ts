/** All Services and their endpoints as a proxy sees them, and which of them changed since it last looked. */
import type { Change } from '../client/types.ts';
import type { EndpointSlice, Service } from './objects.ts';
import {
  endpointsByPort,
  portKey,
  serviceOfSlice,
  servicePorts,
  type Endpoint,
  type ServicePort,
} from './service-port.ts';

/** What changed: names of Services as `namespace/name`, and whether an endpoint of a UDP port was among it. */
export interface Changed {
  readonly services: ReadonlySet<string>;
  readonly udp: boolean;
}

export class ProxyState {
  private readonly ports = new Map<string, readonly ServicePort[]>();
  private readonly slices = new Map<string, Map<string, EndpointSlice>>();
  private readonly endpoints = new Map<string, Map<string, Endpoint[]>>();
  private readonly stale = new Set<string>();
  private changed = new Set<string>();
  private udp = false;

  constructor(private readonly node: string) {}

  /** Takes in a change of a Service; tells whether anything about its ports is different. */
  onService({ type, object }: Change<Service>): boolean {
    const key = `${object.metadata.namespace ?? 'default'}/${object.metadata.name}`;
    const before = this.ports.get(key);
    const now = type === 'DELETED' ? [] : servicePorts(object);
    if (same(before ?? [], now)) return false;
    if (now.length > 0) this.ports.set(key, now);
    else this.ports.delete(key);
    this.changed.add(key);
    return true;
  }

  /** Takes in a change of a slice; tells whether a sync is needed. */
  onSlice({ type, object }: Change<EndpointSlice>): boolean {
    const key = serviceOfSlice(object);
    if (key === undefined || object.addressType !== 'IPv4') return false;
    const slices = this.slices.get(key) ?? new Map<string, EndpointSlice>();
    if (type === 'DELETED') slices.delete(object.metadata.name);
    else slices.set(object.metadata.name, object);
    if (slices.size > 0) this.slices.set(key, slices);
    else this.slices.delete(key);
    this.stale.add(key);
    return true;
  }

  /** Hands out what changed since the last call. */
  take(): Changed {
    for (const key of this.stale) {
      const before = this.endpoints.get(key);
      const now = endpointsByPort(this.slices.get(key)?.values() ?? [], this.node);
      if (same([...(before ?? [])], [...now])) continue;
      if (now.size > 0) this.endpoints.set(key, now);
      else this.endpoints.delete(key);
      this.changed.add(key);
      this.udp ||= [...(before?.keys() ?? []), ...now.keys()].some((port) => port.endsWith('/udp'));
    }
    this.stale.clear();
    const result = { services: this.changed, udp: this.udp };
    this.changed = new Set();
    this.udp = false;
    return result;
  }

  /** Names of all Services with ports, sorted, so that rules stand in the same order on every node. */
  services(): string[] {
    return [...this.ports.keys()].sort();
  }

  portsOf(service: string): readonly ServicePort[] {
    return this.ports.get(service) ?? [];
  }

  endpointsOf({ namespace, service, portName, protocol }: ServicePort): readonly Endpoint[] {
    return (
      this.endpoints.get(`${namespace}/${service}`)?.get(portKey(namespace, service, portName, protocol)) ??
      []
    );
  }

  /** How many endpoints all ports have together. */
  countEndpoints(): number {
    let sum = 0;
    for (const [service, byPort] of this.endpoints)
      if (this.ports.has(service)) for (const among of byPort.values()) sum += among.length;
    return sum;
  }

  /** Ready endpoints on this node, by address, of one Service: what its health check tells. */
  localReady(service: string): number {
    const ips = new Set<string>();
    for (const among of this.endpoints.get(service)?.values() ?? [])
      for (const endpoint of among) if (endpoint.local && endpoint.ready) ips.add(endpoint.ip);
    return ips.size;
  }
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

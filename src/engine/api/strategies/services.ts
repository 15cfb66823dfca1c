/** Services: defaults and the allocation of ClusterIPs and node ports (KEP-3070: bands; pkg/registry/core/service). */
import { isIP } from 'node:net';
import type { KubeObject } from '../../client/types.ts';
import { badDns1035Label } from '../names.ts';
import type { Registry } from '../registry.ts';
import { internal, invalid, invalidValue } from '../status.ts';
import type { Strategy } from '../strategy.ts';
import { fill } from './podspec.ts';
import { serviceCauses } from './servicevalidation.ts';

/** kube-apiserver --service-node-port-range. */
const NODE_PORTS = { first: 30_000, last: 32_767 };
/** The lower part of the range is left to those who choose a port themselves (KEP-3668). */
const STATIC_NODE_PORTS = 86;

export const toNumber = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

export const toAddress = (number: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');

/** First address and number of addresses of an IPv4 CIDR. */
export function cidrRange(cidr: string): { first: number; size: number } {
  const [address = '', bits = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return { first: Math.floor(toNumber(address) / size) * size, size };
}

/** What is taken, by those Services that exist; kept as the store changes, so that allocation costs no list. */
interface Taken {
  readonly addresses: Map<string, string>;
  /** `port/protocol` -> service. */
  readonly ports: Map<string, string>;
}

const taken = new WeakMap<Registry, Taken>();

function takenOf(registry: Registry): Taken {
  let found = taken.get(registry);
  if (!found) {
    found = { addresses: new Map(), ports: new Map() };
    taken.set(registry, found);
    for (const service of registry.store.list('/services')) note(found, service, true);
    const current = found;
    registry.store.watch('/services', ({ object, before }) => {
      if (before) note(current, before, false);
      if (registry.store.get('/services', object.metadata.namespace ?? '', object.metadata.name))
        note(current, object, true);
    });
  }
  return found;
}

const nameOf = (service: KubeObject): string => `${service.metadata.namespace}/${service.metadata.name}`;

function note(into: Taken, service: KubeObject, add: boolean): void {
  const mark = (map: Map<string, string>, key: string) =>
    add ? map.set(key, nameOf(service)) : map.delete(key);
  for (const address of service.spec?.clusterIPs ?? []) if (address !== 'None') mark(into.addresses, address);
  for (const port of service.spec?.ports ?? [])
    if (port.nodePort) mark(into.ports, `${port.nodePort}/${port.protocol}`);
  if (service.spec?.healthCheckNodePort) mark(into.ports, `${service.spec.healthCheckNodePort}/TCP`);
}

const causesOf = (service: KubeObject, field: string, value: unknown, why: string) =>
  invalid('', 'Service', service.metadata.name, [invalidValue(field, value, why)]);

function allocateAddress(service: KubeObject, registry: Registry): void {
  const spec = service.spec;
  const { addresses } = takenOf(registry);
  const { first, size } = cidrRange(registry.cluster.serviceSubnet);
  const asked: string | undefined = spec.clusterIP || spec.clusterIPs?.[0];
  if (asked === 'None') {
    spec.clusterIP = 'None';
    spec.clusterIPs = ['None'];
    return;
  }
  if (asked) {
    if (isIP(asked) !== 4) return; // Validation says so.
    const offset = toNumber(asked) - first;
    if (offset <= 0 || offset >= size - 1)
      throw causesOf(
        service,
        'spec.clusterIPs',
        [asked],
        `failed to allocate IP ${asked}: the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${registry.cluster.serviceSubnet}`,
      );
    const owner = addresses.get(asked);
    if (owner !== undefined && owner !== nameOf(service))
      throw causesOf(
        service,
        'spec.clusterIPs',
        [asked],
        `failed to allocate IP ${asked}: provided IP is already allocated`,
      );
    spec.clusterIP = asked;
    spec.clusterIPs ??= [asked];
    return;
  }
  // Addresses below the band are left to those who choose one (KEP-3070): min(max(16, size / 16), 256).
  const band = Math.min(Math.max(16, Math.floor((size - 2) / 16)), 256);
  const [from, room] = size - 2 > band ? [band + 1, size - 2 - band] : [1, size - 2];
  const start = Math.floor(Math.random() * room);
  for (let i = 0; i < size; i++) {
    const offset = i < room ? from + ((start + i) % room) : i - room + 1;
    const address = toAddress(first + offset);
    if (offset >= size - 1 || addresses.has(address)) continue;
    spec.clusterIP = address;
    spec.clusterIPs = [address];
    return;
  }
  throw internal('failed to allocate a serviceIP: range is full');
}

/** Gives every port of a NodePort or LoadBalancer Service a node port, the one it had if it had one. */
function allocatePorts(service: KubeObject, before: KubeObject | undefined, registry: Registry): void {
  const spec = service.spec;
  const { ports } = takenOf(registry);
  const wanted =
    spec.type === 'NodePort' ||
    (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
  if (!wanted && spec.type !== 'LoadBalancer') {
    // A Service that stops being a NodePort gives its ports back unless the user wrote them anew.
    for (const port of spec.ports ?? [])
      if (before?.spec?.ports?.some((old: { nodePort?: number }) => old.nodePort === port.nodePort))
        delete port.nodePort;
    return;
  }
  const own = new Map<string, number>();
  const used = new Set<string>();
  for (const port of before?.spec?.ports ?? [])
    if (port.nodePort) own.set(`${port.port}/${port.protocol}`, port.nodePort);
  for (const [i, port] of (spec.ports ?? []).entries()) {
    if (!port.nodePort) continue;
    const key = `${port.nodePort}/${port.protocol}`;
    used.add(key);
    const owner = ports.get(key);
    if (owner !== undefined && owner !== nameOf(service))
      throw causesOf(
        service,
        `spec.ports[${i}].nodePort`,
        port.nodePort,
        'provided port is already allocated',
      );
    if (port.nodePort < NODE_PORTS.first || port.nodePort > NODE_PORTS.last)
      throw causesOf(
        service,
        `spec.ports[${i}].nodePort`,
        port.nodePort,
        `provided port is not in the valid range. The range of valid ports is ${NODE_PORTS.first}-${NODE_PORTS.last}`,
      );
  }
  if (!wanted) return;
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const kept = own.get(`${port.port}/${port.protocol}`);
    // The same number serves TCP and UDP of one Service port.
    const twin = (spec.ports as { port: number; protocol: string; nodePort?: number }[]).find(
      (other) =>
        other !== port && other.port === port.port && other.protocol !== port.protocol && other.nodePort,
    )?.nodePort;
    const free = (candidate: number | undefined): candidate is number =>
      candidate !== undefined &&
      !used.has(`${candidate}/${port.protocol}`) &&
      [undefined, nameOf(service)].includes(ports.get(`${candidate}/${port.protocol}`));
    port.nodePort = free(kept) ? kept : free(twin) ? twin : freePort(ports, used, port.protocol);
    used.add(`${port.nodePort}/${port.protocol}`);
  }
}

function freePort(ports: ReadonlyMap<string, string>, used: ReadonlySet<string>, protocol: string): number {
  const from = NODE_PORTS.first + STATIC_NODE_PORTS;
  const room = NODE_PORTS.last - from + 1;
  const start = Math.floor(Math.random() * room);
  for (let i = 0; i < room + STATIC_NODE_PORTS; i++) {
    const port = i < room ? from + ((start + i) % room) : NODE_PORTS.first + i - room;
    // One that no protocol uses, as upstream's allocator, which counts numbers only.
    if (['TCP', 'UDP', 'SCTP'].some((one) => ports.has(`${port}/${one}`) || used.has(`${port}/${one}`)))
      continue;
    return port;
  }
  throw internal(`failed to allocate a nodePort for ${protocol}: range is full`);
}

function allocate(service: KubeObject, before: KubeObject | undefined, registry: Registry): void {
  const spec = service.spec;
  if (!spec || typeof spec !== 'object') return;
  if (spec.type === 'ExternalName') {
    if (before && before.spec?.type !== 'ExternalName' && spec.clusterIP === before.spec?.clusterIP) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    for (const field of ['ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy', 'externalTrafficPolicy'])
      delete spec[field];
    for (const port of spec.ports ?? []) delete port.nodePort;
    return;
  }
  if (before && !spec.clusterIP && before.spec?.clusterIP) {
    spec.clusterIP = before.spec.clusterIP;
    spec.clusterIPs ??= [...(before.spec.clusterIPs ?? [])];
  }
  allocateAddress(service, registry);
  const headlessWithoutSelector = spec.clusterIP === 'None' && !spec.selector;
  fill(spec, 'ipFamilies', headlessWithoutSelector ? ['IPv4'] : ['IPv4']);
  fill(spec, 'ipFamilyPolicy', 'SingleStack');
  allocatePorts(service, before, registry);
  const local = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
  if (local && !spec.healthCheckNodePort)
    spec.healthCheckNodePort =
      before?.spec?.healthCheckNodePort ?? freePort(takenOf(registry).ports, new Set(), 'TCP');
  if (!local) delete spec.healthCheckNodePort;
}

export const services: Strategy = {
  name: badDns1035Label,
  statusTakesMetadata: true,
  defaults: (service) => {
    const spec = service.spec;
    if (!spec || typeof spec !== 'object') return;
    fill(spec, 'sessionAffinity', 'None');
    fill(spec, 'type', 'ClusterIP');
    if (spec.sessionAffinity === 'ClientIP') {
      spec.sessionAffinityConfig ??= {};
      spec.sessionAffinityConfig.clientIP ??= {};
      // Three hours.
      fill(spec.sessionAffinityConfig.clientIP, 'timeoutSeconds', 10_800);
    } else delete spec.sessionAffinityConfig;
    for (const port of spec.ports ?? []) {
      fill(port, 'protocol', 'TCP');
      if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '')
        port.targetPort = port.port;
    }
    const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer' || spec.externalIPs?.length > 0;
    if (external) fill(spec, 'externalTrafficPolicy', 'Cluster');
    else if (spec.externalTrafficPolicy === 'Cluster') delete spec.externalTrafficPolicy;
    if (spec.type !== 'ExternalName') fill(spec, 'internalTrafficPolicy', 'Cluster');
    if (spec.type === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true);
    if (spec.type !== 'LoadBalancer') delete spec.allocateLoadBalancerNodePorts;
  },
  create: (service, registry) => {
    allocate(service, undefined, registry);
    service.status = { loadBalancer: {} };
  },
  update: (service, before, registry) => allocate(service, before, registry),
  validate: serviceCauses,
};

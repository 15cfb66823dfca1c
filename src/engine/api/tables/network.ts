/** Rows of Services, Endpoints, EndpointSlices, Ingresses, NetworkPolicies, Nodes. */
import type { Json } from '../json.ts';
import type { Column } from '../resources/resource.ts';
import { AGE, labelsText, NAME, selectorText, text, wide } from './cells.ts';

function servicePorts(service: Json): string {
  const ports: Json[] = service.spec?.ports ?? [];
  if (ports.length === 0) return '<none>';
  return ports
    .map((one) => `${one.port}${one.nodePort > 0 ? `:${one.nodePort}` : ''}/${one.protocol ?? 'TCP'}`)
    .join(',');
}

function externalIp(service: Json): string {
  const { type, externalIPs = [], externalName } = service.spec ?? {};
  const balancer: string[] = (service.status?.loadBalancer?.ingress ?? []).map(
    (one: Json) => one.ip || one.hostname,
  );
  switch (type) {
    case 'LoadBalancer': {
      const all = [...balancer, ...externalIPs];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return externalName;
    default:
      return externalIPs.length > 0 ? externalIPs.join(',') : '<none>';
  }
}

export const SERVICE: readonly Column[] = [
  NAME,
  text('Type', (service) => service.spec?.type),
  text('Cluster-IP', (service) => service.spec?.clusterIPs?.[0] || service.spec?.clusterIP || '<none>'),
  text('External-IP', externalIp),
  text('Port(s)', servicePorts),
  AGE,
  wide('Selector', (service) => labelsText(service.spec?.selector)),
];

/** The first few of a list and how many more there are. */
const some = (list: readonly string[], most: number): string =>
  list.length === 0
    ? '<none>'
    : list.length > most
      ? `${list.slice(0, most).join(',')} + ${list.length - most} more...`
      : list.join(',');

export const ENDPOINTS: readonly Column[] = [
  NAME,
  text('Endpoints', (endpoints) =>
    some(
      (endpoints.subsets ?? []).flatMap((subset: Json) =>
        subset.ports?.length
          ? subset.ports.flatMap((port: Json) =>
              (subset.addresses ?? []).map((one: Json) => `${one.ip}:${port.port}`),
            )
          : (subset.addresses ?? []).map((one: Json) => one.ip),
      ),
      3,
    ),
  ),
  AGE,
];

export const ENDPOINT_SLICE: readonly Column[] = [
  NAME,
  text('AddressType', (slice) => slice.addressType),
  text('Ports', (slice) =>
    slice.ports?.length
      ? some(
          slice.ports.map((one: Json) => String(one.port ?? '*')),
          3,
        )
      : '<unset>',
  ),
  text('Endpoints', (slice) => {
    const all: string[] = (slice.endpoints ?? []).flatMap((one: Json) => one.addresses ?? []);
    return all.length ? some(all, 3) : '<unset>';
  }),
  AGE,
];

export const INGRESS: readonly Column[] = [
  NAME,
  text(
    'Class',
    (ingress) =>
      ingress.spec?.ingressClassName ??
      ingress.metadata.annotations?.['kubernetes.io/ingress.class'] ??
      '<none>',
  ),
  text('Hosts', (ingress) => {
    const hosts: string[] = (ingress.spec?.rules ?? []).map((rule: Json) => rule.host).filter(Boolean);
    return hosts.length === 0 ? '*' : some(hosts, 3);
  }),
  text('Address', (ingress) =>
    (ingress.status?.loadBalancer?.ingress ?? []).map((one: Json) => one.ip || one.hostname).join(','),
  ),
  text('Ports', (ingress) => (ingress.spec?.tls?.length ? '80, 443' : '80')),
  AGE,
];

export const INGRESS_CLASS: readonly Column[] = [
  NAME,
  text('Controller', (object) => object.spec?.controller),
  text('Parameters', (object) => {
    const { apiGroup, kind, name } = object.spec?.parameters ?? {};
    return name ? `${kind}${apiGroup ? `.${apiGroup}` : ''}/${name}` : '<none>';
  }),
  AGE,
];

export const NETWORK_POLICY: readonly Column[] = [
  NAME,
  text('Pod-Selector', (policy) => selectorText(policy.spec?.podSelector)),
  AGE,
];

const ROLE = 'node-role.kubernetes.io/';

function nodeStatus(node: Json): string {
  const ready = (node.status?.conditions ?? []).find((one: Json) => one.type === 'Ready');
  const words = [ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown'];
  if (node.spec?.unschedulable) words.push('SchedulingDisabled');
  return words.join(',');
}

const nodeAddress = (node: Json, type: string): string =>
  (node.status?.addresses ?? []).find((one: Json) => one.type === type)?.address ?? '<none>';

export const NODE: readonly Column[] = [
  NAME,
  text('Status', nodeStatus),
  text('Roles', (node) => {
    const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) =>
      key.startsWith(ROLE) && key.length > ROLE.length
        ? [key.slice(ROLE.length)]
        : key === 'kubernetes.io/role' && value
          ? [String(value)]
          : [],
    );
    return roles.length > 0 ? [...new Set(roles)].sort().join(',') : '<none>';
  }),
  AGE,
  text('Version', (node) => node.status?.nodeInfo?.kubeletVersion ?? ''),
  wide('Internal-IP', (node) => nodeAddress(node, 'InternalIP')),
  wide('External-IP', (node) => nodeAddress(node, 'ExternalIP')),
  wide('OS-Image', (node) => node.status?.nodeInfo?.osImage || '<unknown>'),
  wide('Kernel-Version', (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>'),
  wide('Container-Runtime', (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>'),
];

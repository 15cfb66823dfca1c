/** Validation of NetworkPolicies, Ingresses, Endpoints, EndpointSlices. */
import type { KubeObject } from '../../client/types.ts';
import { isObject, type Json } from '../json.ts';
import { immutable } from '../metadata.ts';
import { badDnsLabel, badDnsSubdomain } from '../names.ts';
import { duplicate, forbiddenField, invalidValue, required, unsupported, type Cause } from '../status.ts';
import {
  cidr,
  ipAddress,
  oneOf,
  portName,
  portNumber,
  portOrName,
  PROTOCOLS,
  selectorCauses,
} from './check.ts';
import { cidrRange, toNumber } from './services.ts';

function policyPortCauses(port: Json, at: string): Cause[] {
  const causes: Cause[] = [];
  if (port.protocol !== undefined && !PROTOCOLS.includes(port.protocol))
    causes.push(unsupported(`${at}.protocol`, port.protocol, PROTOCOLS));
  if (port.port !== undefined) {
    causes.push(...portOrName(port.port, `${at}.port`));
    if (typeof port.port === 'string' && port.endPort !== undefined)
      causes.push(
        invalidValue(`${at}.endPort`, port.endPort, 'may not be specified when `port` is non-numeric'),
      );
    if (typeof port.port === 'number' && port.endPort !== undefined) {
      if (port.endPort < port.port)
        causes.push(invalidValue(`${at}.endPort`, port.endPort, 'must be greater than or equal to `port`'));
      causes.push(...portNumber(port.endPort, `${at}.endPort`));
    }
  } else if (port.endPort !== undefined)
    causes.push(
      invalidValue(`${at}.endPort`, port.endPort, 'may not be specified when `port` is not specified'),
    );
  return causes;
}

function blockCauses(block: Json, at: string): Cause[] {
  if (!block.cidr) return [required(`${at}.cidr`)];
  const causes = cidr(block.cidr, `${at}.cidr`);
  for (const [i, one] of ((block.except as Json[] | undefined) ?? []).entries()) {
    const path = `${at}.except[${i}]`;
    const bad = cidr(one, path);
    causes.push(...bad);
    if (bad.length > 0 || causes.length > 0 || String(one).includes(':')) continue;
    const [outer, inner] = [cidrRange(block.cidr), cidrRange(one)];
    const first = toNumber(String(one).split('/')[0] ?? '');
    if (first < outer.first || first >= outer.first + outer.size || inner.size >= outer.size)
      causes.push(invalidValue(path, one, `must be a strict subset of \`cidr\``));
  }
  return causes;
}

function peerCauses(peer: Json, at: string): Cause[] {
  const causes: Cause[] = [];
  let parts = 0;
  if (peer.podSelector !== undefined) {
    parts++;
    causes.push(...selectorCauses(peer.podSelector, `${at}.podSelector`));
  }
  if (peer.namespaceSelector !== undefined) {
    parts++;
    causes.push(...selectorCauses(peer.namespaceSelector, `${at}.namespaceSelector`));
  }
  if (peer.ipBlock !== undefined) {
    causes.push(...blockCauses(peer.ipBlock, `${at}.ipBlock`));
    if (parts > 0) causes.push(forbiddenField(at, 'may not specify both ipBlock and another peer'));
    parts++;
  }
  if (parts === 0) causes.push(required(at, 'must specify a peer'));
  return causes;
}

export function networkPolicyCauses({ spec }: KubeObject): Cause[] {
  if (!isObject(spec)) return [required('spec')];
  const causes = selectorCauses(spec['podSelector'], 'spec.podSelector');
  for (const [direction, side] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const)
    for (const [i, rule] of ((spec[direction] as Json[] | undefined) ?? []).entries()) {
      for (const [j, port] of ((rule.ports as Json[] | undefined) ?? []).entries())
        causes.push(...policyPortCauses(port, `spec.${direction}[${i}].ports[${j}]`));
      for (const [j, peer] of ((rule[side] as Json[] | undefined) ?? []).entries())
        causes.push(...peerCauses(peer, `spec.${direction}[${i}].${side}[${j}]`));
    }
  const types: Json[] = spec['policyTypes'] ?? [];
  if (types.length > 2)
    causes.push(invalidValue('spec.policyTypes', types, 'may not specify more than two policyTypes'));
  for (const [i, type] of types.entries())
    causes.push(...oneOf(type, ['Egress', 'Ingress'], `spec.policyTypes[${i}]`));
  return causes;
}

function backendCauses(backend: Json, at: string): Cause[] {
  if (!isObject(backend)) return [required(at)];
  const { service, resource } = backend;
  if (service && resource) return [invalidValue(at, '', 'cannot set both resource and service backends')];
  if (resource) return [];
  if (!service) return [required(at, 'resource or service backend is required')];
  const causes: Cause[] = [];
  if (!service.name) causes.push(required(`${at}.service.name`));
  const { name, number } = service.port ?? {};
  if (name && number) causes.push(invalidValue(at, '', 'cannot set both port name & port number'));
  else if (!name && !number) causes.push(required(at, 'port name or number is required'));
  else if (number) causes.push(...portNumber(number, `${at}.service.port.number`));
  else
    causes.push(...portName(String(name)).map((why) => invalidValue(`${at}.service.port.name`, name, why)));
  return causes;
}

export function ingressCauses({ spec }: KubeObject): Cause[] {
  if (!isObject(spec)) return [required('spec')];
  const causes: Cause[] = [];
  const rules: Json[] = spec['rules'] ?? [];
  if (rules.length === 0 && !spec['defaultBackend'])
    causes.push(invalidValue('spec', rules, 'either `defaultBackend` or `rules` must be specified'));
  if (spec['defaultBackend']) causes.push(...backendCauses(spec['defaultBackend'], 'spec.defaultBackend'));
  for (const [i, rule] of rules.entries()) {
    const at = `spec.rules[${i}]`;
    if (rule.host) {
      const host = String(rule.host).replace(/^\*\./, '');
      if (/^\d+\.\d+\.\d+\.\d+$/.test(host))
        causes.push(invalidValue(`${at}.host`, rule.host, 'must be a DNS name, not an IP address'));
      const bad = badDnsSubdomain(host);
      if (bad) causes.push(invalidValue(`${at}.host`, rule.host, bad));
    }
    if (!rule.http) continue;
    if (!rule.http.paths?.length) causes.push(required(`${at}.http.paths`));
    for (const [j, path] of ((rule.http.paths as Json[] | undefined) ?? []).entries()) {
      const place = `${at}.http.paths[${j}]`;
      if (path.pathType === undefined)
        causes.push(required(`${place}.pathType`, 'pathType must be specified'));
      else
        causes.push(
          ...oneOf(path.pathType, ['Exact', 'ImplementationSpecific', 'Prefix'], `${place}.pathType`),
        );
      if (path.pathType !== 'ImplementationSpecific' && !String(path.path ?? '').startsWith('/'))
        causes.push(invalidValue(`${place}.path`, path.path ?? '', 'must be an absolute path'));
      causes.push(...backendCauses(path.backend, `${place}.backend`));
    }
  }
  return causes;
}

/** Addresses that no endpoint may have. */
const SPECIAL = /^(127\.|0\.0\.0\.0$|169\.254\.|224\.0\.0\.)/;

const endpointAddress = (address: Json, path: string): Cause[] => {
  const bad = ipAddress(address, path);
  if (bad.length > 0) return bad;
  return SPECIAL.test(address)
    ? [invalidValue(path, address, 'may not be in the loopback, link-local or unspecified range')]
    : [];
};

export function endpointsCauses(object: KubeObject): Cause[] {
  const causes: Cause[] = [];
  for (const [i, subset] of ((object['subsets'] as Json[] | undefined) ?? []).entries()) {
    const at = `subsets[${i}]`;
    if (!subset.addresses?.length && !subset.notReadyAddresses?.length)
      causes.push(required(at, 'must specify `addresses` or `notReadyAddresses`'));
    for (const list of ['addresses', 'notReadyAddresses'])
      for (const [j, one] of ((subset[list] as Json[] | undefined) ?? []).entries())
        causes.push(...endpointAddress(one.ip, `${at}.${list}[${j}].ip`));
    for (const [j, port] of ((subset.ports as Json[] | undefined) ?? []).entries()) {
      if (!port.name && subset.ports.length > 1) causes.push(required(`${at}.ports[${j}].name`));
      causes.push(...portNumber(port.port, `${at}.ports[${j}].port`));
      causes.push(...oneOf(port.protocol, PROTOCOLS, `${at}.ports[${j}].protocol`));
    }
  }
  return causes;
}

/** The most endpoints and ports of one slice. */
const MOST_ENDPOINTS = 1_000;

export function endpointSliceCauses(object: KubeObject, before: KubeObject | undefined): Cause[] {
  const causes: Cause[] = [];
  const type: Json = object['addressType'];
  if (!type) causes.push(required('addressType'));
  else causes.push(...oneOf(type, ['FQDN', 'IPv4', 'IPv6'], 'addressType'));
  if (before) causes.push(...immutable(type, before['addressType'], 'addressType'));
  const endpoints: Json[] = object['endpoints'] ?? [];
  if (endpoints.length > MOST_ENDPOINTS)
    causes.push({
      reason: 'FieldValueTooMany',
      message: `Too many: ${endpoints.length}: must have at most ${MOST_ENDPOINTS} items`,
      field: 'endpoints',
    });
  for (const [i, endpoint] of endpoints.entries()) {
    const at = `endpoints[${i}].addresses`;
    if (!endpoint.addresses?.length) causes.push(required(at, 'must contain at least 1 address'));
    for (const [j, address] of ((endpoint.addresses as Json[] | undefined) ?? []).entries())
      if (type === 'IPv4' || type === 'IPv6') causes.push(...endpointAddress(address, `${at}[${j}]`));
  }
  const names = new Set<string>();
  for (const [i, port] of ((object['ports'] as Json[] | undefined) ?? []).entries()) {
    const name = port.name ?? '';
    const bad = name ? badDnsLabel(name) : undefined;
    if (bad) causes.push(invalidValue(`ports[${i}].name`, name, bad));
    if (names.has(name)) causes.push(duplicate(`ports[${i}].name`, name));
    names.add(name);
    causes.push(...oneOf(port.protocol, PROTOCOLS, `ports[${i}].protocol`));
  }
  return causes;
}

/** Validation of Services (pkg/apis/core/validation: ValidateService, ValidateServiceUpdate). */
import { isIP } from 'node:net';
import type { KubeObject } from '../../client/types.ts';
import { isObject, type Json } from '../json.ts';
import { labelCauses } from '../metadata.ts';
import { badDnsLabel, badDnsSubdomain } from '../names.ts';
import { duplicate, forbiddenField, invalidValue, required, unsupported, type Cause } from '../status.ts';
import { cidr, ipAddress, oneOf, portNumber, portOrName, PROTOCOLS } from './check.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
/** A day: the longest session affinity, in seconds. */
const LONGEST_AFFINITY = 86_400;

function portsCauses(spec: Json): Cause[] {
  const causes: Cause[] = [];
  const ports: Json[] = spec.ports ?? [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const at = `spec.ports[${i}]`;
    if (!port.name && ports.length > 1) causes.push(required(`${at}.name`));
    else if (port.name) {
      const bad = badDnsLabel(port.name);
      if (bad) causes.push(invalidValue(`${at}.name`, port.name, bad));
      else if (names.has(port.name)) causes.push(duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    causes.push(...portNumber(port.port ?? 0, `${at}.port`));
    if (!PROTOCOLS.includes(port.protocol))
      causes.push(unsupported(`${at}.protocol`, port.protocol, PROTOCOLS));
    causes.push(...portOrName(port.targetPort, `${at}.targetPort`));
    if (spec.clusterIP === 'None' && port.nodePort)
      causes.push(
        invalidValue(`${at}.nodePort`, port.nodePort, 'may not be used when `clusterIP` is "None"'),
      );
    const key = `${port.protocol}/${port.port}`;
    if (numbers.has(key)) causes.push(duplicate(at, { protocol: port.protocol, port: port.port }));
    numbers.add(key);
    if (!port.nodePort) continue;
    if (spec.type === 'ClusterIP' || spec.type === 'ExternalName')
      causes.push(forbiddenField(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    const node = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(node)) causes.push(duplicate(`${at}.nodePort`, port.nodePort));
    nodePorts.add(node);
  }
  return causes;
}

function addressCauses(spec: Json): Cause[] {
  const causes: Cause[] = [];
  const addresses: Json[] = spec.clusterIPs ?? [];
  if (spec.clusterIP && addresses.length > 0 && addresses[0] !== spec.clusterIP)
    causes.push(invalidValue('spec.clusterIPs', addresses, 'first value must match `clusterIP`'));
  for (const [i, address] of addresses.entries())
    if (address !== 'None' && !isIP(address)) causes.push(...ipAddress(address, `spec.clusterIPs[${i}]`));
  // A cluster with one family says so as upstream does.
  for (const [i, family] of ((spec.ipFamilies as Json[] | undefined) ?? []).entries())
    if (family === 'IPv6')
      causes.push(invalidValue(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
    else causes.push(...oneOf(family, ['IPv4', 'IPv6'], `spec.ipFamilies[${i}]`));
  if (spec.ipFamilyPolicy === 'RequireDualStack')
    causes.push(
      invalidValue(
        'spec.ipFamilyPolicy',
        spec.ipFamilyPolicy,
        'this cluster is not configured for dual-stack services',
      ),
    );
  for (const [i, address] of ((spec.externalIPs as Json[] | undefined) ?? []).entries()) {
    causes.push(...ipAddress(address, `spec.externalIPs[${i}]`));
    if (/^(127\.|0\.0\.0\.0$|169\.254\.|224\.0\.0\.)/.test(String(address)))
      causes.push(
        invalidValue(`spec.externalIPs[${i}]`, address, 'may not be unspecified, loopback or link-local'),
      );
  }
  return causes;
}

function policyCauses(spec: Json): Cause[] {
  const causes: Cause[] = [];
  const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer' || spec.externalIPs?.length > 0;
  if (spec.externalTrafficPolicy !== undefined) {
    causes.push(...oneOf(spec.externalTrafficPolicy, ['Cluster', 'Local'], 'spec.externalTrafficPolicy'));
    if (!external)
      causes.push(
        invalidValue(
          'spec.externalTrafficPolicy',
          spec.externalTrafficPolicy,
          'may only be set for externally-accessible services',
        ),
      );
  }
  causes.push(...oneOf(spec.internalTrafficPolicy, ['Cluster', 'Local'], 'spec.internalTrafficPolicy'));
  causes.push(
    ...oneOf(
      spec.trafficDistribution,
      ['PreferClose', 'PreferSameNode', 'PreferSameZone'],
      'spec.trafficDistribution',
    ),
  );
  causes.push(...oneOf(spec.sessionAffinity, ['ClientIP', 'None'], 'spec.sessionAffinity'));
  const seconds: Json = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (spec.sessionAffinity === 'ClientIP' && !(seconds > 0 && seconds <= LONGEST_AFFINITY))
    causes.push(
      invalidValue(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        seconds,
        `must be greater than 0 and less than ${LONGEST_AFFINITY}`,
      ),
    );
  const ranges: Json[] = spec.loadBalancerSourceRanges ?? [];
  if (ranges.length > 0 && spec.type !== 'LoadBalancer')
    causes.push(
      forbiddenField('spec.loadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"),
    );
  for (const [i, range] of ranges.entries())
    causes.push(...cidr(range, `spec.loadBalancerSourceRanges[${i}]`));
  if (spec.loadBalancerClass && spec.type !== 'LoadBalancer')
    causes.push(forbiddenField('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"));
  return causes;
}

export function serviceCauses(service: KubeObject, before: KubeObject | undefined): Cause[] {
  const spec: Json = service.spec;
  if (!isObject(spec)) return [required('spec.ports')];
  const causes: Cause[] = oneOf(spec['type'], TYPES, 'spec.type');
  const headless = spec['clusterIP'] === 'None';
  if (!spec['ports']?.length && !headless && spec['type'] !== 'ExternalName')
    causes.push(required('spec.ports'));
  if (headless && (spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer'))
    causes.push(
      invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec['type']} services`),
    );
  if (spec['type'] === 'ExternalName') {
    if (spec['clusterIP'])
      causes.push(forbiddenField('spec.clusterIPs', 'may not be set when `type` is ExternalName'));
    const name = String(spec['externalName'] ?? '').replace(/\.$/, '');
    const bad = name ? badDnsSubdomain(name) : undefined;
    if (!name) causes.push(required('spec.externalName'));
    else if (bad) causes.push(invalidValue('spec.externalName', spec['externalName'], bad));
  }
  causes.push(...labelCauses(spec['selector'], 'spec.selector'));
  causes.push(...portsCauses(spec), ...addressCauses(spec), ...policyCauses(spec));
  // A ClusterIP stays, unless the type changes from or to ExternalName.
  const was: Json = before?.spec;
  if (
    was &&
    was.type !== 'ExternalName' &&
    spec['type'] !== 'ExternalName' &&
    was.clusterIP &&
    was.clusterIP !== spec['clusterIP']
  )
    causes.push(
      invalidValue(
        'spec.clusterIPs[0]',
        spec['clusterIPs'] ?? [spec['clusterIP']],
        'may not change once set',
      ),
    );
  return causes;
}

/** Validation of pods and of pod templates (pkg/apis/core/validation/validation.go). */
import type { KubeObject } from '../../client/types.ts';
import { copy, equal, isObject, type Json } from '../json.ts';
import { badDnsLabel, badDnsSubdomain } from '../names.ts';
import { duplicate, forbiddenField, invalidValue, required, unsupported, type Cause } from '../status.ts';
import { badDataKey, ipAddress, oneOf } from './check.ts';
import { containerCauses, type ContainerScope } from './containervalidation.ts';

const EFFECTS = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

function volumeCauses(volume: Json, path: string): Cause[] {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  const causes: Cause[] = [];
  for (const extra of sources.slice(1))
    causes.push(forbiddenField(`${path}.${extra}`, 'may not specify more than 1 volume type'));
  for (const kind of ['configMap', 'secret'])
    for (const [i, item] of ((volume[kind]?.items as Json[] | undefined) ?? []).entries()) {
      if (!item.key) causes.push(required(`${path}.${kind}.items[${i}].key`));
      else if (badDataKey(item.key))
        causes.push(invalidValue(`${path}.${kind}.items[${i}].key`, item.key, String(badDataKey(item.key))));
      causes.push(...localPath(item.path, `${path}.${kind}.items[${i}].path`));
    }
  if (volume.configMap && !volume.configMap.name) causes.push(required(`${path}.configMap.name`));
  if (volume.secret && !volume.secret.secretName) causes.push(required(`${path}.secret.secretName`));
  for (const [i, item] of ((volume.downwardAPI?.items as Json[] | undefined) ?? []).entries())
    causes.push(...localPath(item.path, `${path}.downwardAPI.items[${i}].path`));
  if (volume.hostPath && !volume.hostPath.path) causes.push(required(`${path}.hostPath.path`));
  return causes;
}

/** A path inside a volume: relative, and nowhere else. */
function localPath(path: Json, at: string): Cause[] {
  if (!path) return [required(at)];
  if (String(path).startsWith('/')) return [invalidValue(at, path, 'must be a relative path')];
  if (String(path).split('/').includes('..')) return [invalidValue(at, path, "must not contain '..'")];
  if (String(path).startsWith('..')) return [invalidValue(at, path, "must not start with '..'")];
  return [];
}

function tolerationCauses(list: readonly Json[], path: string): Cause[] {
  const causes: Cause[] = [];
  for (const [i, one] of list.entries()) {
    const at = `${path}[${i}]`;
    causes.push(...oneOf(one.effect || undefined, EFFECTS, `${at}.effect`));
    const operator = one.operator || 'Equal';
    if (operator !== 'Equal' && operator !== 'Exists')
      causes.push(unsupported(`${at}.operator`, operator, ['Equal', 'Exists']));
    if (!one.key && operator !== 'Exists')
      causes.push(
        invalidValue(
          `${at}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (operator === 'Exists' && one.value)
      causes.push(invalidValue(`${at}.operator`, one, "value must be empty when `operator` is 'Exists'"));
    if (one.tolerationSeconds !== undefined && one.effect !== 'NoExecute')
      causes.push(
        invalidValue(
          `${at}.effect`,
          one.effect ?? '',
          "effect must be 'NoExecute' when `tolerationSeconds` is set",
        ),
      );
  }
  return causes;
}

function dnsCauses(spec: Json, path: string): Cause[] {
  const causes = oneOf(
    spec.dnsPolicy,
    ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'],
    `${path}.dnsPolicy`,
  );
  const servers: Json[] = spec.dnsConfig?.nameservers ?? [];
  if (spec.dnsPolicy === 'None' && servers.length === 0)
    causes.push(
      required(
        `${path}.dnsConfig.nameservers`,
        `must provide at least one DNS nameserver when \`dnsPolicy\` is None`,
      ),
    );
  if (servers.length > 3)
    causes.push(
      invalidValue(`${path}.dnsConfig.nameservers`, servers, 'must not have more than 3 nameservers'),
    );
  for (const [i, server] of servers.entries())
    causes.push(...ipAddress(server, `${path}.dnsConfig.nameservers[${i}]`));
  for (const [i, alias] of ((spec.hostAliases as Json[] | undefined) ?? []).entries())
    causes.push(...ipAddress(alias.ip, `${path}.hostAliases[${i}].ip`));
  for (const field of ['hostname', 'subdomain']) {
    const bad = spec[field] ? badDnsLabel(String(spec[field])) : undefined;
    if (bad) causes.push(invalidValue(`${path}.${field}`, spec[field], bad));
  }
  return causes;
}

/** @param path `spec`, or `spec.template.spec` of a workload */
export function podSpecCauses(spec: Json, path: string): Cause[] {
  if (!isObject(spec)) return [required(`${path}.containers`)];
  const causes: Cause[] = [];
  const volumes = new Set<string>();
  for (const [i, volume] of ((spec['volumes'] as Json[] | undefined) ?? []).entries()) {
    const at = `${path}.volumes[${i}]`;
    const bad = volume.name ? badDnsLabel(volume.name) : undefined;
    if (!volume.name) causes.push(required(`${at}.name`));
    else if (bad) causes.push(invalidValue(`${at}.name`, volume.name, bad));
    else if (volumes.has(volume.name)) causes.push(duplicate(`${at}.name`, volume.name));
    volumes.add(volume.name);
    causes.push(...volumeCauses(volume, at));
  }
  const scope: ContainerScope = { names: new Set(), volumes, init: false, ephemeral: false };
  if (!spec['containers']?.length) causes.push(required(`${path}.containers`));
  for (const [i, one] of ((spec['containers'] as Json[] | undefined) ?? []).entries())
    causes.push(...containerCauses(one, `${path}.containers[${i}]`, scope));
  for (const [i, one] of ((spec['initContainers'] as Json[] | undefined) ?? []).entries())
    causes.push(...containerCauses(one, `${path}.initContainers[${i}]`, { ...scope, init: true }));
  for (const [i, one] of ((spec['ephemeralContainers'] as Json[] | undefined) ?? []).entries())
    causes.push(...containerCauses(one, `${path}.ephemeralContainers[${i}]`, { ...scope, ephemeral: true }));
  causes.push(...oneOf(spec['restartPolicy'], ['Always', 'OnFailure', 'Never'], `${path}.restartPolicy`));
  causes.push(...dnsCauses(spec, path));
  if (spec['hostNetwork'])
    for (const [i, one] of ((spec['containers'] as Json[] | undefined) ?? []).entries())
      for (const [j, port] of ((one.ports as Json[] | undefined) ?? []).entries())
        if (port.hostPort !== port.containerPort)
          causes.push(
            invalidValue(
              `${path}.containers[${i}].ports[${j}].containerPort`,
              port.containerPort,
              'must match `hostPort` when `hostNetwork` is true',
            ),
          );
  if (spec['terminationGracePeriodSeconds'] < 0)
    causes.push(
      invalidValue(
        `${path}.terminationGracePeriodSeconds`,
        spec['terminationGracePeriodSeconds'],
        'must be greater than or equal to 0',
      ),
    );
  const account = spec['serviceAccountName'] ? badDnsSubdomain(spec['serviceAccountName']) : undefined;
  if (account) causes.push(invalidValue(`${path}.serviceAccountName`, spec['serviceAccountName'], account));
  const node = spec['nodeName'] ? badDnsSubdomain(spec['nodeName']) : undefined;
  if (node) causes.push(invalidValue(`${path}.nodeName`, spec['nodeName'], node));
  causes.push(...tolerationCauses(spec['tolerations'] ?? [], `${path}.tolerations`));
  return causes;
}

export const podCauses = (pod: KubeObject): Cause[] => {
  if (!isObject(pod.spec)) return [required('spec.containers')];
  const causes = podSpecCauses(pod.spec, 'spec');
  if (pod.spec['ephemeralContainers']?.length)
    causes.push(forbiddenField('spec.ephemeralContainers', 'cannot be set on create'));
  return causes;
};

const MAY_CHANGE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** What an update may change: images, deadline, more tolerations; the node once; ephemeral containers and sizes. */
export function podUpdateCauses(pod: KubeObject, before: KubeObject): Cause[] {
  const causes = podSpecCauses(pod.spec, 'spec');
  const now = copy(pod.spec ?? {});
  const was = copy(before.spec ?? {});
  for (const list of ['containers', 'initContainers'])
    for (const [i, one] of ((now[list] as Json[] | undefined) ?? []).entries()) {
      const old: Json = was[list]?.[i];
      if (!old) continue;
      old.image = one.image;
      old.resources = one.resources;
    }
  for (const field of ['activeDeadlineSeconds', 'ephemeralContainers', 'schedulingGates']) {
    if (now[field] === undefined) delete was[field];
    else was[field] = now[field];
  }
  if (!was.nodeName && now.nodeName) was.nodeName = now.nodeName;
  const added = ((was.tolerations as Json[] | undefined) ?? []).every((one) =>
    ((now.tolerations as Json[] | undefined) ?? []).some((other) => equal(one, other)),
  );
  if (added) was.tolerations = now.tolerations;
  if (!equal(now, was)) causes.push(forbiddenField('spec', MAY_CHANGE));
  return causes;
}

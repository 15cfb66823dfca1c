/** autoscaling/v1 Scale: replicas of a workload, read and written without knowing its kind. */
import type { KubeObject } from '../../client/types.ts';
import { copy, has, isObject, type Json, type JsonObject } from '../json.ts';
import type { Resource } from '../resources/resource.ts';

/** Selector as text, as Scale's status shows it. */
export function selectorText(selector: JsonObject | undefined): string {
  if (!selector) return '';
  const terms = Object.entries(selector['matchLabels'] ?? selector).map(
    ([key, value]) => `${key}=${String(value)}`,
  );
  if (selector['matchLabels'] === undefined && selector['matchExpressions'] !== undefined) terms.length = 0;
  for (const { key, operator, values = [] } of selector['matchExpressions'] ?? []) {
    if (operator === 'In') terms.push(`${key} in (${values.join(',')})`);
    if (operator === 'NotIn') terms.push(`${key} notin (${values.join(',')})`);
    if (operator === 'Exists') terms.push(key);
    if (operator === 'DoesNotExist') terms.push(`!${key}`);
  }
  return terms.join(',');
}

interface Paths {
  readonly spec: string;
  readonly status: string;
  readonly selector: string | undefined;
}

function pathsOf(resource: Resource): Paths {
  const version: JsonObject | undefined = resource.custom?.versions.get(resource.version);
  const own: JsonObject | undefined = version?.['subresources']?.scale;
  return {
    spec: own?.['specReplicasPath'] ?? '.spec.replicas',
    status: own?.['statusReplicasPath'] ?? '.status.replicas',
    selector: own ? own['labelSelectorPath'] : '.spec.selector',
  };
}

const at = (object: Json, path: string): Json =>
  path
    .split('.')
    .filter((part) => part !== '')
    .reduce<Json>((value, part) => (isObject(value) && has(value, part) ? value[part] : undefined), object);

export function scaleOf(resource: Resource, stored: KubeObject): JsonObject {
  const paths = pathsOf(resource);
  const selector: Json = paths.selector ? at(stored, paths.selector) : undefined;
  const text = typeof selector === 'string' ? selector : selectorText(selector);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = stored.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(stored, paths.spec) ?? 0 },
    status: { replicas: at(stored, paths.status) ?? 0, ...(text ? { selector: text } : {}) },
  };
}

/** The object with the replicas of a Scale. */
export function readScale(resource: Resource, stored: KubeObject, scale: JsonObject): KubeObject {
  const object = copy(stored);
  const parts = pathsOf(resource)
    .spec.split('.')
    .filter((part) => part !== '');
  const last = parts.pop() as string;
  let place: JsonObject = object;
  for (const part of parts) place = place[part] = isObject(place[part]) ? place[part] : {};
  place[last] = scale['spec']?.replicas ?? 0;
  return object;
}

/** Validation of metadata (apimachinery api/validation: ValidateObjectMeta, ValidateObjectMetaUpdate). */
import type { KubeObject } from '../client/types.ts';
import { equal, isObject } from './json.ts';
import { badDnsLabel, badDnsSubdomain } from './names.ts';
import type { Resource } from './resources/resource.ts';
import { badLabelKey, badLabelValue } from './selectors.ts';
import { forbiddenField, invalidValue, required, tooLong, type Cause } from './status.ts';

/** All keys and values of all annotations together, in bytes. */
const ANNOTATIONS_MOST = 256 * 1024;

/** Findings in a map of labels at a path. */
export function labelCauses(labels: unknown, path: string): Cause[] {
  if (labels === undefined) return [];
  const causes: Cause[] = [];
  for (const [key, value] of Object.entries(labels as object)) {
    const bad = badLabelKey(key);
    if (bad) causes.push(invalidValue(path, key, bad));
    const badValue = badLabelValue(String(value));
    if (badValue) causes.push(invalidValue(path, value, badValue));
  }
  return causes;
}

export function annotationCauses(annotations: unknown, path: string): Cause[] {
  if (!isObject(annotations)) return [];
  const causes: Cause[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    // Upstream lowers the key first: annotations may have upper case prefixes.
    const bad = badLabelKey(key.toLowerCase());
    if (bad) causes.push(invalidValue(path, key, bad));
    size += key.length + String(value).length;
  }
  if (size > ANNOTATIONS_MOST) causes.push(tooLong(path, ANNOTATIONS_MOST));
  return causes;
}

/** Everything about metadata of an object that is to be written. */
export function metadataCauses(
  resource: Resource,
  object: KubeObject,
  before: KubeObject | undefined,
  rule: ((name: string) => string | undefined) | undefined,
): Cause[] {
  const { metadata } = object;
  const causes: Cause[] = [];
  if (!metadata.name) causes.push(required('metadata.name', 'name or generateName is required'));
  else if (!before) {
    const bad = (rule ?? badDnsSubdomain)(String(metadata.name));
    if (bad) causes.push(invalidValue('metadata.name', metadata.name, bad));
  }
  if (resource.scope === 'Namespaced' && !before) {
    const bad = badDnsLabel(String(metadata.namespace));
    if (bad) causes.push(invalidValue('metadata.namespace', metadata.namespace, bad));
  }
  causes.push(
    ...labelCauses(metadata.labels, 'metadata.labels'),
    ...annotationCauses(metadata.annotations, 'metadata.annotations'),
  );
  for (const [i, finalizer] of (metadata.finalizers ?? []).entries()) {
    const bad = badLabelKey(String(finalizer));
    if (bad) causes.push(invalidValue(`metadata.finalizers[${i}]`, finalizer, bad));
  }
  causes.push(...ownerCauses(metadata.ownerReferences ?? []));
  if (before?.metadata.deletionTimestamp) {
    const had = new Set(before.metadata.finalizers ?? []);
    const added = (metadata.finalizers ?? []).filter((finalizer) => !had.has(finalizer));
    if (added.length > 0)
      causes.push(
        forbiddenField(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added
            .map((name) => JSON.stringify(name))
            .join(', ')}}`,
        ),
      );
  }
  return causes;
}

function ownerCauses(owners: NonNullable<KubeObject['metadata']['ownerReferences']>): Cause[] {
  const causes: Cause[] = [];
  let controller: string | undefined;
  for (const [i, owner] of owners.entries()) {
    const path = `metadata.ownerReferences[${i}]`;
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!owner[field])
        causes.push(invalidValue(`${path}.${field}`, owner[field] ?? '', 'must not be empty'));
    if (!owner.controller) continue;
    if (controller !== undefined)
      causes.push(
        invalidValue(
          'metadata.ownerReferences',
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`,
        ),
      );
    controller = owner.name;
  }
  return causes;
}

/** A field that must not change: upstream's ValidateImmutableField. */
export const immutable = (value: unknown, before: unknown, field: string): Cause[] =>
  equal(value, before) ? [] : [invalidValue(field, value, 'field is immutable')];

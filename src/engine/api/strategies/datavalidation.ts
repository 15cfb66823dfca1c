/** Validation of ConfigMaps, Secrets and a few small kinds. */
import type { KubeObject } from '../../client/types.ts';
import { has, isObject, type Json } from '../json.ts';
import { immutable } from '../metadata.ts';
import { forbiddenField, invalidValue, required, tooLong, type Cause } from '../status.ts';
import { badDataKey } from './check.ts';

/** All values of a ConfigMap or Secret together, in bytes. */
const MOST = 1024 * 1024;

/** @param fields the maps that hold its data */
export function dataCauses(
  object: KubeObject,
  before: KubeObject | undefined,
  fields: readonly string[],
): Cause[] {
  const causes: Cause[] = [];
  let size = 0;
  const seen = new Set<string>();
  for (const field of fields)
    for (const [key, value] of Object.entries<Json>(isObject(object[field]) ? object[field] : {})) {
      const bad = badDataKey(key);
      if (bad) causes.push(invalidValue(`${field}[${key}]`, key, bad));
      if (seen.has(key))
        causes.push(invalidValue(`${field}[${key}]`, key, `duplicate of key present in ${fields[0]}`));
      seen.add(key);
      const text = String(value);
      size +=
        field === 'data' && fields[0] === 'data' && fields.length > 1
          ? Buffer.byteLength(text)
          : text.length * 0.75;
    }
  if (size > MOST) causes.push(tooLong('', MOST));
  if (before?.['immutable'] === true) {
    if (object['immutable'] !== true)
      causes.push(forbiddenField('immutable', 'field is immutable when `immutable` is set'));
    for (const field of fields)
      if (immutable(object[field], before[field], field).length > 0)
        causes.push(forbiddenField(field, 'field is immutable when `immutable` is set'));
  }
  return causes;
}

/** Keys that a Secret of a type has to have. */
const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

export function secretCauses(secret: KubeObject, before: KubeObject | undefined): Cause[] {
  const causes = dataCauses(secret, before, ['data']);
  const type: string = secret['type'] ?? '';
  for (const key of has(SECRET_KEYS, type) ? (SECRET_KEYS[type] ?? []) : [])
    if (!has(secret['data'] ?? {}, key)) causes.push(required(`data[${key}]`));
  if (before) causes.push(...immutable(secret['type'], before['type'], 'type'));
  return causes;
}

export function bindingCauses(object: KubeObject, before: KubeObject | undefined): Cause[] {
  const causes: Cause[] = [];
  const role: Json = object['roleRef'];
  if (!role?.kind) causes.push(required('roleRef.kind'));
  if (!role?.name) causes.push(required('roleRef.name'));
  for (const [i, one] of ((object['subjects'] as Json[] | undefined) ?? []).entries()) {
    if (!one.name) causes.push(required(`subjects[${i}].name`));
    if (one.kind === 'ServiceAccount' && !one.namespace) causes.push(required(`subjects[${i}].namespace`));
  }
  if (before && immutable(role, before['roleRef'], '').length > 0)
    causes.push(invalidValue('roleRef', role, 'cannot change roleRef'));
  return causes;
}

/**
 * Strategic merge patch: a merge patch that merges lists by key where the type says so
 * (Kubernetes: "Update API Objects in Place Using kubectl patch"; apimachinery util/strategicpatch).
 */
import { equal, has, isObject, type Json, type JsonObject } from '../json.ts';
import { typeSpec, type FieldSpec, type FieldType, type TypeSpec } from '../schema/types.ts';
import { badRequest } from '../status.ts';

const PATCH = '$patch';
const RETAIN = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const SET_ORDER = '$setElementOrder/';

/** @param type a name of the table of fields */
export const strategicPatch = (target: JsonObject, patch: JsonObject, type: string): JsonObject =>
  mergeObject(target, patch, typeSpec(type));

const structOf = (type: FieldType | undefined): TypeSpec | undefined =>
  type?.is === 'struct' ? typeSpec(type.name) : undefined;

/** `mapOf` is the type of a map's values, when the object is one. */
function mergeObject(
  target: JsonObject,
  patch: JsonObject,
  spec: TypeSpec | undefined,
  mapOf?: FieldType,
): JsonObject {
  const directive: unknown = patch[PATCH];
  if (directive === 'replace') {
    const { [PATCH]: _directive, ...rest } = patch;
    return plain(rest);
  }
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw badRequest(`Unknown patch type found: ${String(directive)}`);
  const out: JsonObject = { ...target };
  const retain: unknown = patch[RETAIN];
  if (retain !== undefined) {
    if (!Array.isArray(retain)) throw badRequest('invalid patch format of $retainKeys');
    for (const key of Object.keys(out)) if (!retain.includes(key)) delete out[key];
  }
  for (const key of Object.keys(patch)) {
    if (key === PATCH || key === RETAIN || key.startsWith(SET_ORDER)) continue;
    const value: Json = patch[key];
    if (key.startsWith(DELETE_FROM)) {
      const field = key.slice(DELETE_FROM.length);
      if (!Array.isArray(value)) throw badRequest(`invalid patch format of ${key}`);
      if (Array.isArray(out[field]))
        out[field] = out[field].filter((item: Json) => !value.some((one: Json) => equal(one, item)));
      continue;
    }
    if (value === null) {
      delete out[key];
      continue;
    }
    const field = spec?.fields.get(key);
    const type = mapOf ?? field?.type;
    const old: Json = has(out, key) ? out[key] : undefined;
    if (isObject(value))
      out[key] = mergeObject(
        isObject(old) ? old : {},
        value,
        structOf(type),
        type?.is === 'map' ? type.of : undefined,
      );
    else if (Array.isArray(value)) out[key] = mergeList(Array.isArray(old) ? old : [], value, field);
    else out[key] = value;
  }
  for (const key of Object.keys(patch))
    if (key.startsWith(SET_ORDER)) {
      const field = key.slice(SET_ORDER.length);
      if (Array.isArray(out[field]))
        out[field] = inOrder(
          out[field],
          Array.isArray(target[field]) ? target[field] : [],
          patch[key],
          spec?.fields.get(field),
        );
    }
  return out;
}

/** A value of a patch that replaces: directives inside it are dropped. */
function plain(value: Json): Json {
  if (Array.isArray(value)) return value.filter((item) => !isDirective(item)).map(plain);
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const key of Object.keys(value))
    if (!key.startsWith('$') && value[key] !== null) out[key] = plain(value[key]);
  return out;
}

const isDirective = (item: Json): boolean => isObject(item) && item[PATCH] !== undefined;

function mergeList(target: readonly Json[], patch: readonly Json[], field: FieldSpec | undefined): Json[] {
  if (patch.some((item) => isObject(item) && item[PATCH] === 'replace'))
    return patch.filter((item) => !isDirective(item)).map(plain);
  if (!field?.merge || field.type.is !== 'list') return patch.map(plain);
  const key = field.mergeKey;
  if (!key) {
    // A set of scalars.
    const out = [...target];
    for (const item of patch) if (!out.some((one) => equal(one, item))) out.push(item);
    return out;
  }
  const spec = structOf(field.type.of);
  const out = [...target];
  for (const item of patch) {
    if (!isObject(item))
      throw badRequest(`the list ${field.name} of a patch holds something that is no object`);
    if (!has(item, key))
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const at = out.findIndex((one) => isObject(one) && equal(one[key], item[key]));
    if (item[PATCH] === 'delete') {
      for (let i = out.length - 1; i >= 0; i--)
        if (isObject(out[i]) && equal((out[i] as JsonObject)[key], item[key])) out.splice(i, 1);
      continue;
    }
    if (at < 0) out.push(mergeObject({}, item, spec));
    else out[at] = mergeObject(out[at] as JsonObject, item, spec);
  }
  return out;
}

/** The list in the order that $setElementOrder gives; items that only the server has keep their place. */
function inOrder(list: Json[], before: readonly Json[], order: Json, field: FieldSpec | undefined): Json[] {
  if (!Array.isArray(order)) throw badRequest('invalid patch format of $setElementOrder');
  const key = field?.mergeKey;
  const idOf = (item: Json): string =>
    JSON.stringify(key && isObject(item) ? (has(item, key) ? item[key] : null) : item);
  const places = new Map(order.map((item, i) => [idOf(item), i]));
  const serverOnly = list.filter((item) => !places.has(idOf(item)));
  const named = list.filter((item) => places.has(idOf(item)));
  named.sort((a, b) => (places.get(idOf(a)) as number) - (places.get(idOf(b)) as number));
  // Put what only the server has back where it stood relative to its live neighbours.
  const live = new Map(before.map((item, i) => [idOf(item), i]));
  const out: Json[] = [];
  let n = 0;
  let s = 0;
  while (n < named.length || s < serverOnly.length) {
    const a = named[n];
    const b = serverOnly[s];
    if (s >= serverOnly.length) out.push(named[n++]);
    else if (n >= named.length) out.push(serverOnly[s++]);
    else if ((live.get(idOf(b)) ?? Infinity) < (live.get(idOf(a)) ?? -1)) {
      out.push(b);
      s++;
    } else {
      out.push(a);
      n++;
    }
  }
  return out;
}

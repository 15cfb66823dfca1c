/** Plain JSON values: copy, compare, freeze, and the keys that are never allowed in one. */

export type Json = any;
export type JsonObject = Record<string, Json>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether an object has a field of its own; inherited ones (constructor, toString) are none. */
export const has = (object: object, key: string): boolean => Object.hasOwn(object, key);

/** A deep copy that may be changed, of something frozen or not. Undefined fields are left out, as JSON does. */
export function copy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copy) as T;
  const out: JsonObject = {};
  for (const key of Object.keys(value)) {
    const field = (value as JsonObject)[key];
    if (field === undefined) continue;
    // A field of that name is a field like any other; assigned, it would become the prototype.
    if (key === '__proto__')
      Object.defineProperty(out, key, {
        value: copy(field),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    else out[key] = copy(field);
  }
  return out as T;
}

/** Freezes a value through and through; stops at what is frozen already, because only whole values ever are. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  if (Array.isArray(value)) for (const item of value) freeze(item);
  else for (const key of Object.keys(value)) freeze((value as JsonObject)[key]);
  return value;
}

/** Deep equality of JSON values; a field that is undefined counts as absent. */
export function equal(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!equal(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  for (const key of Object.keys(a)) if (!equal(a[key], has(b, key) ? b[key] : undefined)) return false;
  for (const key of Object.keys(b)) if (b[key] !== undefined && !has(a, key)) return false;
  return true;
}

/** The depth at which a body is refused; real objects stay below 30, JSONSchemas of CRDs below 100. */
const DEEPEST = 400;

/**
 * Why a value from outside is not taken: `__proto__` as a field name (no field of Kubernetes' is called so, and
 * assigning it would change an object's prototype) or absurd depth. Undefined when it is sound.
 */
export function unsound(value: Json, depth = 0): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > DEEPEST) return `nested deeper than ${DEEPEST} levels`;
  if (Array.isArray(value)) {
    for (const item of value) {
      const why = unsound(item, depth + 1);
      if (why) return why;
    }
    return undefined;
  }
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return 'the field name "__proto__" is not allowed';
    const why = unsound(value[key], depth + 1);
    if (why) return why;
  }
  return undefined;
}

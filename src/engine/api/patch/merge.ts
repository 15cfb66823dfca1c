/** JSON merge patch, RFC 7386. */
import { has, isObject, type Json, type JsonObject } from '../json.ts';

/** A new value; neither argument is changed, unchanged parts are shared. */
export function mergePatch<T>(target: T, patch: Json): T {
  if (!isObject(patch)) return patch as T;
  const out: JsonObject = isObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) delete out[key];
    else if (value !== undefined) out[key] = mergePatch(has(out, key) ? out[key] : undefined, value);
  }
  return out as T;
}

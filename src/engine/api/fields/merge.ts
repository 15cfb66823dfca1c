/** Puts an applied configuration onto a live object, and takes away what is no longer applied. */
import { has, isObject, type Json, type JsonObject } from '../json.ts';
import type { FieldSet } from './set.ts';
import { FREE, itemKey, type Shape } from './shape.ts';

const inner = (shape: Shape, key: string): Shape =>
  shape.is === 'struct' ? (shape.field(key) ?? FREE) : shape.is === 'map' ? shape.of : FREE;

/** A new value with the fields of both; where both have one, the configuration's. */
export function mergeApplied(live: Json, config: Json, shape: Shape): Json {
  if (live === undefined || live === null) return config;
  switch (shape.is) {
    case 'atom':
      return config;
    case 'free':
    case 'struct':
    case 'map': {
      if (!isObject(config) || !isObject(live)) return config;
      const out: JsonObject = { ...live };
      for (const key of Object.keys(config))
        out[key] = mergeApplied(has(live, key) ? live[key] : undefined, config[key], inner(shape, key));
      return out;
    }
    case 'set': {
      if (!Array.isArray(config) || !Array.isArray(live)) return config;
      return ordered(
        live,
        config,
        (item) => JSON.stringify(item),
        (_old, item) => item,
      );
    }
    case 'keyed': {
      if (!Array.isArray(config) || !Array.isArray(live)) return config;
      return ordered(
        live,
        config,
        (item) => itemKey(item, shape.keys) ?? JSON.stringify(item),
        (old, item) => mergeApplied(old, item, shape.of),
      );
    }
  }
}

/** Items of both lists, in the order of the configuration where it has one; others stay where they were. */
function ordered(
  live: readonly Json[],
  config: readonly Json[],
  key: (item: Json) => string,
  merge: (old: Json, item: Json) => Json,
): Json[] {
  const old = new Map(live.map((item) => [key(item), item]));
  const named = new Set(config.map(key));
  const out: Json[] = [];
  let next = 0;
  const emit = (until: string): void => {
    // Live items that the configuration does not name keep their place before the one that follows them.
    for (; next < live.length && key(live[next]) !== until; next++)
      if (!named.has(key(live[next]))) out.push(live[next]);
    next++;
  };
  for (const item of config) {
    const name = key(item);
    if (live.slice(next).some((one) => key(one) === name)) emit(name);
    out.push(old.has(name) ? merge(old.get(name), item) : item);
  }
  for (; next < live.length; next++) if (!named.has(key(live[next]))) out.push(live[next]);
  return out;
}

/** A new value without the places of a set; containers that the set names and that become empty go too. */
export function without(value: Json, set: FieldSet, shape: Shape): Json {
  if (set.children.size === 0) return set.self ? undefined : value;
  if (isObject(value) && shape.is !== 'atom') {
    const out: JsonObject = {};
    for (const key of Object.keys(value)) {
      const gone = set.children.get(`f:${key}`);
      const kept = gone ? without(value[key], gone, inner(shape, key)) : value[key];
      if (kept !== undefined) out[key] = kept;
    }
    return Object.keys(out).length === 0 && (set.self || shape.is === 'map') ? undefined : out;
  }
  if (Array.isArray(value) && (shape.is === 'keyed' || shape.is === 'set')) {
    const out: Json[] = [];
    for (const item of value as Json[]) {
      const element = shape.is === 'set' ? `v:${JSON.stringify(item)}` : (itemKey(item, shape.keys) ?? '');
      const gone = set.children.get(element);
      if (gone?.self) continue;
      const kept = gone ? without(item, gone, shape.is === 'keyed' ? shape.of : FREE) : item;
      if (kept !== undefined) out.push(kept);
    }
    return out.length === 0 ? undefined : out;
  }
  return set.self ? undefined : value;
}

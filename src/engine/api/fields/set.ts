/** Sets of fields, as managedFields hold them (FieldsV1): a tree of path elements. */
import { isObject, type JsonObject } from '../json.ts';
import { partsOf, type Shape } from './shape.ts';

export class FieldSet {
  /** Whether the place itself is in the set, besides what is below it. */
  self = false;
  readonly children = new Map<string, FieldSet>();

  get empty(): boolean {
    return !this.self && this.children.size === 0;
  }

  child(element: string): FieldSet {
    let found = this.children.get(element);
    if (!found) this.children.set(element, (found = new FieldSet()));
    return found;
  }

  /** Adds everything of another set. */
  add(other: FieldSet): this {
    this.self ||= other.self;
    for (const [element, inner] of other.children) this.child(element).add(inner);
    return this;
  }

  /** Takes away the places of another set. */
  take(other: FieldSet): this {
    if (other.self) this.self = false;
    for (const [element, inner] of other.children) {
      const own = this.children.get(element);
      if (!own) continue;
      own.take(inner);
      if (own.empty) this.children.delete(element);
    }
    return this;
  }

  /** Takes away these places and all that lies below them. */
  takeTrees(other: FieldSet): this {
    for (const [element, inner] of other.children) {
      if (inner.self) this.children.delete(element);
      else {
        const own = this.children.get(element);
        own?.takeTrees(inner);
        if (own?.empty) this.children.delete(element);
      }
    }
    return this;
  }

  clone(): FieldSet {
    return new FieldSet().add(this);
  }

  has(path: readonly string[]): boolean {
    const [first, ...rest] = path;
    if (first === undefined) return this.self;
    return this.children.get(first)?.has(rest) ?? false;
  }

  equals(other: FieldSet): boolean {
    if (this.self !== other.self || this.children.size !== other.children.size) return false;
    for (const [element, inner] of this.children) {
      const its = other.children.get(element);
      if (!its || !inner.equals(its)) return false;
    }
    return true;
  }

  /** Every place, outermost first. */
  *paths(prefix: readonly string[] = []): Generator<string[]> {
    if (this.self) yield [...prefix];
    for (const [element, inner] of this.children) yield* inner.paths([...prefix, element]);
  }

  /** FieldsV1. */
  toJson(): JsonObject {
    const out: JsonObject = {};
    if (this.self && this.children.size > 0) out['.'] = {};
    for (const element of [...this.children.keys()].sort())
      out[element] = (this.children.get(element) as FieldSet).toJson();
    return out;
  }

  static fromJson(json: unknown, root = true): FieldSet {
    const set = new FieldSet();
    if (!isObject(json)) return set;
    const keys = Object.keys(json);
    if (keys.length === 0) set.self = !root;
    for (const key of keys)
      if (key === '.') set.self = true;
      else set.children.set(key, FieldSet.fromJson(json[key], false));
    return set;
  }

  /**
   * The places of a value.
   * @param containers whether maps and lists count as places besides their parts, as after an Update
   */
  static of(value: unknown, shape: Shape, containers: boolean): FieldSet {
    const set = new FieldSet();
    const parts = partsOf(value, shape);
    if (!parts || parts.length === 0) {
      set.self = true;
      return set;
    }
    if (containers && shape.is !== 'struct') set.self = true;
    for (const part of parts) {
      const inner = FieldSet.of(part.value, part.shape, containers);
      if (shape.is === 'keyed') inner.self = true;
      set.children.set(part.element, inner);
    }
    return set;
  }
}

/** `.spec.containers[name="nginx"].image`: how conflicts name a place. */
export const pathText = (path: readonly string[]): string =>
  path
    .map((element) => {
      const rest = element.slice(2);
      if (element.startsWith('f:')) return `.${rest}`;
      if (element.startsWith('v:')) return `[=${rest}]`;
      if (element.startsWith('i:')) return `[${rest}]`;
      const key: unknown = JSON.parse(rest);
      return `[${Object.entries(key as object)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(',')}]`;
    })
    .join('');

/** What differs between two values: places that are new or have another value, and places that are gone. */
export interface Difference {
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

export function difference(before: unknown, after: unknown, shape: Shape): Difference {
  const changed = new FieldSet();
  const removed = new FieldSet();
  compare(before, after, shape, changed, removed);
  return { changed, removed };
}

function compare(before: unknown, after: unknown, shape: Shape, changed: FieldSet, removed: FieldSet): void {
  if (before === after) return;
  if (before === undefined) {
    changed.add(FieldSet.of(after, shape, true));
    return;
  }
  if (after === undefined) {
    removed.add(FieldSet.of(before, shape, true));
    return;
  }
  const was = partsOf(before, shape);
  const is = partsOf(after, shape);
  if (!was || !is) {
    if (JSON.stringify(before) !== JSON.stringify(after)) changed.self = true;
    return;
  }
  const old = new Map(was.map((part) => [part.element, part.value]));
  for (const part of is) {
    const inner = new FieldSet();
    const gone = new FieldSet();
    compare(old.get(part.element), part.value, part.shape, inner, gone);
    if (shape.is === 'keyed' && !old.has(part.element)) inner.self = true;
    if (!inner.empty) changed.children.set(part.element, inner);
    if (!gone.empty) removed.children.set(part.element, gone);
    old.delete(part.element);
  }
  for (const part of was)
    if (old.has(part.element)) {
      const gone = FieldSet.of(part.value, part.shape, true);
      gone.self = true;
      removed.children.set(part.element, gone);
    }
}

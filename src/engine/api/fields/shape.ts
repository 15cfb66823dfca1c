/**
 * How the parts of a value are owned in server-side apply (structured-merge-diff's schema): field by field, item by
 * item, or as a whole. Made from the table of fields, from a custom resource's schema, or guessed from the value.
 */
import { isObject, type JsonObject } from '../json.ts';
import { typeSpec, type FieldSpec, type FieldType } from '../schema/types.ts';

export type Shape =
  /** A scalar, or anything that is owned as a whole. */
  | { readonly is: 'atom' }
  /** Fields, each with its own shape; unknown ones are undefined. */
  | { readonly is: 'struct'; readonly field: (name: string) => Shape | undefined }
  | { readonly is: 'map'; readonly of: Shape }
  /** A list of scalars, each owned by itself. */
  | { readonly is: 'set' }
  /** A list whose items are known by the values of some fields. */
  | { readonly is: 'keyed'; readonly keys: readonly string[]; readonly of: Shape }
  /** Unknown: objects field by field, lists as a whole. */
  | { readonly is: 'free' };

export const ATOM: Shape = { is: 'atom' };
export const FREE: Shape = { is: 'free' };

const builtIn = new Map<string, Shape>();

/** @param type a name of the table of fields */
export function shapeOfType(type: string): Shape {
  const known = builtIn.get(type);
  if (known) return known;
  const spec = typeSpec(type);
  const fields = new Map<string, Shape>();
  const shape: Shape = spec.atomic
    ? ATOM
    : {
        is: 'struct',
        field: (name) => {
          const made = fields.get(name);
          if (made) return made;
          const field = spec.fields.get(name);
          if (!field) return undefined;
          const inner = shapeOfField(field);
          fields.set(name, inner);
          return inner;
        },
      };
  builtIn.set(type, shape);
  return shape;
}

function shapeOfField(field: FieldSpec): Shape {
  if (field.atomic) return ATOM;
  const { type } = field;
  if (type.is === 'list') {
    if (field.list === 'set') return { is: 'set' };
    if (field.list === 'map') return { is: 'keyed', keys: field.listKeys, of: plain(type.of) };
    return ATOM;
  }
  return plain(type);
}

const plain = (type: FieldType): Shape =>
  type.is === 'struct'
    ? shapeOfType(type.name)
    : type.is === 'map'
      ? { is: 'map', of: plain(type.of) }
      : type.is === 'scalar' && type.scalar === 'any'
        ? FREE
        : ATOM;

/** From the openAPIV3Schema of a custom resource's version; metadata is every object's. */
export function shapeOfSchema(schema: JsonObject | undefined, root = true): Shape {
  if (!isObject(schema)) return FREE;
  if (schema['type'] === 'array') {
    const list: unknown = schema['x-kubernetes-list-type'];
    if (list === 'set') return { is: 'set' };
    if (list === 'map')
      return {
        is: 'keyed',
        keys: schema['x-kubernetes-list-map-keys'] ?? [],
        of: shapeOfSchema(schema['items'], false),
      };
    return ATOM;
  }
  if (schema['x-kubernetes-map-type'] === 'atomic') return ATOM;
  if (schema['type'] !== 'object') return schema['x-kubernetes-preserve-unknown-fields'] ? FREE : ATOM;
  if (isObject(schema['additionalProperties']))
    return { is: 'map', of: shapeOfSchema(schema['additionalProperties'], false) };
  const properties: JsonObject = isObject(schema['properties']) ? schema['properties'] : {};
  return {
    is: 'struct',
    field: (name) => {
      if (root && name === 'metadata') return shapeOfType('meta.v1.ObjectMeta');
      if (root && (name === 'apiVersion' || name === 'kind')) return ATOM;
      return Object.hasOwn(properties, name) ? shapeOfSchema(properties[name], false) : FREE;
    },
  };
}

/** Lists whose key fields have defaults: an item without a protocol is the TCP one. */
const KEY_DEFAULTS: Readonly<Record<string, string>> = { protocol: 'TCP' };

/** The key of an item, `k:{"containerPort":80,"protocol":"TCP"}`; undefined when it has none. */
export function itemKey(item: unknown, keys: readonly string[]): string | undefined {
  if (!isObject(item)) return undefined;
  const parts: string[] = [];
  for (const key of [...keys].sort()) {
    const value: unknown = item[key] ?? KEY_DEFAULTS[key];
    if (value !== undefined) parts.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
  }
  return parts.length > 0 ? `k:{${parts.join(',')}}` : undefined;
}

/** The part of a value that a path element names, and its shape. */
export interface Part {
  readonly element: string;
  readonly value: unknown;
  readonly shape: Shape;
}

/** The separately owned parts of a value; undefined when it is owned as a whole. */
export function partsOf(value: unknown, shape: Shape): Part[] | undefined {
  switch (shape.is) {
    case 'atom':
      return undefined;
    case 'free':
    case 'struct':
    case 'map':
      if (!isObject(value)) return undefined;
      return Object.keys(value)
        .filter((key) => value[key] !== undefined)
        .map((key) => ({
          element: `f:${key}`,
          value: value[key],
          shape: shape.is === 'struct' ? (shape.field(key) ?? FREE) : shape.is === 'map' ? shape.of : FREE,
        }));
    case 'set':
      if (!Array.isArray(value)) return undefined;
      return [...new Set(value.map((item) => `v:${JSON.stringify(item)}`))].map((element) => ({
        element,
        value: JSON.parse(element.slice(2)) as unknown,
        shape: ATOM,
      }));
    case 'keyed': {
      if (!Array.isArray(value)) return undefined;
      const seen = new Set<string>();
      const parts: Part[] = [];
      for (const item of value as unknown[]) {
        const element = itemKey(item, shape.keys);
        if (element === undefined) return undefined;
        if (seen.has(element)) continue;
        seen.add(element);
        parts.push({ element, value: item, shape: shape.of });
      }
      return parts;
    }
  }
}

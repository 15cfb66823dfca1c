/** JSON schemas of the types, for OpenAPI v2 and v3, from the table of fields and from custom resources' schemas. */
import { isObject, type JsonObject } from '../json.ts';
import type { Catalog, Served } from '../resources/catalog.ts';
import { apiVersionOf } from '../resources/resource.ts';
import { typeSpec, type FieldSpec, type FieldType, type Scalar, type TypeSpec } from '../schema/types.ts';
import { describe } from './describe.ts';

/** Which of the two OpenAPI dialects. */
export type Dialect = 'v2' | 'v3';

const PACKAGES: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
};

/** `core.v1.Pod` -> `io.k8s.api.core.v1.Pod`. */
export function schemaName(type: string): string {
  const [group = '', ...rest] = type.split('.');
  return `${PACKAGES[group] ?? `io.k8s.api.${group}`}.${rest.join('.')}`;
}

const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const TIME = 'io.k8s.apimachinery.pkg.apis.meta.v1.Time';
const MICRO_TIME = 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime';

const SCALARS: Readonly<Record<Scalar, JsonObject>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  duration: { type: 'string' },
  any: { type: 'object' },
  quantity: { $ref: QUANTITY },
  intorstring: { $ref: INT_OR_STRING },
  time: { $ref: TIME },
  microtime: { $ref: MICRO_TIME },
};

const leaves = (dialect: Dialect): Record<string, JsonObject> => ({
  [QUANTITY]:
    dialect === 'v2'
      ? { description: 'An amount with a decimal or binary suffix: 100m, 1Gi.', type: 'string' }
      : {
          description: 'An amount with a decimal or binary suffix: 100m, 1Gi.',
          oneOf: [{ type: 'string' }, { type: 'number' }],
        },
  [INT_OR_STRING]:
    dialect === 'v2'
      ? {
          description: 'A number or a text, such as the number or the name of a port.',
          type: 'string',
          format: 'int-or-string',
        }
      : {
          description: 'A number or a text, such as the number or the name of a port.',
          format: 'int-or-string',
          oneOf: [{ type: 'integer' }, { type: 'string' }],
        },
  [TIME]: { description: 'A time, RFC 3339.', type: 'string', format: 'date-time' },
  [MICRO_TIME]: { description: 'A time with microseconds, RFC 3339.', type: 'string', format: 'date-time' },
});

/** Makes schemas and remembers which others they refer to. */
export class Schemas {
  readonly #dialect: Dialect;
  readonly made: Record<string, JsonObject> = {};
  readonly #kinds: Map<string, JsonObject[]>;

  constructor(dialect: Dialect, catalog: Catalog) {
    this.#dialect = dialect;
    this.#kinds = kindsOfTypes(catalog);
  }

  ref(name: string): JsonObject {
    return { $ref: `${this.#dialect === 'v2' ? '#/definitions/' : '#/components/schemas/'}${name}` };
  }

  /** Makes the schema of a type and of all that it refers to; returns its name. */
  add(type: string): string {
    const name = schemaName(type);
    if (this.made[name]) return name;
    this.made[name] = {}; // Types refer to themselves.
    this.made[name] = this.#struct(typeSpec(type));
    return name;
  }

  /** The kind's list, `PodList`. */
  addList(served: Served, item: string): string {
    const name = `${item}List`;
    this.made[name] = {
      description: `A list of ${served.resource.kind} objects.`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: { type: 'string' },
        items: { type: 'array', items: this.#holder(this.ref(item)) },
        kind: { type: 'string' },
        metadata: this.#holder(this.ref(this.add('meta.v1.ListMeta'))),
      },
      'x-kubernetes-group-version-kind': [
        { group: served.group, kind: `${served.resource.kind}List`, version: served.version },
      ],
    };
    return name;
  }

  addCustom(served: Served): string {
    const { resource, version } = served;
    const name = `${resource.group.split('.').reverse().join('.')}.${version}.${resource.kind}`;
    const found: JsonObject | undefined = resource.custom?.versions.get(version);
    const given: unknown = found?.['schema']?.openAPIV3Schema;
    const schema: JsonObject = isObject(given) ? { ...given } : { type: 'object' };
    this.made[name] = {
      ...(this.#dialect === 'v2' ? forV2(schema) : schema),
      properties: {
        ...(this.#dialect === 'v2' ? forV2(schema) : schema)['properties'],
        apiVersion: {
          type: 'string',
          description: `The version of the API: ${apiVersionOf(resource.group, version)}.`,
        },
        kind: { type: 'string', description: `The kind: ${resource.kind}.` },
        metadata: this.#holder(this.ref(this.add('meta.v1.ObjectMeta'))),
      },
      'x-kubernetes-group-version-kind': [{ group: resource.group, kind: resource.kind, version }],
    };
    return name;
  }

  #struct(spec: TypeSpec): JsonObject {
    const properties: JsonObject = {};
    const required: string[] = [];
    for (const field of [...spec.fields.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      properties[field.name] = this.#field(field);
      if (field.required) required.push(field.name);
    }
    const kinds = this.#kinds.get(spec.name);
    return {
      description: describe(spec.name),
      type: 'object',
      ...(required.length ? { required } : {}),
      ...(spec.fields.size > 0 ? { properties } : {}),
      ...(spec.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(kinds ? { 'x-kubernetes-group-version-kind': kinds } : {}),
    };
  }

  #field(field: FieldSpec): JsonObject {
    return {
      ...this.#holder(this.#type(field.type)),
      ...(field.mergeKey ? { 'x-kubernetes-patch-merge-key': field.mergeKey } : {}),
      ...(field.merge
        ? { 'x-kubernetes-patch-strategy': field.retainKeys ? 'merge,retainKeys' : 'merge' }
        : field.retainKeys
          ? { 'x-kubernetes-patch-strategy': 'retainKeys' }
          : {}),
      ...(field.list ? { 'x-kubernetes-list-type': field.list } : {}),
      ...(field.listKeys.length ? { 'x-kubernetes-list-map-keys': field.listKeys } : {}),
      ...(field.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    };
  }

  /** In v3 a reference with anything beside it stands in allOf. */
  #holder(schema: JsonObject): JsonObject {
    return this.#dialect === 'v3' && schema['$ref'] ? { allOf: [schema], default: {} } : schema;
  }

  #type(type: FieldType): JsonObject {
    switch (type.is) {
      case 'struct':
        return this.ref(this.add(type.name));
      case 'list':
        return { type: 'array', items: this.#holder(this.#type(type.of)) };
      case 'map':
        return { type: 'object', additionalProperties: this.#holder(this.#type(type.of)) };
      case 'scalar': {
        const schema = SCALARS[type.scalar];
        if (schema['$ref']) {
          const name = schema['$ref'] as string;
          this.made[name] ??= leaves(this.#dialect)[name] as JsonObject;
          return this.ref(name);
        }
        return { ...schema, ...(type.values ? { enum: type.values } : {}) };
      }
    }
  }
}

/** Type name -> the kinds that it is, for x-kubernetes-group-version-kind. */
function kindsOfTypes(catalog: Catalog): Map<string, JsonObject[]> {
  const kinds = new Map<string, JsonObject[]>();
  for (const { resource, group, version, type } of catalog.allServed())
    if (type) kinds.set(type, [{ group, kind: resource.kind, version }]);
  kinds.set('meta.v1.DeleteOptions', [{ group: '', kind: 'DeleteOptions', version: 'v1' }]);
  kinds.set('meta.v1.Status', [{ group: '', kind: 'Status', version: 'v1' }]);
  kinds.set('autoscaling.v1.Scale', [{ group: 'autoscaling', kind: 'Scale', version: 'v1' }]);
  kinds.set('policy.v1.Eviction', [{ group: 'policy', kind: 'Eviction', version: 'v1' }]);
  return kinds;
}

/** What OpenAPI v2 cannot say is left out, as upstream does for custom resources. */
function forV2(schema: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) {
    if (['oneOf', 'anyOf', 'not', 'nullable', 'allOf', 'default', 'x-kubernetes-validations'].includes(key))
      continue;
    if (key === 'properties' && isObject(value))
      out[key] = Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [name, isObject(inner) ? forV2(inner) : inner]),
      );
    else if ((key === 'items' || key === 'additionalProperties') && isObject(value)) out[key] = forV2(value);
    else out[key] = value;
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] && !schema['properties']) delete out['type'];
  return out;
}

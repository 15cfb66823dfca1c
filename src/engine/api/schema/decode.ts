/**
 * Reads a body as one of the built-in types: drops what the type does not have (and says so), checks JSON types, brings
 * quantities into canonical form. Messages are those of Go's decoder, which users know from real clusters.
 */
import { isObject, type Json, type JsonObject } from '../json.ts';
import { badRequest } from '../status.ts';
import { canonicalQuantity } from './quantity.ts';
import { typeSpec, type FieldType, type Scalar, type TypeSpec } from './types.ts';

const GO_NAMES: Record<Scalar, string> = {
  string: 'string',
  bool: 'bool',
  int32: 'int32',
  int64: 'int64',
  double: 'float64',
  bytes: '[]uint8',
  quantity: 'resource.Quantity',
  intorstring: 'intstr.IntOrString',
  time: 'v1.Time',
  microtime: 'v1.MicroTime',
  duration: 'v1.Duration',
  any: 'runtime.RawExtension',
};

/** Reasons are thrown as text; the caller says of which object. */
class Undecodable extends Error {}

interface Place {
  /** `spec.replicas` */
  readonly path: string;
  /** The innermost struct, `DeploymentSpec`. */
  readonly struct: string;
}

const jsonType = (value: Json): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;

const goType = (type: FieldType): string => {
  switch (type.is) {
    case 'scalar':
      return GO_NAMES[type.scalar];
    case 'struct':
      return type.name.split('.').slice(1).join('.');
    case 'list':
      return `[]${goType(type.of)}`;
    case 'map':
      return `map[string]${goType(type.of)}`;
  }
};

function mismatch(value: Json, type: FieldType, place: Place): never {
  const number =
    typeof value === 'number' ? `number${Number.isInteger(value) ? '' : ` ${value}`}` : undefined;
  throw new Undecodable(
    `json: cannot unmarshal ${number ?? jsonType(value)} into Go struct field ${place.struct}.${place.path} of type ${goType(type)}`,
  );
}

const RANGE: Partial<Record<Scalar, number>> = { int32: 2 ** 31, int64: 2 ** 63 };
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;

function scalar(value: Json, type: FieldType & { is: 'scalar' }, place: Place): Json {
  switch (type.scalar) {
    case 'any':
      return value;
    case 'string':
    case 'duration':
      return typeof value === 'string' ? value : mismatch(value, type, place);
    case 'bool':
      return typeof value === 'boolean' ? value : mismatch(value, type, place);
    case 'double':
      return typeof value === 'number' ? value : mismatch(value, type, place);
    case 'int32':
    case 'int64': {
      if (typeof value !== 'number') return mismatch(value, type, place);
      if (!Number.isInteger(value) || Math.abs(value) > (RANGE[type.scalar] as number))
        throw new Undecodable(
          `json: cannot unmarshal number ${value} into Go struct field ${place.struct}.${place.path} of type ${type.scalar}`,
        );
      return value;
    }
    case 'intorstring':
      return typeof value === 'string' || Number.isInteger(value) ? value : mismatch(value, type, place);
    case 'bytes': {
      if (typeof value !== 'string') return mismatch(value, type, place);
      if (!BASE64.test(value) || value.replace(/\s/g, '').length % 4 !== 0)
        throw new Undecodable(
          `illegal base64 data at input byte ${Math.max(0, value.search(/[^A-Za-z0-9+/=\s]/))}`,
        );
      return value.replace(/\s/g, '');
    }
    case 'quantity': {
      if (typeof value !== 'string' && typeof value !== 'number') return mismatch(value, type, place);
      const canonical = canonicalQuantity(String(value));
      if (canonical === undefined)
        throw new Undecodable(
          "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        );
      return canonical;
    }
    case 'time':
    case 'microtime': {
      if (typeof value !== 'string') return mismatch(value, type, place);
      if (!RFC3339.test(value) || Number.isNaN(Date.parse(value)))
        throw new Undecodable(
          `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(value)} as "2006"`,
        );
      return value;
    }
  }
}

function decodeValue(value: Json, type: FieldType, place: Place, unknown: string[]): Json {
  switch (type.is) {
    case 'scalar':
      return scalar(value, type, place);
    case 'struct':
      if (!isObject(value)) return mismatch(value, type, place);
      return decodeStruct(value, typeSpec(type.name), place.path, unknown);
    case 'list':
      if (!Array.isArray(value)) return mismatch(value, type, place);
      return value.map((item, i) =>
        item === null
          ? zero(type.of)
          : decodeValue(item, type.of, { struct: place.struct, path: `${place.path}[${i}]` }, unknown),
      );
    case 'map': {
      if (!isObject(value)) return mismatch(value, type, place);
      const out: JsonObject = {};
      for (const key of Object.keys(value)) {
        const item = value[key];
        out[key] =
          item === null
            ? zero(type.of)
            : decodeValue(item, type.of, { struct: place.struct, path: `${place.path}.${key}` }, unknown);
      }
      return out;
    }
  }
}

/** What Go leaves in a slot that JSON gave as null. */
const zero = (type: FieldType): Json =>
  type.is === 'list'
    ? []
    : type.is !== 'scalar'
      ? {}
      : type.scalar === 'string'
        ? ''
        : type.scalar === 'bool'
          ? false
          : 0;

function decodeStruct(value: JsonObject, spec: TypeSpec, path: string, unknown: string[]): JsonObject {
  const out: JsonObject = {};
  const struct = spec.name.split('.').pop() as string;
  for (const key of Object.keys(value)) {
    const item = value[key];
    const field = spec.fields.get(key);
    const inner = path ? `${path}.${key}` : key;
    if (!field) {
      unknown.push(inner);
      continue;
    }
    if (item === null || item === undefined) continue;
    out[key] = decodeValue(item, field.type, { path: inner, struct }, unknown);
  }
  return out;
}

export interface Decoded {
  readonly value: JsonObject;
  /** Paths of fields that the type does not have. */
  readonly unknown: readonly string[];
}

/**
 * @param type a name of the table of fields
 * @param what `Deployment in version "v1" cannot be handled as a Deployment` begins the message of a 400
 */
export function decode(body: JsonObject, type: string, what: string): Decoded {
  const unknown: string[] = [];
  try {
    return { value: decodeStruct(body, typeSpec(type), '', unknown), unknown };
  } catch (error) {
    if (error instanceof Undecodable) throw badRequest(`${what}: ${error.message}`);
    throw error;
  }
}

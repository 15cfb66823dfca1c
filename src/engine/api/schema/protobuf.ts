/**
 * Reads request bodies in Kubernetes' protobuf form, which client-go uses for built-in types: `k8s\0`, then a
 * runtime.Unknown with the object's message inside (apimachinery pkg/runtime/serializer/protobuf).
 * Answers are always JSON, which such clients accept too.
 */
import type { Json, JsonObject } from '../json.ts';
import { badRequest } from '../status.ts';
import { typeSpec, type FieldSpec, type FieldType, type Scalar, type TypeSpec } from './types.ts';

const MAGIC = Buffer.from('k8s\0');

class Cut extends Error {}

/** One field of a message as it stands on the wire. */
interface Raw {
  readonly number: number;
  /** Varints and fixed numbers. */
  readonly value: bigint;
  readonly bytes: Buffer;
  readonly wire: number;
}

function* fields(message: Buffer): Generator<Raw> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Cut();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Cut();
  };
  const take = (length: number): Buffer => {
    if (at + length > message.length) throw new Cut();
    at += length;
    return message.subarray(at - length, at);
  };
  const none = Buffer.alloc(0);
  while (at < message.length) {
    const tag = Number(varint());
    const [number, wire] = [Math.floor(tag / 8), tag & 7];
    if (wire === 0) yield { number, wire, value: varint(), bytes: none };
    else if (wire === 1) yield { number, wire, value: 0n, bytes: take(8) };
    else if (wire === 2) yield { number, wire, value: 0n, bytes: take(Number(varint())) };
    else if (wire === 5) yield { number, wire, value: 0n, bytes: take(4) };
    else throw new Cut();
  }
}

const number = (value: bigint): number => Number(BigInt.asIntN(64, value));

/** Seconds and nanoseconds -> RFC 3339; undefined for the zero time. */
function time(message: Buffer, micro: boolean): string | undefined {
  let ms = 0;
  let any = false;
  let nanos = 0;
  for (const field of fields(message)) {
    any = true;
    if (field.number === 1) ms = number(field.value) * 1_000;
    if (field.number === 2) nanos = number(field.value);
  }
  if (!any || Math.abs(ms) > 8e15 || ms < -6e13) return undefined;
  const whole = new Date(ms).toISOString().slice(0, 19);
  return micro ? `${whole}.${String(Math.floor(nanos / 1_000)).padStart(6, '0')}Z` : `${whole}Z`;
}

function intOrString(message: Buffer): Json {
  let kind = 0;
  let int = 0;
  let text = '';
  for (const field of fields(message)) {
    if (field.number === 1) kind = number(field.value);
    if (field.number === 2) int = number(field.value);
    if (field.number === 3) text = field.bytes.toString('utf8');
  }
  return kind === 1 ? text : int;
}

function inner(message: Buffer, wanted: number): Buffer | undefined {
  for (const field of fields(message)) if (field.number === wanted) return field.bytes;
  return undefined;
}

function scalar(raw: Raw, type: Scalar): Json {
  switch (type) {
    case 'string':
      return raw.bytes.toString('utf8');
    case 'bool':
      return raw.value !== 0n;
    case 'int32':
    case 'int64':
      return number(raw.value);
    case 'double':
      return raw.bytes.length === 8 ? raw.bytes.readDoubleLE(0) : 0;
    case 'bytes':
      return raw.bytes.toString('base64');
    case 'quantity':
      return inner(raw.bytes, 1)?.toString('utf8') ?? '0';
    case 'intorstring':
      return intOrString(raw.bytes);
    case 'time':
    case 'microtime':
      return time(raw.bytes, type === 'microtime');
    case 'duration': {
      for (const field of fields(raw.bytes)) if (field.number === 1) return `${number(field.value) / 1e9}s`;
      return '0s';
    }
    case 'any': {
      const text = inner(raw.bytes, 1)?.toString('utf8');
      return text ? (JSON.parse(text) as Json) : undefined;
    }
  }
}

function value(raw: Raw, type: FieldType): Json {
  if (type.is === 'scalar') return scalar(raw, type.scalar);
  if (type.is === 'struct') return struct(raw.bytes, typeSpec(type.name));
  throw new Cut();
}

/** A field with its place among the numbers of inlined messages. */
interface Placed {
  readonly field: FieldSpec;
  readonly depth: number;
}

function byNumber(places: readonly Placed[]): Map<number, Placed[]> {
  const map = new Map<number, Placed[]>();
  for (const place of places) {
    const key = place.field.proto[place.depth];
    if (key === undefined) continue;
    const list = map.get(key) ?? [];
    list.push(place);
    map.set(key, list);
  }
  return map;
}

const isZero = (one: Json): boolean =>
  one === undefined ||
  one === '' ||
  one === 0 ||
  one === false ||
  (typeof one === 'object' && one !== null && Object.keys(one as object).length === 0);

function read(message: Buffer, places: readonly Placed[], out: JsonObject): void {
  const numbers = byNumber(places);
  for (const raw of fields(message)) {
    const found = numbers.get(raw.number);
    const [first] = found ?? [];
    if (!found || !first) continue;
    if (first.field.proto.length > first.depth + 1) {
      read(
        raw.bytes,
        found.map(({ field, depth }) => ({ field, depth: depth + 1 })),
        out,
      );
      continue;
    }
    const { field } = first;
    const { type } = field;
    if (type.is === 'list') {
      const list: Json[] = (out[field.name] ??= []);
      // Numbers may come packed.
      if (raw.wire === 2 && type.of.is === 'scalar' && ['int32', 'int64', 'bool'].includes(type.of.scalar))
        for (const one of packed(raw.bytes)) list.push(one);
      else list.push(value(raw, type.of));
    } else if (type.is === 'map') {
      const map: JsonObject = (out[field.name] ??= {});
      let key = '';
      let item: Json = type.of.is === 'scalar' && type.of.scalar === 'string' ? '' : undefined;
      for (const part of fields(raw.bytes)) {
        if (part.number === 1) key = part.bytes.toString('utf8');
        if (part.number === 2) item = value(part, type.of);
      }
      if (key === '__proto__') throw new Cut();
      map[key] = item ?? (type.of.is === 'scalar' && type.of.scalar === 'bytes' ? '' : {});
    } else {
      const one = value(raw, type);
      // Go writes the zero values of everything that is no pointer.
      if (isZero(one) && !field.pointer && !(field.required && type.is === 'scalar')) continue;
      out[field.name] = one;
    }
  }
}

function* packed(bytes: Buffer): Generator<number> {
  let at = 0;
  while (at < bytes.length) {
    let whole = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63n) throw new Cut();
      whole |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    yield number(whole);
  }
}

function struct(message: Buffer, spec: TypeSpec): JsonObject {
  const out: JsonObject = {};
  read(
    message,
    [...spec.fields.values()].map((field) => ({ field, depth: 0 })),
    out,
  );
  return out;
}

/**
 * @param typeOf the type in the table of fields for an apiVersion and kind; undefined when there is none
 * @returns the object as JSON has it
 */
export function readProtobuf(
  body: Buffer,
  typeOf: (apiVersion: string, kind: string) => string | undefined,
): JsonObject {
  if (!body.subarray(0, 4).equals(MAGIC))
    throw badRequest('the body is not in the protobuf form of Kubernetes: it does not begin with k8s\\0');
  try {
    let apiVersion = '';
    let kind = '';
    let raw: Buffer = Buffer.alloc(0);
    for (const field of fields(body.subarray(4))) {
      if (field.number === 1)
        for (const part of fields(field.bytes)) {
          if (part.number === 1) apiVersion = part.bytes.toString('utf8');
          if (part.number === 2) kind = part.bytes.toString('utf8');
        }
      if (field.number === 2) raw = field.bytes;
    }
    const type = typeOf(apiVersion, kind);
    if (type === undefined)
      throw badRequest(
        `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
      );
    return { ...struct(raw, typeSpec(type)), apiVersion, kind };
  } catch (error) {
    if (error instanceof Cut || error instanceof SyntaxError || error instanceof RangeError)
      throw badRequest('the body is not sound protobuf');
    throw error;
  }
}

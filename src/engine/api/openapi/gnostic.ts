/**
 * OpenAPI v2 as protobuf (gnostic's openapi.v2 messages), the only form that kubectl before 1.27 reads.
 * Field numbers: github.com/google/gnostic-models, openapiv2/OpenAPIv2.proto.
 */
import type { Json, JsonObject } from '../json.ts';

type Piece = Buffer | undefined;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80);
  bytes.push(value);
  return Buffer.from(bytes);
}

const message = (...pieces: Piece[]): Buffer => Buffer.concat(pieces.filter((piece) => piece !== undefined));
const bytes = (field: number, body: Buffer): Buffer =>
  Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
const text = (field: number, value: Json): Piece =>
  typeof value === 'string' && value !== '' ? bytes(field, Buffer.from(value)) : undefined;
const bool = (field: number, value: Json): Piece =>
  value === true ? Buffer.concat([varint(field * 8), varint(1)]) : undefined;
const all = <T>(list: readonly T[] | undefined, make: (item: T) => Piece): Piece =>
  message(...(list ?? []).map(make));
const named = (field: number, name: string, value: Buffer): Buffer =>
  bytes(field, message(text(1, name), bytes(2, value)));

/** Extensions travel as YAML; JSON is YAML. */
const extensions = (field: number, object: JsonObject): Piece =>
  all(
    Object.keys(object).filter((key) => key.startsWith('x-')),
    (key) => named(field, key, message(text(2, `${JSON.stringify(object[key])}\n`))),
  );

function schema(value: JsonObject): Buffer {
  const { additionalProperties: rest } = value;
  return message(
    text(1, value['$ref']),
    text(2, value['format']),
    text(4, value['description']),
    all(value['required'] as string[] | undefined, (name) => text(19, name)),
    rest !== undefined
      ? bytes(21, typeof rest === 'boolean' ? message(bool(2, rest)) : message(bytes(1, schema(rest))))
      : undefined,
    value['type'] ? bytes(22, message(text(1, value['type']))) : undefined,
    value['items'] ? bytes(23, message(bytes(1, schema(value['items'])))) : undefined,
    value['properties']
      ? bytes(
          25,
          all(Object.entries<JsonObject>(value['properties']), ([name, inner]) =>
            named(1, name, schema(inner)),
          ) ?? Buffer.alloc(0),
        )
      : undefined,
    extensions(31, value),
  );
}

function parameter(value: JsonObject): Buffer {
  if (value['in'] === 'body')
    return message(
      bytes(
        1,
        bytes(
          1,
          message(
            text(2, value['name']),
            text(3, 'body'),
            bool(4, value['required']),
            bytes(5, schema(value['schema'])),
          ),
        ),
      ),
    );
  const inner =
    value['in'] === 'path'
      ? bytes(4, message(bool(1, true), text(2, 'path'), text(4, value['name']), text(5, value['type'])))
      : bytes(
          3,
          message(
            text(2, 'query'),
            text(4, value['name']),
            text(6, value['type']),
            bool(20, value['uniqueItems']),
          ),
        );
  return message(bytes(1, bytes(2, inner)));
}

function operation(value: JsonObject): Buffer {
  return message(
    all(value['tags'] as string[], (tag) => text(1, tag)),
    text(5, value['operationId']),
    all(value['consumes'] as string[] | undefined, (type) => text(7, type)),
    all(value['parameters'] as JsonObject[], (one) => bytes(8, parameter(one))),
    bytes(
      9,
      all(Object.entries<JsonObject>(value['responses']), ([code, answer]) =>
        named(
          1,
          code,
          bytes(
            1,
            message(
              text(1, answer['description']),
              answer['schema'] ? bytes(2, bytes(1, schema(answer['schema']))) : undefined,
            ),
          ),
        ),
      ) ?? Buffer.alloc(0),
    ),
    extensions(13, value),
  );
}

const METHODS: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function pathItem(value: JsonObject): Buffer {
  return message(
    ...Object.entries(METHODS).map(([method, field]) =>
      value[method] ? bytes(field, operation(value[method])) : undefined,
    ),
    all(value['parameters'] as JsonObject[] | undefined, (one) => bytes(9, parameter(one))),
  );
}

/** An OpenAPI v2 document (as JSON value) as openapi.v2.Document. */
export function gnostic(document: JsonObject): Buffer {
  return message(
    text(1, '2.0'),
    bytes(2, message(text(1, document['info'].title), text(2, document['info'].version))),
    bytes(
      8,
      all(Object.entries<JsonObject>(document['paths']), ([path, item]) => named(2, path, pathItem(item))) ??
        Buffer.alloc(0),
    ),
    bytes(
      9,
      all(Object.entries<JsonObject>(document['definitions']), ([name, value]) =>
        named(1, name, schema(value)),
      ) ?? Buffer.alloc(0),
    ),
  );
}

/** Reads request bodies: bounded, JSON or YAML, free of what could harm. */
import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { isObject, unsound, type JsonObject } from '../json.ts';
import type { Catalog } from '../resources/catalog.ts';
import { readProtobuf } from '../schema/protobuf.ts';
import { badRequest, tooLarge, unsupportedMediaType } from '../status.ts';

/** kube-apiserver's limit of a request body, in bytes. */
const MOST = 3 * 1024 * 1024;

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const stream = request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request;
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of stream) {
      size += (piece as Buffer).length;
      if (size > MOST) break;
      pieces.push(piece as Buffer);
    }
  } catch (error) {
    throw badRequest(`the body could not be read: ${(error as Error).message}`);
  }
  if (size > MOST) throw tooLarge(`Request entity too large: limit is ${MOST}`);
  return Buffer.concat(pieces);
}

export const contentType = (request: IncomingMessage): string =>
  (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';

/** Parses a body of a content type; throws 400 or 415. */
export async function parseBody(bytes: Buffer, type: string): Promise<unknown> {
  const text = bytes.toString('utf8');
  let value: unknown;
  if (type.endsWith('json')) {
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw badRequest(
        `the object provided is unrecognized (must be of type JSON): ${(error as Error).message}`,
      );
    }
    // Cheap, and only what can hold the name or be deep is looked through.
    if (/__proto__|\\u00/i.test(text) || (text.match(/[[{]/g)?.length ?? 0) > 400) check(value);
  } else if (type.endsWith('yaml')) {
    const { parse } = await import('yaml');
    try {
      value = parse(text, { maxAliasCount: 100 });
    } catch (error) {
      throw badRequest(`error converting YAML to JSON: ${(error as Error).message}`);
    }
    check(value);
  } else
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
    );
  return value;
}

function check(value: unknown): void {
  const why = unsound(value);
  if (why) throw badRequest(`the object provided is not accepted: ${why}`);
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** The body as an object; an empty one is undefined. The catalog knows the types of protobuf bodies. */
export async function readObject(
  request: IncomingMessage,
  catalog: Catalog,
): Promise<JsonObject | undefined> {
  const bytes = await readBody(request);
  if (bytes.length === 0) return undefined;
  if (contentType(request) === PROTOBUF)
    return readProtobuf(bytes, (apiVersion, kind) => catalog.typeOf(apiVersion, kind));
  const value = await parseBody(bytes, contentType(request));
  if (value === null || value === undefined) return undefined;
  if (!isObject(value)) throw badRequest('the object provided is unrecognized: it is not a JSON object');
  return value;
}

/** Reads request bodies: bounded, JSON or YAML, free of what could harm. */
import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { isObject, unsound, type JsonObject } from '../json.ts';
import type { Catalog } from '../resources/catalog.ts';
import { readProtobuf } from '../schema/protobuf.ts';
import { badRequest, tooLarge, unsupportedMediaType } from '../status.ts';

/** kube-apiserver's limit of a request body, in bytes. */
const MOST = 3 * 1024 * 1024;

/** Rejects as soon as there is too much; the connection stays, so that the answer can be read. */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const gunzip = request.headers['content-encoding'] === 'gzip' ? createGunzip() : undefined;
  const stream = gunzip ? request.pipe(gunzip) : request;
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const fail = (error: unknown): void => {
      stream.removeAllListeners('data');
      if (gunzip) {
        request.unpipe(gunzip);
        gunzip.destroy();
      }
      reject(error as Error);
    };
    stream.on('data', (piece: Buffer) => {
      size += piece.length;
      if (size > MOST) fail(tooLarge(`Request entity too large: limit is ${MOST}`));
      else pieces.push(piece);
    });
    stream.on('end', () => resolve(Buffer.concat(pieces)));
    stream.on('error', (error) => fail(badRequest(`the body could not be read: ${error.message}`)));
    request.on('close', () => {
      if (!request.complete) fail(badRequest('the body ended before its length'));
    });
  });
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

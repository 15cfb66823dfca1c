/** Writes answers: objects, lists, tables, errors. */
import type { ServerResponse } from 'node:http';
import { ApiError, type KubeObject } from '../../client/types.ts';
import { internal, statusObject } from '../status.ts';
import type { Exchange } from './request.ts';

/** RFC 7234's warn-code 299, the agent unnamed, as upstream writes it. */
const warningHeader = (text: string): string =>
  // eslint-disable-next-line no-control-regex
  `299 - "${text.replace(/[\u0000-\u001f\u007f-\uffff]/g, '?').replace(/(["\\])/g, '\\$1')}"`;

/** All warnings together, in characters; upstream cuts at 4096. */
const WARNINGS_MOST = 4_096;

export function setWarnings(response: ServerResponse, warnings: readonly string[]): void {
  const out: string[] = [];
  let size = 0;
  for (const text of new Set(warnings)) {
    size += text.length;
    if (size > WARNINGS_MOST) break;
    out.push(warningHeader(text));
  }
  if (out.length > 0) response.setHeader('Warning', out);
}

export function send(
  exchange: Exchange,
  code: number,
  body: string | Buffer,
  type = 'application/json',
): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  setWarnings(response, exchange.warnings);
  response.writeHead(code, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-cache, private',
  });
  response.end(exchange.method === 'HEAD' ? undefined : body);
}

export const sendObject = (exchange: Exchange, code: number, object: object): void =>
  send(exchange, code, JSON.stringify(object));

/** Any error as a Status; one that is not an ApiError is a bug of ours and is told to `onError`. */
export function asApiError(error: unknown, onError?: (error: unknown) => void): ApiError {
  if (error instanceof ApiError) return error;
  onError?.(error);
  return internal((error as Error)?.message ?? String(error));
}

export function sendError(exchange: Exchange, error: unknown, onError?: (error: unknown) => void): void {
  const known = asApiError(error, onError);
  const retry = (known.status.details as { retryAfterSeconds?: number } | undefined)?.retryAfterSeconds;
  if (retry && !exchange.response.headersSent) exchange.response.setHeader('Retry-After', String(retry));
  sendObject(exchange, known.status.code, statusObject(known));
}

/** JSON of objects, kept as long as the object itself: they are frozen, and many watch the same ones. */
const texts = new WeakMap<object, string>();

export function textOf(object: KubeObject): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    if (Object.isFrozen(object)) texts.set(object, text);
  }
  return text;
}

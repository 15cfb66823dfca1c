/** What a request asks for, from its path and query (apiserver's RequestInfo). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { badRequest } from '../status.ts';

/** Who asks. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
}

export const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** A request about a resource. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly plural: string;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** What follows the subresource: the path of a proxy request. */
  readonly rest: string;
  /** The old form of a watch, /api/v1/watch/pods. */
  readonly watch: boolean;
}

/** One request with everything that handlers need. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly user: User;
  /** Texts that go out as `Warning:` headers. */
  readonly warnings: string[];
}

/** Splits a path into segments; undefined when one cannot be decoded or leads elsewhere. */
export function segments(path: string): string[] | undefined {
  const out: string[] = [];
  for (const piece of path.split('/')) {
    if (piece === '') continue;
    try {
      out.push(decodeURIComponent(piece));
    } catch {
      return undefined;
    }
  }
  return out;
}

/**
 * `/api/v1/...` and `/apis/GROUP/VERSION/...` with a resource in it.
 * @returns undefined when the path is not of that form
 */
export function resourcePath(path: string): ResourcePath | undefined {
  const parts = segments(path);
  if (!parts) return undefined;
  let group = '';
  let version: string | undefined;
  const root = parts.shift();
  if (root === 'api') version = parts.shift();
  else if (root === 'apis') {
    group = parts.shift() ?? '';
    version = parts.shift();
    if (!group) return undefined;
  } else return undefined;
  if (!version || parts.length === 0) return undefined;
  const watch = parts[0] === 'watch';
  if (watch) parts.shift();
  let namespace: string | undefined;
  // `namespaces/NAME` is a namespace, `namespaces/NAME/pods` the pods in it, `namespaces/NAME/status` its status.
  if (
    parts[0] === 'namespaces' &&
    parts.length > 2 &&
    !(group === '' && parts.length === 3 && ['status', 'finalize'].includes(parts[2] as string))
  ) {
    namespace = parts[1];
    parts.splice(0, 2);
  }
  const [plural, name, subresource, ...rest] = parts;
  if (!plural) return undefined;
  return { group, version, namespace, plural, name, subresource, rest: rest.join('/'), watch };
}

/** A query parameter that is true when it is there without a value, or `true` or `1`. */
export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null) return false;
  return value === '' || value === 'true' || value === '1' || value === 'True' || value === 'TRUE';
}

/** A whole number of the query, or undefined when it is absent; throws 400. */
export function numberOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^-?\d{1,18}$/.test(value))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  return Number(value);
}

/** The name under which fields are owned: ?fieldManager, else the program's name as upstream derives it. */
export function managerOf(exchange: Exchange): string {
  const asked = exchange.query.get('fieldManager');
  if (asked) {
    if (asked.length > 128) throw badRequest('fieldManager: Too long: may not be more than 128 bytes');
    return asked;
  }
  const agent = String(exchange.request.headers['user-agent'] ?? 'unknown');
  return agent.split('/')[0]?.slice(0, 128) || 'unknown';
}

/** `?dryRun=All`; throws 400 for another value. */
export function dryRunOf(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter((value) => value !== '');
  for (const value of values)
    if (value !== 'All')
      throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(value)}: supported values: "All"`);
  return values.length > 0;
}

/** The verbs on resources: get, list, watch, create, update, patch, delete, deletecollection. */
import type { KubeObject } from '../../client/types.ts';
import { isObject } from '../json.ts';
import type { Served } from '../resources/catalog.ts';
import { ApiError } from '../../client/types.ts';
import { badRequest, expired, methodNotAllowed, notAcceptable } from '../status.ts';
import { send, textOf } from './answer.ts';
import { readObject } from './body.ts';
import type { Context } from './context.ts';
import { formOf } from './negotiate.ts';
import { decodeBody, writeOptions } from './decoding.ts';
import { remove, removeAll } from './deleting.ts';
import { patchObject } from './patching.ts';
import { numberOf, type Exchange, type ResourcePath } from './request.ts';
import { specialOf } from './reviews.ts';
import { listText, objectText, toServed, type Shape } from './shape.ts';
import { serveWatch } from './watch.ts';

export async function serveResource(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  const { resource } = served;
  const verb = verbOf(exchange, path);
  if (!verb || !resource.verbs.includes(verb))
    throw methodNotAllowed(resource.plural, verb ?? exchange.method.toLowerCase());
  if (resource.scope === 'Cluster' && path.namespace !== undefined)
    throw new ApiError({
      code: 404,
      reason: 'NotFound',
      message: 'the server could not find the requested resource',
    });
  const special = specialOf(served);
  if (special) return special(context, exchange, served, path);
  switch (verb) {
    case 'get':
      return get(context, exchange, served, path);
    case 'list':
    case 'watch':
      return list(context, exchange, served, path, verb === 'watch');
    case 'create':
      return create(context, exchange, served, path);
    case 'update':
      return update(context, exchange, served, path);
    case 'patch':
      return patchObject(context, exchange, served, path);
    case 'delete':
      return remove(context, exchange, served, path);
    case 'deletecollection':
      return removeAll(context, exchange, served, path);
  }
}

function verbOf(exchange: Exchange, path: ResourcePath): string | undefined {
  const watching = path.watch || /^(true|1)$/.test(exchange.query.get('watch') ?? '');
  switch (exchange.method) {
    case 'GET':
    case 'HEAD':
      return watching ? 'watch' : path.name ? 'get' : 'list';
    case 'POST':
      return path.name ? undefined : 'create';
    case 'PUT':
      return path.name ? 'update' : undefined;
    case 'PATCH':
      return path.name ? 'patch' : undefined;
    case 'DELETE':
      return path.name ? 'delete' : 'deletecollection';
  }
  return undefined;
}

/** The form of the answer; throws 406. */
export function shapeOf(exchange: Exchange): Shape {
  const found = formOf(exchange.request.headers.accept);
  if (!found)
    throw notAcceptable(
      'only the following media types are accepted: application/json, application/yaml, application/json;as=Table;g=meta.k8s.io;v=v1',
    );
  const include = exchange.query.get('includeObject');
  return {
    form: found.form,
    version: found.version,
    include: include === 'Object' || include === 'None' ? include : 'Metadata',
  };
}

/** Sends one object in the form that was asked for. */
export async function sendStored(
  exchange: Exchange,
  served: Served,
  stored: KubeObject,
  code = 200,
): Promise<void> {
  const found = formOf(exchange.request.headers.accept);
  if (found?.yaml) {
    const { stringify } = await import('yaml');
    return send(exchange, code, stringify(JSON.parse(textOf(toServed(served, stored)))), 'application/yaml');
  }
  send(exchange, code, objectText(served, stored, shapeOf(exchange)));
}

/** ?resourceVersion as a number; undefined when absent; throws 400. */
function versionOf(exchange: Exchange): number | undefined {
  const text = exchange.query.get('resourceVersion');
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(
      `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Number(text);
}

/** A version from the future: the client talked to another cluster, or to this one before it was made anew. */
function notFuture(context: Context, version: number | undefined): void {
  const { version: newest } = context.registry.store;
  if (version !== undefined && version > newest)
    throw new ApiError({
      code: 504,
      reason: 'Timeout',
      message: `Timeout: Too large resource version: ${version}, current: ${newest}`,
      details: {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      },
    });
}

function get(context: Context, exchange: Exchange, served: Served, path: ResourcePath): Promise<void> {
  notFuture(context, versionOf(exchange));
  const stored = context.registry.need(served.resource, path.namespace ?? '', path.name as string);
  return sendStored(exchange, served, stored);
}

interface Continue {
  readonly version: number;
  /** `namespace/name` after which the next page begins. */
  readonly after: string;
}

function readContinue(text: string | null): Continue | undefined {
  if (!text) return undefined;
  try {
    const token: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (isObject(token) && Number.isInteger(token['rv']) && typeof token['start'] === 'string')
      return { version: token['rv'], after: token['start'] };
  } catch {
    // Told below.
  }
  throw badRequest('continue key is not valid: the token could not be decoded');
}

const place = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

function list(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
  watching: boolean,
): void | Promise<void> {
  const { query } = exchange;
  const { registry } = context;
  const { resource } = served;
  const selectors = {
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
  };
  const version = versionOf(exchange);
  const shape = shapeOf(exchange);
  checkVersionMatch(exchange, watching);
  notFuture(context, version);
  if (watching) {
    const match = registry.match(resource, selectors);
    return serveWatch(exchange, registry, served, {
      namespace: path.namespace,
      name: path.name,
      match,
      version,
      shape,
    });
  }
  const listed = registry.list(resource, path.namespace, selectors);
  const items = listed.items.sort((a, b) => (place(a) < place(b) ? -1 : 1));
  const from = readContinue(query.get('continue'));
  if (from && from.version > registry.store.version)
    throw expired('The provided continue parameter is too old to display a consistent list result.');
  const limit = numberOf(query, 'limit') ?? 0;
  const begin = from ? items.findIndex((item) => place(item) > from.after) : 0;
  const rest = begin < 0 ? [] : items.slice(begin);
  const page = limit > 0 ? rest.slice(0, limit) : rest;
  const last = page.at(-1);
  const rv = from?.version ?? listed.version;
  const more = page.length < rest.length && last;
  const metadata = {
    resourceVersion: String(rv),
    ...(more
      ? {
          continue: Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv, start: place(last) })).toString(
            'base64url',
          ),
        }
      : {}),
    ...(more && !selectors.labelSelector && !selectors.fieldSelector
      ? { remainingItemCount: rest.length - page.length }
      : {}),
  };
  const body = listText(served, page, metadata, shape);
  if (formOf(exchange.request.headers.accept)?.yaml)
    return import('yaml').then(({ stringify }) =>
      send(exchange, 200, stringify(JSON.parse(body)), 'application/yaml'),
    );
  send(exchange, 200, body);
}

function checkVersionMatch(exchange: Exchange, watching: boolean): void {
  const { query } = exchange;
  const match = query.get('resourceVersionMatch');
  if (!match) return;
  if (!['NotOlderThan', 'Exact'].includes(match))
    throw badRequest(
      `resourceVersionMatch: Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
    );
  if (!watching && query.get('resourceVersion') === null)
    throw badRequest(
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
}

async function create(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  const body = await readObject(exchange.request, context.registry.catalog);
  if (!body) throw badRequest('the body of the request is empty');
  const object = decodeBody(exchange, served, body, path);
  const created = context.registry.create(served.resource, object, writeOptions(exchange, served));
  return sendStored(exchange, served, created, 201);
}

async function update(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  const body = await readObject(exchange.request, context.registry.catalog);
  if (!body) throw badRequest('the body of the request is empty');
  const object = decodeBody(exchange, served, body, path);
  const had = context.registry.get(served.resource, path.namespace ?? '', path.name as string);
  const updated = context.registry.update(served.resource, object, writeOptions(exchange, served));
  return sendStored(exchange, served, updated, had ? 200 : 201);
}

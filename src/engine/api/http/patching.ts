/** PATCH in its four forms. */
import type { KubeObject } from '../../client/types.ts';
import { applyConfiguration } from '../fields/manage.ts';
import { equal, isObject, type JsonObject } from '../json.ts';
import { jsonPatch } from '../patch/json-patch.ts';
import { mergePatch } from '../patch/merge.ts';
import { strategicPatch } from '../patch/strategic.ts';
import type { Served } from '../resources/catalog.ts';
import { apiVersionOf } from '../resources/resource.ts';
import { decode } from '../schema/decode.ts';
import { badRequest, conflict, MODIFIED, notFound, unsupportedMediaType } from '../status.ts';
import { contentType, parseBody, readBody } from './body.ts';
import type { Context } from './context.ts';
import { flag, managerOf, type Exchange, type ResourcePath } from './request.ts';
import {
  cannotBeHandled,
  checkCustom,
  decodeBody,
  fieldValidation,
  reportUnknown,
  writeOptions,
} from './decoding.ts';
import { sendStored } from './resources.ts';
import { toServed, toStored } from './shape.ts';
import { hasStatus, managerFor, ownershipOf } from './tracking.ts';

const APPLY = 'application/apply-patch+yaml';

/** The body of a PATCH with its content type; throws 415 for a type that the resource does not take. */
export async function readPatch(
  exchange: Exchange,
  strategic: boolean,
): Promise<{ type: string; patch: unknown }> {
  const type = contentType(exchange.request);
  const accepted = [
    'application/json-patch+json',
    'application/merge-patch+json',
    ...(strategic ? ['application/strategic-merge-patch+json'] : []),
    APPLY,
  ];
  if (!accepted.includes(type))
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    );
  return { type, patch: await parseBody(await readBody(exchange.request), type) };
}

/** The value that a patch, other than an apply, makes of a value. */
export function patched(
  value: JsonObject,
  type: string,
  patch: unknown,
  fields: string | undefined,
): JsonObject {
  let out: unknown;
  if (type === 'application/json-patch+json') out = jsonPatch(value, patch);
  else {
    if (!isObject(patch)) throw badRequest('the patch is not a JSON object');
    out =
      type === 'application/merge-patch+json' || fields === undefined
        ? mergePatch(value, patch)
        : strategicPatch(value, patch, fields);
  }
  if (!isObject(out)) throw badRequest('the patch does not leave an object');
  return out;
}

export async function patchObject(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
  subresource = '',
): Promise<void> {
  const { registry } = context;
  const { resource } = served;
  const { type, patch } = await readPatch(exchange, served.type !== undefined);
  if (type === APPLY) return apply(context, exchange, served, path, subresource, patch);
  const name = path.name as string;
  const before = registry.need(resource, path.namespace ?? '', name);
  const from = toServed(served, before);
  const out = patched(from, type, patch, served.type);
  const to = checked(exchange, served, out, from);
  const { metadata } = to;
  if (metadata.name !== name)
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  if ((metadata.namespace ?? '') !== (before.metadata.namespace ?? ''))
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  if (metadata.resourceVersion && metadata.resourceVersion !== before.metadata.resourceVersion)
    throw conflict(resource.group, resource.plural, name, MODIFIED);
  const updated = registry.update(
    resource,
    toStored(served, to),
    writeOptions(exchange, served),
    subresource,
  );
  return sendStored(exchange, served, updated);
}

/** Decodes a patched object; unknown fields that it had before are not the patch's fault. */
function checked(exchange: Exchange, served: Served, out: JsonObject, from: KubeObject): KubeObject {
  if (out['kind'] !== from.kind || out['apiVersion'] !== from.apiVersion)
    throw badRequest('a patch cannot change kind or apiVersion');
  if (!served.type) return checkCustom(exchange, served, out);
  const { value, unknown } = decode(out, served.type, cannotBeHandled(served));
  reportUnknown(exchange, served, unknown, fieldValidation(exchange));
  if (!isObject(value['metadata'])) throw badRequest('the patch takes away metadata');
  return value as KubeObject;
}

/** Server-side apply. */
async function apply(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
  subresource: string,
  body: unknown,
): Promise<void> {
  const { registry } = context;
  const { resource } = served;
  const name = path.name as string;
  if (!isObject(body)) throw badRequest('the applied configuration is not an object');
  if (!exchange.query.get('fieldManager'))
    throw badRequest(
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    );
  if (!body['apiVersion'] || !body['kind'])
    throw badRequest('the applied configuration has to have apiVersion and kind');
  if ((body['metadata'] as JsonObject | undefined)?.['managedFields'])
    throw badRequest('metadata.managedFields must be nil');
  const config = decodeBody(exchange, served, body, path);
  const live = registry.get(resource, path.namespace ?? '', name);
  if (!live && subresource) throw notFound(resource.group, resource.plural, name);
  if (!live && config.metadata.uid)
    throw conflict(
      resource.group,
      resource.plural,
      name,
      `uid mismatch: the provided object specified uid ${config.metadata.uid}, and no existing object was found`,
    );
  if (
    live &&
    config.metadata.resourceVersion &&
    config.metadata.resourceVersion !== live.metadata.resourceVersion
  )
    throw conflict(resource.group, resource.plural, name, MODIFIED);
  const manager = managerFor(served, managerOf(exchange), 'Apply', subresource);
  const object = applyConfiguration(
    live,
    config,
    { ...manager, apiVersion: apiVersionOf(served.group, served.version) },
    ownershipOf(resource),
    flag(exchange.query, 'force'),
    hasStatus(resource),
  );
  const { dryRun, warnings } = writeOptions(exchange, served);
  const options = { dryRun: dryRun ?? false, warnings: warnings ?? [] };
  if (!live) {
    const created = registry.create(resource, object, options);
    return sendStored(exchange, served, created, 201);
  }
  // Nothing but a time of managedFields differs: nothing was changed.
  const sameAs = {
    ...object,
    metadata: { ...object.metadata, resourceVersion: live.metadata.resourceVersion },
  };
  if (equal(sameAs, live)) return sendStored(exchange, served, live);
  const updated = registry.update(resource, object as KubeObject, options, subresource);
  return sendStored(exchange, served, updated);
}

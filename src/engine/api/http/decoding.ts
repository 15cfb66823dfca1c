/** From a body to a stored object: its version, its fields, its name and namespace. */
import type { KubeObject } from '../../client/types.ts';
import { schemaOf } from '../custom/objects.ts';
import { prune } from '../custom/schema.ts';
import { copy, isObject, type JsonObject } from '../json.ts';
import type { WriteOptions } from '../registry.ts';
import type { Served } from '../resources/catalog.ts';
import { apiVersionOf } from '../resources/resource.ts';
import { decode } from '../schema/decode.ts';
import { badRequest } from '../status.ts';
import { dryRunOf, managerOf, type Exchange, type ResourcePath } from './request.ts';
import { toStored } from './shape.ts';
import { trackerOf } from './tracking.ts';

/** Reads a body as an object of the served version, checked against its fields; in stored form. */
export function decodeBody(
  exchange: Exchange,
  served: Served,
  body: JsonObject,
  path: ResourcePath,
): KubeObject {
  const { resource } = served;
  const expected = apiVersionOf(served.group, served.version);
  const object = { ...body };
  const apiVersion = object['apiVersion'] || expected;
  const kind = object['kind'] || resource.kind;
  if (kind !== resource.kind)
    throw badRequest(
      `${String(kind)} in version ${JSON.stringify(String(apiVersion).split('/').pop())} cannot be handled as a ${resource.kind}: the kind in the data (${String(kind)}) does not match the expected kind (${resource.kind})`,
    );
  if (apiVersion !== expected)
    throw badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected})`,
    );
  object['apiVersion'] = apiVersion;
  object['kind'] = kind;
  const decoded = served.type
    ? checkFields(exchange, served, object, served.type)
    : checkCustom(exchange, served, object);
  if (!isObject(decoded.metadata)) decoded.metadata = {} as KubeObject['metadata'];
  const stored = toStored(served, decoded);
  const { metadata } = stored;
  if (path.name !== undefined) {
    if (metadata.name && metadata.name !== path.name)
      throw badRequest(
        `the name of the object (${metadata.name}) does not match the name on the URL (${path.name})`,
      );
    metadata.name = path.name;
  }
  if (resource.scope === 'Namespaced') {
    if (path.namespace === undefined) throw badRequest('an empty namespace may not be set during creation');
    if (metadata.namespace && metadata.namespace !== path.namespace)
      throw badRequest(
        `the namespace of the provided object does not match the namespace sent on the request`,
      );
    metadata.namespace = path.namespace;
  }
  return stored;
}

/** ?fieldValidation: what becomes of fields that the type does not have. Upstream's default is Warn. */
export function fieldValidation(exchange: Exchange): 'Strict' | 'Warn' | 'Ignore' {
  const asked = exchange.query.get('fieldValidation') || 'Warn';
  if (asked !== 'Strict' && asked !== 'Warn' && asked !== 'Ignore')
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(asked)}: supported values: "", "Ignore", "Strict", "Warn"`,
    );
  return asked;
}

/** What 400s about an undecodable body begin with. */
export const cannotBeHandled = (served: Served): string =>
  `${served.resource.kind} in version ${JSON.stringify(served.version)} cannot be handled as a ${served.resource.kind}`;

function checkFields(exchange: Exchange, served: Served, object: JsonObject, type: string): KubeObject {
  const mode = fieldValidation(exchange);
  const { value, unknown } = decode(object, type, cannotBeHandled(served));
  reportUnknown(exchange, served, unknown, mode);
  return value as KubeObject;
}

/** A custom resource: what its version's schema does not have is taken away. */
export function checkCustom(exchange: Exchange, served: Served, object: JsonObject): KubeObject {
  const decoded = copy(object);
  const metadata: unknown = decoded['metadata'];
  const what = cannotBeHandled(served);
  if (isObject(metadata)) decoded['metadata'] = decode(metadata, 'meta.v1.ObjectMeta', what).value;
  const unknown = prune(decoded, schemaOf(served.resource, served.version));
  reportUnknown(exchange, served, unknown, fieldValidation(exchange));
  return decoded as KubeObject;
}

export function reportUnknown(
  exchange: Exchange,
  served: Served,
  unknown: readonly string[],
  mode: 'Strict' | 'Warn' | 'Ignore',
): void {
  if (unknown.length === 0 || mode === 'Ignore') return;
  const texts = unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
  if (mode === 'Strict')
    throw badRequest(`${cannotBeHandled(served)}: strict decoding error: ${texts.join(', ')}`);
  exchange.warnings.push(...texts);
}

/** Options of writes from the query. */
export function writeOptions(exchange: Exchange, served: Served): WriteOptions {
  return {
    dryRun: dryRunOf(exchange.query),
    warnings: exchange.warnings,
    track: trackerOf(served, managerOf(exchange)),
  };
}

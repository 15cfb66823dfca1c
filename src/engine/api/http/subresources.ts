/** What follows an object's name in a path: status, scale, binding, eviction, token, log and the others. */
import { ApiError, type KubeObject } from '../../client/types.ts';
import { copy, isObject, type JsonObject } from '../json.ts';
import { timestamp } from '../names.ts';
import { matchesSelector } from '../selectors.ts';
import type { Served } from '../resources/catalog.ts';
import { decode } from '../schema/decode.ts';
import { badRequest, conflict, methodNotAllowed, MODIFIED, notFound, tooManyRequests } from '../status.ts';
import { sendObject } from './answer.ts';
import { readObject } from './body.ts';
import type { Context } from './context.ts';
import { serveLogs } from './logs.ts';
import { patched, patchObject, readPatch } from './patching.ts';
import { dryRunOf, managerOf, type Exchange, type ResourcePath } from './request.ts';
import { decodeBody, writeOptions } from './decoding.ts';
import { sendStored } from './resources.ts';
import { trackerOf } from './tracking.ts';
import { readScale, scaleOf } from './scale.ts';
import { proxy } from './proxy.ts';

type Handler = (context: Context, exchange: Exchange, served: Served, path: ResourcePath) => Promise<void>;

const HANDLERS: Readonly<Record<string, Handler>> = {
  status: part,
  finalize: part,
  approval: part,
  ephemeralcontainers: whole,
  resize: whole,
  scale,
  binding: bind,
  eviction: evict,
  token,
  log: serveLogs,
  proxy,
  exec: upgradeOnly,
  attach: upgradeOnly,
  portforward: upgradeOnly,
};

export function serveSubresource(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  const name = path.subresource as string;
  const handler = Object.hasOwn(HANDLERS, name) ? HANDLERS[name] : undefined;
  if (!handler || !served.resource.subresources.includes(name))
    throw new ApiError({
      code: 404,
      reason: 'NotFound',
      message: 'the server could not find the requested resource',
      details: {},
    });
  return handler(context, exchange, served, path);
}

/** GET, PUT and PATCH of a part of an object. */
async function part(context: Context, exchange: Exchange, served: Served, path: ResourcePath): Promise<void> {
  const { registry } = context;
  const { resource } = served;
  const subresource = path.subresource as string;
  switch (exchange.method) {
    case 'GET':
      return sendStored(exchange, served, registry.need(resource, path.namespace ?? '', path.name as string));
    case 'PATCH':
      return patchObject(context, exchange, served, path, subresource);
    case 'PUT': {
      const body = await readObject(exchange.request, context.registry.catalog);
      if (!body) throw badRequest('the body of the request is empty');
      const object = decodeBody(exchange, served, body, path);
      const updated = registry.update(resource, object, writeOptions(exchange, served), subresource);
      return sendStored(exchange, served, updated);
    }
  }
  throw methodNotAllowed(`${resource.plural}/${subresource}`, exchange.method.toLowerCase());
}

/** Ephemeral containers and resizing: parts of the pod's spec that may change only through their subresource. */
async function whole(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  return part(context, exchange, served, path);
}

async function upgradeOnly(): Promise<void> {
  throw badRequest('Upgrade request required');
}

async function scale(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  const { registry } = context;
  const { resource } = served;
  const stored = registry.need(resource, path.namespace ?? '', path.name as string);
  const now = scaleOf(resource, stored);
  if (exchange.method === 'GET') return sendObject(exchange, 200, now);
  let wanted: JsonObject;
  if (exchange.method === 'PATCH') {
    const { type, patch } = await readPatch(exchange, true);
    wanted = patched(now, type, patch, undefined);
  } else if (exchange.method === 'PUT') {
    const body = await readObject(exchange.request, context.registry.catalog);
    if (!body) throw badRequest('the body of the request is empty');
    wanted = body;
  } else throw methodNotAllowed(`${resource.plural}/scale`, exchange.method.toLowerCase());
  const { value } = decode(
    wanted,
    'autoscaling.v1.Scale',
    'Scale in version "v1" cannot be handled as a Scale',
  );
  const version: unknown = value['metadata']?.resourceVersion;
  if (version && version !== stored.metadata.resourceVersion)
    throw conflict(resource.group, resource.plural, stored.metadata.name, MODIFIED);
  const object = readScale(resource, stored, value);
  const updated = registry.update(resource, object, {
    dryRun: dryRunOf(exchange.query),
    warnings: exchange.warnings,
    track: (changed, before) => trackerOf(served, managerOf(exchange))(changed, before, 'scale'),
  });
  sendObject(exchange, 200, scaleOf(resource, updated));
}

/** POST pods/NAME/binding: what a scheduler does (core/v1 Binding). */
async function bind(context: Context, exchange: Exchange, served: Served, path: ResourcePath): Promise<void> {
  if (exchange.method !== 'POST') throw methodNotAllowed('pods/binding', exchange.method.toLowerCase());
  await bindPod(context, exchange, path.namespace ?? '', path.name as string);
}

/** Binds the pod that a Binding names to its target. */
export async function bindPod(
  context: Context,
  exchange: Exchange,
  namespace: string,
  asked: string | undefined,
): Promise<void> {
  const body = await readObject(exchange.request, context.registry.catalog);
  const name = asked ?? (body?.['metadata'] as JsonObject | undefined)?.['name'];
  const node: unknown = body?.['target']?.name;
  if (typeof node !== 'string' || !node)
    throw badRequest('Binding "" is invalid: target.name: Required value');
  const { registry } = context;
  const pods = registry.catalog.byKey('', 'pods');
  if (!pods || typeof name !== 'string') throw notFound('', 'pods', String(name));
  const pod = registry.need(pods, namespace, name);
  if (pod.metadata.deletionTimestamp)
    throw conflict('', 'pods/binding', name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec?.nodeName)
    throw conflict(
      '',
      'pods/binding',
      name,
      `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`,
    );
  const bound = copy(pod);
  bound.spec = { ...bound.spec, nodeName: node };
  const conditions = [
    ...(bound.status?.conditions ?? []).filter((one: { type: string }) => one.type !== 'PodScheduled'),
    { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: timestamp() },
  ];
  const options = { dryRun: dryRunOf(exchange.query) };
  const updated = registry.update(pods, bound, options);
  if (!options.dryRun)
    registry.update(
      pods,
      { ...copy(updated), status: { ...copy(updated.status), conditions } },
      options,
      'status',
    );
  sendObject(exchange, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
}

/** POST pods/NAME/eviction: a deletion that PodDisruptionBudgets may refuse (policy/v1 Eviction). */
async function evict(
  context: Context,
  exchange: Exchange,
  _served: Served,
  path: ResourcePath,
): Promise<void> {
  if (exchange.method !== 'POST') throw methodNotAllowed('pods/eviction', exchange.method.toLowerCase());
  const body = (await readObject(exchange.request, context.registry.catalog)) ?? {};
  const { registry } = context;
  const pods = registry.catalog.byKey('', 'pods');
  if (!pods) throw notFound('', 'pods', path.name as string);
  const pod = registry.need(pods, path.namespace ?? '', path.name as string);
  const live = pod.status?.phase === 'Running' || pod.status?.phase === 'Pending';
  const dryRun = dryRunOf(exchange.query);
  for (const budget of live ? budgetsOf(context, pod) : []) {
    const allowed = budget.status?.disruptionsAllowed ?? 0;
    if (allowed <= 0)
      throw tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0, [
        {
          reason: 'DisruptionBudget',
          message: `The disruption budget ${budget.metadata.name} needs ${budget.status?.desiredHealthy ?? 0} healthy pods and has ${budget.status?.currentHealthy ?? 0} currently`,
          field: '',
        },
      ]);
    const budgets = registry.catalog.byKey('policy', 'poddisruptionbudgets');
    if (budgets && !dryRun) {
      const status = { ...copy(budget.status), disruptionsAllowed: allowed - 1 };
      registry.update(budgets, { ...budget, status }, {}, 'status');
    }
  }
  const options: JsonObject = isObject(body['deleteOptions']) ? body['deleteOptions'] : {};
  registry.delete(pods, path.namespace ?? '', path.name as string, {
    graceSeconds: options['gracePeriodSeconds'],
    uid: options['preconditions']?.uid,
    dryRun,
  });
  sendObject(exchange, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
}

function budgetsOf(context: Context, pod: KubeObject): KubeObject[] {
  const labels = pod.metadata.labels ?? {};
  return context.registry.store
    .list('policy/poddisruptionbudgets', pod.metadata.namespace)
    .filter((budget) => matchesSelector(budget.spec?.selector, labels));
}

/** How long a token may live, in seconds: ten minutes to 2^32 (pkg/apis/authentication/validation). */
const TOKEN_SECONDS = { least: 600, most: 2 ** 32, usual: 3_600 };

/** POST serviceaccounts/NAME/token: `kubectl create token`. */
async function token(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  if (exchange.method !== 'POST')
    throw methodNotAllowed('serviceaccounts/token', exchange.method.toLowerCase());
  const body = (await readObject(exchange.request, context.registry.catalog)) ?? {};
  const { value } = decode(
    { ...body },
    'authentication.v1.TokenRequest',
    'TokenRequest in version "v1" cannot be handled as a TokenRequest',
  );
  const account = context.registry.need(served.resource, path.namespace ?? '', path.name as string);
  const spec: JsonObject = value['spec'] ?? {};
  const seconds: number = spec['expirationSeconds'] ?? TOKEN_SECONDS.usual;
  if (seconds < TOKEN_SECONDS.least || seconds > TOKEN_SECONDS.most)
    throw new ApiError({
      code: 422,
      reason: 'Invalid',
      message: `TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: ${seconds}: may not specify a duration ${seconds < TOKEN_SECONDS.least ? 'less than 10 minutes' : 'larger than 2^32 seconds'}`,
    });
  const bound: JsonObject | undefined = spec['boundObjectRef'];
  const issued = context.tokens.issue(
    {
      namespace: path.namespace ?? '',
      name: account.metadata.name,
      uid: account.metadata.uid ?? '',
      pod: bound?.['kind'] === 'Pod' ? { name: bound['name'], uid: bound['uid'] ?? '' } : undefined,
    },
    seconds,
    spec['audiences']?.length ? spec['audiences'] : undefined,
  );
  sendObject(exchange, 201, {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name: account.metadata.name, namespace: path.namespace, creationTimestamp: timestamp() },
    spec: { ...spec, expirationSeconds: seconds },
    status: { token: issued, expirationTimestamp: timestamp(Date.now() + seconds * 1_000) },
  });
}

/** DELETE of one object and of many. */
import { ApiError, type KubeObject } from '../../client/types.ts';
import type { DeleteOptions } from '../registry.ts';
import type { Served } from '../resources/catalog.ts';
import { decode } from '../schema/decode.ts';
import { badRequest } from '../status.ts';
import { send, sendObject } from './answer.ts';
import { readObject } from './body.ts';
import type { Context } from './context.ts';
import { dryRunOf, numberOf, type Exchange, type ResourcePath } from './request.ts';
import { sendStored, shapeOf } from './resources.ts';
import { listText } from './shape.ts';

/** DeleteOptions from the body and, where the body is silent, the query. */
async function deleteOptions(context: Context, exchange: Exchange): Promise<DeleteOptions> {
  const given = (await readObject(exchange.request, context.registry.catalog)) ?? {};
  const { value } = decode(
    { ...given },
    'meta.v1.DeleteOptions',
    'DeleteOptions in version "v1" cannot be handled as a DeleteOptions',
  );
  const grace: unknown = value['gracePeriodSeconds'] ?? numberOf(exchange.query, 'gracePeriodSeconds');
  const orphan: unknown = value['orphanDependents'];
  const propagation: unknown =
    value['propagationPolicy'] ??
    exchange.query.get('propagationPolicy') ??
    (orphan === true ? 'Orphan' : orphan === false ? 'Background' : undefined);
  if (propagation && !['Background', 'Foreground', 'Orphan'].includes(String(propagation)))
    throw badRequest(
      `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: ${JSON.stringify(propagation)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  const dryRun =
    dryRunOf(exchange.query) || (Array.isArray(value['dryRun']) && value['dryRun'].includes('All'));
  return {
    graceSeconds: typeof grace === 'number' ? grace : undefined,
    uid: value['preconditions']?.uid,
    resourceVersion: value['preconditions']?.resourceVersion,
    propagation: (propagation || undefined) as DeleteOptions['propagation'],
    dryRun,
  };
}

export async function remove(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  const options = await deleteOptions(context, exchange);
  const { resource } = served;
  const name = path.name as string;
  const { object, gone } = context.registry.delete(resource, path.namespace ?? '', name, options);
  if (!gone) return sendStored(exchange, served, object);
  // Pods and namespaces come back themselves, everything else as a Status (pkg/registry: ReturnDeletedObject).
  if (
    resource.group === '' &&
    [
      'pods',
      'namespaces',
      'services',
      'persistentvolumeclaims',
      'persistentvolumes',
      'serviceaccounts',
      'resourcequotas',
      'podtemplates',
    ].includes(resource.plural)
  )
    return sendStored(exchange, served, object);
  sendObject(exchange, 200, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name,
      ...(resource.group ? { group: resource.group } : {}),
      kind: resource.plural,
      uid: object.metadata.uid,
    },
  });
}

export async function removeAll(
  context: Context,
  exchange: Exchange,
  served: Served,
  path: ResourcePath,
): Promise<void> {
  const options = await deleteOptions(context, exchange);
  const { registry } = context;
  const { items } = registry.list(served.resource, path.namespace, {
    labelSelector: exchange.query.get('labelSelector') ?? undefined,
    fieldSelector: exchange.query.get('fieldSelector') ?? undefined,
  });
  const deleted: KubeObject[] = [];
  for (const item of items)
    try {
      const { name, namespace = '' } = item.metadata;
      deleted.push(registry.delete(served.resource, namespace, name, options).object);
    } catch (error) {
      if (!(error instanceof ApiError && error.status.code === 404)) throw error;
    }
  const metadata = { resourceVersion: String(registry.store.version) };
  send(exchange, 200, listText(served, deleted, metadata, shapeOf(exchange)));
}

/** Ties writes over HTTP to managedFields. */
import type { KubeObject } from '../../client/types.ts';
import { shapeOfSchema, shapeOfType, type Shape } from '../fields/shape.ts';
import { trackUpdate, type Manager } from '../fields/manage.ts';
import type { WriteOptions } from '../registry.ts';
import type { Served } from '../resources/catalog.ts';
import { apiVersionOf, type Resource } from '../resources/resource.ts';

const custom = new WeakMap<object, Shape>();

/** How the fields of a resource's stored form are owned. */
export function ownershipOf(resource: Resource): Shape {
  if (resource.type) return shapeOfType(resource.type);
  const known = custom.get(resource);
  if (known) return known;
  const version: { schema?: { openAPIV3Schema?: object } } | undefined = resource.custom?.versions.get(
    resource.version,
  );
  const shape = shapeOfSchema(version?.schema?.openAPIV3Schema as never);
  custom.set(resource, shape);
  return shape;
}

export const hasStatus = (resource: Resource): boolean => resource.subresources.includes('status');

export const managerFor = (
  served: Served,
  manager: string,
  operation: Manager['operation'],
  subresource: string,
): Manager => ({
  manager,
  operation,
  subresource,
  apiVersion: apiVersionOf(served.group, served.version),
});

/** What registry writes call to keep managedFields. */
export const trackerOf =
  (served: Served, manager: string): NonNullable<WriteOptions['track']> =>
  (object: KubeObject, before: KubeObject | undefined, subresource: string) =>
    trackUpdate(
      object,
      before,
      managerFor(served, manager, 'Update', subresource),
      ownershipOf(served.resource),
      hasStatus(served.resource),
    );

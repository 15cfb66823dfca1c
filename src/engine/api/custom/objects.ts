/** The strategy of custom resources: their definition's schema says what is valid. */
import type { KubeObject } from '../../client/types.ts';
import { unserved } from '../coverage.ts';
import type { JsonObject } from '../json.ts';
import type { Resource } from '../resources/resource.ts';
import type { Strategy } from '../strategy.ts';
import { applyDefaults, prune, schemaCauses } from './schema.ts';

const made = new WeakMap<object, Strategy>();

export const schemaOf = (resource: Resource, version = resource.version): JsonObject | undefined =>
  resource.custom?.versions.get(version)?.schema?.openAPIV3Schema;

export function customStrategy(resource: Resource): Strategy {
  const known = made.get(resource);
  if (known) return known;
  const schema = schemaOf(resource);
  const causes = (object: KubeObject) =>
    // Metadata has rules of its own.
    schemaCauses({ ...object, metadata: {} }, schema, '');
  const strategy: Strategy = {
    defaults: (object) => {
      prune(object, schema);
      applyDefaults(object, schema);
    },
    validate: (object) => [...unserved(resource.group, resource.kind, object), ...causes(object)],
    validateStatus: causes,
  };
  made.set(resource, strategy);
  return strategy;
}

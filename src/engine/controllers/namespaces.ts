/** The namespace controller: empties a namespace that is being deleted, then lets it go. */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, type Work } from './controller.ts';
import { Everything, type Known } from './everything.ts';
import type { GarbageOptions } from './garbage.ts';
import { equal, withCondition, type Condition } from './objects.ts';

const NAMESPACES = gr('namespaces');
/** The finalizer of spec.finalizers that this controller answers for. */
const OURS = 'kubernetes';

type Namespace = KubeObject<{ finalizers?: string[] }, { phase?: string; conditions?: Condition[] }>;

export function createNamespaceController(options: GarbageOptions): Component {
  return controller(options, 'namespace-controller', 'namespace-controller', (work) => {
    const dying = new Set<string>();
    const namespaces = work.watch<Namespace>(NAMESPACES, ({ type, object }) => {
      if (type === 'DELETED') dying.delete(object.metadata.name);
      else if (object.metadata.deletionTimestamp) {
        dying.add(object.metadata.name);
        work.queue.add(object.metadata.name);
      }
    });
    const everything = new Everything(
      work,
      options.resources,
      ({ object }) => {
        const { namespace } = object.metadata;
        if (namespace !== undefined && dying.has(namespace)) work.queue.add(namespace);
      },
      true,
    );
    return async (name) => {
      const namespace = namespaces.get(name);
      if (!namespace?.metadata.deletionTimestamp) return;
      for (const { of, object } of everything.inNamespace(name))
        if (!object.metadata.deletionTimestamp) await work.client.delete(of, object.metadata.name, name);
      const left = everything.inNamespace(name);
      if (left.length > 0) return report(work, namespace, left);
      const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== OURS);
      await work.client.patch(NAMESPACES, name, undefined, { spec: { finalizers } }, 'finalize');
    };
  });
}

/** Says in the status what the deletion waits for. */
async function report({ client }: Work, namespace: Namespace, left: readonly Known[]): Promise<void> {
  const held = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const { of, object } of left) {
    const kind = of.group ? `${of.resource}.${of.group}` : `${of.resource}.`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    for (const finalizer of object.metadata.finalizers ?? [])
      held.set(finalizer, (held.get(finalizer) ?? 0) + 1);
  }
  const remaining = [...counts].map(([kind, count]) => `${kind} has ${count} resource instances`).join(', ');
  const finalizers = [...held].map(([name, count]) => `${name} in ${count} resource instances`).join(', ');
  let conditions = withCondition(namespace.status?.conditions, {
    type: 'NamespaceContentRemaining',
    status: 'True',
    reason: 'SomeResourcesRemain',
    message: `Some resources are remaining: ${remaining}`,
  });
  conditions = withCondition(conditions, {
    type: 'NamespaceFinalizersRemaining',
    status: held.size > 0 ? 'True' : 'False',
    reason: held.size > 0 ? 'SomeFinalizersRemain' : 'ContentHasNoFinalizers',
    message:
      held.size > 0
        ? `Some content in the namespace has finalizers remaining: ${finalizers}`
        : 'All content-preserving finalizers finished',
  });
  if (equal(conditions, namespace.status?.conditions)) return;
  await client.patch(NAMESPACES, namespace.metadata.name, undefined, { status: { conditions } }, 'status');
}

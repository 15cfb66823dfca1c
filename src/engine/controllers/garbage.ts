/** The garbage collector: deletes what no owner is left of, and carries out foreground and orphan deletion. */
import type { Component } from '../component.ts';
import { controller, type ControllerOptions, type Work } from './controller.ts';
import { Everything, type Known, type ServedResource } from './everything.ts';

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

export interface GarbageOptions extends ControllerOptions {
  readonly resources: () => Iterable<ServedResource>;
}

export function createGarbageCollector(options: GarbageOptions): Component {
  return controller(options, 'garbage-collector-controller', 'garbage-collector-controller', (work) => {
    const everything = new Everything(work, options.resources, ({ type, object }) => {
      const { uid = '', ownerReferences, finalizers } = object.metadata;
      if (type === 'DELETED') {
        for (const { object: dependent } of everything.ownedBy(uid))
          work.queue.add(dependent.metadata.uid ?? '');
        // An owner may be waiting for this one to go.
        for (const owner of ownerReferences ?? []) if (everything.get(owner.uid)) work.queue.add(owner.uid);
      } else if (ownerReferences?.length || finalizers?.length) work.queue.add(uid);
    });
    return async (uid) => {
      const known = everything.get(uid);
      if (!known) return;
      const { deletionTimestamp, finalizers = [] } = known.object.metadata;
      if (deletionTimestamp && finalizers.includes(FOREGROUND)) return foreground(work, everything, known);
      if (deletionTimestamp && finalizers.includes(ORPHAN)) return orphan(work, everything, known);
      if (!deletionTimestamp) await collect(work, everything, known);
    };
  });
}

/** Deletes an object all of whose owners are gone, and takes those that are gone off one that still has others. */
async function collect({ client }: Work, everything: Everything, { of, object }: Known): Promise<void> {
  const { name, namespace, uid = '', ownerReferences = [] } = object.metadata;
  if (ownerReferences.length === 0) return;
  const owners = ownerReferences.map((reference) => ({
    reference,
    owner: everything.get(reference.uid)?.object,
  }));
  const isWaiting = (owner: Known['object']) =>
    owner.metadata.deletionTimestamp !== undefined && owner.metadata.finalizers?.includes(FOREGROUND);
  const solid = owners.filter(({ owner }) => owner && !isWaiting(owner));
  const waiting = owners.filter(({ owner }) => owner && isWaiting(owner));
  if (solid.length > 0) {
    if (solid.length < owners.length)
      await client.patch(of, name, namespace, {
        metadata: { ownerReferences: solid.map(({ reference }) => reference) },
      });
    return;
  }
  const propagation = waiting.length > 0 && everything.ownedBy(uid).length > 0 ? 'Foreground' : undefined;
  await client.delete(of, name, namespace, { uid, ...(propagation ? { propagation } : {}) });
}

/** Deletes dependents first; the owner goes when none is left that blocks it. */
async function foreground(
  { client, queue }: Work,
  everything: Everything,
  { of, object }: Known,
): Promise<void> {
  const { uid = '', name, namespace, finalizers = [] } = object.metadata;
  const dependents = everything.ownedBy(uid);
  for (const { object: dependent } of dependents)
    if (!dependent.metadata.deletionTimestamp) queue.add(dependent.metadata.uid ?? '');
  const blocking = dependents.filter(({ object: { metadata } }) =>
    metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion),
  );
  if (blocking.length === 0)
    await client.patch(of, name, namespace, {
      metadata: { finalizers: finalizers.filter((one) => one !== FOREGROUND) },
    });
}

/** Takes the owner off its dependents, then lets it go. */
async function orphan({ client }: Work, everything: Everything, { of, object }: Known): Promise<void> {
  const { uid = '', name, namespace, finalizers = [] } = object.metadata;
  for (const { of: dependentOf, object: dependent } of everything.ownedBy(uid)) {
    const left = (dependent.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
    await client.patch(dependentOf, dependent.metadata.name, dependent.metadata.namespace, {
      metadata: { ownerReferences: left.length > 0 ? left : null },
    });
  }
  await client.patch(of, name, namespace, {
    metadata: { finalizers: finalizers.filter((one) => one !== ORPHAN) },
  });
}

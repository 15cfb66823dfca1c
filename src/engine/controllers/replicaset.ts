/** ReplicaSets and ReplicationControllers: keep so many pods of a template. */
import { gr, type Client, type GroupResource, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from './controller.ts';
import {
  controllerRef,
  equal,
  isControlledBy,
  ownedBy,
  selects,
  withCondition,
  type Condition,
  type LabelSelector,
  type Labels,
} from './objects.ts';
import {
  deletionOrder,
  isActive,
  isAvailable,
  isReady,
  podOf,
  PODS,
  podsIn,
  type Pod,
  type PodTemplate,
} from './pods.ts';

export type ReplicaSet = KubeObject<
  { replicas?: number; selector?: LabelSelector; template: PodTemplate; minReadySeconds?: number },
  {
    replicas?: number;
    fullyLabeledReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    terminatingReplicas?: number;
    observedGeneration?: number;
    conditions?: Condition[];
  }
>;

/** Most pods made or deleted at a time. */
const BURST = 500;

export const createReplicaSetController = (options: ControllerOptions): Component =>
  replicas(
    options,
    'replicaset-controller',
    'ReplicaSet',
    gr('replicasets', 'apps'),
    ({ spec }) => spec?.selector,
  );

export const createReplicationController = (options: ControllerOptions): Component =>
  replicas(
    options,
    'replicationcontroller-controller',
    'ReplicationController',
    gr('replicationcontrollers'),
    // Its selector is a plain map.
    ({ spec }) => ({ matchLabels: (spec?.selector ?? {}) as Record<string, string> }),
  );

function replicas(
  options: ControllerOptions,
  name: string,
  kind: string,
  of: GroupResource,
  selectorOf: (set: ReplicaSet) => LabelSelector | undefined,
): Component {
  const source = kind === 'ReplicaSet' ? 'replicaset-controller' : 'replication-controller';
  return controller(options, name, source, (work) => {
    const sets = work.watch<ReplicaSet>(of, ({ object }) => work.queue.add(keyOf(object)));
    watchOwned(work, kind, (pod) => {
      for (const set of sets.list())
        if (
          set.metadata.namespace === pod.metadata.namespace &&
          selects(selectorOf(set), pod.metadata.labels)
        )
          work.queue.add(keyOf(set));
    });

    return async (key) => {
      const { namespace, name: setName } = splitKey(key);
      const found = sets.get(setName, namespace);
      if (!found) return;
      const set = { ...found, apiVersion: found.apiVersion, kind };
      const all = await podsIn(work.client, namespace);
      const mine = await claim(work.client, set, all, (labels) => selects(selectorOf(set), labels));
      const active = mine.filter(isActive);
      let failure: string | undefined;
      if (!set.metadata.deletionTimestamp) failure = await adjust(work, set, active);
      await report(
        work,
        of,
        set,
        (await podsIn(work.client, namespace)).filter((pod) => isControlledBy(pod, set)),
        failure,
      );
      if (failure !== undefined) throw new Error(failure);
    };
  });
}

/** Watches pods on behalf of what owns them: changes wake the owner; `orphan` is told of pods that nobody controls. */
export function watchOwned(work: Work, kind: string, orphan: (pod: Pod) => void): void {
  work.watch<Pod>(PODS, ({ object, before }) => {
    const owners = [controllerRef(object), before && controllerRef(before)];
    for (const owner of owners)
      if (owner?.kind === kind) work.queue.add(`${object.metadata.namespace}/${owner.name}`);
    if (!owners[0] && !object.metadata.deletionTimestamp) orphan(object);
  });
}

/** The pods of an owner: those that match and have no controller are adopted, those that match no longer are released. */
export async function claim(
  client: Client,
  owner: KubeObject,
  all: readonly Pod[],
  matches: (labels: Labels | undefined) => boolean,
): Promise<Pod[]> {
  const mine: Pod[] = [];
  const reference = ownedBy(owner);
  for (const pod of all) {
    const { name, namespace, ownerReferences = [], labels, deletionTimestamp } = pod.metadata;
    if (isControlledBy(pod, owner)) {
      if (matches(labels)) mine.push(pod);
      else if (!owner.metadata.deletionTimestamp)
        await client.patch(PODS, name, namespace, {
          metadata: { ownerReferences: ownerReferences.filter(({ uid }) => uid !== owner.metadata.uid) },
        });
    } else if (
      !controllerRef(pod) &&
      matches(labels) &&
      isActive(pod) &&
      !deletionTimestamp &&
      !owner.metadata.deletionTimestamp
    )
      mine.push(
        await client.patch<Pod>(PODS, name, namespace, {
          metadata: { ownerReferences: [...ownerReferences, reference] },
        }),
      );
  }
  return mine;
}

/** Makes or deletes pods; returns why it could not. */
async function adjust(work: Work, set: ReplicaSet, active: readonly Pod[]): Promise<string | undefined> {
  const { client, events } = work;
  const missing = (set.spec?.replicas ?? 1) - active.length;
  try {
    for (let i = 0; i < Math.min(missing, BURST); i++) {
      const pod = await client.create<Pod>(
        PODS,
        podOf(set, set.spec?.template as PodTemplate, { generateName: `${set.metadata.name}-` }),
      );
      events(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    }
    if (missing < 0) {
      // Among equals those go first that share their node with more of their kind.
      const crowd = (pod: Pod) => active.filter(({ spec }) => spec?.nodeName === pod.spec?.nodeName).length;
      const victims = [...active].sort(deletionOrder(crowd)).slice(0, -missing);
      for (const pod of victims) {
        await client.delete(PODS, pod.metadata.name, pod.metadata.namespace, { uid: pod.metadata.uid ?? '' });
        events(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
      }
    }
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    events(
      set,
      'Warning',
      missing > 0 ? 'FailedCreate' : 'FailedDelete',
      `Error ${missing > 0 ? 'creating' : 'deleting'}: ${message}`,
    );
    return message;
  }
}

async function report(
  work: Work,
  of: GroupResource,
  set: ReplicaSet,
  pods: readonly Pod[],
  failure: string | undefined,
): Promise<void> {
  const active = pods.filter(isActive);
  const { minReadySeconds = 0, template } = set.spec ?? { template: undefined };
  const ready = active.filter(isReady);
  const available = ready.filter((pod) => isAvailable(pod, minReadySeconds));
  const labelled = active.filter((pod) =>
    Object.entries(template?.metadata?.labels ?? {}).every(
      ([key, value]) => pod.metadata.labels?.[key] === value,
    ),
  );
  const before = set.status?.conditions ?? [];
  const conditions =
    failure === undefined
      ? before.filter(({ type }) => type !== 'ReplicaFailure')
      : withCondition(before, {
          type: 'ReplicaFailure',
          status: 'True',
          reason: 'FailedCreate',
          message: failure,
        });
  const status = {
    replicas: active.length,
    ...(labelled.length > 0 ? { fullyLabeledReplicas: labelled.length } : {}),
    ...(ready.length > 0 ? { readyReplicas: ready.length } : {}),
    ...(available.length > 0 ? { availableReplicas: available.length } : {}),
    observedGeneration: set.metadata.generation ?? 1,
    ...(conditions.length > 0 ? { conditions } : {}),
  };
  // Looked at again when the youngest of the ready pods has been so for long enough.
  if (available.length < ready.length) work.queue.addAfter(keyOf(set), minReadySeconds * 1_000);
  if (equal(status, set.status)) return;
  const fresh = await work.client.get<ReplicaSet>(of, set.metadata.name, set.metadata.namespace);
  if (fresh && fresh.metadata.uid === set.metadata.uid)
    await work.client.updateStatus(of, { ...fresh, status });
}

/** StatefulSets: pods with a number, a name that stays and claims of their own, made and replaced in order. */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from './controller.ts';
import { equal, selects, type LabelSelector } from './objects.ts';
import { isAvailable, isReady, isTerminal, podOf, PODS, podsIn, type Pod, type PodTemplate } from './pods.ts';
import { claim, watchOwned } from './replicaset.ts';
import { REVISION_LABEL, revisionOf } from './revisions.ts';

const SETS = gr('statefulsets', 'apps');
const CLAIMS = gr('persistentvolumeclaims');

type StatefulSet = KubeObject<
  {
    replicas?: number;
    selector?: LabelSelector;
    template: PodTemplate;
    serviceName?: string;
    podManagementPolicy?: 'OrderedReady' | 'Parallel';
    minReadySeconds?: number;
    revisionHistoryLimit?: number;
    ordinals?: { start?: number };
    updateStrategy?: { type?: string; rollingUpdate?: { partition?: number } };
    volumeClaimTemplates?: KubeObject[];
  },
  Record<string, unknown> & { currentRevision?: string }
>;

export function createStatefulSetController(options: ControllerOptions): Component {
  return controller(options, 'statefulset-controller', 'statefulset-controller', (work) => {
    const sets = work.watch<StatefulSet>(SETS, ({ object }) => work.queue.add(keyOf(object)));
    watchOwned(work, 'StatefulSet', (pod) => {
      for (const set of sets.list())
        if (
          set.metadata.namespace === pod.metadata.namespace &&
          selects(set.spec?.selector, pod.metadata.labels)
        )
          work.queue.add(keyOf(set));
    });
    return async (key) => {
      const { namespace, name } = splitKey(key);
      const found = sets.get(name, namespace);
      if (!found) return;
      const set = { ...found, apiVersion: 'apps/v1', kind: 'StatefulSet' };
      const matching = (labels: Readonly<Record<string, string>> | undefined) =>
        selects(set.spec?.selector, labels);
      const ofSet = (all: readonly Pod[]) => all.filter((pod) => ordinalOf(set, pod) !== undefined);
      const pods = await claim(work.client, set, ofSet(await podsIn(work.client, namespace)), matching);
      const used = new Set(pods.map((pod) => pod.metadata.labels?.[REVISION_LABEL]));
      if (set.status?.currentRevision) used.add(set.status.currentRevision);
      const update = await revisionOf(
        work.client,
        set,
        set.spec?.template as PodTemplate,
        set.spec?.revisionHistoryLimit ?? 10,
        used,
      );
      const current = set.status?.currentRevision ?? update.name;
      if (!set.metadata.deletionTimestamp) await step(work, set, pods, update, current);
      const after = await claim(work.client, set, ofSet(await podsIn(work.client, namespace)), matching);
      await report(work, set, after, update.name, current);
    };
  });
}

function ordinalOf(set: StatefulSet, { metadata: { name } }: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^\d+$/.test(rest) ? Number(rest) : undefined;
}

/** What can be done now without breaking the order: each change waits for the pod before it to be available. */
async function step(
  work: Work,
  set: StatefulSet,
  pods: readonly Pod[],
  update: Awaited<ReturnType<typeof revisionOf>>,
  current: string,
): Promise<void> {
  const { replicas = 1, minReadySeconds = 0, podManagementPolicy, updateStrategy, ordinals } = set.spec ?? {};
  const first = ordinals?.start ?? 0;
  const ordered = podManagementPolicy !== 'Parallel';
  const partition =
    updateStrategy?.type === 'OnDelete' ? Infinity : (updateStrategy?.rollingUpdate?.partition ?? 0);
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod) ?? -1, pod]));
  const settled = (pod: Pod | undefined) =>
    pod !== undefined && !pod.metadata.deletionTimestamp && isAvailable(pod, minReadySeconds);
  const remove = async (pod: Pod) => {
    if (pod.metadata.deletionTimestamp) return;
    const { name, namespace, uid } = pod.metadata;
    await work.client.delete(PODS, name, namespace, { uid: uid ?? '' });
    work.events(
      set,
      'Normal',
      'SuccessfulDelete',
      `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`,
    );
  };

  for (let ordinal = first; ordinal < first + replicas; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (pod && isTerminal(pod)) {
      await remove(pod);
      return;
    }
    if (!pod) {
      // Below the partition a lost pod comes back as it was.
      const old = ordinal < partition && partition !== Infinity ? update.all.get(current) : undefined;
      await createPod(work, set, ordinal, old ? { name: current, template: old } : { name: update.name });
      if (ordered) return;
    } else if (ordered && !settled(pod)) {
      if (isReady(pod)) work.queue.addAfter(keyOf(set), minReadySeconds * 1_000);
      return;
    }
  }
  const surplus = pods
    .filter((pod) => {
      const ordinal = ordinalOf(set, pod) ?? -1;
      return ordinal < first || ordinal >= first + replicas;
    })
    .sort((a, b) => (ordinalOf(set, b) ?? 0) - (ordinalOf(set, a) ?? 0));
  for (const pod of surplus) {
    await remove(pod);
    if (ordered) return;
  }
  // From the highest down, one at a time, each after the one above is available.
  for (let ordinal = first + replicas - 1; ordinal >= Math.max(first, partition); ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) return;
    if (pod.metadata.labels?.[REVISION_LABEL] !== update.name) return remove(pod);
    if (!settled(pod)) return;
  }
}

async function createPod(
  { client, events }: Work,
  set: StatefulSet,
  ordinal: number,
  revision: { name: string; template?: PodTemplate },
): Promise<void> {
  const { name, namespace = '' } = set.metadata;
  const podName = `${name}-${ordinal}`;
  const template = revision.template ?? (set.spec?.template as PodTemplate);
  const pod = podOf(
    set,
    template,
    { name: podName },
    {
      labels: {
        [REVISION_LABEL]: revision.name,
        'statefulset.kubernetes.io/pod-name': podName,
        'apps.kubernetes.io/pod-index': `${ordinal}`,
      },
    },
  );
  const claims = set.spec?.volumeClaimTemplates ?? [];
  for (const claimTemplate of claims) {
    const claimName = `${claimTemplate.metadata.name}-${podName}`;
    if (await client.get(CLAIMS, claimName, namespace)) continue;
    await client.create(CLAIMS, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: claimName,
        namespace,
        labels: { ...claimTemplate.metadata.labels, ...set.spec?.selector?.matchLabels },
      },
      spec: claimTemplate.spec,
    });
  }
  const names = new Set(claims.map(({ metadata }) => metadata.name));
  const volumes = (pod.spec?.['volumes'] ?? []) as { name: string }[];
  pod.spec = {
    ...(pod.spec as PodTemplate['spec'] & object),
    hostname: podName,
    subdomain: set.spec?.serviceName ?? '',
    ...(claims.length > 0
      ? {
          volumes: [
            ...volumes.filter((volume) => !names.has(volume.name)),
            ...claims.map(({ metadata }) => ({
              name: metadata.name,
              persistentVolumeClaim: { claimName: `${metadata.name}-${podName}` },
            })),
          ],
        }
      : {}),
  };
  try {
    await client.create(PODS, pod);
    events(set, 'Normal', 'SuccessfulCreate', `create Pod ${podName} in StatefulSet ${name} successful`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    events(
      set,
      'Warning',
      'FailedCreate',
      `create Pod ${podName} in StatefulSet ${name} failed error: ${why}`,
    );
    throw error;
  }
}

async function report(
  work: Work,
  set: StatefulSet,
  pods: readonly Pod[],
  update: string,
  current: string,
): Promise<void> {
  const { replicas = 1, minReadySeconds = 0 } = set.spec ?? {};
  const alive = pods.filter((pod) => !isTerminal(pod));
  const at = (revision: string) =>
    alive.filter((pod) => pod.metadata.labels?.[REVISION_LABEL] === revision).length;
  const updated = at(update);
  // When all pods are of the new template it becomes the current one.
  const done = updated === replicas && alive.length === replicas && alive.filter(isReady).length === replicas;
  const now = done || alive.length === 0 ? update : current;
  const status = {
    observedGeneration: set.metadata.generation ?? 1,
    replicas: alive.length,
    ...nonZero({ readyReplicas: alive.filter(isReady).length }),
    availableReplicas: alive.filter((pod) => isAvailable(pod, minReadySeconds)).length,
    ...nonZero({ currentReplicas: at(now), updatedReplicas: updated }),
    currentRevision: now,
    updateRevision: update,
    collisionCount: 0,
  };
  if (equal(status, set.status)) return;
  const fresh = await work.client.get<StatefulSet>(SETS, set.metadata.name, set.metadata.namespace);
  if (fresh && fresh.metadata.uid === set.metadata.uid)
    await work.client.updateStatus(SETS, { ...fresh, status });
}

const nonZero = (numbers: Record<string, number>) =>
  Object.fromEntries(Object.entries(numbers).filter(([, value]) => value > 0));

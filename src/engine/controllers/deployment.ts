/** Deployments: roll from one ReplicaSet to the next. */
import { gr } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from './controller.ts';
import { reportDeployment } from './deployment-status.ts';
import { controllerRef, equal, isControlledBy, ownedBy, scaled, selects, shortHash } from './objects.ts';
import { isTerminal, PODS, podsIn, type Pod, type PodTemplate } from './pods.ts';
import type { ReplicaSet } from './replicaset.ts';
import {
  HASH,
  MAX_REPLICAS,
  DESIRED,
  REPLICASETS,
  REVISION,
  sameTemplate,
  wantedOf,
  type Deployment,
} from './deployment-objects.ts';

export function createDeploymentController(options: ControllerOptions): Component {
  return controller(options, 'deployment-controller', 'deployment-controller', (work) => {
    const deployments = work.watch<Deployment>(gr('deployments', 'apps'), ({ object }) =>
      work.queue.add(keyOf(object)),
    );
    const wake = (set: ReplicaSet | undefined) => {
      const owner = set && controllerRef(set);
      if (owner?.kind === 'Deployment') work.queue.add(`${set?.metadata.namespace}/${owner.name}`);
    };
    const sets = work.watch<ReplicaSet>(REPLICASETS, ({ object, before }) => {
      wake(object);
      wake(before);
    });
    // With the strategy Recreate the last old pod's end starts the new ones.
    work.watch<Pod>(PODS, ({ type, object }) => {
      const owner = controllerRef(object);
      if (owner?.kind === 'ReplicaSet' && (type === 'DELETED' || isTerminal(object)))
        wake(sets.get(owner.name, object.metadata.namespace));
    });

    return async (key) => {
      const { namespace, name } = splitKey(key);
      const found = deployments.get(name, namespace);
      if (!found) return;
      const deployment = { ...found, apiVersion: 'apps/v1', kind: 'Deployment' };
      const all = (await work.client.list<ReplicaSet>(REPLICASETS, { namespace })).filter((set) =>
        isControlledBy(set, deployment),
      );
      all.push(...(await adopt(work, deployment)));
      if (deployment.metadata.deletionTimestamp) return reportDeployment(work, deployment, all);

      if (deployment.spec?.paused || isScaling(deployment, all)) {
        await spread(work, deployment, all);
      } else {
        const current = await currentSet(work, deployment, all);
        if (deployment.spec?.strategy?.type === 'Recreate') await recreate(work, deployment, all, current);
        else await roll(work, deployment, all, current);
      }
      const after = (await work.client.list<ReplicaSet>(REPLICASETS, { namespace })).filter((set) =>
        isControlledBy(set, deployment),
      );
      await tidy(work, deployment, after);
      await reportDeployment(work, deployment, after);
    };
  });
}

/** ReplicaSets that match and that nobody controls. */
async function adopt({ client }: Work, deployment: Deployment): Promise<ReplicaSet[]> {
  const adopted: ReplicaSet[] = [];
  if (deployment.metadata.deletionTimestamp) return adopted;
  for (const set of await client.list<ReplicaSet>(REPLICASETS, {
    namespace: deployment.metadata.namespace ?? '',
  }))
    if (
      !controllerRef(set) &&
      !set.metadata.deletionTimestamp &&
      selects(deployment.spec?.selector, set.metadata.labels)
    )
      adopted.push(
        await client.patch<ReplicaSet>(REPLICASETS, set.metadata.name, set.metadata.namespace, {
          metadata: { ownerReferences: [...(set.metadata.ownerReferences ?? []), ownedBy(deployment)] },
        }),
      );
  return adopted;
}

/** Whether only the number of replicas changed: then the sets that have pods share the difference. */
const isScaling = (deployment: Deployment, sets: readonly ReplicaSet[]): boolean =>
  sets.some(
    ({ spec, metadata }) =>
      (spec?.replicas ?? 0) > 0 &&
      metadata.annotations?.[DESIRED] !== undefined &&
      Number(metadata.annotations[DESIRED]) !== wantedOf(deployment),
  );

/** Scales by the share that each set has (upstream: proportional scaling), so that a rollout under way keeps its balance. */
async function spread(work: Work, deployment: Deployment, sets: readonly ReplicaSet[]): Promise<void> {
  const wanted = wantedOf(deployment);
  const full = sets.filter(({ spec }) => (spec?.replicas ?? 0) > 0);
  if (full.length <= 1) {
    const only = full[0] ?? sets.find((set) => sameTemplate(set, deployment));
    if (only) await scale(work, deployment, only, wanted);
    return;
  }
  const total = full.reduce((sum, { spec }) => sum + (spec?.replicas ?? 0), 0);
  const allowed = wanted > 0 ? wanted + surgeOf(deployment) : 0;
  let left = allowed - total;
  const sorted = [...full].sort((a, b) => (b.spec?.replicas ?? 0) - (a.spec?.replicas ?? 0));
  for (const set of sorted) {
    const has = set.spec?.replicas ?? 0;
    const before = Number(set.metadata.annotations?.[MAX_REPLICAS] ?? total) || total;
    let part = Math.round((has * allowed) / before) - has;
    part = left > 0 ? Math.min(Math.max(part, 0), left) : Math.max(Math.min(part, 0), left);
    left -= part;
    const rest = set === sorted.at(-1) ? left : 0;
    await scale(work, deployment, set, Math.max(0, has + part + rest));
  }
}

/** The set of today's template, made if there is none, with the newest revision. */
async function currentSet(
  { client, events }: Work,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
): Promise<ReplicaSet> {
  const current = sets.find((set) => sameTemplate(set, deployment));
  const revisions = sets.filter((set) => set !== current).map(revisionOf);
  const revision = Math.max(0, ...revisions) + 1;
  const annotations = {
    ...withoutLastApplied(deployment.metadata.annotations),
    [DESIRED]: `${wantedOf(deployment)}`,
    [MAX_REPLICAS]: `${wantedOf(deployment) + surgeOf(deployment)}`,
  };
  if (current) {
    const wanted = {
      ...current.metadata.annotations,
      ...annotations,
      [REVISION]: `${Math.max(revision, revisionOf(current))}`,
    };
    if (equal(current.metadata.annotations, wanted)) return current;
    return client.patch<ReplicaSet>(REPLICASETS, current.metadata.name, current.metadata.namespace, {
      metadata: { annotations: wanted },
      spec: { minReadySeconds: deployment.spec?.minReadySeconds ?? 0 },
    });
  }
  const template = deployment.spec?.template as PodTemplate;
  const hash = shortHash(template);
  const labels = { ...template.metadata?.labels, [HASH]: hash };
  const replicas = firstReplicas(deployment, sets);
  const created = await client.create<ReplicaSet>(REPLICASETS, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      annotations: { ...annotations, [REVISION]: `${revision}` },
      ownerReferences: [ownedBy(deployment)],
    },
    spec: {
      replicas,
      ...(deployment.spec?.minReadySeconds ? { minReadySeconds: deployment.spec.minReadySeconds } : {}),
      selector: {
        ...deployment.spec?.selector,
        matchLabels: { ...deployment.spec?.selector?.matchLabels, [HASH]: hash },
      },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  });
  if (replicas > 0)
    events(
      deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled up replica set ${created.metadata.name} from 0 to ${replicas}`,
    );
  return created;
}

function firstReplicas(deployment: Deployment, others: readonly ReplicaSet[]): number {
  const total = others.reduce((sum, { spec }) => sum + (spec?.replicas ?? 0), 0);
  if (deployment.spec?.strategy?.type === 'Recreate') return total > 0 ? 0 : wantedOf(deployment);
  return Math.max(0, Math.min(wantedOf(deployment), wantedOf(deployment) + surgeOf(deployment) - total));
}

/** One step of a rolling update: as many new pods as the surge allows, as few old ones as availability allows. */
async function roll(
  work: Work,
  deployment: Deployment,
  all: readonly ReplicaSet[],
  current: ReplicaSet,
): Promise<void> {
  const wanted = wantedOf(deployment);
  const old = all.filter(({ metadata }) => metadata.uid !== current.metadata.uid);
  const replicas = (sets: readonly ReplicaSet[]) =>
    sets.reduce((sum, { spec }) => sum + (spec?.replicas ?? 0), 0);
  const has = current.spec?.replicas ?? 0;
  const surge = surgeOf(deployment);
  const total = replicas(old) + has;
  if (has > wanted) await scale(work, deployment, current, wanted);
  else if (has < wanted && total < wanted + surge)
    return scale(work, deployment, current, Math.min(wanted, has + wanted + surge - total));

  const unavailable = maxUnavailable(deployment);
  const lacking = has - (current.status?.availableReplicas ?? 0);
  let removable = total - (wanted - unavailable) - Math.max(0, lacking);
  if (removable <= 0 || replicas(old) === 0) return;
  const sorted = [...old].sort((a, b) => revisionOf(a) - revisionOf(b));
  // Pods that are not available go first: they serve nobody.
  const sizes = new Map(sorted.map((set) => [set, set.spec?.replicas ?? 0]));
  for (const set of sorted) {
    const size = sizes.get(set) ?? 0;
    const broken = Math.min(removable, Math.max(0, size - (set.status?.availableReplicas ?? 0)));
    sizes.set(set, size - broken);
    removable -= broken;
  }
  const available = all.reduce((sum, { status }) => sum + (status?.availableReplicas ?? 0), 0);
  let spare = Math.min(removable, available - (wanted - unavailable));
  for (const set of sorted) {
    const size = sizes.get(set) ?? 0;
    const part = Math.min(Math.max(spare, 0), size);
    sizes.set(set, size - part);
    spare -= part;
  }
  for (const [set, size] of sizes) await scale(work, deployment, set, size);
}

/** All old pods go before the first new one comes. */
async function recreate(
  work: Work,
  deployment: Deployment,
  all: readonly ReplicaSet[],
  current: ReplicaSet,
): Promise<void> {
  const old = all.filter(({ metadata }) => metadata.uid !== current.metadata.uid);
  for (const set of old) await scale(work, deployment, set, 0);
  const uids = new Set(old.map(({ metadata }) => metadata.uid));
  const left = (await podsIn(work.client, deployment.metadata.namespace ?? '')).some(
    (pod) => uids.has(controllerRef(pod)?.uid ?? '') && !isTerminal(pod),
  );
  if (!left) await scale(work, deployment, current, wantedOf(deployment));
}

async function scale(
  { client, events }: Work,
  deployment: Deployment,
  set: ReplicaSet,
  to: number,
): Promise<void> {
  const from = set.spec?.replicas ?? 0;
  const annotations = {
    [DESIRED]: `${wantedOf(deployment)}`,
    [MAX_REPLICAS]: `${wantedOf(deployment) + surgeOf(deployment)}`,
  };
  const stale = Object.entries(annotations).some(([key, value]) => set.metadata.annotations?.[key] !== value);
  if (from === to && !stale) return;
  await client.patch(REPLICASETS, set.metadata.name, set.metadata.namespace, {
    metadata: { annotations },
    spec: { replicas: to },
  });
  if (from !== to)
    events(
      deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${to > from ? 'up' : 'down'} replica set ${set.metadata.name} from ${from} to ${to}`,
    );
}

/** Forgets the oldest empty sets beyond the history limit. */
async function tidy({ client }: Work, deployment: Deployment, sets: readonly ReplicaSet[]): Promise<void> {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  const old = sets
    .filter(
      (set) =>
        !sameTemplate(set, deployment) &&
        (set.spec?.replicas ?? 0) === 0 &&
        (set.status?.replicas ?? 0) === 0 &&
        !set.metadata.deletionTimestamp,
    )
    .sort((a, b) => revisionOf(a) - revisionOf(b));
  for (const { metadata } of old.slice(0, Math.max(0, old.length - limit)))
    await client.delete(REPLICASETS, metadata.name, metadata.namespace);
}

const revisionOf = ({ metadata }: ReplicaSet) => Number(metadata.annotations?.[REVISION] ?? 0);

const rolling = ({ spec }: Deployment) => spec?.strategy?.rollingUpdate;

const surgeOf = (deployment: Deployment): number =>
  deployment.spec?.strategy?.type === 'Recreate'
    ? 0
    : scaled(rolling(deployment)?.maxSurge ?? '25%', wantedOf(deployment), true);

/** At least one pod may move: surge and unavailability of 0 would stand still. */
function maxUnavailable(deployment: Deployment): number {
  const found = scaled(rolling(deployment)?.maxUnavailable ?? '25%', wantedOf(deployment), false);
  return found === 0 && surgeOf(deployment) === 0 ? 1 : Math.min(found, wantedOf(deployment));
}

function withoutLastApplied(annotations: Record<string, string> = {}): Record<string, string> {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, [REVISION]: __, ...rest } = annotations;
  return rest;
}

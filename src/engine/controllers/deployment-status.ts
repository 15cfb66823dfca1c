/** What a Deployment's status says of its rollout; `kubectl rollout status` reads it. */
import type { Work } from './controller.ts';
import { keyOf } from './controller.ts';
import { DEPLOYMENTS, REVISION, sameTemplate, wantedOf, type Deployment } from './deployment-objects.ts';
import { equal, scaled, timestamp, withCondition, type Condition } from './objects.ts';
import type { ReplicaSet } from './replicaset.ts';

/** Writes status and the annotation of the revision. */
export async function reportDeployment(
  work: Work,
  deployment: Deployment,
  sets: readonly ReplicaSet[],
): Promise<void> {
  const { client } = work;
  const sum = (field: 'replicas' | 'readyReplicas' | 'availableReplicas', among = sets) =>
    among.reduce((total, { status }) => total + (status?.[field] ?? 0), 0);
  const current = sets.find((set) => sameTemplate(set, deployment));
  const numbers = {
    replicas: sum('replicas'),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum('readyReplicas'),
    availableReplicas: sum('availableReplicas'),
    unavailableReplicas: Math.max(
      0,
      Math.max(sum('replicas'), wantedOf(deployment)) - sum('availableReplicas'),
    ),
  };
  const status = {
    observedGeneration: deployment.metadata.generation ?? 1,
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value > 0)),
    conditions: conditionsOf(work, deployment, numbers, current, sets),
  };

  const revision = current?.metadata.annotations?.[REVISION];
  const { name, namespace } = deployment.metadata;
  if (revision && deployment.metadata.annotations?.[REVISION] !== revision)
    await client.patch(DEPLOYMENTS, name, namespace, { metadata: { annotations: { [REVISION]: revision } } });
  if (equal(status, deployment.status)) return;
  const fresh = await client.get<Deployment>(DEPLOYMENTS, name, namespace);
  if (fresh && fresh.metadata.uid === deployment.metadata.uid)
    await client.updateStatus(DEPLOYMENTS, { ...fresh, status });
}

interface Numbers {
  replicas: number;
  updatedReplicas: number;
  availableReplicas: number;
}

function conditionsOf(
  { queue }: Work,
  deployment: Deployment,
  numbers: Numbers,
  current: ReplicaSet | undefined,
  sets: readonly ReplicaSet[],
): Condition[] {
  const wanted = wantedOf(deployment);
  const before = deployment.status?.conditions ?? [];
  const { strategy, progressDeadlineSeconds = 600, paused } = deployment.spec ?? {};
  const slack =
    strategy?.type === 'Recreate'
      ? 0
      : scaled(strategy?.rollingUpdate?.maxUnavailable ?? '25%', wanted, false);
  const available = numbers.availableReplicas >= wanted - Math.min(slack, wanted);
  let conditions = set(before, {
    type: 'Available',
    status: available ? 'True' : 'False',
    reason: available ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: `Deployment ${available ? 'has' : 'does not have'} minimum availability.`,
  });

  const failed = sets
    .flatMap(({ status }) => status?.conditions ?? [])
    .find(({ type }) => type === 'ReplicaFailure');
  conditions = failed
    ? set(conditions, { ...failed, lastTransitionTime: undefined })
    : conditions.filter(({ type }) => type !== 'ReplicaFailure');

  const progressing = before.find(({ type }) => type === 'Progressing');
  const name = current?.metadata.name ?? '';
  const complete =
    numbers.updatedReplicas === wanted && numbers.replicas === wanted && numbers.availableReplicas === wanted;
  const old = deployment.status ?? {};
  const moved =
    numbers.updatedReplicas > (old.updatedReplicas ?? 0) ||
    numbers.availableReplicas > (old.availableReplicas ?? 0) ||
    numbers.replicas - numbers.updatedReplicas < (old.replicas ?? 0) - (old.updatedReplicas ?? 0);
  const next = (reason: string, status: 'True' | 'False' | 'Unknown', message: string) =>
    set(conditions, { type: 'Progressing', status, reason, message }, moved);

  if (paused)
    return progressing?.reason === 'DeploymentPaused'
      ? conditions
      : next('DeploymentPaused', 'Unknown', 'Deployment is paused');
  if (!current) return conditions;
  if (complete)
    return next('NewReplicaSetAvailable', 'True', `ReplicaSet "${name}" has successfully progressed.`);
  if (
    !progressing ||
    (progressing.reason === 'NewReplicaSetAvailable' && !progressing.message?.includes(`"${name}"`))
  )
    return next('NewReplicaSetCreated', 'True', `Created new replica set "${name}"`);
  if (moved) return next('ReplicaSetUpdated', 'True', `ReplicaSet "${name}" is progressing.`);
  if (progressing.reason === 'NewReplicaSetAvailable') return conditions; // Scaled, or a pod failed: no rollout.
  const since = Date.parse(progressing.lastUpdateTime ?? '') || Date.now();
  const left = since + progressDeadlineSeconds * 1_000 - Date.now();
  if (left > 0) {
    queue.addAfter(keyOf(deployment), left + 500);
    return conditions;
  }
  return next('ProgressDeadlineExceeded', 'False', `ReplicaSet "${name}" has timed out progressing.`);
}

/** Sets a condition; its time of update changes only with what it says, or when there was progress. */
function set(conditions: readonly Condition[], one: Condition, moved = false): Condition[] {
  const before = conditions.find(({ type }) => type === one.type);
  const same =
    before?.reason === one.reason && before?.status === one.status && before?.message === one.message;
  const lastUpdateTime = same && !moved ? (before.lastUpdateTime ?? timestamp()) : timestamp();
  return withCondition(conditions, { ...one, lastUpdateTime });
}

/** Jobs: run pods until so many have succeeded (batch/v1; KEP-2214 for Indexed ones). */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from './controller.ts';
import { equal, isControlledBy, selects, timestamp, type Condition, type LabelSelector } from './objects.ts';
import { isActive, isReady, podOf, PODS, podsIn, type Pod, type PodTemplate } from './pods.ts';
import { claim, watchOwned } from './replicaset.ts';

export const JOBS = gr('jobs', 'batch');

/** First and longest delay before a failed pod is replaced, in ms. */
const BACKOFF = { first: 10_000, longest: 600_000 };
const INDEX = 'batch.kubernetes.io/job-completion-index';

export type Job = KubeObject<
  {
    parallelism?: number;
    completions?: number | null;
    backoffLimit?: number;
    activeDeadlineSeconds?: number;
    ttlSecondsAfterFinished?: number;
    completionMode?: 'NonIndexed' | 'Indexed';
    suspend?: boolean;
    selector?: LabelSelector;
    template: PodTemplate;
  },
  {
    active?: number;
    ready?: number;
    succeeded?: number;
    failed?: number;
    startTime?: string;
    completionTime?: string;
    completedIndexes?: string;
    conditions?: Condition[];
    [field: string]: unknown;
  }
>;

/** The condition that ends a Job, if it has ended. */
export const ending = (job: Job): Condition | undefined =>
  job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );

export function createJobController(options: ControllerOptions): Component {
  return controller(options, 'job-controller', 'job-controller', (work) => {
    const jobs = work.watch<Job>(JOBS, ({ object }) => work.queue.add(keyOf(object)));
    watchOwned(work, 'Job', () => undefined);
    return async (key) => {
      const { namespace, name } = splitKey(key);
      const found = jobs.get(name, namespace);
      if (!found || found.metadata.deletionTimestamp) return;
      const job = { ...found, apiVersion: 'batch/v1', kind: 'Job' };
      if (ending(job)) return expire(work, job);
      const pods = await claim(work.client, job, await podsIn(work.client, namespace), (labels) =>
        selects(job.spec?.selector, labels),
      );
      await sync(work, job, pods);
    };
  });
}

/** ttlSecondsAfterFinished (KEP-592). */
async function expire({ client, queue }: Work, job: Job): Promise<void> {
  const ttl = job.spec?.ttlSecondsAfterFinished;
  if (ttl === undefined) return;
  const left = Date.parse(ending(job)?.lastTransitionTime ?? '') + ttl * 1_000 - Date.now();
  if (left > 0) return queue.addAfter(keyOf(job), left);
  const { name, namespace, uid } = job.metadata;
  await client.delete(JOBS, name, namespace, { uid: uid ?? '', propagation: 'Foreground' });
}

async function sync(work: Work, job: Job, pods: readonly Pod[]): Promise<void> {
  const spec = job.spec as NonNullable<Job['spec']>;
  const { backoffLimit = 6, completions, activeDeadlineSeconds, suspend } = spec;
  const startTime = job.status?.startTime ?? (suspend ? undefined : timestamp());
  const active = pods.filter(isActive);
  const succeeded = pods.filter(({ status }) => status?.phase === 'Succeeded');
  const failed = pods.filter(({ status }) => status?.phase === 'Failed');
  const indexed = spec.completionMode === 'Indexed';
  const done = indexed ? new Set(succeeded.map(indexOf)).size : succeeded.length;

  let end: { type: 'Complete' | 'Failed'; reason: string; message: string } | undefined;
  const deadline =
    activeDeadlineSeconds === undefined || startTime === undefined
      ? undefined
      : Date.parse(startTime) + activeDeadlineSeconds * 1_000;
  const retries = failed.length + restarts(active, spec);
  if (retries > backoffLimit)
    end = {
      type: 'Failed',
      reason: 'BackoffLimitExceeded',
      message: 'Job has reached the specified backoff limit',
    };
  else if (deadline !== undefined && deadline <= Date.now())
    end = {
      type: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Job was active longer than specified deadline',
    };
  else if (
    completions === undefined || completions === null
      ? succeeded.length > 0 && active.length === 0
      : done >= completions
  )
    end = {
      type: 'Complete',
      reason: 'CompletionsReached',
      message: 'Reached expected number of succeeded pods',
    };

  if (deadline !== undefined && !end) work.queue.addAfter(keyOf(job), deadline - Date.now());
  let running = 0;
  if (end || suspend) for (const pod of active) await remove(work, job, pod);
  else running = await adjust(work, job, active, succeeded, failed);

  const conditions = conditionsAfter(job, end);
  const status: NonNullable<Job['status']> = {
    ...(running > 0 ? { active: running } : {}),
    ready: end ? 0 : active.filter(isReady).length,
    ...(succeeded.length > 0 ? { succeeded: succeeded.length } : {}),
    ...(failed.length > 0 ? { failed: failed.length } : {}),
    ...(startTime ? { startTime } : {}),
    ...(end?.type === 'Complete' ? { completionTime: timestamp() } : {}),
    ...(indexed && done > 0 ? { completedIndexes: ranges(succeeded.map(indexOf)) } : {}),
    terminating: 0,
    uncountedTerminatedPods: {},
    ...(conditions.length > 0 ? { conditions } : {}),
  };
  if (equal(status, job.status)) return;
  const fresh = await work.client.get<Job>(JOBS, job.metadata.name, job.metadata.namespace);
  if (!fresh || fresh.metadata.uid !== job.metadata.uid) return;
  await work.client.updateStatus(JOBS, { ...fresh, status });
  if (end)
    if (end.type === 'Complete') work.events(job, 'Normal', 'Completed', 'Job completed');
    else work.events(job, 'Warning', end.reason, end.message);
}

function conditionsAfter(
  job: Job,
  end: { type: string; reason: string; message: string } | undefined,
): Condition[] {
  const before = (job.status?.conditions ?? []).filter(({ type }) => type !== 'Suspended');
  const stamp = { lastProbeTime: timestamp(), lastTransitionTime: timestamp() };
  const suspended = job.status?.conditions?.find(({ type }) => type === 'Suspended');
  if (job.spec?.suspend) {
    const message = 'Job suspended';
    if (suspended?.status === 'True') return [...before, suspended];
    return [...before, { type: 'Suspended', status: 'True', reason: 'JobSuspended', message, ...stamp }];
  }
  if (suspended) {
    const resumed = {
      type: 'Suspended',
      status: 'False',
      reason: 'JobResumed',
      message: 'Job resumed',
    } as const;
    before.push(suspended.status === 'False' ? suspended : { ...resumed, ...stamp });
  }
  if (!end) return before;
  // First why, then that: controllers that wait for the end see it only when all pods are gone.
  const first = end.type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  return [
    ...before,
    ...[first, end.type].map((type) => ({
      type,
      status: 'True' as const,
      reason: end.reason,
      message: end.message,
      ...stamp,
    })),
  ];
}

/** With restartPolicy OnFailure containers fail in place. */
const restarts = (pods: readonly Pod[], { template }: NonNullable<Job['spec']>): number =>
  template.spec?.['restartPolicy'] !== 'OnFailure'
    ? 0
    : pods
        .flatMap(({ status }) => status?.containerStatuses ?? [])
        .reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);

/** Makes or removes pods; returns how many are active then. */
async function adjust(
  work: Work,
  job: Job,
  active: readonly Pod[],
  succeeded: readonly Pod[],
  failed: readonly Pod[],
): Promise<number> {
  const { parallelism = 1, completions, completionMode } = job.spec as NonNullable<Job['spec']>;
  const indexed = completionMode === 'Indexed';
  const left =
    typeof completions === 'number' ? completions - succeeded.length : succeeded.length > 0 ? 0 : Infinity;
  const wanted =
    typeof completions === 'number'
      ? Math.min(parallelism, Math.max(0, left))
      : left === 0
        ? active.length
        : parallelism;
  if (active.length > wanted) {
    for (const pod of active.slice(wanted)) await remove(work, job, pod);
    return wanted;
  }
  // A pod that is going still holds its place (podReplacementPolicy TerminatingOrFailed replaces it at once).
  const last = Math.max(0, ...failed.map((pod) => endOf(pod)));
  const wait =
    failed.length === 0
      ? 0
      : last + Math.min(BACKOFF.first * 2 ** (failed.length - 1), BACKOFF.longest) - Date.now();
  if (wait > 0 && active.length < wanted) {
    work.queue.addAfter(keyOf(job), wait);
    return active.length;
  }
  const taken = new Set([...active, ...succeeded].map(indexOf));
  let next = 0;
  for (let i = active.length; i < wanted; i++) {
    while (indexed && taken.has(next)) next++;
    if (indexed && next >= (completions ?? 0)) return i;
    const pod = makePod(job, indexed ? next++ : undefined);
    try {
      const created = await work.client.create<Pod>(PODS, pod);
      work.events(job, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    } catch (error) {
      work.events(
        job,
        'Warning',
        'FailedCreate',
        `Error creating: ${error instanceof Error ? error.message : String(error)}`,
      );
      throw error;
    }
  }
  return Math.max(wanted, active.length);
}

function endOf({ status, metadata }: Pod): number {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  return Date.parse(ready ?? metadata.creationTimestamp ?? '') || Date.now();
}

function makePod(job: Job, index: number | undefined): Pod {
  const template = job.spec?.template as PodTemplate;
  if (index === undefined) return podOf(job, template, { generateName: `${job.metadata.name}-` });
  const mark = { [INDEX]: `${index}` };
  const naming = { generateName: `${job.metadata.name}-${index}-` };
  const pod = podOf(job, template, naming, { labels: mark, annotations: mark });
  const spec = pod.spec as NonNullable<Pod['spec']>;
  const env = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX}']` } },
  };
  const withIndex = (container: NonNullable<Pod['spec']>['containers'][number]) => ({
    ...container,
    env: [...((container['env'] ?? []) as object[]), env],
  });
  pod.spec = {
    ...spec,
    hostname: `${job.metadata.name}-${index}`,
    containers: spec.containers.map(withIndex),
    ...(spec.initContainers ? { initContainers: spec.initContainers.map(withIndex) } : {}),
  };
  return pod;
}

const indexOf = ({ metadata }: Pod): number => Number(metadata.annotations?.[INDEX] ?? -1);

/** `0-2,5`, as status.completedIndexes is written. */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const found: [number, number][] = [];
  for (const number of sorted) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

async function remove({ client, events }: Work, job: Job, pod: Pod): Promise<void> {
  if (!isControlledBy(pod, job)) return;
  await client.delete(PODS, pod.metadata.name, pod.metadata.namespace, { uid: pod.metadata.uid ?? '' });
  events(job, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
}

/** CronJobs: make a Job at each time of a schedule (times are UTC unless the Job names another zone, which is not honoured). */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from './controller.ts';
import { parseSchedule } from './cron.ts';
import { ending, JOBS, type Job } from './job.ts';
import { controllerRef, equal, isControlledBy, ownedBy, timestamp } from './objects.ts';

const CRONJOBS = gr('cronjobs', 'batch');
type CronJob = KubeObject<
  {
    schedule: string;
    suspend?: boolean;
    concurrencyPolicy?: 'Allow' | 'Forbid' | 'Replace';
    startingDeadlineSeconds?: number;
    successfulJobsHistoryLimit?: number;
    failedJobsHistoryLimit?: number;
    jobTemplate: {
      metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
      spec: Job['spec'];
    };
  },
  { active?: object[]; lastScheduleTime?: string; lastSuccessfulTime?: string }
>;

export function createCronJobController(options: ControllerOptions): Component {
  return controller(options, 'cronjob-controller', 'cronjob-controller', (work) => {
    const crons = work.watch<CronJob>(CRONJOBS, ({ object }) => work.queue.add(keyOf(object)));
    work.watch<Job>(JOBS, ({ object }) => {
      const owner = controllerRef(object);
      if (owner?.kind === 'CronJob') work.queue.add(`${object.metadata.namespace}/${owner.name}`);
    });
    return async (key) => {
      const { namespace, name } = splitKey(key);
      const found = crons.get(name, namespace);
      if (!found?.spec || found.metadata.deletionTimestamp) return;
      const cron = { ...found, apiVersion: 'batch/v1', kind: 'CronJob' };
      const jobs = (await work.client.list<Job>(JOBS, { namespace })).filter((job) =>
        isControlledBy(job, cron),
      );
      await tidy(work, cron, jobs);
      await schedule(work, cron, jobs);
    };
  });
}

async function schedule(work: Work, cron: CronJob, jobs: readonly Job[]): Promise<void> {
  const { client, events, queue } = work;
  const spec = cron.spec as NonNullable<CronJob['spec']>;
  const now = Date.now();
  let lastScheduleTime = cron.status?.lastScheduleTime;
  let running = jobs.filter((job) => !ending(job));
  if (!spec.suspend) {
    const times = parseSchedule(spec.schedule);
    let at = Date.parse(lastScheduleTime ?? cron.metadata.creationTimestamp ?? '') || now;
    if (spec.startingDeadlineSeconds !== undefined)
      at = Math.max(at, now - spec.startingDeadlineSeconds * 1_000);
    let due: number | undefined;
    let next = times.next(at);
    // Of several missed times only the newest counts.
    for (; next !== undefined && next <= now; next = times.next(next)) due = next;
    if (next !== undefined) queue.addAfter(keyOf(cron), next - now + 10);
    if (due !== undefined && spec.concurrencyPolicy === 'Forbid' && running.length > 0)
      events(
        cron,
        'Normal',
        'JobAlreadyActive',
        'Not starting job because prior execution is running and concurrency policy is Forbid',
      );
    else if (due !== undefined) {
      if (spec.concurrencyPolicy === 'Replace')
        for (const { metadata } of running) {
          await client.delete(JOBS, metadata.name, metadata.namespace, { propagation: 'Background' });
          events(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${metadata.name}`);
        }
      const name = `${cron.metadata.name}-${Math.floor(due / 60_000)}`;
      if (!jobs.some(({ metadata }) => metadata.name === name)) {
        const job = await client.create<Job>(JOBS, {
          apiVersion: 'batch/v1',
          kind: 'Job',
          metadata: {
            name,
            namespace: cron.metadata.namespace ?? '',
            ...(spec.jobTemplate.metadata?.labels ? { labels: spec.jobTemplate.metadata.labels } : {}),
            annotations: {
              ...spec.jobTemplate.metadata?.annotations,
              'batch.kubernetes.io/cronjob-scheduled-timestamp': timestamp(due),
            },
            ownerReferences: [ownedBy(cron)],
          },
          spec: spec.jobTemplate.spec,
        });
        events(cron, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
        running = [...(spec.concurrencyPolicy === 'Replace' ? [] : running), job];
      }
      lastScheduleTime = timestamp(due);
    }
  }
  const times = jobs.flatMap(({ status }) => status?.completionTime ?? []).sort();
  const lastSuccessfulTime = times.at(-1) ?? cron.status?.lastSuccessfulTime;
  const active = running.map(({ metadata: { name, namespace, uid, resourceVersion } }) => ({
    kind: 'Job',
    namespace,
    name,
    uid,
    apiVersion: 'batch/v1',
    resourceVersion,
  }));
  const status = {
    ...(active.length > 0 ? { active } : {}),
    ...(lastScheduleTime ? { lastScheduleTime } : {}),
    ...(lastSuccessfulTime ? { lastSuccessfulTime } : {}),
  };
  const names = (list: object[] = []) => list.map((one) => (one as { name: string }).name);
  const before = cron.status ?? {};
  if (equal({ ...status, active: names(active) }, { ...before, active: names(before.active) })) return;
  const fresh = await client.get<CronJob>(CRONJOBS, cron.metadata.name, cron.metadata.namespace);
  if (fresh && fresh.metadata.uid === cron.metadata.uid)
    await client.updateStatus(CRONJOBS, { ...fresh, status });
}

/** Forgets the oldest ended Jobs beyond the limits. */
async function tidy({ client, events }: Work, cron: CronJob, jobs: readonly Job[]): Promise<void> {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron.spec ?? {};
  for (const [type, limit] of [
    ['Complete', successfulJobsHistoryLimit],
    ['Failed', failedJobsHistoryLimit],
  ] as const) {
    const ended = jobs
      .filter((job) => ending(job)?.type === type)
      .sort((a, b) => (a.status?.startTime ?? '').localeCompare(b.status?.startTime ?? ''));
    for (const { metadata } of ended.slice(0, Math.max(0, ended.length - limit))) {
      await client.delete(JOBS, metadata.name, metadata.namespace, { propagation: 'Background' });
      events(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${metadata.name}`);
    }
  }
}

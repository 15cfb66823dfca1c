/** Rows of what makes pods. */
import type { Json } from '../json.ts';
import type { Column } from '../resources/resource.ts';
import { age, AGE, count, NAME, SELECTOR, since, TEMPLATE, text, wide } from './cells.ts';

export const DEPLOYMENT: readonly Column[] = [
  NAME,
  text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
  count('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0),
  count('Available', ({ status }) => status?.availableReplicas ?? 0),
  AGE,
  ...TEMPLATE,
  SELECTOR,
];

export const REPLICA_SET: readonly Column[] = [
  NAME,
  count('Desired', ({ spec }) => spec?.replicas ?? 0),
  count('Current', ({ status }) => status?.replicas ?? 0),
  count('Ready', ({ status }) => status?.readyReplicas ?? 0),
  AGE,
  ...TEMPLATE,
  SELECTOR,
];

export const REPLICATION_CONTROLLER: readonly Column[] = [
  ...REPLICA_SET.slice(0, -1),
  wide('Selector', ({ spec }) =>
    Object.entries(spec?.selector ?? {})
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(','),
  ),
];

export const STATEFUL_SET: readonly Column[] = [
  NAME,
  text('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
  AGE,
  ...TEMPLATE,
];

export const DAEMON_SET: readonly Column[] = [
  NAME,
  count('Desired', ({ status }) => status?.desiredNumberScheduled ?? 0),
  count('Current', ({ status }) => status?.currentNumberScheduled ?? 0),
  count('Ready', ({ status }) => status?.numberReady ?? 0),
  count('Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0),
  count('Available', ({ status }) => status?.numberAvailable ?? 0),
  text('Node Selector', ({ spec }) => {
    const entries = Object.entries(spec?.template?.spec?.nodeSelector ?? {});
    return entries.length ? entries.map(([key, value]) => `${key}=${String(value)}`).join(',') : '<none>';
  }),
  AGE,
  ...TEMPLATE,
  SELECTOR,
];

const condition = (object: Json, type: string): boolean =>
  (object.status?.conditions ?? []).some((one: Json) => one.type === type && one.status === 'True');

function jobStatus(job: Json): string {
  if (condition(job, 'Complete')) return 'Complete';
  if (condition(job, 'Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp) return 'Terminating';
  if (condition(job, 'Suspended')) return 'Suspended';
  if (condition(job, 'FailureTarget')) return 'FailureTarget';
  if (condition(job, 'SuccessCriteriaMet')) return 'SuccessCriteriaMet';
  return 'Running';
}

export const JOB: readonly Column[] = [
  NAME,
  text('Status', jobStatus),
  text('Completions', ({ spec, status }) => {
    if (spec?.completions !== undefined) return `${status?.succeeded ?? 0}/${spec.completions}`;
    const parallel = spec?.parallelism ?? 0;
    return parallel > 1 ? `${status?.succeeded ?? 0}/1 of ${parallel}` : `${status?.succeeded ?? 0}/1`;
  }),
  text('Duration', ({ status }, now) => {
    if (!status?.startTime) return '';
    const end = status.completionTime ? Date.parse(status.completionTime) : now;
    return age(end - Date.parse(status.startTime));
  }),
  AGE,
  ...TEMPLATE,
  SELECTOR,
];

export const CRON_JOB: readonly Column[] = [
  NAME,
  text('Schedule', ({ spec }) => spec?.schedule),
  text('Timezone', ({ spec }) => spec?.timeZone ?? '<none>'),
  text('Suspend', ({ spec }) => (spec?.suspend ? 'True' : 'False')),
  count('Active', ({ status }) => status?.active?.length ?? 0),
  text('Last Schedule', ({ status }, now) =>
    status?.lastScheduleTime ? since(status.lastScheduleTime, now) : '<none>',
  ),
  AGE,
];

function metricText(spec: Json, status: Json): string {
  const target = spec?.target ?? {};
  const current = status?.current ?? {};
  if (target.averageUtilization !== undefined)
    return `${current.averageUtilization === undefined ? '<unknown>' : `${current.averageUtilization}%`}/${target.averageUtilization}%`;
  return `${current.averageValue ?? current.value ?? '<unknown>'}/${target.averageValue ?? target.value ?? '<unknown>'}`;
}

export const HPA: readonly Column[] = [
  NAME,
  text('Reference', ({ spec }) => `${spec?.scaleTargetRef?.kind}/${spec?.scaleTargetRef?.name}`),
  text('Targets', ({ spec, status }) => {
    const metrics: Json[] = spec?.metrics ?? [];
    if (metrics.length === 0) return '<none>';
    return metrics
      .map((one, i) => {
        const key = (one.type as string).charAt(0).toLowerCase() + (one.type as string).slice(1);
        const shown = metricText(one[key], status?.currentMetrics?.[i]?.[key]);
        return one.type === 'Resource' ? `${one.resource?.name}: ${shown}` : shown;
      })
      .join(', ');
  }),
  text('MinPods', ({ spec }) => String(spec?.minReplicas ?? '<unset>')),
  count('MaxPods', ({ spec }) => spec?.maxReplicas ?? 0),
  count('Replicas', ({ status }) => status?.currentReplicas ?? 0),
  AGE,
];

export const PDB: readonly Column[] = [
  NAME,
  text('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A')),
  text('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A')),
  count('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed ?? 0),
  AGE,
];

/** Conversions between versions in which the same stored object is served. */
import type { KubeObject } from '../../client/types.ts';

/** core/v1 Event (as stored) -> events.k8s.io/v1 Event, whose fields were renamed (KEP-383). */
export function eventToEvents(stored: KubeObject): KubeObject {
  const {
    involvedObject,
    message,
    source,
    firstTimestamp,
    lastTimestamp,
    count,
    reportingComponent,
    ...rest
  } = stored;
  const object: KubeObject = { ...rest, apiVersion: 'events.k8s.io/v1' };
  if (involvedObject !== undefined) object['regarding'] = involvedObject;
  if (message !== undefined) object['note'] = message;
  if (source !== undefined) object['deprecatedSource'] = source;
  if (firstTimestamp !== undefined) object['deprecatedFirstTimestamp'] = firstTimestamp;
  if (lastTimestamp !== undefined) object['deprecatedLastTimestamp'] = lastTimestamp;
  if (count !== undefined) object['deprecatedCount'] = count;
  if (reportingComponent !== undefined) object['reportingController'] = reportingComponent;
  return object;
}

/** events.k8s.io/v1 Event -> core/v1 Event. */
export function eventFromEvents(object: KubeObject): KubeObject {
  const {
    regarding,
    note,
    deprecatedSource,
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedCount,
    reportingController,
    ...rest
  } = object;
  const stored: KubeObject = { ...rest, apiVersion: 'v1' };
  if (regarding !== undefined) stored['involvedObject'] = regarding;
  if (note !== undefined) stored['message'] = note;
  if (deprecatedSource !== undefined) stored['source'] = deprecatedSource;
  if (deprecatedFirstTimestamp !== undefined) stored['firstTimestamp'] = deprecatedFirstTimestamp;
  if (deprecatedLastTimestamp !== undefined) stored['lastTimestamp'] = deprecatedLastTimestamp;
  if (deprecatedCount !== undefined) stored['count'] = deprecatedCount;
  if (reportingController !== undefined) stored['reportingComponent'] = reportingController;
  return stored;
}

const isCpuUtilization = (metric: {
  type?: string;
  resource?: { name?: string; target?: { type?: string; averageUtilization?: number } };
}): boolean =>
  metric.type === 'Resource' &&
  metric.resource?.name === 'cpu' &&
  metric.resource.target?.type === 'Utilization';

/** autoscaling/v2 HorizontalPodAutoscaler (as stored) -> v1, which knows CPU utilisation only. */
export function hpaToV1(stored: KubeObject): KubeObject {
  const { metrics, behavior: _behavior, ...spec } = stored.spec ?? {};
  const cpu = (metrics ?? []).find(isCpuUtilization)?.resource.target.averageUtilization;
  const { currentMetrics, conditions: _conditions, ...status } = stored.status ?? {};
  const used = (currentMetrics ?? []).find(
    (metric: { type?: string; resource?: { name?: string } }) =>
      metric.type === 'Resource' && metric.resource?.name === 'cpu',
  )?.resource.current?.averageUtilization;
  return {
    ...stored,
    apiVersion: 'autoscaling/v1',
    spec: { ...spec, ...(cpu === undefined ? {} : { targetCPUUtilizationPercentage: cpu }) },
    status: { ...status, ...(used === undefined ? {} : { currentCPUUtilizationPercentage: used }) },
  };
}

/** autoscaling/v1 HorizontalPodAutoscaler -> v2. */
export function hpaFromV1(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: cpu, ...spec } = object.spec ?? {};
  const { currentCPUUtilizationPercentage: _used, ...status } = object.status ?? {};
  const metrics = [
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpu } } },
  ];
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    spec: { ...spec, ...(cpu === undefined ? {} : { metrics }) },
    status,
  };
}

/** The row of a pod. */
import type { Json } from '../json.ts';
import type { Column } from '../resources/resource.ts';
import { age, AGE, NAME, text, wide } from './cells.ts';

const restartable = (container: Json): boolean => container?.restartPolicy === 'Always';

interface PodCells {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
}

function initReason(pod: Json): string | undefined {
  const statuses: Json[] = pod.status?.initContainerStatuses ?? [];
  const specs = new Map<string, Json>((pod.spec?.initContainers ?? []).map((one: Json) => [one.name, one]));
  for (const [i, one] of statuses.entries()) {
    const { terminated, waiting } = one.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (restartable(specs.get(one.name)) && one.started) continue;
    if (terminated) {
      if (terminated.reason) return `Init:${terminated.reason}`;
      return terminated.signal ? `Init:Signal:${terminated.signal}` : `Init:ExitCode:${terminated.exitCode}`;
    }
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${i}/${pod.spec?.initContainers?.length ?? 0}`;
  }
  return undefined;
}

/** Status, readiness and restarts as printPod works them out. */
export function podCells(pod: Json, now: number): PodCells {
  const status = pod.status ?? {};
  let reason: string = status.reason || status.phase || 'Unknown';
  for (const condition of status.conditions ?? [])
    if (condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated')
      reason = condition.reason;
  let restarts = 0;
  let lastRestart = 0;
  let ready = 0;
  let total = (pod.spec?.containers ?? []).length;
  const count = (one: Json): void => {
    restarts += one.restartCount ?? 0;
    const finished = one.lastState?.terminated?.finishedAt;
    if (finished) lastRestart = Math.max(lastRestart, Date.parse(finished));
  };
  const specs = new Map<string, Json>((pod.spec?.initContainers ?? []).map((one: Json) => [one.name, one]));
  for (const one of specs.values()) if (restartable(one)) total++;
  for (const one of status.initContainerStatuses ?? [])
    if (restartable(specs.get(one.name))) {
      count(one);
      if (one.ready) ready++;
    }
  const init = initReason(pod);
  if (init) {
    reason = init;
    for (const one of status.initContainerStatuses ?? []) if (!restartable(specs.get(one.name))) count(one);
  } else {
    let running = false;
    for (const one of [...(status.containerStatuses ?? [])].reverse()) {
      count(one);
      const { waiting, terminated } = one.state ?? {};
      if (waiting?.reason) reason = waiting.reason;
      else if (terminated)
        reason =
          terminated.reason ||
          (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`);
      else if (one.ready && one.state?.running) {
        running = true;
        ready++;
      }
    }
    if (reason === 'Completed' && running) {
      const isReady = (status.conditions ?? []).some(
        (one: Json) => one.type === 'Ready' && one.status === 'True',
      );
      reason = isReady ? 'Running' : 'NotReady';
    }
  }
  if (pod.metadata.deletionTimestamp && status.reason === 'NodeLost') reason = 'Unknown';
  else if (pod.metadata.deletionTimestamp && !['Failed', 'Succeeded'].includes(status.phase))
    reason = 'Terminating';
  const ago = restarts > 0 && lastRestart > 0 ? ` (${age(now - lastRestart)} ago)` : '';
  return { ready: `${ready}/${total}`, status: reason, restarts: `${restarts}${ago}` };
}

const none = (value: unknown): string => (value ? String(value) : '<none>');

export const POD: readonly Column[] = [
  NAME,
  text('Ready', (pod, now) => podCells(pod, now).ready),
  text('Status', (pod, now) => podCells(pod, now).status),
  text('Restarts', (pod, now) => podCells(pod, now).restarts),
  AGE,
  wide('IP', (pod) => none(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP)),
  wide('Node', (pod) => none(pod.spec?.nodeName)),
  wide('Nominated Node', (pod) => none(pod.status?.nominatedNodeName)),
  wide('Readiness Gates', (pod) => {
    const gates: Json[] = pod.spec?.readinessGates ?? [];
    if (gates.length === 0) return '<none>';
    const met = gates.filter((gate) =>
      (pod.status?.conditions ?? []).some(
        (one: Json) => one.type === gate.conditionType && one.status === 'True',
      ),
    );
    return `${met.length}/${gates.length}`;
  }),
];

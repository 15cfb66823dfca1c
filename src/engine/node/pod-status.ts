/** PodStatus as the kubelet writes it (API reference, PodStatus v1; Kubernetes: Pod Lifecycle). */
import type { Machine } from './machine.ts';
import type { ContainerDef, Pod } from './pod-types.ts';
import { apiTime, type ContainerRecord } from './record.ts';

export interface PodFacts {
  readonly pod: Pod;
  readonly machine: Machine;
  readonly records: readonly ContainerRecord[];
  readonly ip: string | undefined;
  readonly startTime: string;
  /** The sandbox is there. */
  readonly sandboxReady: boolean;
  /** Set when the pod has ended as a whole. */
  readonly verdict: { phase: 'Failed' | 'Succeeded'; reason?: string; message?: string } | undefined;
}

interface Condition {
  type: string;
  status: 'True' | 'False';
  lastProbeTime: null;
  lastTransitionTime: string;
  reason?: string;
  message?: string;
}

export function podStatus(facts: PodFacts): Record<string, unknown> {
  const { pod, machine, records } = facts;
  const of = (...kinds: string[]) => records.filter((record) => kinds.includes(record.kind));
  const inits = of('init', 'sidecar');
  const mains = of('main');
  const phase = facts.verdict?.phase ?? phaseOf(inits, mains);
  const ended = phase === 'Failed' || phase === 'Succeeded';
  const initialized = inits.every((record) =>
    record.kind === 'sidecar' ? record.started || ended : record.terminated?.exitCode === 0,
  );
  const unready = [...of('sidecar'), ...mains]
    .filter((record) => !record.ready)
    .map((record) => record.def.name);
  const before = (pod.status?.conditions ?? []) as Condition[];
  const now = apiTime(new Date());
  const condition = (type: string, ok: boolean, reason?: string, message?: string): Condition => {
    const old = before.find((one) => one.type === type);
    const status = ok ? 'True' : 'False';
    return {
      type,
      status,
      lastProbeTime: null,
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : now,
      ...(ok && reason !== 'PodCompleted' ? {} : reason === undefined ? {} : { reason }),
      ...(ok || message === undefined ? {} : { message }),
    };
  };
  const notReady = `containers with unready status: [${unready.join(' ')}]`;
  const why: [string?, string?] = ended
    ? [phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed']
    : ['ContainersNotReady', notReady];
  const containersReady = !ended && unready.length === 0;
  const gates = (pod.spec?.readinessGates ?? []).map((gate) => gate.conditionType);
  const closed = gates.find((gate) => before.find((one) => one.type === gate)?.status !== 'True');
  const ready = containersReady && closed === undefined;
  const waiting = inits
    .filter((record) => record.terminated?.exitCode !== 0)
    .map((record) => record.def.name);
  const conditions = [
    condition('PodReadyToStartContainers', facts.sandboxReady),
    phase === 'Succeeded'
      ? condition('Initialized', true, 'PodCompleted')
      : condition(
          'Initialized',
          initialized,
          'ContainersNotInitialized',
          `containers with incomplete status: [${waiting.join(' ')}]`,
        ),
    containersReady && !ready
      ? condition(
          'Ready',
          false,
          'ReadinessGatesNotReady',
          `corresponding condition of pod readiness gate "${closed}" does not exist.`,
        )
      : condition('Ready', ready, ...why),
    condition('ContainersReady', containersReady, ...why),
    before.find((one) => one.type === 'PodScheduled') ?? condition('PodScheduled', true),
  ];
  const own = new Set(conditions.map((one) => one.type));
  const ip = facts.ip;
  return {
    phase,
    conditions: [...conditions, ...before.filter((one) => !own.has(one.type))],
    ...(facts.verdict?.reason ? { reason: facts.verdict.reason } : {}),
    ...(facts.verdict?.message ? { message: facts.verdict.message } : {}),
    hostIP: machine.address,
    hostIPs: [{ ip: machine.address }],
    ...(ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }] }),
    startTime: facts.startTime,
    ...(inits.length > 0 ? { initContainerStatuses: inits.map((record) => record.status()) } : {}),
    containerStatuses: mains.map((record) => record.status()),
    ...(of('ephemeral').length > 0
      ? { ephemeralContainerStatuses: of('ephemeral').map((record) => record.status()) }
      : {}),
    qosClass: pod.status?.qosClass ?? qosClass(pod),
  };
}

function phaseOf(inits: readonly ContainerRecord[], mains: readonly ContainerRecord[]): string {
  const initializing = inits.some(
    (record) =>
      record.kind === 'init' && (record.terminated === undefined || record.terminated.exitCode !== 0),
  );
  if (initializing) return 'Pending';
  const everStarted = (record: ContainerRecord) =>
    record.isRunning || record.terminated !== undefined || record.lastState !== undefined;
  return mains.every(everStarted) ? 'Running' : 'Pending';
}

/** Guaranteed, Burstable or BestEffort by requests and limits of cpu and memory. */
function qosClass(pod: Pod): string {
  const all: ContainerDef[] = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const names = ['cpu', 'memory'];
  const said = (map: Record<string, string> | undefined) => names.filter((name) => map?.[name]).length;
  if (all.every((one) => said(one.resources?.limits) + said(one.resources?.requests) === 0))
    return 'BestEffort';
  const guaranteed = all.every((one) => {
    const { limits, requests } = one.resources ?? {};
    return names.every((name) => limits?.[name] && (requests?.[name] ?? limits[name]) === limits[name]);
  });
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

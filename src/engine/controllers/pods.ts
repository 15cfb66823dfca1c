/** What controllers ask of pods, and how they make them. */
import { gr, type Client, type KubeObject } from '../client/types.ts';
import { ownedBy, type Condition } from './objects.ts';

export const PODS = gr('pods');

/** core/v1 Pod, as far as controllers read it. */
export type Pod = KubeObject<
  {
    nodeName?: string;
    hostname?: string;
    subdomain?: string;
    hostNetwork?: boolean;
    containers: PodContainer[];
    initContainers?: PodContainer[];
    [field: string]: any;
  },
  {
    phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
    podIP?: string;
    podIPs?: { ip: string }[];
    conditions?: Condition[];
    startTime?: string;
    reason?: string;
    containerStatuses?: { restartCount?: number }[];
  }
>;

export interface PodContainer {
  name: string;
  ports?: { name?: string; containerPort: number; hostPort?: number; hostIP?: string; protocol?: string }[];
  restartPolicy?: string;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  [field: string]: any;
}

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string>; finalizers?: string[] };
  spec: Pod['spec'];
}

export const readyCondition = (pod: Pod): Condition | undefined =>
  pod.status?.conditions?.find(({ type }) => type === 'Ready');

export const isReady = (pod: Pod): boolean => readyCondition(pod)?.status === 'True';

/** Whether it has been ready for so many seconds. */
export function isAvailable(pod: Pod, minReadySeconds = 0, now = Date.now()): boolean {
  const ready = readyCondition(pod);
  if (ready?.status !== 'True') return false;
  return minReadySeconds === 0 || now - Date.parse(ready.lastTransitionTime ?? '') >= minReadySeconds * 1_000;
}

/** Whether it has ended for good. */
export const isTerminal = ({ status }: Pod): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Whether it counts as one of the wanted pods: neither ended nor being deleted. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && !pod.metadata.deletionTimestamp;

/** A pod after a template; `extra` adds to what the template says. */
export function podOf(
  owner: KubeObject,
  template: PodTemplate,
  naming: { name: string } | { generateName: string },
  extra: { labels?: Record<string, string>; annotations?: Record<string, string> } = {},
): Pod {
  const spec = structuredClone(template.spec);
  const labels = { ...template.metadata?.labels, ...extra.labels };
  const annotations = { ...template.metadata?.annotations, ...extra.annotations };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: '',
      ...naming,
      namespace: owner.metadata.namespace ?? 'default',
      labels,
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      ...(template.metadata?.finalizers ? { finalizers: template.metadata.finalizers } : {}),
      ownerReferences: [ownedBy(owner)],
    },
    spec,
  };
}

/** The pods of a namespace. */
export const podsIn = (client: Client, namespace: string): Promise<Pod[]> =>
  client.list<Pod>(PODS, { namespace });

/**
 * Which of two pods goes first when there are too many (pkg/controller: ActivePodsWithRanks), as for Array.sort:
 * not scheduled, pending, not ready, cheap by annotation, on a crowded node, ready since short, often restarted, young.
 */
export function deletionOrder(crowd: (pod: Pod) => number): (a: Pod, b: Pod) => number {
  const phase = { Pending: 0, Unknown: 1, Running: 2, Succeeded: 3, Failed: 3 };
  const cost = (pod: Pod) =>
    Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0);
  const restarts = (pod: Pod) =>
    (pod.status?.containerStatuses ?? []).reduce(
      (most, { restartCount = 0 }) => Math.max(most, restartCount),
      0,
    );
  const time = (text: string | undefined) => (text === undefined ? 0 : Date.parse(text));
  return (a, b) =>
    Number(Boolean(a.spec?.nodeName)) - Number(Boolean(b.spec?.nodeName)) ||
    phase[a.status?.phase ?? 'Pending'] - phase[b.status?.phase ?? 'Pending'] ||
    Number(isReady(a)) - Number(isReady(b)) ||
    cost(a) - cost(b) ||
    crowd(b) - crowd(a) ||
    time(readyCondition(b)?.lastTransitionTime) - time(readyCondition(a)?.lastTransitionTime) ||
    restarts(b) - restarts(a) ||
    time(b.metadata.creationTimestamp) - time(a.metadata.creationTimestamp);
}

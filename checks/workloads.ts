/** Pods that a controller makes: Deployments and StatefulSets of the probe container, and waiting for their pods. */
import { notAsked, type Observation } from '../src/model/observation.ts';
import { PodlabError } from '../src/model/errors.ts';
import { text } from '../src/model/text.ts';
import type { KubeObject } from '../src/kube/kube.ts';
import { api } from './api.ts';
import type { PodHandle, Stage } from './experiment.ts';
import { PROBE_IMAGE } from './images.ts';

type Labels = Readonly<Record<string, string>>;

/** The probe container: agnhost netexec on a port, TCP and UDP. */
export const probeContainer = (port = 80): object => ({
  name: 'probe',
  image: PROBE_IMAGE,
  imagePullPolicy: 'IfNotPresent',
  args: ['netexec', `--http-port=${port}`, `--udp-port=${port}`],
  ports: [{ name: 'http', containerPort: port }],
});

const template = (labels: Labels, spec: object = {}): object => ({
  metadata: { labels },
  spec: { terminationGracePeriodSeconds: 1, containers: [probeContainer()], ...spec },
});

/** A Deployment of probe pods; `spec` is merged into the pods' spec. */
export const deployment = (
  name: string,
  replicas: number,
  labels: Labels,
  spec: object = {},
): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: { replicas, selector: { matchLabels: labels }, template: template(labels, spec) },
});

/** A StatefulSet of probe pods, all started at once. */
export const statefulSet = (
  name: string,
  replicas: number,
  labels: Labels,
  serviceName: string,
): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name },
  spec: {
    replicas,
    serviceName,
    podManagementPolicy: 'Parallel',
    selector: { matchLabels: labels },
    template: template(labels),
  },
});

const selectorOf = (labels: Labels): string =>
  Object.entries(labels)
    .map((pair) => pair.join('='))
    .join(',');

/** What the API tells of a pod that may not run yet. */
export interface PodState {
  readonly name: string;
  readonly uid: string;
  readonly phase: string;
  readonly node: string;
  readonly ip: string;
  readonly ready: boolean;
  /** Present while it runs and is not on its way out. */
  readonly handle?: PodHandle;
  readonly owners: readonly string[];
}

/** The pods with these labels, by name; those on their way out are left out. */
export async function podStates(stage: Stage, labels: Labels): Promise<Observation<PodState[]>> {
  const path = await stage.kube.path({ apiVersion: 'v1', kind: 'Pod', namespace: stage.namespace });
  const seen = await api(stage, 'GET', `${path}?labelSelector=${encodeURIComponent(selectorOf(labels))}`);
  if (!seen.asked) return seen;
  if (seen.value.status !== 200)
    return notAsked(
      text(`listing pods: ${seen.value.message}`, `列出 Pod：${seen.value.message}`),
      ...seen.probes,
    );
  const items = (seen.value.json.items as KubeObject[]).filter((pod) => !pod.metadata['deletionTimestamp']);
  const value = items
    .map((pod): PodState => {
      const conditions: { type: string; status: string }[] = pod.status?.conditions ?? [];
      const ready = conditions.some((one) => one.type === 'Ready' && one.status === 'True');
      const { name, namespace, uid, ownerReferences = [] } = pod.metadata;
      const [node, ip] = [pod.spec.nodeName ?? '', pod.status?.podIP ?? ''];
      const container: string = pod.spec.containers[0].name;
      return {
        ...{ name, uid, node, ip, ready, phase: pod.status?.phase ?? '' },
        ...(ready && ip ? { handle: { name, namespace: namespace!, container, ip, node, uid } } : {}),
        owners: ownerReferences.map((one: { kind: string; name: string }) => `${one.kind}/${one.name}`),
      };
    })
    .sort((a, b) => a.name.localeCompare(b.name));
  return { ...seen, value };
}

/** The ready ones among the pods with these labels, by name. */
export async function podsOf(stage: Stage, labels: Labels): Promise<Observation<PodHandle[]>> {
  const seen = await podStates(stage, labels);
  if (!seen.asked) return seen;
  return { ...seen, value: seen.value.flatMap((one) => (one.handle ? [one.handle] : [])) };
}

/**
 * Waits until exactly `count` pods with these labels are ready.
 * @throws PodlabError `pods-not-ready`
 */
export async function readyPods(stage: Stage, labels: Labels, count: number): Promise<PodHandle[]> {
  const seen = await stage.until(
    text(`${count} pods ${selectorOf(labels)} are ready`, `${count} 个 ${selectorOf(labels)} 的 Pod 就绪`),
    () => podsOf(stage, labels),
    (pods) => pods.length === count,
    { within: 90_000 },
  );
  if (seen.asked && seen.value.length === count) return seen.value;
  const many = seen.asked ? seen.value.length : '?';
  throw new PodlabError({
    code: 'pods-not-ready',
    fault: 'machine',
    message: text(
      `${many} of ${count} pods ${selectorOf(labels)} in ${stage.namespace} are ready`,
      `${stage.namespace} 中 ${selectorOf(labels)} 的 Pod 就绪 ${many}/${count} 个`,
    ),
    evidence: seen.probes.at(-1)?.stdout.slice(0, 2000),
  });
}

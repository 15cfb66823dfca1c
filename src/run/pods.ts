/** The pods of an experiment: their manifests, and the wait until they run. */
import { PROBE_IMAGE } from '../../checks/images.ts';
import type { PodHandle, PodWish } from '../../checks/experiment.ts';
import type { NodeInfo } from '../cluster/port.ts';
import type { Kube, KubeObject } from '../kube/kube.ts';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';

/** Every object that an experiment makes carries it, and nothing without it is ever deleted. */
export const OWN_LABEL = { 'app.kubernetes.io/managed-by': 'podlab' } as const;

/** Waiting reasons that no patience cures (kubelet's container states). */
const HOPELESS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

const START_WITHIN = 120_000;

/** The manifest of a wished pod. The probe container is agnhost netexec on port 80, TCP and UDP. */
export function podManifest(
  name: string,
  wish: PodWish,
  namespace: string,
  workers: readonly NodeInfo[],
): KubeObject {
  const node = typeof wish.node === 'number' ? workers[wish.node % workers.length]!.name : wish.node;
  const netexec = (id: string, port: number, udp: number) => ({
    name: id,
    image: PROBE_IMAGE,
    imagePullPolicy: 'IfNotPresent',
    args: ['netexec', `--http-port=${port}`, `--udp-port=${udp}`],
    ports: [{ name: `tcp-${port}`, containerPort: port }],
  });
  const containers = wish.containers ?? [
    netexec('probe', 80, 80),
    ...(wish.ports ?? []).map((port) => netexec(`tcp-${port}`, port, -1)),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: wish.namespace ?? namespace,
      labels: { ...OWN_LABEL, ...wish.labels },
      annotations: wish.annotations,
    },
    spec: {
      // A pod with 0 is gone from the API before its network is gone.
      terminationGracePeriodSeconds: 1,
      // By the node's label and not by nodeName, so that the scheduler is asked as for any pod.
      ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
      containers,
      ...wish.spec,
    },
  };
}

/** Whether a pod is Ready (Kubernetes: Pod conditions). */
export const isReady = (pod: KubeObject): boolean =>
  pod.status?.conditions?.some(
    (one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True',
  ) ?? false;

/**
 * Waits until each of the pods is Ready.
 * @throws PodlabError `pod-not-ready` with what the kubelet says of it
 */
export async function whenReady(
  kube: Kube,
  namespace: string,
  names: readonly string[],
  signal: AbortSignal,
  within = START_WITHIN,
): Promise<Map<string, KubeObject>> {
  const ready = new Map<string, KubeObject>();
  const seen = new Map<string, KubeObject>();
  const enough = new AbortController();
  let hopeless: string | undefined;
  const end = AbortSignal.any([enough.signal, AbortSignal.timeout(within), signal]);
  while (!end.aborted)
    await kube.watch({ apiVersion: 'v1', kind: 'Pod' }, { namespace, signal: end }, ({ type, object }) => {
      const name = object.metadata?.name;
      if (!names.includes(name)) return;
      seen.set(name, object);
      if (type !== 'DELETED' && isReady(object)) ready.set(name, object);
      else ready.delete(name);
      const why = waitingReason(object);
      if (why !== undefined && HOPELESS.has(why.reason)) {
        hopeless = `${name}: ${why.reason}: ${why.message}`;
        enough.abort();
      }
      if (names.every((one) => ready.has(one))) enough.abort();
    });
  signal.throwIfAborted();
  if (hopeless === undefined && names.every((one) => ready.has(one))) return ready;
  const late = names.filter((one) => !ready.has(one));
  const command = `kubectl describe pod -n ${namespace} ${late[0]}`;
  throw new PodlabError({
    code: 'pod-not-ready',
    fault: 'machine',
    message: text(
      `pods did not become ready within ${within / 1000} s: ${namespace}/${late.join(', ')}`,
      `Pod 在 ${within / 1000} 秒内未就绪：${namespace}/${late.join('、')}`,
    ),
    hint: text(command, command),
    evidence:
      hopeless ??
      late
        .map((one) => `${one}: ${JSON.stringify(seen.get(one)?.status?.conditions ?? 'not seen')}`)
        .join('\n'),
  });
}

function waitingReason(pod: KubeObject): { reason: string; message: string } | undefined {
  const states = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return states
    .map((one: { state?: { waiting?: { reason: string; message: string } } }) => one.state?.waiting)
    .find(Boolean);
}

/** What experiments keep of a pod. */
export const handleOf = (pod: KubeObject): PodHandle => ({
  name: pod.metadata.name,
  namespace: pod.metadata.namespace!,
  container: pod.spec.containers[0].name,
  ip: pod.status.podIP,
  node: pod.spec.nodeName,
  uid: pod.metadata['uid'],
});

/** Pods: admission of the service account, priority, quality of service, graceful deletion. */
import { notFound as noObject } from '../status.ts';
import type { KubeObject } from '../../client/types.ts';
import { unhonoured } from '../coverage.ts';
import { copy, type Json } from '../json.ts';
import { randomSuffix } from '../names.ts';
import type { Registry } from '../registry.ts';
import { forbidden } from '../status.ts';
import type { Strategy } from '../strategy.ts';
import { admitLimits } from './limits.ts';
import { podSpecDefaults } from './podspec.ts';
import { podCauses, podUpdateCauses } from './podvalidation.ts';

/** Where a pod's token, the cluster's authority and its namespace are mounted. */
const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** DefaultTolerationSeconds: how long pods stay on a node that is not ready, in seconds. */
const EVICTED_AFTER = 300;

/** Quality of service class (pkg/apis/core/v1/helper/qos). */
export function qosClass(spec: Json): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  let any = false;
  let guaranteed = true;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const { requests = {}, limits = {} } = container.resources ?? {};
    for (const name of ['cpu', 'memory']) {
      if (requests[name] !== undefined || limits[name] !== undefined) any = true;
      if (limits[name] === undefined || (requests[name] ?? limits[name]) !== limits[name]) guaranteed = false;
    }
  }
  return !any ? 'BestEffort' : guaranteed ? 'Guaranteed' : 'Burstable';
}

/** The admission plugin ServiceAccount: the default account, its token as a projected volume. */
function admitServiceAccount(pod: KubeObject, registry: Registry): void {
  const spec = pod.spec;
  // A mirror pod (static pod) has no account.
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return;
  if (!spec.serviceAccountName) spec.serviceAccountName = spec.serviceAccount = 'default';
  const name: string = spec.serviceAccountName;
  const account = registry.store.get('/serviceaccounts', pod.metadata.namespace ?? '', name);
  if (!account)
    throw forbidden(
      '',
      'pods',
      pod.metadata.name,
      `error looking up service account ${pod.metadata.namespace}/${name}: ${noObject('', 'serviceaccount', name).message}`,
    );
  if (!spec.imagePullSecrets && account['imagePullSecrets'])
    spec.imagePullSecrets = copy(account['imagePullSecrets']);
  if ((spec.automountServiceAccountToken ?? account['automountServiceAccountToken']) === false) return;
  const containers: Json[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const lacking = containers.filter(
    (container) => !container.volumeMounts?.some((mount: Json) => mount.mountPath === TOKEN_FOLDER),
  );
  if (lacking.length === 0) return;
  const volume = `kube-api-access-${randomSuffix()}`;
  for (const container of lacking)
    container.volumeMounts = [
      ...(container.volumeMounts ?? []),
      { name: volume, readOnly: true, mountPath: TOKEN_FOLDER },
    ];
  spec.volumes = [
    ...(spec.volumes ?? []),
    {
      name: volume,
      projected: {
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
        defaultMode: 0o644,
      },
    },
  ];
}

/** The admission plugin DefaultTolerationSeconds. */
function admitTolerations(spec: Json): void {
  const tolerations: Json[] = spec.tolerations ?? [];
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'])
    if (
      !tolerations.some((one) => (one.key === key || !one.key) && (one.effect === 'NoExecute' || !one.effect))
    )
      tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: EVICTED_AFTER });
  spec.tolerations = tolerations;
}

/** The admission plugin Priority. */
function admitPriority(pod: KubeObject, registry: Registry): void {
  const spec = pod.spec;
  const find = (name: string) => registry.store.get('scheduling.k8s.io/priorityclasses', '', name);
  if (spec.priorityClassName) {
    const found = find(spec.priorityClassName);
    if (!found)
      throw forbidden(
        '',
        'pods',
        pod.metadata.name,
        `no PriorityClass with name ${spec.priorityClassName} was found`,
      );
    spec.priority = found['value'];
    spec.preemptionPolicy = found['preemptionPolicy'] ?? 'PreemptLowerPriority';
    return;
  }
  const preferred = registry.store
    .list('scheduling.k8s.io/priorityclasses')
    .find((one) => one['globalDefault'] === true);
  if (preferred) spec.priorityClassName = preferred.metadata.name;
  spec.priority = preferred?.['value'] ?? 0;
  spec.preemptionPolicy = preferred?.['preemptionPolicy'] ?? 'PreemptLowerPriority';
}

/** The admission plugin RuntimeClass, as far as the class has to exist. */
function admitRuntimeClass(pod: KubeObject, registry: Registry): void {
  const name = pod.spec.runtimeClassName;
  if (name && !registry.store.get('node.k8s.io/runtimeclasses', '', name))
    throw forbidden('', 'pods', pod.metadata.name, `pod rejected: RuntimeClass "${name}" not found`);
}

export const pods: Strategy = {
  statusTakesMetadata: true,
  defaults: (pod) => {
    podSpecDefaults(pod.spec);
    if (pod.spec) pod.spec.enableServiceLinks ??= true;
  },
  create: (pod, registry) => {
    if (!pod.spec || !Array.isArray(pod.spec.containers)) return; // Validation says so.
    admitServiceAccount(pod, registry);
    admitTolerations(pod.spec);
    admitPriority(pod, registry);
    admitRuntimeClass(pod, registry);
    admitLimits(pod, registry);
    pod.status = { phase: 'Pending', qosClass: qosClass(pod.spec) };
  },
  warnings: (pod) => unhonoured('Pod', pod).warnings,
  validate: (pod, before) => (before ? podUpdateCauses(pod, before) : podCauses(pod)),
  grace: (pod, asked) => {
    // A pod that no kubelet holds, or that has ended, goes at once (pkg/registry/core/pod/strategy.go).
    const period = asked ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
    if (!pod.spec?.nodeName) return 0;
    if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return 0;
    return Math.max(0, period);
  },
};

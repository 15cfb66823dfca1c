/**
 * What the engine does not honour, so that it does not lie: fields that would change networking are refused with
 * their path, fields that cannot are told as a `Warning:`. docs/limits.md is made from this table.
 */
import type { KubeObject } from '../client/types.ts';
import { has, isObject, type Json } from './json.ts';
import { forbiddenField, type Cause } from './status.ts';

export interface Limit {
  /** `Pod` stands for every pod template too. */
  readonly kind: string;
  /** Fields below the object, `[]` for each item of a list. */
  readonly path: string;
  readonly effect: 'refused' | 'warned';
  readonly why: string;
}

const containers = (path: string, why: string): Limit[] =>
  ['containers', 'initContainers'].map((list) => ({
    kind: 'Pod',
    path: `spec.${list}[].${path}`,
    effect: 'warned',
    why,
  }));

const warnedPod = (path: string, why: string): Limit => ({
  kind: 'Pod',
  path: `spec.${path}`,
  effect: 'warned',
  why,
});

export const LIMITS: readonly Limit[] = [
  warnedPod('hostPID', 'containers always have a process namespace of their own or of their pod'),
  warnedPod('hostIPC', 'containers always have an IPC namespace of their own'),
  warnedPod('hostUsers', 'all pods share the user namespace of the cluster'),
  warnedPod('overhead', 'the engine knows no runtime with an overhead'),
  warnedPod('resourceClaims', 'dynamic resource allocation is not part of the engine'),
  warnedPod('runtimeClassName', 'all pods run with the same runtime'),
  warnedPod('setHostnameAsFQDN', 'the host name stays the short one'),
  warnedPod('hostnameOverride', 'the host name is taken from metadata.name or spec.hostname'),
  warnedPod('securityContext.seLinuxOptions', 'SELinux labels are not set'),
  warnedPod('securityContext.appArmorProfile', 'AppArmor profiles are not loaded'),
  warnedPod('securityContext.seccompProfile', 'seccomp profiles are not loaded'),
  ...containers('resources.limits', 'limits are recorded and not enforced'),
  ...containers('securityContext.seLinuxOptions', 'SELinux labels are not set'),
  ...containers('securityContext.appArmorProfile', 'AppArmor profiles are not loaded'),
  ...containers('securityContext.seccompProfile', 'seccomp profiles are not loaded'),
  ...containers('volumeDevices', 'there are no block devices'),
  {
    kind: 'MutatingWebhookConfiguration',
    path: 'webhooks',
    effect: 'refused',
    why: 'the API server of the engine calls no webhooks, and this one could change pods and their network',
  },
  {
    kind: 'ValidatingWebhookConfiguration',
    path: 'webhooks',
    effect: 'warned',
    why: 'the API server of the engine calls no webhooks; what this one would refuse is taken',
  },
  {
    kind: 'ValidatingAdmissionPolicy',
    path: 'spec',
    effect: 'warned',
    why: 'admission policies are stored and not evaluated',
  },
  {
    kind: 'APIService',
    path: 'spec.service',
    effect: 'warned',
    why: 'requests are not passed on to other API servers',
  },
  {
    kind: 'ServiceCIDR',
    path: 'spec.cidrs',
    effect: 'refused',
    why: 'ClusterIPs come from the range that the cluster was made with (serviceSubnet)',
  },
];

/** Groups of custom resources that say what the network should do, and that nothing in the engine acts upon. */
export const UNSERVED: readonly { group: RegExp; kind: RegExp; what: string }[] = [
  {
    group: /(^|\.)projectcalico\.org$/,
    kind: /NetworkPolicy$|NetworkSet$|^HostEndpoint$|^BGP|^IPPool$/,
    what: "Calico's own kinds",
  },
  { group: /(^|\.)cilium\.io$/, kind: /./, what: "Cilium's own kinds" },
  { group: /^policy\.networking\.k8s\.io$/, kind: /./, what: 'AdminNetworkPolicy' },
  { group: /(^|\.)istio\.io$/, kind: /./, what: "Istio's own kinds" },
  {
    group: /^gateway\.networking\.k8s\.io$/,
    kind: /^(GRPC|TCP|TLS|UDP)Route$/,
    what: 'routes other than HTTPRoute',
  },
];

const WAY_OUT = 'try it on a real cluster: --cluster kind';

function* places(value: Json, path: readonly string[], at: string): Generator<string> {
  const [step, ...rest] = path;
  if (step === undefined) {
    if (isEmpty(value)) return;
    yield at;
    return;
  }
  const list = step.endsWith('[]');
  const key = list ? step.slice(0, -2) : step;
  if (!isObject(value) || !has(value, key)) return;
  const inner: Json = value[key];
  const here = at ? `${at}.${key}` : key;
  if (!list) yield* places(inner, rest, here);
  else if (Array.isArray(inner))
    for (const [i, item] of inner.entries()) yield* places(item, rest, `${here}[${i}]`);
}

/** Values that ask for nothing. */
const isEmpty = (value: Json): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value as object).length === 0);

const byKind = new Map<string, readonly (Limit & { steps: readonly string[] })[]>();

function limitsOf(kind: string) {
  let found = byKind.get(kind);
  if (!found)
    byKind.set(
      kind,
      (found = LIMITS.filter((limit) => limit.kind === kind).map((limit) => ({
        ...limit,
        steps: limit.path.split('.'),
      }))),
    );
  return found;
}

/**
 * What of an object is not honoured.
 * @param root `spec.template` for the pod template of a workload
 */
export function unhonoured(kind: string, object: Json, root = ''): { refused: Cause[]; warnings: string[] } {
  const refused: Cause[] = [];
  const warnings: string[] = [];
  for (const limit of limitsOf(kind))
    for (const place of places(object, limit.steps, root))
      if (limit.effect === 'refused') refused.push(forbiddenField(place, `${limit.why}; ${WAY_OUT}`));
      else warnings.push(`${place}: ${limit.why}`);
  return { refused, warnings };
}

/** For custom resources: the finding that nothing would act upon one. */
export function unserved(group: string, kind: string, object: KubeObject): Cause[] {
  const found = UNSERVED.find((one) => one.group.test(group) && one.kind.test(kind));
  if (!found || !isObject(object.spec)) return [];
  return [
    forbiddenField(
      'spec',
      `${found.what} would change the network and the engine does not act upon them; ${WAY_OUT}`,
    ),
  ];
}

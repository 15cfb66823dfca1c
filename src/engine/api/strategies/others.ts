/** Kinds with a few words to say each. */
import type { KubeObject } from '../../client/types.ts';
import { badDnsLabel, badPathSegment } from '../names.ts';
import type { Registry } from '../registry.ts';
import { unhonoured } from '../coverage.ts';
import { forbidden } from '../status.ts';
import type { Strategy } from '../strategy.ts';
import { bindingCauses, dataCauses, secretCauses } from './datavalidation.ts';
import {
  endpointsCauses,
  endpointSliceCauses,
  ingressCauses,
  networkPolicyCauses,
} from './networkvalidation.ts';
import { fill } from './podspec.ts';
import { budgetCauses } from './workloadvalidation.ts';

/** Namespaces that cannot be deleted (admission plugin NamespaceLifecycle). */
const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);

/** What every namespace has from its first moment, so that a pod can be created in it at once. */
function furnish(namespace: KubeObject, registry: Registry): void {
  const { name } = namespace.metadata;
  const of = (plural: string) => registry.catalog.byKey('', plural);
  const accounts = of('serviceaccounts');
  const maps = of('configmaps');
  if (accounts && !registry.get(accounts, name, 'default'))
    registry.create(accounts, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: name },
    });
  if (maps && !registry.get(maps, name, 'kube-root-ca.crt'))
    registry.create(maps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'kube-root-ca.crt',
        namespace: name,
        annotations: {
          'kubernetes.io/description':
            'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
        },
      },
      data: { 'ca.crt': registry.cluster.caCertificate },
    });
}

export const namespaces: Strategy = {
  name: badDnsLabel,
  statusTakesMetadata: true,
  defaults: (namespace) => {
    namespace.metadata.labels = {
      ...namespace.metadata.labels,
      'kubernetes.io/metadata.name': namespace.metadata.name,
    };
  },
  create: (namespace) => {
    namespace.spec = { finalizers: ['kubernetes'] };
    namespace.status = { phase: 'Active' };
  },
  update: (namespace, before) => {
    // Only the finalize subresource changes these.
    if (namespace.metadata.deletionTimestamp === undefined) namespace.spec = { ...before.spec };
  },
  created: furnish,
  grace: (namespace) => {
    const { name } = namespace.metadata;
    if (IMMORTAL.has(name)) throw forbidden('', 'namespaces', name, 'this namespace may not be deleted');
    return 0;
  },
};

export const nodes: Strategy = {
  keepsStatus: true,
  statusTakesMetadata: true,
  create: (node) => {
    node.spec ??= {};
    node.status ??= {};
  },
};

export const networkPolicies: Strategy = {
  defaults: ({ spec }) => {
    if (!spec) return;
    spec.podSelector ??= {};
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
      for (const port of rule?.ports ?? []) fill(port, 'protocol', 'TCP');
    // Ingress always; Egress when there are egress rules (networking/v1 NetworkPolicySpec.policyTypes).
    if (!spec.policyTypes?.length)
      spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  validate: networkPolicyCauses,
};

export const endpoints: Strategy = {
  defaults: (object) => {
    for (const subset of object['subsets'] ?? [])
      for (const port of subset.ports ?? []) fill(port, 'protocol', 'TCP');
  },
  validate: endpointsCauses,
};

export const endpointSlices: Strategy = {
  defaults: (object) => {
    for (const port of object['ports'] ?? []) {
      fill(port, 'protocol', 'TCP');
      fill(port, 'name', '');
    }
  },
  validate: endpointSliceCauses,
};

export const secrets: Strategy = {
  defaults: (secret) => {
    fill(secret, 'type', 'Opaque');
    const plain = secret['stringData'];
    if (plain && typeof plain === 'object') {
      secret['data'] = { ...secret['data'] };
      for (const [key, value] of Object.entries(plain))
        secret['data'][key] = Buffer.from(String(value)).toString('base64');
      delete secret['stringData'];
    }
  },
  validate: secretCauses,
};

/** Defaults of a LimitRange's items (SetDefaults_LimitRangeItem). */
export const limitRanges: Strategy = {
  defaults: ({ spec }) => {
    for (const item of spec?.limits ?? []) {
      if (item.type !== 'Container') continue;
      item.default = { ...item.max, ...item.default };
      item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
    }
  },
};

export const configMaps: Strategy = {
  validate: (object, before) => dataCauses(object, before, ['data', 'binaryData']),
};

export const persistentVolumeClaims: Strategy = {
  defaults: ({ spec }) => {
    if (spec) fill(spec, 'volumeMode', 'Filesystem');
  },
  create: (claim) => {
    claim.status = { phase: 'Pending' };
  },
};

export const persistentVolumes: Strategy = {
  defaults: ({ spec }) => {
    if (!spec) return;
    fill(spec, 'volumeMode', 'Filesystem');
    fill(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    if (spec.hostPath) fill(spec.hostPath, 'type', '');
  },
  create: (volume) => {
    volume.status = { phase: 'Pending' };
  },
};

const emptyStatus = (object: KubeObject): void => {
  object.status = {};
};

export const ingresses: Strategy = {
  create: (ingress) => {
    ingress.status = { loadBalancer: {} };
  },
  validate: ingressCauses,
  warnings: (ingress) =>
    ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined
      ? [
          'annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead',
        ]
      : [],
};

export const storageClasses: Strategy = {
  defaults: (object) => {
    fill(object, 'reclaimPolicy', 'Delete');
    fill(object, 'volumeBindingMode', 'Immediate');
  },
};

export const priorityClasses: Strategy = {
  defaults: (object) => {
    fill(object, 'preemptionPolicy', 'PreemptLowerPriority');
    fill(object, 'value', 0);
  },
};

export const rbac: Strategy = { name: badPathSegment };

const RBAC_GROUP = 'rbac.authorization.k8s.io';

export const bindings: Strategy = {
  name: badPathSegment,
  defaults: (object) => {
    if (object['roleRef']) fill(object['roleRef'], 'apiGroup', RBAC_GROUP);
    for (const subject of object['subjects'] ?? [])
      if (subject.apiGroup === undefined) {
        if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup = RBAC_GROUP;
      }
  },
  validate: bindingCauses,
};

/** A kind that is stored whole, except for what the engine cannot honour. */
export const limited = (kind: string): Strategy => ({
  validate: (object) => unhonoured(kind, object).refused,
  warnings: (object) => unhonoured(kind, object).warnings,
});

export const serviceCidrs: Strategy = {
  validate: (object, before) =>
    object.metadata.name === 'kubernetes' && !before ? [] : unhonoured('ServiceCIDR', object).refused,
};

export const budgets: Strategy = { create: emptyStatus, validate: budgetCauses };

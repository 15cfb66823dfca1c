/** The resource table: one row for each built-in resource of Kubernetes 1.34 that the engine serves. */
import type { KubeObject } from '../../client/types.ts';
import { eventFromEvents, eventToEvents, hpaFromV1, hpaToV1 } from './convert.ts';
import { ALL_VERBS, type OtherVersion, type Resource } from './resource.ts';

interface Row {
  short?: string[];
  cluster?: true;
  all?: true;
  sub?: string[];
  verbs?: string[];
  also?: OtherVersion[];
  noGeneration?: true;
  select?: Record<string, (object: KubeObject) => unknown>;
  createOnUpdate?: true;
  singular?: string;
}

/** `core`, `apps`, `networking`: how the table of fields names the package of a type. */
const packageOf = (group: string): string => group.split('.')[0] || 'core';

function row(group: string, version: string, kind: string, plural: string, extra: Row = {}): Resource {
  return {
    group,
    version,
    kind,
    plural,
    singular: extra.singular ?? kind.toLowerCase(),
    shortNames: extra.short ?? [],
    categories: extra.all ? ['all'] : [],
    scope: extra.cluster ? 'Cluster' : 'Namespaced',
    subresources: extra.sub ?? [],
    verbs: extra.verbs ?? ALL_VERBS,
    otherVersions: extra.also ?? [],
    type: `${packageOf(group)}.${version}.${kind}`,
    generation: !extra.noGeneration,
    selectable: Object.fromEntries(
      Object.entries(extra.select ?? {}).map(([field, read]) => [
        field,
        (object: KubeObject) => String(read(object) ?? ''),
      ]),
    ),
    createOnUpdate: extra.createOnUpdate ?? false,
  };
}

const reviewOnly = ['create'];

const CORE: Resource[] = [
  row('', 'v1', 'Pod', 'pods', {
    short: ['po'],
    all: true,
    sub: [
      'attach',
      'binding',
      'ephemeralcontainers',
      'eviction',
      'exec',
      'log',
      'portforward',
      'proxy',
      'resize',
      'status',
    ],
    select: {
      'spec.nodeName': (o) => o.spec?.nodeName,
      'spec.restartPolicy': (o) => o.spec?.restartPolicy,
      'spec.schedulerName': (o) => o.spec?.schedulerName,
      'spec.serviceAccountName': (o) => o.spec?.serviceAccountName,
      'spec.hostNetwork': (o) => String(o.spec?.hostNetwork ?? false),
      'status.phase': (o) => o.status?.phase,
      'status.podIP': (o) => o.status?.podIP,
      'status.podIPs': (o) => o.status?.podIP,
      'status.nominatedNodeName': (o) => o.status?.nominatedNodeName,
    },
  }),
  row('', 'v1', 'Service', 'services', {
    short: ['svc'],
    all: true,
    noGeneration: true,
    sub: ['proxy', 'status'],
    select: { 'spec.clusterIP': (o) => o.spec?.clusterIP, 'spec.type': (o) => o.spec?.type },
  }),
  row('', 'v1', 'Endpoints', 'endpoints', {
    short: ['ep'],
    createOnUpdate: true,
    noGeneration: true,
    singular: 'endpoints',
  }),
  row('', 'v1', 'Node', 'nodes', {
    short: ['no'],
    cluster: true,
    noGeneration: true,
    sub: ['proxy', 'status'],
    select: { 'spec.unschedulable': (o) => String(o.spec?.unschedulable ?? false) },
  }),
  row('', 'v1', 'Namespace', 'namespaces', {
    short: ['ns'],
    cluster: true,
    noGeneration: true,
    sub: ['finalize', 'status'],
    verbs: ALL_VERBS.filter((verb) => verb !== 'deletecollection'),
    select: { 'status.phase': (o) => o.status?.phase },
  }),
  row('', 'v1', 'ConfigMap', 'configmaps', { short: ['cm'], noGeneration: true }),
  row('', 'v1', 'Secret', 'secrets', { noGeneration: true, select: { type: (o) => o['type'] } }),
  row('', 'v1', 'ServiceAccount', 'serviceaccounts', { short: ['sa'], noGeneration: true, sub: ['token'] }),
  row('', 'v1', 'Event', 'events', {
    short: ['ev'],
    createOnUpdate: true,
    noGeneration: true,
    select: {
      'involvedObject.kind': (o) => o['involvedObject']?.kind,
      'involvedObject.namespace': (o) => o['involvedObject']?.namespace,
      'involvedObject.name': (o) => o['involvedObject']?.name,
      'involvedObject.uid': (o) => o['involvedObject']?.uid,
      'involvedObject.apiVersion': (o) => o['involvedObject']?.apiVersion,
      'involvedObject.resourceVersion': (o) => o['involvedObject']?.resourceVersion,
      'involvedObject.fieldPath': (o) => o['involvedObject']?.fieldPath,
      reason: (o) => o['reason'],
      reportingComponent: (o) => o['reportingComponent'],
      source: (o) => o['source']?.component || o['reportingComponent'],
      type: (o) => o['type'],
    },
    also: [
      {
        group: 'events.k8s.io',
        version: 'v1',
        type: 'events.v1.Event',
        from: eventToEvents,
        to: eventFromEvents,
      },
    ],
  }),
  row('', 'v1', 'ReplicationController', 'replicationcontrollers', {
    short: ['rc'],
    all: true,
    sub: ['scale', 'status'],
    select: { 'status.replicas': (o) => o.status?.replicas ?? 0 },
  }),
  row('', 'v1', 'PersistentVolume', 'persistentvolumes', {
    short: ['pv'],
    cluster: true,
    noGeneration: true,
    sub: ['status'],
  }),
  row('', 'v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', {
    short: ['pvc'],
    noGeneration: true,
    sub: ['status'],
  }),
  row('', 'v1', 'LimitRange', 'limitranges', { short: ['limits'], noGeneration: true }),
  row('', 'v1', 'ResourceQuota', 'resourcequotas', { short: ['quota'], noGeneration: true, sub: ['status'] }),
  row('', 'v1', 'PodTemplate', 'podtemplates', {}),
  row('', 'v1', 'Binding', 'bindings', { verbs: reviewOnly }),
  row('', 'v1', 'ComponentStatus', 'componentstatuses', {
    short: ['cs'],
    cluster: true,
    verbs: ['get', 'list'],
  }),
];

const APPS: Resource[] = [
  row('apps', 'v1', 'Deployment', 'deployments', { short: ['deploy'], all: true, sub: ['scale', 'status'] }),
  row('apps', 'v1', 'ReplicaSet', 'replicasets', {
    short: ['rs'],
    all: true,
    sub: ['scale', 'status'],
    select: { 'status.replicas': (o) => o.status?.replicas ?? 0 },
  }),
  row('apps', 'v1', 'StatefulSet', 'statefulsets', { short: ['sts'], all: true, sub: ['scale', 'status'] }),
  row('apps', 'v1', 'DaemonSet', 'daemonsets', { short: ['ds'], all: true, sub: ['status'] }),
  row('apps', 'v1', 'ControllerRevision', 'controllerrevisions', { noGeneration: true }),
  row('batch', 'v1', 'Job', 'jobs', {
    all: true,
    sub: ['status'],
    select: { 'status.successful': (o) => o.status?.succeeded ?? 0 },
  }),
  row('batch', 'v1', 'CronJob', 'cronjobs', { short: ['cj'], all: true, sub: ['status'] }),
  row('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', {
    short: ['hpa'],
    all: true,
    noGeneration: true,
    sub: ['status'],
    also: [
      {
        group: 'autoscaling',
        version: 'v1',
        type: 'autoscaling.v1.HorizontalPodAutoscaler',
        from: hpaToV1,
        to: hpaFromV1,
      },
    ],
  }),
  row('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets', { short: ['pdb'], sub: ['status'] }),
];

const NETWORK: Resource[] = [
  row('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies', { short: ['netpol'] }),
  row('networking.k8s.io', 'v1', 'Ingress', 'ingresses', { short: ['ing'], sub: ['status'] }),
  row('networking.k8s.io', 'v1', 'IngressClass', 'ingressclasses', { cluster: true }),
  row('networking.k8s.io', 'v1', 'IPAddress', 'ipaddresses', {
    short: ['ip'],
    cluster: true,
    noGeneration: true,
  }),
  row('networking.k8s.io', 'v1', 'ServiceCIDR', 'servicecidrs', {
    cluster: true,
    noGeneration: true,
    sub: ['status'],
  }),
  row('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices'),
];

const REST: Resource[] = [
  row('rbac.authorization.k8s.io', 'v1', 'ClusterRole', 'clusterroles', {
    cluster: true,
    noGeneration: true,
  }),
  row('rbac.authorization.k8s.io', 'v1', 'ClusterRoleBinding', 'clusterrolebindings', {
    cluster: true,
    noGeneration: true,
  }),
  row('rbac.authorization.k8s.io', 'v1', 'Role', 'roles', { noGeneration: true }),
  row('rbac.authorization.k8s.io', 'v1', 'RoleBinding', 'rolebindings', { noGeneration: true }),
  row('storage.k8s.io', 'v1', 'StorageClass', 'storageclasses', {
    short: ['sc'],
    cluster: true,
    noGeneration: true,
  }),
  row('storage.k8s.io', 'v1', 'VolumeAttachment', 'volumeattachments', {
    cluster: true,
    noGeneration: true,
    sub: ['status'],
  }),
  row('storage.k8s.io', 'v1', 'CSIDriver', 'csidrivers', { cluster: true, noGeneration: true }),
  row('storage.k8s.io', 'v1', 'CSINode', 'csinodes', { cluster: true, noGeneration: true }),
  row('storage.k8s.io', 'v1', 'CSIStorageCapacity', 'csistoragecapacities', { noGeneration: true }),
  row('scheduling.k8s.io', 'v1', 'PriorityClass', 'priorityclasses', { short: ['pc'], cluster: true }),
  row('coordination.k8s.io', 'v1', 'Lease', 'leases', { createOnUpdate: true, noGeneration: true }),
  row('node.k8s.io', 'v1', 'RuntimeClass', 'runtimeclasses', { cluster: true, noGeneration: true }),
  row('certificates.k8s.io', 'v1', 'CertificateSigningRequest', 'certificatesigningrequests', {
    short: ['csr'],
    cluster: true,
    noGeneration: true,
    sub: ['approval', 'status'],
    select: { 'spec.signerName': (o) => o.spec?.signerName },
  }),
  row('admissionregistration.k8s.io', 'v1', 'MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', {
    cluster: true,
  }),
  row(
    'admissionregistration.k8s.io',
    'v1',
    'ValidatingWebhookConfiguration',
    'validatingwebhookconfigurations',
    {
      cluster: true,
    },
  ),
  row('admissionregistration.k8s.io', 'v1', 'ValidatingAdmissionPolicy', 'validatingadmissionpolicies', {
    cluster: true,
    sub: ['status'],
  }),
  row(
    'admissionregistration.k8s.io',
    'v1',
    'ValidatingAdmissionPolicyBinding',
    'validatingadmissionpolicybindings',
    { cluster: true },
  ),
  row('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition', 'customresourcedefinitions', {
    short: ['crd', 'crds'],
    cluster: true,
    sub: ['status'],
  }),
  row('apiregistration.k8s.io', 'v1', 'APIService', 'apiservices', {
    cluster: true,
    noGeneration: true,
    sub: ['status'],
  }),
  row('authentication.k8s.io', 'v1', 'TokenReview', 'tokenreviews', { cluster: true, verbs: reviewOnly }),
  row('authentication.k8s.io', 'v1', 'SelfSubjectReview', 'selfsubjectreviews', {
    cluster: true,
    verbs: reviewOnly,
  }),
  row('authorization.k8s.io', 'v1', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews', {
    cluster: true,
    verbs: reviewOnly,
  }),
  row('authorization.k8s.io', 'v1', 'SelfSubjectRulesReview', 'selfsubjectrulesreviews', {
    cluster: true,
    verbs: reviewOnly,
  }),
  row('authorization.k8s.io', 'v1', 'SubjectAccessReview', 'subjectaccessreviews', {
    cluster: true,
    verbs: reviewOnly,
  }),
  row('authorization.k8s.io', 'v1', 'LocalSubjectAccessReview', 'localsubjectaccessreviews', {
    verbs: reviewOnly,
  }),
];

export const BUILT_IN: readonly Resource[] = [...CORE, ...APPS, ...NETWORK, ...REST];

/** Which strategy a resource has. */
import { keyOf, type Resource } from '../resources/resource.ts';
import { customResourceDefinitions } from '../custom/definitions.ts';
import { customStrategy } from '../custom/objects.ts';
import type { Strategy } from '../strategy.ts';
import * as others from './others.ts';
import { pods } from './pods.ts';
import { services } from './services.ts';
import * as workloads from './workloads.ts';

const ADMISSION = 'admissionregistration.k8s.io';
const RBAC = 'rbac.authorization.k8s.io';

const STRATEGIES = new Map<string, Strategy>([
  ['/pods', pods],
  ['/services', services],
  ['/namespaces', others.namespaces],
  ['/nodes', others.nodes],
  ['/secrets', others.secrets],
  ['/limitranges', others.limitRanges],
  ['/configmaps', others.configMaps],
  ['/endpoints', others.endpoints],
  ['/persistentvolumes', others.persistentVolumes],
  ['/persistentvolumeclaims', others.persistentVolumeClaims],
  ['/replicationcontrollers', workloads.replicationControllers],
  ['apps/deployments', workloads.deployments],
  ['apps/replicasets', workloads.replicaSets],
  ['apps/statefulsets', workloads.statefulSets],
  ['apps/daemonsets', workloads.daemonSets],
  ['batch/jobs', workloads.jobs],
  ['batch/cronjobs', workloads.cronJobs],
  ['apiextensions.k8s.io/customresourcedefinitions', customResourceDefinitions],
  ['autoscaling/horizontalpodautoscalers', workloads.autoscalers],
  ['policy/poddisruptionbudgets', others.budgets],
  ['networking.k8s.io/networkpolicies', others.networkPolicies],
  ['networking.k8s.io/ingresses', others.ingresses],
  ['discovery.k8s.io/endpointslices', others.endpointSlices],
  ['storage.k8s.io/storageclasses', others.storageClasses],
  ['scheduling.k8s.io/priorityclasses', others.priorityClasses],
  ['networking.k8s.io/servicecidrs', others.serviceCidrs],
  ['apiregistration.k8s.io/apiservices', others.limited('APIService')],
  [`${ADMISSION}/mutatingwebhookconfigurations`, others.limited('MutatingWebhookConfiguration')],
  [`${ADMISSION}/validatingwebhookconfigurations`, others.limited('ValidatingWebhookConfiguration')],
  [`${ADMISSION}/validatingadmissionpolicies`, others.limited('ValidatingAdmissionPolicy')],
  [`${RBAC}/roles`, others.rbac],
  [`${RBAC}/clusterroles`, others.rbac],
  [`${RBAC}/rolebindings`, others.bindings],
  [`${RBAC}/clusterrolebindings`, others.bindings],
]);

const PLAIN: Strategy = {};

export const strategyOf = (resource: Resource): Strategy =>
  resource.custom ? customStrategy(resource) : (STRATEGIES.get(keyOf(resource)) ?? PLAIN);

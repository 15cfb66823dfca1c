/** Which strategy a resource has. */
import { keyOf, type Resource } from '../resources/resource.ts';
import type { Strategy } from '../strategy.ts';
import * as others from './others.ts';
import { pods } from './pods.ts';
import { services } from './services.ts';
import * as workloads from './workloads.ts';

const RBAC = 'rbac.authorization.k8s.io';

const STRATEGIES = new Map<string, Strategy>([
  ['/pods', pods],
  ['/services', services],
  ['/namespaces', others.namespaces],
  ['/nodes', others.nodes],
  ['/secrets', others.secrets],
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
  ['policy/poddisruptionbudgets', others.withStatus],
  ['networking.k8s.io/networkpolicies', others.networkPolicies],
  ['networking.k8s.io/ingresses', others.ingresses],
  ['discovery.k8s.io/endpointslices', others.endpointSlices],
  ['storage.k8s.io/storageclasses', others.storageClasses],
  ['scheduling.k8s.io/priorityclasses', others.priorityClasses],
  [`${RBAC}/roles`, others.rbac],
  [`${RBAC}/clusterroles`, others.rbac],
  [`${RBAC}/rolebindings`, others.bindings],
  [`${RBAC}/clusterrolebindings`, others.bindings],
]);

const PLAIN: Strategy = {};

export const strategyOf = (resource: Resource): Strategy => STRATEGIES.get(keyOf(resource)) ?? PLAIN;

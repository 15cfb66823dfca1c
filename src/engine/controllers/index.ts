/**
 * The controllers of the control plane, each a Component that can be stopped and started on its own.
 *
 * `createControllers({client, resources, caCertificate})` gives all of kube-controller-manager's, and the scheduler.
 * HorizontalPodAutoscalers are stored and nothing acts on them: there are no metrics.
 */
import type { Component } from '../component.ts';
import {
  createRootCaPublisher,
  createServiceAccountController,
  createTokenController,
  type TokenOptions,
} from './accounts.ts';
import type { ControllerOptions } from './controller.ts';
import { createCronJobController } from './cronjob.ts';
import { createDaemonSetController } from './daemonset.ts';
import { createDeploymentController } from './deployment.ts';
import { createEndpointsController } from './endpoints.ts';
import { createEndpointSliceMirroringController } from './endpointslice-mirroring.ts';
import { createEndpointSliceController } from './endpointslice.ts';
import type { ServedResource } from './everything.ts';
import { createGarbageCollector } from './garbage.ts';
import { createJobController } from './job.ts';
import { createNamespaceController } from './namespaces.ts';
import { createNodeLifecycleController, createPodGarbageCollector } from './nodes.ts';
import { createReplicaSetController, createReplicationController } from './replicaset.ts';
import { createScheduler } from './scheduler/scheduler.ts';
import { createStatefulSetController } from './statefulset.ts';

export type { ServedResource } from './everything.ts';
export { createRecorder, type Recorder } from './events.ts';
export { createScheduler } from './scheduler/scheduler.ts';

export interface ControllersOptions extends ControllerOptions {
  /** Every resource that the API serves, in its stored version; asked again when custom resources come. */
  readonly resources: () => Iterable<ServedResource>;
  /** PEM of the authority that signs the API server's certificate. */
  readonly caCertificate: string;
  /** Signs tokens for Secrets of type service-account-token; without it such Secrets stay empty. */
  readonly issueToken?: TokenOptions['issueToken'];
  /** How long a kubelet may be silent before its node is held lost, in ms; 50 s unless given. */
  readonly nodeGraceMs?: number;
  /** How often to look at nodes, in ms; 5 s unless given. */
  readonly nodePeriodMs?: number;
}

/** All controllers and the scheduler, not yet started, in the order in which to start them. */
export function createControllers(options: ControllersOptions): Component[] {
  const { nodeGraceMs, nodePeriodMs, issueToken } = options;
  const nodeOptions = {
    ...options,
    ...(nodeGraceMs === undefined ? {} : { graceMs: nodeGraceMs }),
    ...(nodePeriodMs === undefined ? {} : { periodMs: nodePeriodMs }),
  };
  return [
    createServiceAccountController(options),
    createRootCaPublisher(options),
    ...(issueToken ? [createTokenController({ ...options, issueToken })] : []),
    createNodeLifecycleController(nodeOptions),
    createScheduler(options),
    createReplicaSetController(options),
    createReplicationController(options),
    createDeploymentController(options),
    createStatefulSetController(options),
    createDaemonSetController(options),
    createJobController(options),
    createCronJobController(options),
    createEndpointSliceController(options),
    createEndpointsController(options),
    createEndpointSliceMirroringController(options),
    createNamespaceController(options),
    createGarbageCollector(options),
    createPodGarbageCollector(options),
  ];
}

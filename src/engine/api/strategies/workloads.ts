/** Defaults of what makes pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs. */
import type { KubeObject } from '../../client/types.ts';
import { unhonoured } from '../coverage.ts';
import type { Json } from '../json.ts';
import type { Strategy } from '../strategy.ts';
import { fill, podSpecDefaults } from './podspec.ts';
import {
  autoscalerCauses,
  cronJobCauses,
  daemonSetCauses,
  deploymentCauses,
  jobCauses,
  replicaSetCauses,
  replicationControllerCauses,
  statefulSetCauses,
} from './workloadvalidation.ts';

const template = (spec: Json): void => {
  if (!spec?.template) return;
  spec.template.metadata ??= {};
  podSpecDefaults(spec.template.spec);
};

const templateWarnings = (object: KubeObject): string[] =>
  unhonoured('Pod', object.spec?.template, 'spec.template').warnings;

export const deployments: Strategy = {
  defaults: ({ spec }) => {
    if (!spec) return;
    fill(spec, 'replicas', 1);
    fill(spec, 'revisionHistoryLimit', 10);
    fill(spec, 'progressDeadlineSeconds', 600);
    spec.strategy ??= {};
    fill(spec.strategy, 'type', 'RollingUpdate');
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {};
      fill(spec.strategy.rollingUpdate, 'maxUnavailable', '25%');
      fill(spec.strategy.rollingUpdate, 'maxSurge', '25%');
    }
    template(spec);
  },
  create: (object) => {
    object.status = {};
  },
  validate: deploymentCauses,
  warnings: templateWarnings,
};

export const replicaSets: Strategy = {
  defaults: ({ spec }) => {
    if (!spec) return;
    fill(spec, 'replicas', 1);
    template(spec);
  },
  create: (object) => {
    object.status = { replicas: 0 };
  },
  validate: replicaSetCauses,
  warnings: templateWarnings,
};

export const replicationControllers: Strategy = {
  defaults: (object) => {
    const { spec } = object;
    if (!spec) return;
    fill(spec, 'replicas', 1);
    const labels = spec.template?.metadata?.labels;
    if (labels && !spec.selector) spec.selector = { ...labels };
    if (labels && !object.metadata.labels) object.metadata.labels = { ...labels };
    template(spec);
  },
  create: (object) => {
    object.status = { replicas: 0 };
  },
  validate: replicationControllerCauses,
  warnings: templateWarnings,
};

export const statefulSets: Strategy = {
  defaults: ({ spec }) => {
    if (!spec) return;
    fill(spec, 'replicas', 1);
    fill(spec, 'serviceName', '');
    fill(spec, 'podManagementPolicy', 'OrderedReady');
    fill(spec, 'revisionHistoryLimit', 10);
    spec.updateStrategy ??= {};
    fill(spec.updateStrategy, 'type', 'RollingUpdate');
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate ??= {};
      fill(spec.updateStrategy.rollingUpdate, 'partition', 0);
    }
    spec.persistentVolumeClaimRetentionPolicy ??= {};
    fill(spec.persistentVolumeClaimRetentionPolicy, 'whenDeleted', 'Retain');
    fill(spec.persistentVolumeClaimRetentionPolicy, 'whenScaled', 'Retain');
    for (const claim of spec.volumeClaimTemplates ?? []) {
      fill(claim, 'apiVersion', 'v1');
      fill(claim, 'kind', 'PersistentVolumeClaim');
      if (claim.spec) fill(claim.spec, 'volumeMode', 'Filesystem');
      fill(claim, 'status', { phase: 'Pending' });
    }
    template(spec);
  },
  create: (object) => {
    object.status = { replicas: 0, availableReplicas: 0 };
  },
  validate: statefulSetCauses,
  warnings: templateWarnings,
};

export const daemonSets: Strategy = {
  defaults: ({ spec }) => {
    if (!spec) return;
    fill(spec, 'revisionHistoryLimit', 10);
    spec.updateStrategy ??= {};
    fill(spec.updateStrategy, 'type', 'RollingUpdate');
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate ??= {};
      fill(spec.updateStrategy.rollingUpdate, 'maxUnavailable', 1);
      fill(spec.updateStrategy.rollingUpdate, 'maxSurge', 0);
    }
    template(spec);
  },
  create: (object) => {
    object.status = {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
    };
  },
  validate: daemonSetCauses,
  warnings: templateWarnings,
};

function jobSpecDefaults(spec: Json): void {
  if (!spec) return;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  fill(spec, 'parallelism', 1);
  fill(spec, 'backoffLimit', spec.backoffLimitPerIndex === undefined ? 6 : 2_147_483_647);
  fill(spec, 'completionMode', 'NonIndexed');
  fill(spec, 'suspend', false);
  fill(spec, 'podReplacementPolicy', spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed');
  template(spec);
}

/** Labels and selector by which a Job finds its pods (pkg/registry/batch/job/strategy.go). */
function jobSelector(job: KubeObject): void {
  const spec = job.spec;
  if (!spec?.template || spec.manualSelector) return;
  const labels = (spec.template.metadata.labels ??= {});
  for (const prefix of ['', 'batch.kubernetes.io/']) {
    fill(labels, `${prefix}controller-uid`, job.metadata.uid);
    fill(labels, `${prefix}job-name`, job.metadata.name);
  }
  spec.selector ??= {};
  spec.selector.matchLabels ??= {};
  fill(spec.selector.matchLabels, 'batch.kubernetes.io/controller-uid', job.metadata.uid);
}

export const jobs: Strategy = {
  defaults: ({ spec }) => jobSpecDefaults(spec),
  create: (job) => {
    jobSelector(job);
    job.status = {};
  },
  validate: jobCauses,
  warnings: templateWarnings,
};

export const cronJobs: Strategy = {
  defaults: ({ spec }) => {
    if (!spec) return;
    fill(spec, 'concurrencyPolicy', 'Allow');
    fill(spec, 'suspend', false);
    fill(spec, 'successfulJobsHistoryLimit', 3);
    fill(spec, 'failedJobsHistoryLimit', 1);
    if (spec.jobTemplate?.spec) {
      const inner = spec.jobTemplate.spec;
      spec.jobTemplate.metadata ??= {};
      template(inner);
    }
  },
  create: (object) => {
    object.status = {};
  },
  validate: cronJobCauses,
  warnings: (object) =>
    unhonoured('Pod', object.spec?.jobTemplate?.spec?.template, 'spec.jobTemplate.spec.template').warnings,
};

export const autoscalers: Strategy = {
  defaults: ({ spec }) => {
    if (spec) fill(spec, 'minReplicas', 1);
  },
  create: (object) => {
    object.status = { currentReplicas: 0, desiredReplicas: 0 };
  },
  validate: autoscalerCauses,
};

/** Deployments and their ReplicaSets: shapes, labels and annotations. */
import { gr, type KubeObject } from '../client/types.ts';
import { equal, type Condition, type LabelSelector } from './objects.ts';
import type { PodTemplate } from './pods.ts';
import type { ReplicaSet } from './replicaset.ts';

export type Deployment = KubeObject<
  {
    replicas?: number;
    selector?: LabelSelector;
    template: PodTemplate;
    minReadySeconds?: number;
    paused?: boolean;
    progressDeadlineSeconds?: number;
    revisionHistoryLimit?: number;
    strategy?: {
      type?: string;
      rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string };
    };
  },
  {
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    unavailableReplicas?: number;
    observedGeneration?: number;
    conditions?: Condition[];
  }
>;

export const DEPLOYMENTS = gr('deployments', 'apps');
export const REPLICASETS = gr('replicasets', 'apps');
/** Label that tells the pods of one template from those of another. */
export const HASH = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const DESIRED = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

export const wantedOf = ({ spec }: Deployment): number => spec?.replicas ?? 1;

/** Whether a set is of the Deployment's template: all but the label that the controller adds. */
export function sameTemplate(set: ReplicaSet, deployment: Deployment): boolean {
  const bare = (template: PodTemplate | undefined) => {
    const { [HASH]: _, ...labels } = template?.metadata?.labels ?? {};
    return { labels, annotations: template?.metadata?.annotations ?? {}, spec: template?.spec };
  };
  return equal(bare(set.spec?.template), bare(deployment.spec?.template));
}

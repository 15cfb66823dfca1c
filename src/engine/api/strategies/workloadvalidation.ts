/** Validation of Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs and their neighbours. */
import type { KubeObject } from '../../client/types.ts';
import { isObject, type Json } from '../json.ts';
import { annotationCauses, immutable, labelCauses } from '../metadata.ts';
import { matchesSelector } from '../selectors.ts';
import { forbiddenField, invalidValue, required, unsupported, type Cause } from '../status.ts';
import { isEmptySelector, notNegative, oneOf, selectorCauses } from './check.ts';
import { podSpecCauses } from './podvalidation.ts';

/** The template, whose labels the selector has to take. */
function templateCauses(spec: Json, policies: readonly string[]): Cause[] {
  const { template, selector } = spec;
  if (!isObject(template)) return [required('spec.template')];
  const labels: Json = template['metadata']?.labels ?? {};
  const causes = [
    ...labelCauses(labels, 'spec.template.labels'),
    ...annotationCauses(template['metadata']?.annotations, 'spec.template.annotations'),
    ...podSpecCauses(template['spec'], 'spec.template.spec'),
  ];
  if (selector && !isEmptySelector(selector) && !matchesSelector(selector, labels))
    causes.push(
      invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
    );
  const policy: Json = template['spec']?.restartPolicy;
  if (policy !== undefined && !policies.includes(policy))
    causes.push(unsupported('spec.template.spec.restartPolicy', policy, policies));
  return causes;
}

function selected(spec: Json, before: KubeObject | undefined, kind: string): Cause[] {
  const causes: Cause[] = [];
  if (!isObject(spec.selector)) causes.push(required('spec.selector'));
  else {
    causes.push(...selectorCauses(spec.selector, 'spec.selector'));
    if (isEmptySelector(spec.selector))
      causes.push(invalidValue('spec.selector', spec.selector, `empty selector is invalid for ${kind}`));
  }
  if (before) causes.push(...immutable(spec.selector, before.spec?.selector, 'spec.selector'));
  return causes;
}

/** A number or a percentage. */
function amount(value: Json, path: string): Cause[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return notNegative(value, path);
  return /^\d+%$/.test(value)
    ? []
    : [
        invalidValue(
          path,
          value,
          "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
      ];
}

const isZero = (value: Json): boolean => value === 0 || /^0+%$/.test(String(value));

export function deploymentCauses(object: KubeObject, before: KubeObject | undefined): Cause[] {
  const { spec } = object;
  if (!isObject(spec)) return [required('spec.selector'), required('spec.template')];
  const causes = [
    ...notNegative(spec['replicas'], 'spec.replicas'),
    ...selected(spec, before, 'deployment'),
    ...templateCauses(spec, ['Always']),
  ];
  const strategy: Json = spec['strategy'] ?? {};
  causes.push(...oneOf(strategy.type, ['Recreate', 'RollingUpdate'], 'spec.strategy.type'));
  const path = 'spec.strategy.rollingUpdate';
  if (strategy.type === 'Recreate' && strategy.rollingUpdate)
    causes.push(forbiddenField(path, "may not be specified when strategy `type` is 'Recreate'"));
  const rolling: Json = strategy.rollingUpdate ?? {};
  causes.push(
    ...amount(rolling.maxUnavailable, `${path}.maxUnavailable`),
    ...amount(rolling.maxSurge, `${path}.maxSurge`),
  );
  if (strategy.rollingUpdate && isZero(rolling.maxUnavailable) && isZero(rolling.maxSurge))
    causes.push(
      invalidValue(`${path}.maxUnavailable`, rolling.maxUnavailable, 'may not be 0 when `maxSurge` is 0'),
    );
  if (
    spec['progressDeadlineSeconds'] !== undefined &&
    spec['progressDeadlineSeconds'] <= (spec['minReadySeconds'] ?? 0)
  )
    causes.push(
      invalidValue(
        'spec.progressDeadlineSeconds',
        spec['progressDeadlineSeconds'],
        'must be greater than minReadySeconds',
      ),
    );
  return causes;
}

export function replicaSetCauses(object: KubeObject, before: KubeObject | undefined): Cause[] {
  const { spec } = object;
  if (!isObject(spec)) return [required('spec.selector'), required('spec.template')];
  return [
    ...notNegative(spec['replicas'], 'spec.replicas'),
    ...selected(spec, before, 'deployment'),
    ...templateCauses(spec, ['Always']),
  ];
}

export function replicationControllerCauses(object: KubeObject): Cause[] {
  const { spec } = object;
  if (!isObject(spec)) return [required('spec.selector'), required('spec.template')];
  const selector: Json = spec['selector'] ?? {};
  const causes = notNegative(spec['replicas'], 'spec.replicas');
  if (Object.keys(selector).length === 0) causes.push(required('spec.selector'));
  causes.push(...templateCauses({ ...spec, selector: { matchLabels: selector } }, ['Always']));
  return causes;
}

/** What of a StatefulSet may change. */
const STATEFUL_CHANGES = new Set([
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]);

export function statefulSetCauses(object: KubeObject, before: KubeObject | undefined): Cause[] {
  const { spec } = object;
  if (!isObject(spec)) return [required('spec.selector'), required('spec.template')];
  const causes = [
    ...notNegative(spec['replicas'], 'spec.replicas'),
    ...selected(spec, undefined, 'statefulset'),
    ...templateCauses(spec, ['Always']),
    ...oneOf(spec['podManagementPolicy'], ['OrderedReady', 'Parallel'], 'spec.podManagementPolicy'),
    ...oneOf(spec['updateStrategy']?.type, ['OnDelete', 'RollingUpdate'], 'spec.updateStrategy.type'),
  ];
  if (before)
    for (const field of new Set([...Object.keys(spec), ...Object.keys(before.spec ?? {})]))
      if (!STATEFUL_CHANGES.has(field) && immutable(spec[field], before.spec?.[field], '').length > 0) {
        causes.push(
          forbiddenField(
            'spec',
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
          ),
        );
        break;
      }
  return causes;
}

export function daemonSetCauses(object: KubeObject, before: KubeObject | undefined): Cause[] {
  const { spec } = object;
  if (!isObject(spec)) return [required('spec.selector'), required('spec.template')];
  return [
    ...selected(spec, before, 'daemonset'),
    ...templateCauses(spec, ['Always']),
    ...oneOf(spec['updateStrategy']?.type, ['OnDelete', 'RollingUpdate'], 'spec.updateStrategy.type'),
  ];
}

export function jobCauses(object: KubeObject, before: KubeObject | undefined): Cause[] {
  const { spec } = object;
  if (!isObject(spec)) return [required('spec.template')];
  const causes = [
    ...[
      'parallelism',
      'completions',
      'backoffLimit',
      'activeDeadlineSeconds',
      'ttlSecondsAfterFinished',
    ].flatMap((field) => notNegative(spec[field], `spec.${field}`)),
    ...templateCauses(spec, ['OnFailure', 'Never']),
  ];
  if (before) {
    causes.push(...immutable(spec['selector'], before.spec?.selector, 'spec.selector'));
    causes.push(...immutable(spec['template'], before.spec?.template, 'spec.template'));
  }
  return causes;
}

/** Five fields, or one of the @ forms. */
const CRON = /^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|@every \S+|(\S+\s+){4}\S+)$/;

export function cronJobCauses({ spec, metadata }: KubeObject): Cause[] {
  if (!isObject(spec)) return [required('spec.schedule')];
  const causes = [
    ...oneOf(spec['concurrencyPolicy'], ['Allow', 'Forbid', 'Replace'], 'spec.concurrencyPolicy'),
    ...podSpecCauses(spec['jobTemplate']?.spec?.template?.spec, 'spec.jobTemplate.spec.template.spec'),
  ];
  if (!spec['schedule']) causes.push(required('spec.schedule'));
  else if (!CRON.test(String(spec['schedule']).trim()))
    causes.push(
      invalidValue(
        'spec.schedule',
        spec['schedule'],
        `expected exactly 5 fields, found ${String(spec['schedule']).trim().split(/\s+/).length}: [${spec['schedule']}]`,
      ),
    );
  if (metadata.name?.length > 52)
    causes.push(invalidValue('metadata.name', metadata.name, 'must be no more than 52 characters'));
  return causes;
}

export function budgetCauses({ spec }: KubeObject): Cause[] {
  if (!isObject(spec)) return [];
  const causes = [
    ...amount(spec['minAvailable'], 'spec.minAvailable'),
    ...amount(spec['maxUnavailable'], 'spec.maxUnavailable'),
    ...selectorCauses(spec['selector'], 'spec.selector'),
  ];
  if (spec['minAvailable'] !== undefined && spec['maxUnavailable'] !== undefined)
    causes.push(invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  return causes;
}

export function autoscalerCauses({ spec }: KubeObject): Cause[] {
  if (!isObject(spec)) return [required('spec.scaleTargetRef')];
  const causes: Cause[] = [];
  if (!spec['scaleTargetRef']?.kind) causes.push(required('spec.scaleTargetRef.kind'));
  if (!spec['scaleTargetRef']?.name) causes.push(required('spec.scaleTargetRef.name'));
  const [least = 1, most] = [spec['minReplicas'], spec['maxReplicas']];
  if (!(most > 0)) causes.push(invalidValue('spec.maxReplicas', most ?? 0, 'must be greater than 0'));
  else if (most < least)
    causes.push(invalidValue('spec.maxReplicas', most, 'must be greater than or equal to `minReplicas`'));
  return causes;
}

/** Validation of pods. */
import type { KubeObject } from '../../client/types.ts';
import type { Cause } from '../status.ts';
import { required } from '../status.ts';

export function podCauses(pod: KubeObject): Cause[] {
  if (!pod.spec?.containers?.length) return [required('spec.containers')];
  return [];
}

export function podUpdateCauses(_pod: KubeObject, _before: KubeObject): Cause[] {
  return [];
}

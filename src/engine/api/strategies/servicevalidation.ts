/** Validation of Services. */
import type { KubeObject } from '../../client/types.ts';
import type { Cause } from '../status.ts';
import { required } from '../status.ts';

export function serviceCauses(service: KubeObject, _before: KubeObject | undefined): Cause[] {
  return service.spec ? [] : [required('spec')];
}

/** The way to the kubelets, when there is one. */
import { ApiError } from '../../client/types.ts';
import type { KubeletPort } from '../kubelet-port.ts';
import type { Context } from './context.ts';

/** @throws ApiError 503 for an API server without nodes */
export function needKubelet(context: Context): KubeletPort {
  if (context.kubelet) return context.kubelet;
  throw new ApiError({
    code: 503,
    reason: 'ServiceUnavailable',
    message: 'no kubelet can be reached: this API server has no nodes',
  });
}

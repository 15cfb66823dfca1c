/** Which pods are endpoints of a Service and in what state: shared by EndpointSlices and the older Endpoints. */
import type { KubeObject } from '../client/types.ts';
import { isReady, isTerminal, type Pod } from './pods.ts';

/** core/v1 Service, as far as its endpoints depend on it. */
export type Service = KubeObject<{
  type?: string;
  clusterIP?: string;
  selector?: Record<string, string>;
  ports?: ServicePort[];
  publishNotReadyAddresses?: boolean;
  trafficDistribution?: string;
}>;

export interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
  targetPort?: number | string;
  appProtocol?: string;
}

export interface EndpointPort {
  name: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

/** A Service whose endpoints are pods that it selects. */
export const selectsPods = ({ spec }: Service): boolean =>
  spec?.type !== 'ExternalName' && Object.keys(spec?.selector ?? {}).length > 0;

export const isHeadless = ({ spec }: Service): boolean => !spec?.clusterIP || spec.clusterIP === 'None';

/** Whether a pod belongs among the endpoints at all: it runs and has an address. */
export const canServe = (pod: Pod, includeTerminating: boolean): boolean =>
  !isTerminal(pod) &&
  Boolean(pod.status?.podIP) &&
  (includeTerminating || pod.metadata.deletionTimestamp === undefined);

/** KEP-1672: `ready` is never true while a pod terminates, unless the Service publishes pods that are not ready. */
export function conditionsOf(pod: Pod, service: Service) {
  const serving = isReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = Boolean(service.spec?.publishNotReadyAddresses) || (serving && !terminating);
  return { ready, serving, terminating };
}

/** The name of a pod below its Service, for DNS: only if the pod names this Service as its subdomain. */
export const hostnameOf = (pod: Pod, service: Service): string | undefined =>
  pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

/** The ports of a Service on one pod; those whose name the pod does not know are left out. */
export function portsOn(pod: Pod, service: Service): EndpointPort[] {
  const found: EndpointPort[] = [];
  for (const { name = '', port, protocol = 'TCP', targetPort, appProtocol } of service.spec?.ports ?? []) {
    const number = typeof targetPort === 'string' ? namedPort(pod, targetPort, protocol) : targetPort || port;
    if (number !== undefined)
      found.push({ name, port: number, protocol, ...(appProtocol ? { appProtocol } : {}) });
  }
  return found;
}

function namedPort(pod: Pod, name: string, protocol: string): number | undefined {
  // A sidecar is an init container that is restarted (KEP-753).
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const { ports = [] } of [...(pod.spec?.containers ?? []), ...sidecars])
    for (const port of ports)
      if (port.name === name && (port.protocol ?? 'TCP') === protocol) return port.containerPort;
  return undefined;
}

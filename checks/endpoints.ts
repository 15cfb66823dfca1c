/** Which addresses stand behind a Service? Read from its EndpointSlices (Kubernetes: EndpointSlices). */
import { derive, type Observation } from '../src/model/observation.ts';
import type { Stage } from './experiment.ts';
import { api } from './api.ts';

export interface Endpoint {
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Name of the pod that it is, if it is one. */
  readonly pod?: string;
  /** The name that DNS gives it under a headless Service. */
  readonly hostname?: string;
  readonly node?: string;
}

interface Slice {
  endpoints?: {
    addresses: string[];
    conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
    targetRef?: { kind?: string; name?: string };
    hostname?: string;
    nodeName?: string;
  }[];
}

/** Endpoints of slices, sorted by address. A `ready` that is not said counts as true (discovery.k8s.io/v1 EndpointConditions). */
export const endpointsIn = (slices: readonly Slice[]): Endpoint[] =>
  slices
    .flatMap((slice) => slice.endpoints ?? [])
    .flatMap((one) =>
      one.addresses.map((address) => ({
        address,
        ready: one.conditions?.ready ?? true,
        serving: one.conditions?.serving ?? one.conditions?.ready ?? true,
        terminating: one.conditions?.terminating ?? false,
        ...(one.targetRef?.kind === 'Pod' ? { pod: one.targetRef.name } : {}),
        ...(one.hostname === undefined ? {} : { hostname: one.hostname }),
        ...(one.nodeName === undefined ? {} : { node: one.nodeName }),
      })),
    )
    .sort((a, b) => a.address.localeCompare(b.address));

/** All endpoints of a Service. */
export async function endpoints(
  stage: Stage,
  service: { readonly name: string; readonly namespace: string },
): Promise<Observation<Endpoint[]>> {
  const path = await stage.kube.path({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    namespace: service.namespace,
  });
  const seen = await api(stage, 'GET', `${path}?labelSelector=kubernetes.io/service-name%3D${service.name}`);
  return derive(seen, ({ json }) => endpointsIn((json?.items ?? []) as Slice[]));
}

/** Names of the ready pods behind a Service, sorted, in one string. */
export async function podsBehind(
  stage: Stage,
  service: { readonly name: string; readonly namespace: string },
): Promise<Observation<string>> {
  return derive(await endpoints(stage, service), (all) =>
    all
      .filter((one) => one.ready)
      .map((one) => one.pod ?? one.address)
      .sort()
      .join(' '),
  );
}

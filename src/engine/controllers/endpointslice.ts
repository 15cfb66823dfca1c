/** The EndpointSlice controller: keeps the slices of every Service that selects pods (discovery.k8s.io/v1, KEP-752). */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions, type Work } from './controller.ts';
import { canonical, equal, ownedBy, selectsAll } from './objects.ts';
import { PODS, podsIn, type Pod } from './pods.ts';
import {
  canServe,
  conditionsOf,
  hostnameOf,
  isHeadless,
  portsOn,
  selectsPods,
  type EndpointPort,
  type Service,
} from './service-endpoints.ts';

export const SLICES = gr('endpointslices', 'discovery.k8s.io');
export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const HEADLESS = 'service.kubernetes.io/headless';
const OURS = 'endpointslice-controller.k8s.io';

/** Most endpoints of one slice (--max-endpoints-per-slice). */
const MOST = 100;

export interface Slice extends KubeObject {
  addressType: string;
  endpoints: SliceEndpoint[] | null;
  ports: EndpointPort[] | null;
}

interface SliceEndpoint {
  addresses: string[];
  conditions: { ready: boolean; serving?: boolean; terminating?: boolean };
  hostname?: string;
  nodeName?: string;
  zone?: string;
  targetRef?: { kind: string; namespace?: string; name: string; uid?: string };
  hints?: { forZones?: { name: string }[]; forNodes?: { name: string }[] };
}

export function createEndpointSliceController(options: ControllerOptions): Component {
  return controller(options, 'endpointslice-controller', 'endpoint-slice-controller', (work) => {
    const services = watchServices(work);
    work.watch<Slice>(SLICES, ({ type, object }) => {
      const service = object.metadata.labels?.[SERVICE_NAME];
      // Somebody changed or deleted one of ours: it is put right.
      if (service && object.metadata.labels?.[MANAGED_BY] === OURS && type !== 'ADDED')
        work.queue.add(`${object.metadata.namespace}/${service}`);
    });
    const nodes = work.watch(gr('nodes'), ({ object, before }) => {
      const zone = (node: KubeObject | undefined) => node?.metadata.labels?.['topology.kubernetes.io/zone'];
      if (before && zone(before) !== zone(object))
        for (const service of services.list()) work.queue.add(keyOf(service));
    });

    return async (key) => {
      const { namespace, name } = splitKey(key);
      const service = services.get(name, namespace);
      // What a deleted Service leaves behind is collected with it, by its owner reference.
      if (!service || service.metadata.deletionTimestamp || !selectsPods(service)) return;
      const groups = new Map<string, { ports: EndpointPort[]; endpoints: Map<string, SliceEndpoint> }>();
      for (const pod of await podsIn(work.client, namespace)) {
        if (!selectsAll(service.spec?.selector, pod.metadata.labels) || !canServe(pod, true)) continue;
        const ports = portsOn(pod, service);
        if (ports.length === 0 && !isHeadless(service)) continue;
        const id = canonical(ports);
        const group = groups.get(id) ?? { ports, endpoints: new Map() };
        groups.set(id, group);
        const zone = nodes.get(pod.spec?.nodeName ?? '')?.metadata.labels?.['topology.kubernetes.io/zone'];
        group.endpoints.set(pod.metadata.uid ?? pod.metadata.name, endpointOf(pod, service, zone));
      }
      hint(
        service,
        [...groups.values()].flatMap(({ endpoints }) => [...endpoints.values()]),
      );

      const all = await work.client.list<Slice>(SLICES, { namespace });
      const ours = all.filter(
        ({ metadata: { labels } }) => labels?.[SERVICE_NAME] === name && labels[MANAGED_BY] === OURS,
      );
      await write(work, service, groups, ours);
    };
  });
}

/** Watches Services and the pods that they select; used by the Endpoints controller as well. */
export function watchServices(work: Work) {
  const byNamespace = new Map<string, Map<string, Service>>();
  const services = work.watch<Service>(gr('services'), ({ type, object }) => {
    const { namespace = '', name } = object.metadata;
    const some = byNamespace.get(namespace) ?? new Map<string, Service>();
    byNamespace.set(namespace, some);
    if (type === 'DELETED') some.delete(name);
    else some.set(name, object);
    work.queue.add(keyOf(object));
  });
  work.watch<Pod>(PODS, ({ type, object, before }) => {
    if (type === 'MODIFIED' && before && !matters(before, object)) return;
    for (const service of byNamespace.get(object.metadata.namespace ?? '')?.values() ?? [])
      for (const pod of before ? [object, before] : [object])
        if (selectsAll(service.spec?.selector, pod.metadata.labels)) work.queue.add(keyOf(service));
  });
  return services;
}

/** Whether a change of a pod can change an endpoint: most, such as a container's start time, cannot. */
function matters(a: Pod, b: Pod): boolean {
  const view = ({ metadata, spec, status }: Pod) => [
    metadata.labels,
    metadata.deletionTimestamp === undefined,
    spec?.nodeName,
    status?.podIP,
    status?.phase,
    status?.conditions?.find(({ type }) => type === 'Ready')?.status,
  ];
  return !equal(view(a), view(b));
}

function endpointOf(pod: Pod, service: Service, zone: string | undefined): SliceEndpoint {
  const { name, namespace = '', uid } = pod.metadata;
  const hostname = hostnameOf(pod, service);
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: conditionsOf(pod, service),
    ...(hostname ? { hostname } : {}),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid: uid ?? '' },
    ...(zone ? { zone } : {}),
  };
}

/** Topology hints of trafficDistribution (KEP-4444, KEP-3015). */
function hint(service: Service, endpoints: SliceEndpoint[]): void {
  const wanted = service.spec?.trafficDistribution;
  if (
    !wanted ||
    endpoints.some(({ conditions, zone }) => conditions.ready && !zone && wanted !== 'PreferSameNode')
  )
    return;
  for (const endpoint of endpoints) {
    if (!endpoint.conditions.ready) continue;
    const hints: NonNullable<SliceEndpoint['hints']> = {};
    if (endpoint.zone) hints.forZones = [{ name: endpoint.zone }];
    if (wanted === 'PreferSameNode' && endpoint.nodeName) hints.forNodes = [{ name: endpoint.nodeName }];
    if (Object.keys(hints).length > 0) endpoint.hints = hints;
  }
}

/** Brings slices to what is wanted with few writes: endpoints stay in their slice, new ones fill up what has room. */
async function write(
  { client }: Work,
  service: Service,
  groups: Map<string, { ports: EndpointPort[]; endpoints: Map<string, SliceEndpoint> }>,
  existing: readonly Slice[],
): Promise<void> {
  const labels: Record<string, string> = { ...service.metadata.labels };
  delete labels[HEADLESS];
  labels[MANAGED_BY] = OURS;
  labels[SERVICE_NAME] = service.metadata.name;
  if (isHeadless(service)) labels[HEADLESS] = '';

  const idOf = ({ targetRef, addresses }: SliceEndpoint) => targetRef?.uid ?? addresses[0] ?? '';
  const plans: { slice?: Slice; ports: EndpointPort[] | null; endpoints: SliceEndpoint[] }[] = [];
  for (const [id, { ports, endpoints }] of groups) {
    const left = new Map(endpoints);
    const mine = existing.filter((slice) => canonical(slice.ports ?? []) === id && slice.endpoints?.length);
    const here = mine.map((slice) => {
      const kept = (slice.endpoints ?? []).flatMap((endpoint) => {
        const now = left.get(idOf(endpoint));
        left.delete(idOf(endpoint));
        return now ? [now] : [];
      });
      return { slice, ports: slice.ports, endpoints: kept };
    });
    const added = [...left.values()];
    for (const plan of here) plan.endpoints.push(...added.splice(0, MOST - plan.endpoints.length));
    plans.push(...here.filter((plan) => plan.endpoints.length > 0));
    while (added.length > 0) plans.push({ ports, endpoints: added.splice(0, MOST) });
  }
  const kept = new Set(plans.flatMap(({ slice }) => slice ?? []));
  const spare = existing.filter((slice) => !kept.has(slice));
  // A Service without endpoints has one empty slice.
  if (plans.length === 0) plans.push({ ports: null, endpoints: [] });

  for (const plan of plans) {
    const slice = plan.slice ?? spare.shift();
    const endpoints = plan.endpoints.length > 0 ? plan.endpoints : null;
    if (!slice) {
      await client.create(SLICES, {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: '',
          generateName: `${service.metadata.name}-`,
          namespace: service.metadata.namespace ?? '',
          labels,
          annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': new Date().toISOString() },
          ownerReferences: [ownedBy({ ...service, apiVersion: 'v1', kind: 'Service' })],
        },
        addressType: 'IPv4',
        endpoints,
        ports: plan.ports,
      } as Slice);
      continue;
    }
    const same =
      equal(slice.endpoints ?? [], endpoints ?? []) &&
      equal(slice.ports ?? [], plan.ports ?? []) &&
      equal(slice.metadata.labels, labels);
    if (same || slice.metadata.deletionTimestamp) continue;
    const metadata = {
      ...slice.metadata,
      labels,
      annotations: {
        ...slice.metadata.annotations,
        'endpoints.kubernetes.io/last-change-trigger-time': new Date().toISOString(),
      },
    };
    await client.update(SLICES, { ...slice, metadata, endpoints, ports: plan.ports });
  }
  for (const { metadata } of spare) await client.delete(SLICES, metadata.name, metadata.namespace);
}

/** EndpointSliceMirroring: Endpoints made by hand for a Service without a selector become slices (KEP-752). */
import { gr } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, keyOf, splitKey, type ControllerOptions } from './controller.ts';
import { ENDPOINTS, type EndpointAddress, type Endpoints, type Subset } from './endpoints.ts';
import { HEADLESS, MANAGED_BY, SERVICE_NAME, SLICES, type Slice } from './endpointslice.ts';
import { equal, ownedBy } from './objects.ts';
import { isHeadless, type Service } from './service-endpoints.ts';

const OURS = 'endpointslicemirroring-controller.k8s.io';
/** Most addresses of one subset that are mirrored (--mirroring-max-endpoints-per-subset). */
const MOST = 1_000;

export function createEndpointSliceMirroringController(options: ControllerOptions): Component {
  return controller(
    options,
    'endpointslice-mirroring-controller',
    'endpoint-slice-mirroring-controller',
    (work) => {
      const services = work.watch<Service>(gr('services'), ({ object }) => work.queue.add(keyOf(object)));
      const endpoints = work.watch<Endpoints>(ENDPOINTS, ({ object }) => work.queue.add(keyOf(object)));
      work.watch<Slice>(SLICES, ({ type, object: { metadata } }) => {
        if (type !== 'ADDED' && metadata.labels?.[MANAGED_BY] === OURS)
          work.queue.add(`${metadata.namespace}/${metadata.labels[SERVICE_NAME]}`);
      });

      return async (key) => {
        const { namespace, name } = splitKey(key);
        const service = services.get(name, namespace);
        const source = endpoints.get(name, namespace);
        const existing = (await work.client.list<Slice>(SLICES, { namespace })).filter(
          ({ metadata: { labels } }) => labels?.[SERVICE_NAME] === name && labels[MANAGED_BY] === OURS,
        );
        const wanted = service && source && shouldMirror(service, source) ? slicesOf(service, source) : [];
        for (const slice of wanted) {
          const found = existing.findIndex((old) => equal(old.ports, slice.ports));
          const [old] = found < 0 ? [] : existing.splice(found, 1);
          if (!old) await work.client.create(SLICES, slice);
          else if (
            !equal(old.endpoints, slice.endpoints) ||
            !equal(old.metadata.labels, slice.metadata.labels)
          )
            await work.client.update<Slice>(SLICES, {
              ...old,
              metadata: { ...old.metadata, labels: slice.metadata.labels ?? {} },
              endpoints: slice.endpoints,
            });
        }
        for (const { metadata } of existing) await work.client.delete(SLICES, metadata.name, namespace);
      };
    },
  );
}

const shouldMirror = ({ spec }: Service, { metadata }: Endpoints): boolean =>
  !spec?.selector &&
  metadata.labels?.['endpointslice.kubernetes.io/skip-mirror'] !== 'true' &&
  metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] === undefined;

function slicesOf(service: Service, source: Endpoints): Slice[] {
  const labels: Record<string, string> = {
    ...source.metadata.labels,
    [SERVICE_NAME]: service.metadata.name,
    [MANAGED_BY]: OURS,
  };
  if (isHeadless(service)) labels[HEADLESS] = '';
  return (source.subsets ?? []).map((subset) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: '',
      generateName: `${source.metadata.name}-`,
      namespace: source.metadata.namespace ?? '',
      labels,
      ownerReferences: [ownedBy({ ...source, apiVersion: 'v1', kind: 'Endpoints' })],
    },
    addressType: 'IPv4',
    endpoints: endpointsOf(subset),
    ports: (subset.ports ?? []).map((port) => ({
      ...port,
      name: port.name ?? '',
      protocol: port.protocol ?? 'TCP',
    })),
  }));
}

function endpointsOf({ addresses = [], notReadyAddresses = [] }: Subset) {
  const make = (ready: boolean) => (address: EndpointAddress) => ({
    addresses: [address.ip],
    conditions: { ready },
    ...(address.hostname ? { hostname: address.hostname } : {}),
    ...(address.nodeName ? { nodeName: address.nodeName } : {}),
    ...(address.targetRef ? { targetRef: address.targetRef } : {}),
  });
  return [...addresses.map(make(true)), ...notReadyAddresses.map(make(false))].slice(0, MOST);
}

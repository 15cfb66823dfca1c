/** The Endpoints controller: the API that EndpointSlices replaced (deprecated in 1.33, KEP-4974), still filled. */
import { gr, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { controller, splitKey, type ControllerOptions } from './controller.ts';
import { HEADLESS, watchServices } from './endpointslice.ts';
import { canonical, equal, selectsAll } from './objects.ts';
import { podsIn, type Pod } from './pods.ts';
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

export const ENDPOINTS = gr('endpoints');

export interface EndpointAddress {
  ip: string;
  hostname?: string;
  nodeName?: string;
  targetRef?: { kind: string; namespace?: string; name: string; uid?: string };
}

export interface Subset {
  addresses?: EndpointAddress[];
  notReadyAddresses?: EndpointAddress[];
  ports?: EndpointPort[];
}

export interface Endpoints extends KubeObject {
  subsets?: Subset[];
}

export function createEndpointsController(options: ControllerOptions): Component {
  return controller(options, 'endpoints-controller', 'endpoint-controller', (work) => {
    const services = watchServices(work);
    return async (key) => {
      const { namespace, name } = splitKey(key);
      const service = services.get(name, namespace);
      if (!service) return work.client.delete(ENDPOINTS, name, namespace);
      if (service.metadata.deletionTimestamp || !selectsPods(service)) return;
      const pods = (await podsIn(work.client, namespace)).filter(
        (pod) =>
          selectsAll(service.spec?.selector, pod.metadata.labels) &&
          canServe(pod, Boolean(service.spec?.publishNotReadyAddresses)),
      );
      const subsets = subsetsOf(pods, service);
      const labels = {
        ...service.metadata.labels,
        ...(isHeadless(service) ? { [HEADLESS]: '' } : {}),
        'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
      };
      const existing = await work.client.get<Endpoints>(ENDPOINTS, name, namespace);
      if (!existing) {
        await work.client.create<Endpoints>(ENDPOINTS, {
          apiVersion: 'v1',
          kind: 'Endpoints',
          metadata: { name, namespace, labels },
          ...(subsets.length > 0 ? { subsets } : {}),
        });
      } else if (!equal(existing.subsets ?? [], subsets) || !equal(existing.metadata.labels, labels)) {
        const { subsets: _, ...rest } = existing;
        await work.client.update<Endpoints>(ENDPOINTS, {
          ...rest,
          metadata: { ...existing.metadata, labels },
          ...(subsets.length > 0 ? { subsets } : {}),
        });
      }
    };
  });
}

/** Addresses grouped by the ports that they have, sorted by address. */
function subsetsOf(pods: readonly Pod[], service: Service): Subset[] {
  const groups = new Map<
    string,
    { ports: EndpointPort[]; ready: EndpointAddress[]; not: EndpointAddress[] }
  >();
  const sorted = [...pods].sort((a, b) => (numeric(a.status?.podIP) < numeric(b.status?.podIP) ? -1 : 1));
  for (const pod of sorted) {
    const ports = portsOn(pod, service);
    if (ports.length === 0 && !(isHeadless(service) && !service.spec?.ports?.length)) continue;
    const group = groups.get(canonical(ports)) ?? { ports, ready: [], not: [] };
    groups.set(canonical(ports), group);
    const hostname = hostnameOf(pod, service);
    (conditionsOf(pod, service).ready ? group.ready : group.not).push({
      ip: pod.status?.podIP ?? '',
      ...(hostname ? { hostname } : {}),
      ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
      targetRef: {
        kind: 'Pod',
        namespace: pod.metadata.namespace ?? '',
        name: pod.metadata.name,
        uid: pod.metadata.uid ?? '',
      },
    });
  }
  return [...groups.values()].map(({ ports, ready, not }) => ({
    ...(ready.length > 0 ? { addresses: ready } : {}),
    ...(not.length > 0 ? { notReadyAddresses: not } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  }));
}

const numeric = (ip = '') => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

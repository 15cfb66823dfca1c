/** Services and slices in few words, for the tests of the service proxy. */
import type { EndpointSlice, Protocol, Service, SliceEndpoint } from '../../../src/engine/proxy/objects.ts';

export function service(path: string, spec: NonNullable<Service['spec']>, ingress: string[] = []): Service {
  const [namespace = '', name = ''] = path.split('/');
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec,
    status: { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } },
  };
}

/** A slice of one port; an endpoint is an address, or all of its fields. */
export function slice(
  path: string,
  port: { name?: string; port: number; protocol?: Protocol },
  endpoints: (string | SliceEndpoint)[],
): EndpointSlice {
  const [namespace = '', name = ''] = path.split('/');
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: port.name ?? '', port: port.port, protocol: port.protocol ?? 'TCP' }],
    endpoints: endpoints.map((endpoint) =>
      typeof endpoint === 'string' ? { addresses: [endpoint] } : endpoint,
    ),
  };
}

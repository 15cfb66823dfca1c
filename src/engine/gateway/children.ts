/** What stands for a Gateway in the cluster: a Deployment of nginx and a Service (Gateway API: in-cluster gateways). */
import { gr, type GroupResource, type KubeObject } from '../client/types.ts';
import { GROUP, type Gateway } from './types.ts';

/** Label of everything that belongs to a Gateway (GEP-1762). */
export const labelOf = 'gateway.networking.k8s.io/gateway-name';

export function childrenOf(gateway: Gateway): { of: GroupResource; object: KubeObject }[] {
  const labels = { [labelOf]: gateway.metadata.name };
  const ports = [...new Set((gateway.spec?.listeners ?? []).map((one) => one.port))];
  const metadata = {
    name: `${gateway.metadata.name}-${gateway.spec!.gatewayClassName}`.slice(0, 63),
    namespace: gateway.metadata.namespace!,
    labels,
    ownerReferences: [
      {
        apiVersion: `${GROUP}/v1`,
        kind: 'Gateway',
        name: gateway.metadata.name,
        uid: gateway.metadata.uid!,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
  const container = {
    name: 'nginx',
    image: 'podlab/gateway:1',
    ports: ports.map((port) => ({ name: `port-${port}`, containerPort: port })),
    readinessProbe: { httpGet: { path: '/healthz', port: 10254 }, periodSeconds: 1 },
  };
  return [
    {
      of: gr('deployments', 'apps'),
      object: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [container] } },
        },
      },
    },
    {
      of: gr('services'),
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: {
          type: 'LoadBalancer',
          selector: labels,
          ports: ports.map((port) => ({ name: `port-${port}`, port, targetPort: port, protocol: 'TCP' })),
        },
      },
    },
  ];
}

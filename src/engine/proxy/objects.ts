/** The fields of Services, EndpointSlices and Nodes that a service proxy reads. */
import type { KubeObject } from '../client/types.ts';

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** core/v1 Service. */
export type Service = KubeObject<
  {
    type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
    clusterIP?: string;
    clusterIPs?: string[];
    externalName?: string;
    externalIPs?: string[];
    ports?: {
      name?: string;
      port: number;
      protocol?: Protocol;
      nodePort?: number;
      targetPort?: number | string;
      appProtocol?: string;
    }[];
    selector?: Record<string, string>;
    sessionAffinity?: 'None' | 'ClientIP';
    sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } };
    externalTrafficPolicy?: 'Cluster' | 'Local';
    internalTrafficPolicy?: 'Cluster' | 'Local';
    healthCheckNodePort?: number;
    loadBalancerSourceRanges?: string[];
    publishNotReadyAddresses?: boolean;
    trafficDistribution?: string;
    ipFamilies?: string[];
  },
  { loadBalancer?: { ingress?: { ip?: string; hostname?: string; ipMode?: string }[] } }
>;

/** One endpoint of a slice (discovery.k8s.io/v1). */
export interface SliceEndpoint {
  addresses: string[];
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  hostname?: string;
  nodeName?: string;
  zone?: string;
  targetRef?: { kind: string; namespace?: string; name: string; uid?: string };
  hints?: { forZones?: { name: string }[]; forNodes?: { name: string }[] };
}

/** discovery.k8s.io/v1 EndpointSlice: its fields stand at the top, there is no spec. */
export interface EndpointSlice extends KubeObject {
  addressType: 'IPv4' | 'IPv6' | 'FQDN';
  endpoints: SliceEndpoint[];
  ports?: { name?: string; port?: number; protocol?: Protocol; appProtocol?: string }[];
}

/** The label that ties a slice to its Service. */
export const SERVICE_NAME = 'kubernetes.io/service-name';

/** Annotation of a Service for a proxy other than kube-proxy: kube-proxy leaves such a Service alone. */
export const OTHER_PROXY = 'service.kubernetes.io/service-proxy-name';

/** How a proxy is set up on its node: what kube-proxy's configuration file would say. */
import type { Place } from './policy.ts';

export interface ProxySettings extends Place {
  /** The node's own address. */
  readonly nodeIP: string;
  /** Traffic from here is a pod's own (detectLocalMode ClusterCIDR); undefined: cannot be told, nothing is masqueraded for it. */
  readonly clusterCIDR: string | undefined;
  /** Addresses that accept NodePort traffic; undefined: all of the node's. */
  readonly nodePortIPs: readonly string[] | undefined;
  /** Service range; nftables drops what goes to an address in it that no Service has. */
  readonly serviceCIDR: string | undefined;
}

/** Bit 14, kube-proxy's default `masqueradeBit`: packets that carry it get the node's address as source. */
export const MASQUERADE_MARK = 0x4000;

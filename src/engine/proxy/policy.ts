/**
 * Which endpoints of a port take traffic, seen from one node.
 *
 * Ready endpoints by default; where there are none, those that still serve while they terminate (KEP-1669),
 * for the Cluster and the Local policy apart. Topology hints are KEP-2433 (zones) and KEP-3015 (nodes).
 */
import { usesClusterEndpoints, usesLocalEndpoints, type Endpoint, type ServicePort } from './service-port.ts';

/** Where this proxy stands. */
export interface Place {
  readonly node: string;
  /** Label topology.kubernetes.io/zone of the node, or ''. */
  readonly zone: string;
}

export interface Usable {
  /** For the Cluster traffic policy. */
  readonly cluster: readonly Endpoint[];
  /** For the Local traffic policy. */
  readonly local: readonly Endpoint[];
  /** Both, each once: those that need a chain on this node. */
  readonly reachable: readonly Endpoint[];
  /** Whether any endpoint anywhere is usable; if not, traffic is rejected. */
  readonly any: boolean;
}

const fallsBack = ({ serving, terminating }: Endpoint) => serving && terminating;

/** Which hints hold: those of a kind are ignored unless every ready endpoint has one and one of them names this place. */
function near(endpoints: readonly Endpoint[], { node, zone }: Place): (endpoint: Endpoint) => boolean {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  if (ready.length === 0) return () => true;
  if (
    ready.every(({ nodeHints }) => nodeHints.length > 0) &&
    ready.some(({ nodeHints }) => nodeHints.includes(node))
  )
    return ({ nodeHints }) => nodeHints.includes(node);
  if (
    ready.every(({ zoneHints }) => zoneHints.length > 0) &&
    ready.some(({ zoneHints }) => zoneHints.includes(zone))
  )
    return ({ zoneHints }) => zoneHints.includes(zone);
  return () => true;
}

/** Sorts the endpoints of a port by what they may be used for. */
export function usable(port: ServicePort, endpoints: readonly Endpoint[], place: Place): Usable {
  let cluster: Endpoint[] = [];
  if (usesClusterEndpoints(port)) {
    const isNear = near(endpoints, place);
    cluster = endpoints.filter((endpoint) => endpoint.ready && isNear(endpoint));
    if (cluster.length === 0) cluster = endpoints.filter(fallsBack);
  }
  if (!usesLocalEndpoints(port)) return { cluster, local: [], reachable: cluster, any: cluster.length > 0 };

  const here = endpoints.filter((endpoint) => endpoint.local);
  let local = here.filter((endpoint) => endpoint.ready);
  if (local.length === 0) local = here.filter(fallsBack);
  const seen = new Map([...cluster, ...local].map((endpoint) => [endpoint.address, endpoint]));
  return {
    cluster,
    local,
    reachable: [...seen.values()],
    any: endpoints.some((endpoint) => endpoint.ready || fallsBack(endpoint)),
  };
}

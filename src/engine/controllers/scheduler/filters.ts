/** The scheduler's filters, each with the words in which kube-scheduler 1.34 says why a node does not do. */
import type { Pod } from '../pods.ts';
import {
  affinityMet,
  antiAffinityMet,
  othersAntiAffinityMet,
  spreadMet,
  type SpreadConstraint,
} from './affinity.ts';
import { requestsOf, type ClusterView, type Resources } from './cluster.ts';
import { matchesNode, tolerates, untolerated, type Node, type Toleration } from './node-fit.ts';
import { quantity } from './quantity.ts';

/** Pods that a node takes when it does not say (kubelet's maxPods). */
const MAX_PODS = 110;

const UNSCHEDULABLE = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' as const };

/** Why a node does not do for a pod, or undefined if it does. Pods that are to be removed could help only for some reasons. */
export interface Refusal {
  readonly reason: string;
  /** Whether preempting pods there might help. */
  readonly resolvable: boolean;
}

export function refusal(view: ClusterView, node: Node, pod: Pod): Refusal[] {
  const { spec } = pod;
  if (!spec) return [];
  const final = (reason: string) => [{ reason, resolvable: false }];
  const passing = (reason: string) => [{ reason, resolvable: true }];
  const tolerations = (spec['tolerations'] ?? []) as Toleration[];

  if (node.spec?.unschedulable && !tolerations.some((one) => tolerates(one, UNSCHEDULABLE)))
    return final('node(s) were unschedulable');
  const taint = untolerated(node.spec?.taints ?? [], tolerations, ['NoSchedule', 'NoExecute']);
  if (taint) return final(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`);
  if (!matchesNode(spec, node)) return final("node(s) didn't match Pod's node affinity/selector");
  if (portTaken(view, node, pod))
    return passing("node(s) didn't have free ports for the requested pod ports");
  const lacking = lacks(
    node,
    requestsOf(pod),
    view.usedOn(node.metadata.name),
    view.countOn(node.metadata.name),
  );
  if (lacking.length > 0) return lacking.map((reason) => ({ reason, resolvable: true }));
  for (const constraint of (spec['topologySpreadConstraints'] ?? []) as SpreadConstraint[]) {
    if (constraint.whenUnsatisfiable === 'ScheduleAnyway') continue;
    const met = spreadMet(view, node, pod, constraint);
    if (met === 'missing')
      return final("node(s) didn't match pod topology spread constraints (missing required label)");
    if (met === 'skewed') return passing("node(s) didn't match pod topology spread constraints");
  }
  if (!affinityMet(view, node, pod)) return final("node(s) didn't match pod affinity rules");
  if (!antiAffinityMet(view, node, pod)) return passing("node(s) didn't match pod anti-affinity rules");
  if (!othersAntiAffinityMet(view, node, pod))
    return passing("node(s) didn't satisfy existing pods anti-affinity rules");
  return [];
}

interface HostPort {
  ip: string;
  port: number;
  protocol: string;
}

function hostPorts({ spec }: Pod): HostPort[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...(spec?.containers ?? []), ...sidecars].flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort)
      .map(({ hostPort, hostIP, protocol }) => ({
        ip: hostIP || '0.0.0.0',
        port: hostPort as number,
        protocol: protocol ?? 'TCP',
      })),
  );
}

function portTaken(view: ClusterView, node: Node, pod: Pod): boolean {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return false;
  const clash = (a: HostPort, b: HostPort) =>
    a.port === b.port &&
    a.protocol === b.protocol &&
    (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0');
  for (const other of view.podsOn(node.metadata.name))
    if (hostPorts(other).some((taken) => wanted.some((one) => clash(one, taken)))) return true;
  return false;
}

/** Resources that a node has too little of. */
function lacks({ status }: Node, wanted: Resources, used: Resources, pods: number): string[] {
  const allocatable = status?.allocatable ?? {};
  const found: string[] = [];
  if (pods + 1 > (allocatable['pods'] === undefined ? MAX_PODS : quantity(allocatable['pods'])))
    found.push('Too many pods');
  for (const [name, amount] of wanted) {
    if (amount === 0) continue;
    const basic = name === 'cpu' || name === 'memory' || name === 'ephemeral-storage';
    // A node that does not tell has as much as anybody wants, except of what only some nodes have.
    if (allocatable[name] === undefined && basic) continue;
    if (amount + (used.get(name) ?? 0) > quantity(allocatable[name]) + 1e-9)
      found.push(`Insufficient ${name}`);
  }
  return found;
}

/** A running kind cluster, as the port wants it. */
import type { Docker } from '../../docker/docker.ts';
import { CommandFailed } from '../../exec/run.ts';
import type { Capability, Cluster, NodeInfo, OnPhase } from '../port.ts';
import { NodeDoor } from './nodes.ts';
import { kindName, kubeconfigOf, type KindRecord } from './record.ts';
import { settle } from './settled.ts';

interface ApiNode {
  metadata: { name: string; labels?: Record<string, string> };
  spec: { podCIDR?: string };
  status: { addresses?: { type: string; address: string }[] };
}

/** What is known of a kind cluster by its record; asking it happens when asked. */
export function kindCluster(
  record: KindRecord,
  docker: Docker,
  remove: (onPhase?: OnPhase) => Promise<void>,
): Cluster {
  const door = new NodeDoor(docker, kindName(record.name));
  const leader = `${kindName(record.name)}-control-plane`;
  const capabilities = new Set<Capability>(['NodeCommands', 'ClusterScope']);
  if (record.cni.startsWith('calico')) capabilities.add('NetworkPolicy');
  if (record.cni === 'calico-bgp') capabilities.add('Bgp');
  const cluster: Cluster = {
    name: record.name,
    backend: 'kind',
    cni: record.cni,
    proxy: record.proxy,
    capabilities,
    kubeconfig: kubeconfigOf(record.name),
    context: undefined,
    nodes: async () => {
      const ran = await door.run(leader, ['kubectl', 'get', 'nodes', '-o', 'json', '--request-timeout=10s']);
      if (!ran.ok) throw new CommandFailed(ran);
      return (JSON.parse(ran.stdout) as { items: ApiNode[] }).items.map(info).sort(byRole);
    },
    onNode: (node, argv, options) => door.run(node, argv, options),
    settled: (signal) => settle(cluster, leader, signal),
    destroy: remove,
  };
  return cluster;
}

const info = ({ metadata, spec, status }: ApiNode): NodeInfo => ({
  name: metadata.name,
  address: status.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '',
  role:
    metadata.labels && 'node-role.kubernetes.io/control-plane' in metadata.labels
      ? 'control-plane'
      : 'worker',
  podCidr: spec.podCIDR,
});

const byRole = (a: NodeInfo, b: NodeInfo) => a.role.localeCompare(b.role) || a.name.localeCompare(b.name);

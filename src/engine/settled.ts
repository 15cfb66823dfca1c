/** Whether a cluster has taken in what its API holds. */
import { gr, type Client } from './client/types.ts';
import type { ClusterConfig } from './config.ts';
import type { Parts } from './parts.ts';

const SYSTEM = ['kube-system', 'kube-flannel'];

interface Condition {
  type: string;
  status: string;
}

const isReady = (conditions: unknown): boolean =>
  ((conditions ?? []) as Condition[]).some((one) => one.type === 'Ready' && one.status === 'True');

/** What is still missing, in a few words each; empty when nothing is. */
export async function missing(config: ClusterConfig, client: Client, parts: Parts): Promise<string[]> {
  const lacks: string[] = [];
  const nodes = await client.list(gr('nodes'));
  if (config.cni !== 'none')
    for (const { name } of config.nodes)
      if (!isReady(nodes.find((node) => node.metadata.name === name)?.status?.conditions))
        lacks.push(`node ${name} is not Ready`);
  for (const namespace of SYSTEM) {
    for (const set of await client.list(gr('daemonsets', 'apps'), { namespace })) {
      const { desiredNumberScheduled, numberReady } = set.status ?? {};
      if (desiredNumberScheduled !== config.nodes.length || numberReady !== config.nodes.length)
        lacks.push(`daemonset ${set.metadata.name}: ${numberReady ?? 0} of ${config.nodes.length} ready`);
    }
    if (config.cni === 'none') continue;
    for (const deployment of await client.list(gr('deployments', 'apps'), { namespace })) {
      const wanted = deployment.spec?.replicas ?? 1;
      const ready = deployment.status?.readyReplicas ?? 0;
      if (ready < wanted) lacks.push(`deployment ${deployment.metadata.name}: ${ready} of ${wanted} ready`);
    }
  }
  if (config.cni === 'calico-bgp') lacks.push(...(await parts.sessionsDown()));
  if (lacks.length === 0) await Promise.all(parts.proxies().map((proxy) => proxy.settled()));
  return lacks;
}

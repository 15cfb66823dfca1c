/**
 * kit-proxy: a second implementation of Services, the kit's own and tiny. It reads Services and EndpointSlices from the API
 * and writes an nftables table of its own on nodes: ClusterIP and TCP only, once, without watching. Kubernetes leaves
 * room for such a thing: label `service.kubernetes.io/service-proxy-name` (Kubernetes: Virtual IPs and Service Proxies).
 */
import { endpoints } from './endpoints.ts';
import type { Stage } from './experiment.ts';
import { tableOnNode, type Changed, type Chains } from './node-state.ts';
import type { KubeObject } from '../src/kube/kube.ts';
import { PodlabError } from '../src/model/errors.ts';

/** Services with this label are left alone by kube-proxy. */
export const PROXY_NAME = 'service.kubernetes.io/service-proxy-name';
export const KIT_PROXY = 'kit-proxy';

/** What it serves. `ip` and `port` are the Service's; `to` are addresses of ready endpoints with their port. */
export interface Served {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly to: readonly string[];
}

/** Its table: one rule for a Service, which picks a chain at random for each new connection; connection tracking does the rest. */
export function chainsFor(services: readonly Served[]): Chains {
  const chains: Record<string, readonly string[]> = {};
  const rules: string[] = [];
  services.forEach(({ name, ip, port, to }, service) => {
    to.forEach((target, one) => (chains[`ep-${service}-${one}`] = [`meta l4proto tcp dnat to ${target}`]));
    const picks = to.map((_, one) => `${one} : goto ep-${service}-${one}`).join(', ');
    const match = `ip daddr ${ip} tcp dport ${port}`;
    if (to.length > 0)
      rules.push(
        `${match} numgen random mod ${to.length} vmap { ${picks} } comment "${name} by ${KIT_PROXY}"`,
      );
  });
  return {
    ...chains,
    services: rules,
    prerouting: ['type nat hook prerouting priority -100', 'jump services'],
    output: ['type nat hook output priority -100', 'jump services'],
  };
}

/** Serves the claim's Services (those labelled for it, or all of them) on all nodes, until it is reverted. */
export async function kitProxy(stage: Stage, id: string, which: 'labelled' | 'all'): Promise<Changed> {
  const services = await stage.kube.list(
    { apiVersion: 'v1', kind: 'Service' },
    {
      namespace: stage.namespace,
      ...(which === 'labelled' ? { labelSelector: `${PROXY_NAME}=${KIT_PROXY}` } : {}),
    },
  );
  const served = await Promise.all(services.map((service) => served1(stage, service)));
  const chains = chainsFor(served);
  const changes = await Promise.all(
    stage.nodes.map((node) => tableOnNode(stage, node.name, `${KIT_PROXY}-${id}`, 'ip', chains)),
  );
  return {
    revert: async () => {
      await Promise.all(changes.map((one) => one.revert()));
    },
  };
}

async function served1(stage: Stage, service: KubeObject): Promise<Served> {
  const { name } = service.metadata;
  const seen = await endpoints(stage, { name, namespace: stage.namespace });
  if (!seen.asked) throw new PodlabError({ code: 'not-asked', fault: 'machine', message: seen.reason });
  const { port, targetPort } = service['spec'].ports[0];
  return {
    name: `${stage.namespace}/${name}`,
    ip: service['spec'].clusterIP,
    port,
    to: seen.value.filter((one) => one.ready).map((one) => `${one.address}:${targetPort}`),
  };
}

/** When is a kind cluster ready? Asked on its nodes, of the parts themselves, until nothing is missing. */
import { setTimeout as delay } from 'node:timers/promises';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { Cluster } from '../port.ts';

/** How long a cluster may take; a cold 2-core machine needs a minute, a busy one several. Milliseconds. */
const BOUND_MS = 300_000;
const LOOK_EVERY_MS = 250;
const SYSTEM = ['kube-system', 'kube-flannel'];

interface Item {
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    generation?: number;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
  };
  spec: Record<string, unknown> & { replicas?: number; nodeName?: string };
  status?: Record<string, unknown> & {
    conditions?: { type: string; status: string }[];
    observedGeneration?: number;
    desiredNumberScheduled?: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
  };
}

/**
 * Waits until nodes are Ready, the pod network and CoreDNS are rolled out, every kube-proxy has written what it knows,
 * CoreDNS answers through its Service on every node and, with BGP, every session is Established.
 * @returns milliseconds that it took
 */
export async function settle(cluster: Cluster, leader: string, signal?: AbortSignal): Promise<number> {
  const began = Date.now();
  for (;;) {
    signal?.throwIfAborted();
    const missing = await missingNow(cluster, leader, signal);
    if (missing === undefined) return Date.now() - began;
    if (Date.now() - began > BOUND_MS)
      throw new PodlabError({
        code: 'not-settled',
        fault: 'machine',
        message: text(
          `Cluster ${cluster.name} did not settle within ${BOUND_MS / 1000} s.`,
          `集群 ${cluster.name} 在 ${BOUND_MS / 1000} 秒内未能收敛。`,
        ),
        hint: text(
          `Look at it: kubectl --kubeconfig ${cluster.kubeconfig} get pods -A -o wide`,
          `查看：kubectl --kubeconfig ${cluster.kubeconfig} get pods -A -o wide`,
        ),
        evidence: missing,
      });
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** One thing that is missing, or undefined. The cheap questions come first. */
async function missingNow(
  cluster: Cluster,
  leader: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const get = await cluster.onNode(
    leader,
    ['kubectl', 'get', 'nodes,daemonsets,deployments,pods', '-A', '-o', 'json', '--request-timeout=10s'],
    { signal },
  );
  if (!get.ok) return `kubectl get: ${get.broken ?? get.stderr.trim()}`;
  const items = (JSON.parse(get.stdout) as { items: Item[] }).items;
  const unready = items.map(unreadiness).find((why) => why !== undefined);
  if (unready !== undefined) return unready;
  const nodes = items.filter((item) => item.kind === 'Node').map((item) => item.metadata.name);
  const lacks = await Promise.all(
    nodes.flatMap((node) => [
      proxyLag(cluster, node, signal),
      dnsSilence(cluster, node, signal),
      ...(cluster.cni === 'calico-bgp'
        ? [sessionsDown(cluster, leader, node, items, nodes.length - 1, signal)]
        : []),
    ]),
  );
  return lacks.find((why) => why !== undefined);
}

function unreadiness({ kind, metadata, spec, status = {} }: Item): string | undefined {
  if (kind === 'Node') {
    const ready = status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
    return ready ? undefined : `node ${metadata.name} is not Ready`;
  }
  if (!SYSTEM.includes(metadata.namespace ?? '')) return undefined;
  const name = `${kind} ${metadata.namespace}/${metadata.name}`;
  if (kind === 'Pod') return metadata.deletionTimestamp ? `${name} is ending` : undefined;
  if (status.observedGeneration !== metadata.generation) return `${name}: not yet observed`;
  const [wanted = 1, updated = 0, available = 0] =
    kind === 'DaemonSet'
      ? [status.desiredNumberScheduled ?? 1, status.updatedNumberScheduled, status.numberAvailable]
      : [spec.replicas, status.updatedReplicas, status.availableReplicas];
  return updated >= wanted && available >= wanted
    ? undefined
    : `${name}: ${available} of ${wanted} available`;
}

/**
 * kube-proxy tells when a change last reached it and when it last wrote rules (its metrics page, 127.0.0.1:10249).
 * Written after the last change means: nothing is waiting.
 */
async function proxyLag(cluster: Cluster, node: string, signal?: AbortSignal): Promise<string | undefined> {
  const page = await cluster.onNode(node, ['curl', '-s', '-m', '5', 'http://127.0.0.1:10249/metrics'], {
    signal,
  });
  // One line for each address family that it serves: `kubeproxy_NAME{ip_family="IPv4"} 1.7e+09`.
  const lines = (name: string) =>
    [...page.stdout.matchAll(new RegExp(`^kubeproxy_${name}(\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(
      ([, family, value]) => [family, Number(value)] as const,
    );
  const written = new Map(lines('sync_proxy_rules_last_timestamp_seconds'));
  if (![...written.values()].some((at) => at > 0)) return `kube-proxy on ${node} has written no rules yet`;
  const waits = lines('sync_proxy_rules_last_queued_timestamp_seconds').some(
    ([family, queued]) => queued > (written.get(family) ?? 0),
  );
  return waits ? `kube-proxy on ${node} has changes to write` : undefined;
}

/** A DNS query over TCP (RFC 1035, 4.2.2: two bytes of length first) for kubernetes.default.svc.cluster.local, type A. */
const QUERY = [
  '\\x00\\x36\\x70\\x6c\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00',
  '\\x0akubernetes\\x07default\\x03svc\\x07cluster\\x05local\\x00\\x00\\x01\\x00\\x01',
].join('');
const ASK = `exec 3<>/dev/tcp/$1/53 && printf '${QUERY}' >&3 && head -c 10 <&3 | od -An -v -tu1`;

async function dnsSilence(cluster: Cluster, node: string, signal?: AbortSignal): Promise<string | undefined> {
  const address = await dnsAddress(cluster, node, signal);
  if (address === undefined) return `${node} was not told the address of DNS`;
  const ran = await cluster.onNode(node, ['timeout', '3', 'bash', '-c', ASK, 'ask', address], { signal });
  const bytes = ran.stdout.trim().split(/\s+/).map(Number);
  // Two bytes of length, then the header: ID, flags (RCODE in the low half of its second byte), counts.
  const [code, answers] = [(bytes[5] ?? 15) & 15, (bytes[8] ?? 0) * 256 + (bytes[9] ?? 0)];
  return code === 0 && answers > 0 ? undefined : `CoreDNS does not answer on ${node}`;
}

/** The kubelet gives every pod the cluster's DNS address; it stands in its configuration. */
async function dnsAddress(cluster: Cluster, node: string, signal?: AbortSignal): Promise<string | undefined> {
  const ran = await cluster.onNode(node, ['cat', '/var/lib/kubelet/config.yaml'], { signal });
  return /^clusterDNS:\s*\n\s*- (\S+)/m.exec(ran.stdout)?.[1];
}

async function sessionsDown(
  cluster: Cluster,
  leader: string,
  node: string,
  items: readonly Item[],
  peers: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const pod = items.find(
    ({ kind, metadata, spec }) =>
      kind === 'Pod' && metadata.labels?.['k8s-app'] === 'calico-node' && spec.nodeName === node,
  )?.metadata.name;
  if (pod === undefined) return `no calico-node pod on ${node}`;
  const ask = ['birdcl', '-s', '/var/run/calico/bird.ctl', 'show', 'protocols'];
  const argv = ['kubectl', 'exec', '-n', 'kube-system', pod, '-c', 'calico-node', '--', ...ask];
  const ran = await cluster.onNode(leader, argv, { signal });
  const up = ran.stdout
    .split('\n')
    .filter((line) => /^(Mesh|Node|Global)_\S+\s+BGP\s.*Established/.test(line)).length;
  return up >= peers ? undefined : `BGP on ${node}: ${up} of ${peers} sessions Established`;
}

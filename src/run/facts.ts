/** What a cluster is made of, as it tells itself: versions for the evidence. */
import type { Cluster } from '../cluster/port.ts';
import type { Kube } from '../kube/kube.ts';
import type { ClusterFacts } from '../model/result.ts';

/** `registry/path/name:tag@digest` as name and tag. */
export function imageVersion(image: string): [string, string] {
  const [path, digest] = image.split('@');
  const last = path!.split('/').at(-1)!;
  const colon = last.indexOf(':');
  return colon < 0 ? [last, digest ?? 'latest'] : [last.slice(0, colon), last.slice(colon + 1)];
}

/** Asks the API for its version, the first node for the system's, and the images of kube-system and the pod network. */
export async function factsOf(cluster: Cluster, kube: Kube): Promise<ClusterFacts> {
  const [version, nodes, pods] = await Promise.all([
    kube.request('GET', '/version'),
    kube.list({ apiVersion: 'v1', kind: 'Node' }).catch(() => []),
    kube.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace: 'kube-system' }).catch(() => []),
  ]);
  const info = nodes[0]?.status?.nodeInfo ?? {};
  const versions: Record<string, string> = {};
  const put = (name: string, value: unknown) => {
    if (typeof value === 'string' && value !== '') versions[name] = value;
  };
  put('kubernetes', version.json?.gitVersion);
  put('kubelet', info.kubeletVersion);
  put('runtime', info.containerRuntimeVersion);
  put('kernel', info.kernelVersion);
  put('os', info.osImage);
  for (const pod of pods)
    for (const container of pod['spec']?.containers ?? []) put(...imageVersion(String(container.image)));
  const { name, backend, cni, proxy } = cluster;
  return { name, backend, cni, proxy, nodes: (await cluster.nodes()).length, versions };
}

/** What the containers of a pod share: its network namespace, attached by CNI, and the files that name its network. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mountVirtual, unmount } from '../linux/mounts.ts';
import { NetNamespace } from '../linux/netns.ts';
import { type Attachment, type Cni, type CniResult, type NetworkConf, readNetwork } from './cni.ts';
import type { Machine } from './machine.ts';
import { hostnameOf, type Pod } from './pod-types.ts';

/** The node has no network configuration yet (NetworkPluginNotReady). */
export class NetworkNotReady extends Error {
  constructor() {
    super(
      'network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
    );
  }
}

export interface PodSandbox {
  readonly id: string;
  readonly net: NetNamespace;
  readonly ip: string;
  /** A sysfs that shows the pod's interfaces. */
  readonly sysfs: string;
  /** Detaches from the network and gives the namespace back. */
  remove(): Promise<void>;
}

const newId = (): string => randomBytes(32).toString('hex');

/** @param folder the pod's folder in the sandbox */
export async function createSandbox(
  pod: Pod,
  machine: Machine,
  cni: Cni,
  folder: string,
): Promise<PodSandbox> {
  const id = newId();
  mkdirSync(folder, { recursive: true });
  if (pod.spec?.hostNetwork) {
    return {
      id,
      net: machine.net,
      ip: machine.address,
      sysfs: machine.path('/sys'),
      remove: async () => rmSync(folder, { recursive: true, force: true }),
    };
  }
  const network = readNetwork(machine);
  if (network === undefined) throw new NetworkNotReady();
  const name = `cni-${randomBytes(4).toString('hex')}-${randomBytes(2).toString('hex')}`;
  const net = NetNamespace.create(machine.path(`/run/netns/${name}`));
  const attachment: Attachment = {
    containerId: id,
    netns: `/run/netns/${name}`,
    net,
    pod: {
      namespace: pod.metadata.namespace ?? 'default',
      name: pod.metadata.name,
      uid: pod.metadata.uid ?? '',
    },
    portMappings: portMappings(pod),
  };
  let result: CniResult;
  try {
    result = await cni.add(network, attachment);
  } catch (error) {
    // What a chain did before it failed is undone; its complaint about that adds nothing.
    await cni.del(network, attachment, undefined).catch(() => undefined);
    net.close();
    throw error;
  }
  const address = result.ips?.[0]?.address.split('/')[0];
  if (address === undefined) {
    await cni.del(network, attachment, result).catch(() => undefined);
    net.close();
    throw new Error(`network ${network.name}: the result has no address`);
  }
  net.sysctl('net.ipv4.ip_unprivileged_port_start', 0);
  for (const { name: key, value } of pod.spec?.securityContext?.sysctls ?? []) net.sysctl(key, value);
  const sysfs = join(folder, 'sys');
  mkdirSync(sysfs);
  net.in(() => mountVirtual('sysfs', sysfs));
  return {
    id,
    net,
    ip: address,
    sysfs,
    remove: async () => {
      await detach(cni, network, attachment, result);
      unmount(sysfs);
      net.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** DEL; the namespace goes in any case, and with it the pod's links. */
async function detach(
  cni: Cni,
  network: NetworkConf,
  attachment: Attachment,
  result: CniResult,
): Promise<void> {
  await cni.del(network, attachment, result).catch(() => undefined);
}

function portMappings(pod: Pod): Attachment['portMappings'] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => port.hostPort)
      .map((port) => ({
        hostPort: port.hostPort!,
        containerPort: port.containerPort,
        protocol: (port.protocol ?? 'TCP').toLowerCase() as 'tcp' | 'udp' | 'sctp',
        hostIP: port.hostIP ?? '',
      })),
  );
}

/** /etc/hosts of a pod, as the kubelet writes it. */
export function hostsFile(pod: Pod, ip: string, machine: Machine, clusterDomain: string): string {
  if (pod.spec?.hostNetwork)
    return `# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${machine.address}\t${machine.name}\n`;
  const host = hostnameOf(pod);
  const { subdomain } = pod.spec ?? {};
  const names = subdomain
    ? `${host}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}\t${host}`
    : host;
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    `${ip}\t${names}`,
  ];
  const aliases = pod.spec?.hostAliases ?? [];
  if (aliases.length > 0) {
    lines.push('', '# Entries added by HostAliases.');
    for (const alias of aliases) lines.push(`${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`);
  }
  return `${lines.join('\n')}\n`;
}

/** /etc/resolv.conf of a pod (Kubernetes: DNS for Services and Pods). */
export function resolvConf(pod: Pod, clusterDns: string, clusterDomain: string): string {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  const cluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec?.hostNetwork);
  const servers = cluster ? [clusterDns] : [];
  const searches = cluster
    ? [`${pod.metadata.namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
    : [];
  const options = new Map<string, string | undefined>(cluster ? [['ndots', '5']] : []);
  const config = pod.spec?.dnsConfig;
  servers.push(...(config?.nameservers ?? []));
  searches.push(...(config?.searches ?? []));
  for (const { name, value } of config?.options ?? []) options.set(name, value);
  const lines: string[] = [];
  if (searches.length > 0) lines.push(`search ${[...new Set(searches)].join(' ')}`);
  for (const server of new Set(servers)) lines.push(`nameserver ${server}`);
  if (options.size > 0)
    lines.push(
      `options ${[...options].map(([name, value]) => (value === undefined ? name : `${name}:${value}`)).join(' ')}`,
    );
  return `${lines.join('\n')}\n`;
}

export { newId };

/** Blocks of pod addresses: calico gives a node /26 blocks and routes whole blocks (calico: IPAM, blockSize 26). */
import type { KubeObject } from '../client/types.ts';

const BLOCK = 26;

export const toNumber = (ip: string): number =>
  ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
export const toAddress = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

/** The block that an address is in, `10.244.1.64/26`. */
export const blockOf = (ip: string): string => {
  const size = 2 ** (32 - BLOCK);
  return `${toAddress(Math.floor(toNumber(ip) / size) * size)}/${BLOCK}`;
};

/** The blocks of each node: the first of its podCIDR, and those of its pods. */
export function blocksOf(nodes: readonly KubeObject[], pods: readonly KubeObject[]): Map<string, string[]> {
  const blocks = new Map<string, Set<string>>();
  for (const node of nodes) {
    const cidr: string | undefined = node.spec?.podCIDR;
    blocks.set(node.metadata.name, new Set(cidr ? [blockOf(cidr.split('/')[0]!)] : []));
  }
  for (const pod of pods) {
    const ip: string | undefined = pod.status?.podIP;
    if (ip && !pod.spec?.hostNetwork) blocks.get(pod.spec?.nodeName)?.add(blockOf(ip));
  }
  return new Map(
    [...blocks].map(([node, own]) => [
      node,
      [...own].sort((a, b) => toNumber(a.split('/')[0]!) - toNumber(b.split('/')[0]!)),
    ]),
  );
}

/** A node's InternalIP. */
export const addressOf = (node: KubeObject): string | undefined =>
  node.status?.addresses?.find((one: { type: string }) => one.type === 'InternalIP')?.address;

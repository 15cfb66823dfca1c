/**
 * Addresses outside the pod network: a process on a node's own network, at the node's own address. No pod network gave
 * that address out and no policy selects it, so to a policy it is an external one (`ipBlock` is all that can name it).
 */
import type { PodHandle, PodWish } from './experiment.ts';
import { probeContainer } from './workloads.ts';

/** A port between the well-known ones and the NodePorts, the claim's own, because nodes are shared. */
export const outsidePort = (namespace: string): number =>
  20_000 + ([...namespace].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 5_000, 7) % 5_000);

/** A server and client on a node's own network. */
export const outside = (node: string, port: number): PodWish => ({
  node,
  containers: [probeContainer(port)],
  spec: { hostNetwork: true, tolerations: [{ operator: 'Exists' }] },
});

const bits = (address: string): number =>
  address.split('.').reduce((value, part) => value * 256 + Number(part), 0);

/** The smallest IPv4 block that holds all the addresses, e.g. `172.18.0.0/29`. */
export function blockOf(addresses: readonly string[]): string {
  const numbers = addresses.map(bits);
  let length = 32;
  const prefix = (value: number) => Math.floor(value / 2 ** (32 - length));
  while (numbers.some((one) => prefix(one) !== prefix(numbers[0]!))) length--;
  const base = prefix(numbers[0]!) * 2 ** (32 - length);
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256);
  return `${parts.join('.')}/${length}`;
}

/** The same pod, asked in another of its containers. */
export const inContainer = (pod: PodHandle, container: string): PodHandle => ({ ...pod, container });

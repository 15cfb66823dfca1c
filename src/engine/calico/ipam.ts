/**
 * Addresses of a node's pods in calico mode: from the node's share of the pod network, block after block of 64
 * (docs.tigera.io, "Get started with IP address management"), so that one route leads to many pods.
 */
import { toAddress, toNumber } from './blocks.ts';

export class AddressBook {
  readonly #first: number;
  readonly #size: number;
  /** Handle of the owner by offset. */
  readonly #used = new Map<number, string>();
  /** The first address of the first block is the node's own: in VXLAN mode its tunnel has it. */
  #next = 1;

  /** @param podCidr e.g. 10.244.1.0/24 */
  constructor(podCidr: string) {
    const [address = '', bits = '24'] = podCidr.split('/');
    this.#first = toNumber(address);
    this.#size = 2 ** (32 - Number(bits));
  }

  /** An address for a handle; given out in turn, so that one that was just given back rests. */
  assign(handle: string): string {
    for (let step = 0; step < this.#size; step += 1) {
      const offset = (this.#next + step) % this.#size;
      if (offset === 0 || this.#used.has(offset)) continue;
      this.#used.set(offset, handle);
      this.#next = offset + 1;
      return toAddress(this.#first + offset);
    }
    throw new Error('no free address in the block of this node');
  }

  /** Gives back all addresses of a handle. */
  release(handle: string): void {
    for (const [offset, owner] of this.#used) if (owner === handle) this.#used.delete(offset);
  }
}

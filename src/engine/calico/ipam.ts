/**
 * Calico's address management: the pool is cut into blocks of 64 addresses (/26) and a node claims blocks,
 * so that one route leads to all its pods (docs.tigera.io, "Get started with IP address management").
 * One book for the cluster; the agents listen to it for the blocks to announce.
 */
import { createHash } from 'node:crypto';

const BLOCK_BITS = 26;
const BLOCK_SIZE = 2 ** (32 - BLOCK_BITS);

export const toNumber = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
export const toAddress = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

interface Block {
  readonly cidr: string;
  readonly first: number;
  readonly node: string;
  /** Handle of the owner by ordinal. */
  readonly used: Map<number, string>;
  /** Where to look next: addresses are handed out in turn, so that one just given back rests. */
  next: number;
}

export class BlockBook {
  readonly #base: number;
  readonly #blocks = new Map<number, Block>();
  readonly #count: number;
  readonly #listeners = new Set<() => void>();

  /** @param pool e.g. 10.244.0.0/16 */
  constructor(pool: string) {
    const [address = '', bits = '16'] = pool.split('/');
    this.#base = toNumber(address);
    this.#count = 2 ** (BLOCK_BITS - Number(bits));
  }

  /** The blocks of a node, as CIDRs. */
  blocksOf(node: string): string[] {
    return [...this.#blocks.values()].filter((block) => block.node === node).map((block) => block.cidr);
  }

  /** Told after a node has claimed a block. Returns how to stop listening. */
  onClaim(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes sure that a node has a block. */
  ensureBlock(node: string): void {
    if (this.blocksOf(node).length === 0) this.#claim(node);
  }

  /** An address for a handle on a node. @throws when the pool is used up */
  assign(node: string, handle: string): string {
    const own = [...this.#blocks.values()].filter((block) => block.node === node);
    const block = own.find((candidate) => candidate.used.size < BLOCK_SIZE) ?? this.#claim(node);
    let ordinal = block.next;
    while (block.used.has(ordinal)) ordinal = (ordinal + 1) % BLOCK_SIZE;
    block.used.set(ordinal, handle);
    block.next = (ordinal + 1) % BLOCK_SIZE;
    return toAddress(block.first + ordinal);
  }

  /** Gives back all addresses of a handle. */
  release(handle: string): void {
    for (const block of this.#blocks.values())
      for (const [ordinal, owner] of block.used) if (owner === handle) block.used.delete(ordinal);
  }

  /** The search for a node's block starts at a place given by its name's hash, as in calico. */
  #claim(node: string): Block {
    const start = createHash('sha256').update(node).digest().readUInt32BE(0) % this.#count;
    for (let step = 0; step < this.#count; step += 1) {
      const index = (start + step) % this.#count;
      if (this.#blocks.has(index)) continue;
      const first = this.#base + index * BLOCK_SIZE;
      const block: Block = { cidr: `${toAddress(first)}/${BLOCK_BITS}`, first, node, used: new Map(), next: 0 };
      this.#blocks.set(index, block);
      for (const listener of this.#listeners) listener();
      return block;
    }
    throw new Error('no free block in the address pool');
  }
}

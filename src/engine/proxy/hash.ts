/** Names of chains: base32 (RFC 4648, no padding) of a SHA-256, cut short because a chain name has at most 28 characters. */
import { createHash } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The first `length` characters of the base32 of the SHA-256 of `text`; `length` is at most 48. */
export function shortHash(text: string, length: number): string {
  const digest = createHash('sha256').update(text).digest();
  let out = '';
  let bits = 0;
  let held = 0;
  for (const byte of digest) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += ALPHABET[(held >> bits) & 31];
      if (out.length === length) return out;
    }
  }
  return out;
}

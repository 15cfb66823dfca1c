/** DNS messages on the wire (RFC 1035, EDNS0 RFC 6891, SRV RFC 2782): the part that a cluster's name server needs. */

export const TYPES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
export type Rcode = keyof typeof RCODES;

export interface Query {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** As written by the asker, without the last dot; '' for the root. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** What the asker takes by UDP, in bytes; undefined without EDNS. */
  readonly udpSize: number | undefined;
}

/** A record; names are without the last dot. */
export type Answer = { readonly name: string; readonly ttl: number } & (
  | { readonly type: 'A'; readonly address: string }
  | { readonly type: 'CNAME' | 'NS' | 'PTR'; readonly target: string }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: 'TXT'; readonly text: string }
  | {
      readonly type: 'SOA';
      readonly mname: string;
      readonly rname: string;
      readonly serial: number;
      readonly refresh: number;
      readonly retry: number;
      readonly expire: number;
      readonly minimum: number;
    }
);

export interface Reply {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly recursionAvailable: boolean;
  readonly answers: readonly Answer[];
  readonly authority: readonly Answer[];
  readonly additional: readonly Answer[];
}

/** Reads a query. Undefined for what is no query at all; a query that cannot be read throws. */
export function readQuery(message: Buffer): Query | undefined {
  if (message.length < 12 || message.readUInt8(2) & 0x80) return undefined;
  const flags = message.readUInt16BE(2);
  if (message.readUInt16BE(4) !== 1) throw new RangeError('one question was expected');
  let at = 12;
  const labels: string[] = [];
  for (;;) {
    const length = message.readUInt8(at++);
    if (length === 0) break;
    if (length > 63) throw new RangeError('a question with a compressed name');
    labels.push(message.toString('latin1', at, at + length));
    at += length;
  }
  const type = message.readUInt16BE(at);
  const klass = message.readUInt16BE(at + 2);
  at += 4;
  let udpSize: number | undefined;
  // Of the rest only OPT counts, which askers put first; its owner is the root.
  if (message.readUInt16BE(10) > 0 && message.readUInt16BE(6) + message.readUInt16BE(8) === 0)
    if (at + 11 <= message.length && message[at] === 0 && message.readUInt16BE(at + 1) === TYPES.OPT)
      udpSize = Math.max(512, message.readUInt16BE(at + 3));
  return {
    id: message.readUInt16BE(0),
    opcode: (flags >> 11) & 15,
    recursionDesired: (flags & 0x100) !== 0,
    name: labels.join('.'),
    type,
    class: klass,
    udpSize,
  };
}

/** Writes a reply; answers that do not fit into `limit` bytes are left out and the reply is marked as truncated. */
export function writeReply(query: Query, reply: Reply, limit: number): Buffer {
  for (let keep = reply.answers.length; ; keep = Math.floor(keep / 2)) {
    const whole = keep === reply.answers.length;
    const cut = whole ? reply : { ...reply, answers: reply.answers.slice(0, keep), additional: [] };
    const message = write(query, cut, !whole);
    if (message.length <= limit || keep === 0) return message;
    // Additional records are a courtesy: the reply is complete without them.
    if (whole && reply.additional.length > 0) {
      const bare = write(query, { ...reply, additional: [] }, false);
      if (bare.length <= limit) return bare;
    }
  }
}

/** The reply to what could not be read. */
export function formatError(message: Buffer): Buffer {
  const reply = Buffer.alloc(12);
  message.copy(reply, 0, 0, 2);
  reply.writeUInt16BE(0x8000 | (message.readUInt16BE(2) & 0x7900) | RCODES.FORMERR, 2);
  return reply;
}

function write(query: Query, reply: Reply, truncated: boolean): Buffer {
  const out = new Writer();
  const flags =
    0x8000 |
    (query.opcode << 11) |
    (reply.authoritative ? 0x400 : 0) |
    (truncated ? 0x200 : 0) |
    (query.recursionDesired ? 0x100 : 0) |
    (reply.recursionAvailable ? 0x80 : 0) |
    RCODES[reply.rcode];
  out.u16(query.id, flags, 1, reply.answers.length, reply.authority.length);
  out.u16(reply.additional.length + (query.udpSize === undefined ? 0 : 1));
  out.name(query.name);
  out.u16(query.type, query.class);
  for (const record of [...reply.answers, ...reply.authority, ...reply.additional]) out.record(record);
  if (query.udpSize !== undefined) {
    out.u8(0);
    out.u16(TYPES.OPT, query.udpSize, 0, 0, 0);
  }
  return out.bytes();
}

class Writer {
  private readonly parts: number[] = [];
  private readonly known = new Map<string, number>();

  u8(...values: number[]): void {
    this.parts.push(...values);
  }

  u16(...values: number[]): void {
    for (const value of values) this.parts.push((value >> 8) & 255, value & 255);
  }

  u32(...values: number[]): void {
    for (const value of values) this.u16((value >>> 16) & 0xffff, value & 0xffff);
  }

  /** A name, its end replaced by a pointer where it was written before. Case is kept, so only equal case is shared. */
  name(name: string): void {
    let rest = name;
    while (rest !== '') {
      const at = this.known.get(rest);
      if (at !== undefined) return this.u16(0xc000 | at);
      if (this.parts.length < 0x4000) this.known.set(rest, this.parts.length);
      const [label = ''] = rest.split('.', 1);
      const bytes = Buffer.from(label, 'latin1').subarray(0, 63);
      this.u8(bytes.length, ...bytes);
      rest = rest.slice(label.length + 1);
    }
    this.u8(0);
  }

  record(record: Answer): void {
    this.name(record.name);
    this.u16(TYPES[record.type], 1);
    this.u32(record.ttl);
    const at = this.parts.length;
    this.u16(0);
    switch (record.type) {
      case 'A':
        this.u8(...record.address.split('.').map(Number));
        break;
      case 'CNAME':
      case 'NS':
      case 'PTR':
        this.name(record.target);
        break;
      case 'SRV':
        this.u16(record.priority, record.weight, record.port);
        this.name(record.target);
        break;
      case 'TXT':
        this.u8(record.text.length, ...Buffer.from(record.text, 'latin1'));
        break;
      case 'SOA':
        this.name(record.mname);
        this.name(record.rname);
        this.u32(record.serial, record.refresh, record.retry, record.expire, record.minimum);
        break;
    }
    const length = this.parts.length - at - 2;
    this.parts[at] = length >> 8;
    this.parts[at + 1] = length & 255;
  }

  bytes(): Buffer {
    return Buffer.from(this.parts);
  }
}

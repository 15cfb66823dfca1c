/**
 * SPDY/3.1 as Kubernetes uses it (moby/spdystream): streams over one connection, without flow control.
 * Frames: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
 */
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { DICTIONARY } from './spdy-dictionary.ts';

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FIN = 0x01;
const VERSION = 0x8003;
/** A frame's length has 24 bits; we cut data well below that, so that streams take turns. */
const MOST_DATA = 32 * 1024;
/** No header block of kubectl comes near this, in bytes. */
const MOST_HEADERS = 64 * 1024;
/** How much of a stream may wait for its reader before the connection is no longer read, in bytes. */
const MOST_WAITING = 1024 * 1024;

export type Headers = Readonly<Record<string, string>>;

/** One stream of a connection: bytes both ways, each way ended by itself. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #connection: SpdyConnection;
  /** Whether the client has ended its side. */
  #ended = false;

  constructor(connection: SpdyConnection, id: number, headers: Headers) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.id = id;
    this.headers = headers;
    // A client that goes away is told by 'close'.
    this.on('error', () => undefined);
  }

  /** Data from the client. */
  receive(data: Buffer, fin: boolean): void {
    if (this.#ended || this.destroyed) return;
    if (data.length > 0 && !this.push(data) && this.readableLength > MOST_WAITING)
      this.#connection.hold(this);
    if (fin) {
      this.#ended = true;
      this.push(null);
    }
  }

  override _read(): void {
    this.#connection.release(this);
  }

  override _write(data: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#connection.data(this.id, data, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.data(this.id, Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.forget(this, !this.writableFinished || !this.#ended);
    done(error);
  }
}

interface Events {
  stream: [SpdyStream];
  close: [];
}

/** The server's end of a connection. */
export class SpdyConnection extends EventEmitter<Events> {
  readonly #wire: Duplex;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #held = new Set<SpdyStream>();
  readonly #inflate: Inflate = createInflate({ dictionary: DICTIONARY });
  readonly #deflate: Deflate = createDeflate({ dictionary: DICTIONARY });
  #buffer: Buffer = Buffer.alloc(0);
  /** Frames are handled one after another: headers are inflated asynchronously and in order. */
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(wire: Duplex, head: Buffer) {
    super();
    this.#wire = wire;
    this.#inflate.on('error', () => wire.destroy());
    this.#deflate.on('error', () => wire.destroy());
    wire.on('error', () => undefined);
    wire.on('close', () => this.#close());
    wire.on('end', () => wire.end());
    if (head.length > 0) this.#take(head);
    wire.on('data', (data: Buffer) => this.#take(data));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of [...this.#streams.values()]) {
      stream.receive(Buffer.alloc(0), true);
      stream.destroy();
    }
    this.#inflate.close();
    this.#deflate.close();
    this.emit('close');
  }

  end(): void {
    if (!this.#closed) this.#wire.end();
  }

  #take(data: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? data : Buffer.concat([this.#buffer, data]);
    while (this.#buffer.length >= 8) {
      const length = this.#buffer.readUIntBE(5, 3);
      if (this.#buffer.length < 8 + length) return;
      const head = this.#buffer.subarray(0, 8);
      const body = this.#buffer.subarray(8, 8 + length);
      this.#buffer = this.#buffer.subarray(8 + length);
      this.#work = this.#work.then(() => this.#frame(head, body)).catch(() => void this.#wire.destroy());
    }
  }

  async #frame(head: Buffer, body: Buffer): Promise<void> {
    if (this.#closed) return;
    const flags = head[4] as number;
    if ((head[0] as number) < 0x80) {
      this.#streams.get(head.readUInt32BE(0))?.receive(body, (flags & FIN) !== 0);
      return;
    }
    if (head.readUInt16BE(0) !== VERSION) throw new Error('not SPDY/3');
    switch (head.readUInt16BE(2)) {
      case SYN_STREAM: {
        const id = body.readUInt32BE(0) & 0x7fffffff;
        const headers = await this.#headers(body.subarray(10));
        // A client's streams have odd numbers, each higher than the one before.
        if (id % 2 === 0 || this.#streams.has(id)) throw new Error('bad stream id');
        const stream = new SpdyStream(this, id, headers);
        this.#streams.set(id, stream);
        await this.#reply(id);
        this.emit('stream', stream);
        if (flags & FIN) stream.receive(Buffer.alloc(0), true);
        return;
      }
      case RST_STREAM:
        this.#streams.get(body.readUInt32BE(0) & 0x7fffffff)?.destroy();
        return;
      case PING:
        // The client's pings have odd numbers and are sent back as they are.
        if (body.readUInt32BE(0) % 2 === 1) this.#wire.write(Buffer.concat([head, body]));
        return;
      case GOAWAY:
        return;
    }
  }

  /** Inflates a header block; all blocks of a connection are one zlib stream. */
  #headers(block: Buffer): Promise<Headers> {
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      let size = 0;
      const keep = (piece: Buffer) => {
        size += piece.length;
        if (size > MOST_HEADERS) reject(new Error('headers too large'));
        else pieces.push(piece);
      };
      this.#inflate.on('data', keep);
      this.#inflate.write(block);
      this.#inflate.flush(constants.Z_SYNC_FLUSH, () => {
        this.#inflate.off('data', keep);
        try {
          resolve(readHeaders(Buffer.concat(pieces)));
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  #reply(id: number): Promise<void> {
    return new Promise((resolve) => {
      const pieces: Buffer[] = [];
      const keep = (piece: Buffer) => pieces.push(piece);
      this.#deflate.on('data', keep);
      this.#deflate.write(Buffer.alloc(4)); // No headers.
      this.#deflate.flush(constants.Z_SYNC_FLUSH, () => {
        this.#deflate.off('data', keep);
        const number = Buffer.alloc(4);
        number.writeUInt32BE(id);
        this.#control(SYN_REPLY, 0, Buffer.concat([number, ...pieces]));
        resolve();
      });
    });
  }

  #control(type: number, flags: number, body: Buffer): void {
    if (this.#closed || this.#wire.destroyed) return;
    const head = Buffer.alloc(8);
    head.writeUInt16BE(VERSION, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt32BE(body.length, 4);
    head[4] = flags;
    this.#wire.write(Buffer.concat([head, body]));
  }

  /** Sends data of a stream; `done` when the wire can take more. */
  data(id: number, data: Buffer, fin: boolean, done: (error?: Error | null) => void): void {
    if (this.#closed || this.#wire.destroyed) return done();
    let at = 0;
    let more: boolean;
    do {
      const piece = data.subarray(at, at + MOST_DATA);
      at += piece.length;
      const head = Buffer.alloc(8);
      head.writeUInt32BE(id, 0);
      head.writeUInt32BE(piece.length, 4);
      head[4] = fin && at >= data.length ? FIN : 0;
      more = this.#wire.write(Buffer.concat([head, piece]));
    } while (at < data.length);
    if (more) return done();
    const next = () => {
      this.#wire.off('drain', next);
      this.#wire.off('close', next);
      done();
    };
    this.#wire.on('drain', next);
    this.#wire.on('close', next);
  }

  /** Stops reading from the wire until a stream's reader has caught up. */
  hold(stream: SpdyStream): void {
    this.#held.add(stream);
    this.#wire.pause();
  }

  release(stream: SpdyStream): void {
    if (this.#held.delete(stream) && this.#held.size === 0) this.#wire.resume();
  }

  forget(stream: SpdyStream, reset: boolean): void {
    this.#streams.delete(stream.id);
    this.release(stream);
    if (!reset) return;
    const body = Buffer.alloc(8);
    body.writeUInt32BE(stream.id, 0);
    body.writeUInt32BE(5, 4); // CANCEL
    this.#control(RST_STREAM, 0, body);
  }
}

function readHeaders(block: Buffer): Headers {
  const headers = Object.create(null) as Record<string, string>;
  let at = 0;
  const number = (): number => {
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const word = (): string => {
    const length = number();
    if (at + length > block.length) throw new Error('header block cut off');
    at += length;
    return block.toString('utf8', at - length, at);
  };
  for (let left = number(); left > 0; left--) {
    const name = word().toLowerCase();
    headers[name] = word().split('\0')[0] ?? '';
  }
  return headers;
}

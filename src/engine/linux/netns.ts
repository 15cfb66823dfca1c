/**
 * A network namespace: made, entered and used from the main thread (network_namespaces(7), setns(2)).
 *
 * It lives as long as its descriptor or its bind mount does, so it needs no process inside.
 */
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { bindFile, unmount } from './mounts.ts';
import { call, close, CLONE, O } from './libc.ts';

const AF_INET = 2;
const SOCK = { STREAM: 1, DGRAM: 2 } as const;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;

/** struct sockaddr_in. */
function socketAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  address.split('.').forEach((part, index) => bytes.writeUInt8(Number(part), 4 + index));
  return bytes;
}

/** Brings an interface of the current namespace up (netdevice(7): struct ifreq). */
function linkUp(name: string): void {
  const request = Buffer.alloc(40);
  request.write(name, 0, 'latin1');
  request.writeInt16LE(IFF_UP, 16);
  const socket = call('socket', 'AF_INET', AF_INET, SOCK.DGRAM | O.CLOEXEC, 0);
  try {
    call('ioctl', `${name} up`, socket, SIOCSIFFLAGS, request);
  } finally {
    close(socket);
  }
}

export class NetNamespace {
  readonly fd: number;
  /** Where it is bind-mounted; undefined for the sandbox's own. */
  readonly path: string | undefined;
  /** UTS namespace entered together with it, so that `hostname` tells the node's name. */
  readonly #uts: number | undefined;
  #closed = false;

  private constructor(fd: number, path: string | undefined, uts: number | undefined) {
    this.fd = fd;
    this.path = path;
    this.#uts = uts;
  }

  /** The namespace that the engine was started in. */
  static readonly own = new NetNamespace(openSync('/proc/thread-self/ns/net', 'r'), undefined, undefined);
  static readonly #ownUts = openSync('/proc/thread-self/ns/uts', 'r');
  static #current = NetNamespace.own;

  /** Makes a namespace with `lo` up, visible as the file `path`; with a host name when one is given. */
  static create(path: string, hostname?: string): NetNamespace {
    const back = NetNamespace.#current;
    call('unshare', 'network', CLONE.NEWNET | (hostname === undefined ? 0 : CLONE.NEWUTS));
    try {
      linkUp('lo');
      bindFile('/proc/thread-self/ns/net', path);
      if (hostname !== undefined) call('sethostname', hostname, hostname, hostname.length);
      const uts = hostname === undefined ? undefined : openSync('/proc/thread-self/ns/uts', 'r');
      return new NetNamespace(openSync('/proc/thread-self/ns/net', 'r'), path, uts);
    } finally {
      if (hostname !== undefined) call('setns', 'back (uts)', NetNamespace.#ownUts, CLONE.NEWUTS);
      NetNamespace.#go(back);
    }
  }

  static #go(to: NetNamespace): void {
    call('setns', to.path ?? 'own', to.fd, CLONE.NEWNET);
    if (to.#uts !== undefined) call('setns', 'uts', to.#uts, CLONE.NEWUTS);
    else if (NetNamespace.#current.#uts !== undefined)
      call('setns', 'uts', NetNamespace.#ownUts, CLONE.NEWUTS);
    NetNamespace.#current = to;
  }

  /**
   * Does something synchronously inside: what it creates (sockets, child processes) belongs here.
   * Of an async function, only what happens before its first await is inside.
   */
  in<T>(work: () => T): T {
    if (this.#closed) throw new Error(`network namespace ${this.path ?? ''} is gone`);
    const back = NetNamespace.#current;
    if (back === this) return work();
    NetNamespace.#go(this);
    try {
      return work();
    } finally {
      NetNamespace.#go(back);
    }
  }

  /** Writes a sysctl of this namespace: `net.ipv4.ip_forward`. A '/' in a part stands for a dot in a device's name. */
  sysctl(name: string, value: string | number): void {
    const path = name.split('.').join('/');
    this.in(() => writeFileSync(`/proc/sys/${path}`, String(value)));
  }

  /** A listening TCP socket as a descriptor for `server.listen({fd})`. */
  tcpListener(address: string, port: number): number {
    return this.#bound(SOCK.STREAM, address, port, true);
  }

  /** A bound UDP socket as a descriptor for `socket.bind({fd})`. */
  udpSocket(address: string, port: number): number {
    return this.#bound(SOCK.DGRAM, address, port, false);
  }

  #bound(type: number, address: string, port: number, listening: boolean): number {
    return this.in(() => {
      const about = `${address}:${port}`;
      const fd = call('socket', about, AF_INET, type | O.CLOEXEC | O.NONBLOCK, 0);
      try {
        const yes = Buffer.alloc(4);
        yes.writeInt32LE(1);
        call('setsockopt', about, fd, SOL_SOCKET, SO_REUSEADDR, yes, 4);
        call('bind', about, fd, socketAddress(address, port), 16);
        if (listening) call('listen', about, fd, 511);
        return fd;
      } catch (error) {
        close(fd);
        throw error;
      }
    });
  }

  /** A TCP connection that leaves from here; not yet connected: listen to 'connect' and 'error'. */
  connect(host: string, port: number): Socket {
    const fd = this.in(() => call('socket', `to ${host}`, AF_INET, SOCK.STREAM | O.CLOEXEC | O.NONBLOCK, 0));
    // `manualStart` keeps Node from reading before there is a connection; `connect` then uses our descriptor.
    const socket = new Socket({ fd, manualStart: true } as SocketConstructorOpts);
    socket.connect({ host, port, family: 4 });
    return socket;
  }

  /** Gives it back to the kernel: with its last user gone, links, rules and sockets go too. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
    if (this.#uts !== undefined) closeSync(this.#uts);
    if (this.path !== undefined) {
      unmount(this.path);
      rmSync(this.path, { force: true });
    }
  }
}

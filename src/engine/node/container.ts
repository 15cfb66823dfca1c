/**
 * One container: a process in bubblewrap, in its pod's network, on a root of its own.
 *
 * bwrap gives it a PID, IPC and UTS namespace, a fresh /proc (with /proc/sys read-only) and /dev, and only the
 * capabilities that it is to have. Its first process is PID 1, as in a real container.
 */
import type { ChildProcess } from '../../exec/child.ts';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { start } from '../../exec/child.ts';
import type { Layers } from '../images/layers.ts';
import { pipe } from '../linux/libc.ts';
import type { NetNamespace } from '../linux/netns.ts';
import { closeSlave, openPty, type Pty } from '../linux/pty.ts';
import { mountRoot, removeRoot } from '../linux/rootfs.ts';
import { bwrapArguments, type Capabilities } from './capabilities.ts';
import { ContainerLog } from './log.ts';

export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ContainerSpec {
  /** 64 hex digits, as containerd's ids. */
  readonly id: string;
  /** Folder of the sandbox for its root. */
  readonly folder: string;
  readonly layers: Layers;
  readonly net: NetNamespace;
  readonly hostname: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly binds: readonly Bind[];
  /** Files written into the root before the start: /etc/hosts, /etc/resolv.conf. */
  readonly files: Readonly<Record<string, string>>;
  readonly user: { readonly uid: number; readonly gid: number };
  readonly capabilities: Capabilities;
  readonly readOnlyRoot: boolean;
  readonly stdin: boolean;
  readonly tty: boolean;
  /** A process whose PID namespace it joins; one of its own when not given. */
  readonly joinPid?: number | undefined;
  /** A sysfs of the pod's network namespace, bound on /sys. */
  readonly sysfs: string;
  /** Devpts for a terminal, see {@link openPty}. */
  readonly ptmx: string;
}

export interface Exit {
  /** 128 + signal number when a signal ended it. */
  readonly code: number;
  readonly at: Date;
}

const SIGNALS: Partial<Record<NodeJS.Signals, number>> = {
  SIGKILL: 9,
  SIGTERM: 15,
  SIGINT: 2,
  SIGHUP: 1,
  SIGSEGV: 11,
};

export class Container {
  readonly spec: ContainerSpec;
  readonly log = new ContainerLog();
  readonly startedAt = new Date();
  /** Its `/` as the engine sees it; without what bwrap mounts on it. */
  readonly root: string;
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  /** Its standard input, when it has one. */
  readonly stdin: Socket | Pty['master'] | undefined;
  readonly pty: Pty | undefined;
  readonly #process: ChildProcess;
  readonly #listeners = new Set<(stream: 'stdout' | 'stderr', piece: Buffer) => void>();
  #pid: number | undefined;

  /** Prepares the root; then {@link Container} starts at once. */
  static prepareRoot(spec: Pick<ContainerSpec, 'folder' | 'layers' | 'files'>): string {
    for (const [path, content] of Object.entries(spec.files)) {
      // Straight into the overlay's upper layer: cheaper than copying up what is there.
      const target = join(spec.folder, 'rw/upper', path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, content);
    }
    return mountRoot(spec.folder, spec.layers);
  }

  constructor(spec: ContainerSpec, root: string) {
    this.spec = spec;
    this.root = root;
    const argv = bwrap(spec, root);
    const pidns = spec.joinPid === undefined ? [] : [openSync(`/proc/${spec.joinPid}/ns/pid`, 'r')];
    if (spec.tty) {
      this.pty = openPty(spec.ptmx);
      const { slave, master } = this.pty;
      this.#process = spec.net.in(() =>
        start(['/usr/bin/setsid', '--ctty', '--wait', ...argv], {
          stdio: [slave, slave, slave, ...pidns],
          env: spec.env,
        }),
      );
      closeSlave(this.pty);
      this.stdin = master;
      this.#read(master, 'stdout');
    } else {
      const [inRead, inWrite] = spec.stdin ? pipe() : [undefined, undefined];
      const [outRead, outWrite] = pipe();
      const [errRead, errWrite] = pipe();
      this.#process = spec.net.in(() =>
        start(argv, { stdio: [inRead ?? 'ignore', outWrite, errWrite, ...pidns], env: spec.env }),
      );
      for (const fd of [inRead, outWrite, errWrite]) if (fd !== undefined) closeSync(fd);
      if (inWrite !== undefined) {
        this.stdin = new Socket({ fd: inWrite, readable: false, writable: true });
        this.stdin.on('error', () => undefined); // It reads no more: its affair.
      }
      this.#read(new Socket({ fd: outRead, writable: false }), 'stdout');
      this.#read(new Socket({ fd: errRead, writable: false }), 'stderr');
    }
    for (const fd of pidns) closeSync(fd);
    this.exited = new Promise((resolve) => {
      let done = false;
      const end = (code: number) => {
        if (done) return;
        done = true;
        this.exit = { code, at: new Date() };
        // Output that is still in the pipes belongs to it: 'exit' may come before its last lines.
        setImmediate(() => {
          this.log.end();
          resolve(this.exit!);
        });
      };
      this.#process.on('exit', (code, signal) =>
        end(code ?? 128 + (signal === null ? 0 : (SIGNALS[signal] ?? 0))),
      );
      this.#process.on('error', () => end(128));
    });
  }

  #read(stream: Socket | Pty['master'], name: 'stdout' | 'stderr'): void {
    stream.on('data', (piece: Buffer) => {
      this.log.append(name, piece);
      for (const listener of this.#listeners) listener(name, piece);
    });
    stream.on('error', () => undefined); // EIO is how a terminal says that its program has ended.
  }

  /** Raw output from now on. Returns how to stop listening. */
  onOutput(listener: (stream: 'stdout' | 'stderr', piece: Buffer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Process id of its PID 1 in the sandbox; undefined before bwrap has made it and after the end.
   * Found as the only child of bwrap, whose child only has the mounts when it has executed the program.
   */
  get pid(): number | undefined {
    if (this.exit !== undefined) return undefined;
    return (this.#pid ??= this.#findPid());
  }

  #findPid(): number | undefined {
    let pid = this.#process.pid;
    // setsid, bwrap, PID 1; or bwrap, PID 1.
    for (let step = this.spec.tty ? 2 : 1; step > 0 && pid !== undefined; step -= 1) pid = onlyChild(pid);
    if (pid === undefined) return undefined;
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'bwrap' ? undefined : pid;
    } catch {
      return undefined;
    }
  }

  /**
   * Sends a signal to its PID 1. The kernel drops those that a PID 1 has no handler for, but not SIGKILL.
   * One that comes while bwrap still sets things up is sent when the program is there.
   */
  signal(signal: NodeJS.Signals): void {
    if (this.exit !== undefined) return;
    const pid = this.pid;
    try {
      if (pid !== undefined) process.kill(pid, signal);
      else if (signal === 'SIGKILL') this.#process.kill('SIGKILL');
      else setTimeout(() => this.signal(signal), 5);
    } catch {
      // It has just ended.
    }
  }

  /** Takes its root away; after the end. */
  remove(): void {
    removeRoot(this.spec.folder);
  }
}

function onlyChild(pid: number): number | undefined {
  try {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
    return first ? Number(first) : undefined;
  } catch {
    return undefined;
  }
}

/** bwrap's argv. The environment is handed on as it is: bwrap keeps its own. */
function bwrap(spec: ContainerSpec, root: string): string[] {
  const { uid, gid } = spec.user;
  const argv = ['/usr/bin/bwrap', '--die-with-parent', '--unshare-ipc', '--unshare-uts'];
  if (spec.joinPid === undefined) argv.push('--unshare-pid', '--as-pid-1');
  else argv.push('--pidns', '3');
  argv.push('--hostname', spec.hostname);
  // Only one uid is mapped in the sandbox; another one is that one under another name.
  if (uid !== 0 || gid !== 0) argv.push('--unshare-user', '--uid', String(uid), '--gid', String(gid));
  argv.push('--bind', root, '/');
  for (const folder of spec.layers.binds) argv.push('--ro-bind', folder, folder);
  argv.push('--proc', '/proc', '--dev', '/dev', '--ro-bind', spec.sysfs, '/sys');
  for (const bind of spec.binds) argv.push(bind.readOnly ? '--ro-bind' : '--bind', bind.source, bind.target);
  // Last, because mount points are made in it.
  if (spec.readOnlyRoot) {
    argv.push('--remount-ro', '/');
    if (spec.layers.usr.length > 0) argv.push('--remount-ro', '/usr');
  }
  argv.push('--chdir', spec.cwd);
  if (uid === 0 && gid === 0) argv.push(...bwrapArguments(spec.capabilities));
  argv.push('--', ...spec.argv);
  return argv;
}

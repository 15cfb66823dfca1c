/** Commands in running containers: for `kubectl exec`, exec probes and lifecycle hooks. */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { start } from '../../exec/child.ts';
import type { ContainerStreams, ExecResult } from '../api/kubelet-port.ts';
import { pipe } from '../linux/libc.ts';
import { closeSlave, openPty } from '../linux/pty.ts';
import { sourceFile } from '../source.ts';
import { capabilityNumbers } from './capabilities.ts';
import type { Container } from './container.ts';

/** Numbers of setns(2) and prctl(2), which differ by architecture. */
const SYSCALLS: Partial<Record<NodeJS.Architecture, readonly [number, number]>> = {
  x64: [308, 157],
  arm64: [268, 167],
  riscv64: [268, 167],
  ppc64: [350, 171],
  s390x: [339, 172],
};

/** How enter.pl says that the command did not even start. */
const FAILED = /^podlab-exec-failed: (.*)\n?/;

/** Thrown when a command could not be started; the message is the runtime's. */
export class ExecFailed extends Error {}

/** argv of enter.pl for a command in a container. */
function entering(container: Container, argv: readonly string[], tty: boolean): string[] {
  const pid = container.pid;
  if (pid === undefined) throw new ExecFailed('container is not running');
  const [setns, prctl] = SYSCALLS[process.arch] ?? [308, 157];
  const { user, capabilities, cwd } = container.spec;
  const ownUser = user.uid !== 0 || user.gid !== 0;
  return [
    '/usr/bin/perl',
    sourceFile('node/enter.pl'),
    ...[String(pid), String(setns), String(prctl), tty ? '1' : '', cwd],
    ownUser ? 'all' : capabilityNumbers(capabilities),
    // The user namespace last: bwrap makes it inside of the one that owns the others.
    `ipc,uts,pid,mnt${ownUser ? ',user' : ''}`,
    ...argv,
  ];
}

/** Runs a command in a container with the client's streams, to its end. */
export async function execute(
  container: Container,
  argv: readonly string[],
  streams: ContainerStreams,
): Promise<ExecResult> {
  await startedUp(container);
  return streams.tty ? onTerminal(container, argv, streams) : onPipes(container, argv, streams);
}

/** How long bwrap may take to set a container up; a loaded machine is slow. Milliseconds. */
const SET_UP_BOUND = 10_000;

/** A container that has just been started has its program in a moment: before, its namespaces are not complete. */
async function startedUp(container: Container): Promise<void> {
  await programOf(container);
}

/** Process id of a container's program, as soon as it is there; undefined when it has ended. */
export async function programOf(container: Container): Promise<number | undefined> {
  const until = Date.now() + SET_UP_BOUND;
  while (container.pid === undefined && container.exit === undefined && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 2));
  return container.pid;
}

async function onPipes(
  container: Container,
  argv: readonly string[],
  streams: ContainerStreams,
): Promise<ExecResult> {
  const command = entering(container, argv, false);
  const [inRead, inWrite] = streams.stdin === undefined ? [undefined, undefined] : pipe();
  const [outRead, outWrite] = pipe();
  const [errRead, errWrite] = pipe();
  const child = container.spec.net.in(() =>
    start(command, { stdio: [inRead ?? 'ignore', outWrite, errWrite], env: container.spec.env }),
  );
  for (const fd of [inRead, outWrite, errWrite]) if (fd !== undefined) closeSync(fd);
  let failed: string | undefined;
  if (inWrite !== undefined) {
    const input = new Socket({ fd: inWrite, readable: false, writable: true });
    input.on('error', () => undefined); // The command reads no more.
    streams.stdin?.pipe(input);
    child.on('exit', () => input.destroy());
  }
  const out = collect(new Socket({ fd: outRead, writable: false }), (piece) => streams.stdout?.write(piece));
  const err = collect(new Socket({ fd: errRead, writable: false }), (piece) => {
    const told = failed === undefined ? FAILED.exec(piece.toString('utf8')) : null;
    if (told) failed = told[1];
    else streams.stderr?.write(piece);
  });
  const exitCode = await ended(child, streams.signal);
  // A daemon that the command left behind may hold the pipes open: what is there now is all that is waited for.
  await Promise.race([Promise.all([out, err]), new Promise((resolve) => setTimeout(resolve, 50))]);
  if (failed !== undefined) throw new ExecFailed(failed);
  return { exitCode };
}

async function onTerminal(
  container: Container,
  argv: readonly string[],
  streams: ContainerStreams,
): Promise<ExecResult> {
  const pid = container.pid;
  const command = entering(container, argv, true);
  const pty = openPty(`/proc/${pid}/root/dev/pts/ptmx`);
  let failed: string | undefined;
  const output = collect(pty.master, (piece) => {
    const told = FAILED.exec(piece.toString('utf8').replaceAll('\r', ''));
    if (told) failed = told[1];
    else streams.stdout?.write(piece);
  });
  streams.onResize((size) => pty.resize(size.width, size.height));
  const env = { TERM: 'xterm', ...container.spec.env };
  const child = container.spec.net.in(() =>
    start(command, { stdio: [pty.slave, pty.slave, pty.slave], env }),
  );
  closeSlave(pty);
  streams.stdin?.on('data', (piece: Buffer) => {
    if (!pty.master.destroyed) (pty.master as unknown as Socket).write(piece);
  });
  const exitCode = await ended(child, streams.signal);
  await Promise.race([output, new Promise((resolve) => setTimeout(resolve, 50))]);
  pty.master.destroy();
  if (failed !== undefined) throw new ExecFailed(failed);
  return { exitCode };
}

function collect(stream: Socket | NodeJS.ReadStream, take: (piece: Buffer) => void): Promise<void> {
  return new Promise((resolve) => {
    stream.on('data', take);
    stream.on('error', () => resolve()); // A terminal ends with EIO.
    stream.on('close', () => resolve());
  });
}

function ended(child: ReturnType<typeof start>, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const kill = () => child.kill('SIGKILL');
    if (signal.aborted) kill();
    signal.addEventListener('abort', kill, { once: true });
    child.on('error', (error) => reject(new ExecFailed(error.message)));
    child.on('exit', (code, by) => {
      signal.removeEventListener('abort', kill);
      resolve(code ?? (by === 'SIGKILL' ? 137 : 143));
    });
  });
}

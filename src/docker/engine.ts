/**
 * A Docker engine of our own: Debian's dockerd in a network namespace without uplink.
 *
 * Its bridges, routes and firewall rules live and die with that namespace, so the host's never change and nothing
 * that a container sends can leave the machine. It is found again by its socket, process id and start time.
 * Only root on Linux can start it.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startDaemon, startTime } from '../exec/daemon.ts';
import { ensure, runFolder, stateFolder } from '../exec/folders.ts';
import { alive, withLock, type ProcessName } from '../exec/lock.ts';
import { must, run, which } from '../exec/run.ts';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import { endLeftovers, removeCgroups } from './leftovers.ts';

/** The longest path of a unix socket, without its final NUL (unix(7)). */
const LONGEST_SOCKET = 107;
/** Our containers' cgroups stand under this name, so that it can be removed when the last is gone. */
const CGROUP = 'podlab';
const START_MS = 60_000;
const STOP_MS = 30_000;
const LOOK_EVERY_MS = 100;

/** Our engine, running. */
export interface Engine {
  readonly socket: string;
  /** dockerd; its network namespace is the engine's. */
  readonly process: ProcessName;
  readonly dataRoot: string;
  readonly log: string;
}

interface Places {
  readonly socket: string;
  readonly execRoot: string;
  readonly dataRoot: string;
  readonly record: string;
  readonly log: string;
  readonly lock: string;
}

/** Names are short because containerd's sockets lie under `execRoot`. */
export function places(): Places {
  const folder = runFolder();
  return {
    socket: join(folder, 'd.sock'),
    execRoot: join(folder, 'x'),
    dataRoot: join(stateFolder(), 'docker'),
    record: join(folder, 'engine.json'),
    log: join(folder, 'dockerd.log'),
    lock: join(folder, 'engine.lock'),
  };
}

/** Our engine when it runs. */
export function runningEngine(): Engine | undefined {
  const { record } = places();
  if (!existsSync(record)) return undefined;
  try {
    const engine = JSON.parse(readFileSync(record, 'utf8')) as Engine;
    return alive(engine.process) && existsSync(engine.socket) ? engine : undefined;
  } catch {
    return undefined;
  }
}

/** argv that runs a program inside the engine's network namespace. Not `ip netns exec`: it hides cgroup mounts. */
export const inside = (engine: Engine, argv: readonly string[]): readonly string[] => [
  'nsenter',
  `--net=/proc/${engine.process.pid}/ns/net`,
  '--',
  ...argv,
];

export interface StartOptions {
  /**
   * Path of the OCI runtime to use instead of runc: podlab-runc of the offline set, for a root without
   * CAP_SYS_RESOURCE. It is copied, so that a rebuilt set does not pull it away from a running engine.
   */
  readonly runtime?: string;
  readonly signal?: AbortSignal;
}

/**
 * Starts our engine, or returns it when it runs already. Two callers at once get the same one.
 * @throws PodlabError `run-folder-too-long` or `engine-failed`
 */
export function startEngine(options: StartOptions = {}): Promise<Engine> {
  const at = places();
  ensure(runFolder());
  return withLock(at.lock, async () => runningEngine() ?? (await start(at, options)), options.signal);
}

async function start(at: Places, { runtime, signal }: StartOptions): Promise<Engine> {
  const longest = join(at.execRoot, 'containerd/containerd-debug.sock');
  if (longest.length > LONGEST_SOCKET)
    throw new PodlabError({
      code: 'run-folder-too-long',
      fault: 'user',
      message: text(
        `The path of a socket would be longer than ${LONGEST_SOCKET} bytes: ${longest}`,
        `套接字路径将超过 ${LONGEST_SOCKET} 字节：${longest}`,
      ),
      hint: text(
        'Choose a shorter folder: export PODLAB_RUN=/run/podlab',
        '请换一个更短的目录：export PODLAB_RUN=/run/podlab',
      ),
    });
  await endLeftovers(at.execRoot, at.dataRoot);
  rmSync(at.socket, { force: true });
  for (const folder of [at.execRoot, at.dataRoot]) mkdirSync(folder, { recursive: true, mode: 0o711 });
  const argv = [
    'unshare',
    '--net',
    '--',
    (await which('dockerd')) ?? 'dockerd',
    ...['--host', `unix://${at.socket}`, '--data-root', at.dataRoot, '--exec-root', at.execRoot],
    ...['--pidfile', join(at.execRoot, 'dockerd.pid')],
    ...runtimeArguments(runtime),
    // Lowering one's oom_score_adj needs CAP_SYS_RESOURCE; dockerd does so by default.
    ...['--oom-score-adjust', '0'],
    // Beside somebody's system containerd ours keeps to itself.
    ...['--containerd-namespace', 'podlab', '--containerd-plugins-namespace', 'podlab-plugins'],
    ...['--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', `/${CGROUP}`],
    ...['--config-file', emptyConfig(at)],
  ];
  const pid = startDaemon(argv, at.log);
  const start = startTime(pid);
  const engine: Engine = {
    socket: at.socket,
    process: { pid, start: start ?? '' },
    dataRoot: at.dataRoot,
    log: at.log,
  };
  // Written before it answers: whoever comes after a SIGKILL of ours finds it.
  writeFileSync(`${at.record}.new`, JSON.stringify(engine), { mode: 0o600 });
  renameSync(`${at.record}.new`, at.record);
  try {
    await answers(engine, signal);
    await must(inside(engine, ['ip', 'link', 'set', 'lo', 'up']));
  } catch (error) {
    await stopEngine();
    throw error;
  }
  return engine;
}

function runtimeArguments(runtime: string | undefined): readonly string[] {
  if (runtime === undefined) return [];
  const copy = join(ensure(join(stateFolder(), 'runtime')), 'podlab-runc');
  rmSync(copy, { force: true }); // A program that runs cannot be written to, but its name can be given anew.
  copyFileSync(runtime, copy);
  return ['--add-runtime', `podlab=${copy}`, '--default-runtime', 'podlab'];
}

/** The machine's /etc/docker/daemon.json is not for our engine. */
function emptyConfig(at: Places): string {
  const file = join(at.execRoot, 'daemon.json');
  writeFileSync(file, '{}\n', { mode: 0o600 });
  return file;
}

async function answers(engine: Engine, signal: AbortSignal | undefined): Promise<void> {
  const until = Date.now() + START_MS;
  for (;;) {
    signal?.throwIfAborted();
    const ping = await run(['docker', '--host', `unix://${engine.socket}`, 'version'], { timeout: 5_000 });
    if (ping.ok) return;
    if (!alive(engine.process) || Date.now() > until)
      throw new PodlabError({
        code: 'engine-failed',
        fault: 'machine',
        message: text('Our Docker engine did not start.', '自带的 Docker 引擎未能启动。'),
        hint: text(`Its last words: tail ${engine.log}`, `查看其最后的日志：tail ${engine.log}`),
        evidence: existsSync(engine.log) ? readFileSync(engine.log, 'utf8').slice(-2000) : ping.stderr,
      });
    await delay(LOOK_EVERY_MS);
  }
}

/**
 * Stops our engine and removes its processes, mounts and sockets. Its images stay for the next time.
 * @returns whether there was one
 */
export async function stopEngine(): Promise<boolean> {
  const at = places();
  if (!existsSync(at.record) && !existsSync(at.execRoot)) return false;
  let engine: Engine | undefined;
  try {
    engine = JSON.parse(readFileSync(at.record, 'utf8')) as Engine;
  } catch {
    engine = undefined; // Killed before the record was written: the leftovers are found by their paths.
  }
  if (engine && alive(engine.process)) {
    process.kill(engine.process.pid, 'SIGTERM');
    const until = Date.now() + STOP_MS;
    while (alive(engine.process) && Date.now() < until) await delay(LOOK_EVERY_MS);
    if (alive(engine.process)) process.kill(engine.process.pid, 'SIGKILL');
  }
  await endLeftovers(at.execRoot, at.dataRoot);
  removeCgroups(CGROUP);
  for (const path of [at.record, at.socket, at.log]) rmSync(path, { force: true });
  rmSync(at.execRoot, { recursive: true, force: true });
  return true;
}

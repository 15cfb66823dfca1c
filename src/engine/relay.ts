/**
 * The parent of a cluster, outside of its sandbox: starts the sandbox, and carries connections from 127.0.0.1
 * to the API server's unix socket in the run folder. It is the only one of our processes that has a host's network.
 *
 * Everything hangs on it by the kernel's parent-death signal (prctl(2), PR_SET_PDEATHSIG): relay -> unshare -> PID 1
 * of the sandbox -> the rest, so whichever of them dies, and however, nothing is left.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { start } from '../exec/child.ts';
import { startTime } from '../exec/daemon.ts';
import { type ClusterConfig, FILES, portSocket } from './config.ts';

/** Namespaces of the sandbox; `--uts` and `--ipc` so that nodes can have names of their own. */
const UNSHARE = [
  '--user', '--map-root-user', '--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--mount-proc',
  '--kill-child=SIGKILL',
]; // prettier-ignore

/** @param folder the cluster's run folder; @param program the engine's program, argv of node */
export function relay(folder: string, program: readonly string[]): void {
  const config = JSON.parse(readFileSync(join(folder, FILES.config), 'utf8')) as ClusterConfig;
  for (const node of config.nodes)
    for (const { hostPort, listenAddress } of node.portMappings ?? [])
      carryTo(join(folder, portSocket(hostPort)))
        .on('error', (error) => console.error(`relay: port ${hostPort}: ${error.message}`))
        .listen(hostPort, listenAddress ?? '127.0.0.1');
  const server = carryTo(join(folder, FILES.api));
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port on 127.0.0.1');
    const env: NodeJS.ProcessEnv = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      PODLAB_ENGINE_SOURCE: process.env['PODLAB_ENGINE_SOURCE'],
    };
    // A shell is PID 1: it reaps what daemons leave behind, which Node would not.
    const init = ['sh', '-c', '"$@"; exit $?', 'podlab-init'];
    const engine = [process.execPath, ...program, 'engine', folder, String(address.port)];
    const child = start(['setpriv', '--pdeathsig', 'KILL', 'unshare', ...UNSHARE, ...init, ...engine], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env,
    });
    writeFileSync(join(folder, FILES.pid), `${process.pid} ${startTime(process.pid)}\n`);
    const end = (why: string) => {
      child.kill('SIGKILL');
      console.error(`relay: ${why}`);
      process.exit(1);
    };
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(`the sandbox ended (${signal ?? code})`));
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      process.on(signal, () => {
        child.removeAllListeners('exit');
        child.on('exit', () => {
          rmSync(folder, { recursive: true, force: true });
          process.exit(0);
        });
        child.kill('SIGKILL');
      });
  });
}

/** A server that carries each connection, both ways, to a unix socket. */
function carryTo(path: string): Server {
  return createServer({ noDelay: true }, (client) => {
    const inside = connect(path);
    client.pipe(inside).pipe(client);
    client.on('error', () => inside.destroy());
    inside.on('error', () => client.destroy());
    client.on('close', () => inside.destroy());
    inside.on('close', () => client.destroy());
  });
}

/**
 * Brings a TCP port of our engine's network namespace out to 127.0.0.1 of the host, under the same number, so that
 * the user's kubectl works with an ordinary kubeconfig. Nothing of the host's network is changed: a process inside
 * that namespace accepts on a socket that was opened outside.
 */
import { createRequire } from 'node:module';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startListeningDaemon, startTime } from '../exec/daemon.ts';
import { runFolder } from '../exec/folders.ts';
import { alive, type ProcessName } from '../exec/lock.ts';
import { inside, type Engine } from './engine.ts';

const MAIN = fileURLToPath(new URL('relay-main.ts', import.meta.url));

/** Listens on 127.0.0.1 of the host; port 0 lets the kernel choose. */
export async function listen(port: number): Promise<{ server: Server; port: number }> {
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** Starts the relay for a listening socket; it ends by itself when the engine does. */
export async function startRelay(engine: Engine, server: Server, port: number): Promise<ProcessName> {
  const tsx = createRequire(import.meta.url).resolve('tsx');
  const argv = inside(engine, [
    process.execPath,
    ...['--import', tsx, MAIN, String(port), String(engine.process.pid), engine.process.start],
  ]);
  const pid = await startListeningDaemon(argv, join(runFolder(), 'relay.log'), server);
  return { pid, start: startTime(pid) ?? '' };
}

/** Ends a relay of ours. */
export function stopRelay(relay: ProcessName | undefined): void {
  if (relay && alive(relay)) process.kill(relay.pid, 'SIGTERM');
}

/** Starts a program that outlives us: its own session, output to a file, known by its process id. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';

/**
 * Starts a program in a session of its own.
 * @returns its process id; the caller writes it down, for only processes that we started are ever ended
 */
export function startDaemon(
  argv: readonly string[],
  logFile: string,
  env: NodeJS.ProcessEnv = process.env,
): number {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError('startDaemon: empty argv');
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log], env });
  closeSync(log);
  child.on('error', () => undefined); // Told by the missing pid, below.
  child.unref();
  if (child.pid === undefined) throw new Error(`${program} could not be started`);
  return child.pid;
}

/**
 * Like {@link startDaemon}, for a node program that is handed a listening socket of ours. The socket stays in the
 * network namespace that it was opened in, wherever the program runs (socket(7), network_namespaces(7)).
 * Resolves with the process id once the program has said `ready` on its channel; ours of the socket is closed.
 */
export async function startListeningDaemon(
  argv: readonly string[],
  logFile: string,
  server: Server,
): Promise<number> {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError('startListeningDaemon: empty argv');
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log, 'ipc'] });
  closeSync(log);
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => reject(new Error(`${program} ended with ${code}; see ${logFile}`)));
      child.on('message', (message) => {
        if (message === 'ready') resolve();
      });
      child.send('listen', server);
    });
  } finally {
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
    server.close();
  }
  if (child.pid === undefined) throw new Error(`${program} could not be started`);
  return child.pid;
}

/**
 * When a process began, in clock ticks since boot (proc(5), stat field 22), or undefined when there is none.
 * A process id with its start time names one process for ever: ids are used again, pairs are not.
 */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

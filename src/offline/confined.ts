/**
 * Runs a program so that nothing of it outlives us: no process and no mount.
 *
 * It gets mount and PID namespaces of its own (namespaces(7)), so its mounts are seen by nobody else and
 * vanish with its last process; when we die, even by SIGKILL, the kernel kills `unshare` (PR_SET_PDEATHSIG,
 * prctl(2)), which takes its child along, and with process 1 of the namespace everything in it.
 */
import { CommandFailed, run, type Ran, type RunOptions } from '../exec/run.ts';
import { diskFull, saysDiskFull } from './disk.ts';

const isRoot = (): boolean => process.getuid?.() === 0;

/** argv that runs `argv` confined; as an ordinary user within a user namespace that has subordinate ids. */
export const confined = (argv: readonly string[]): readonly string[] => [
  ...['setpriv', '--pdeathsig', 'KILL', 'nice', '-n', '5', 'unshare'],
  ...(isRoot() ? [] : ['--map-root-user', '--map-auto']),
  ...['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'],
  ...argv,
];

/** argv that runs `argv` in our namespaces; it alone is killed with us. For programs that mount nothing. */
export const followed = (argv: readonly string[]): readonly string[] => [
  ...['setpriv', '--pdeathsig', 'KILL', 'nice', '-n', '5'],
  ...argv,
];

/**
 * Runs a program that has to succeed.
 * @throws PodlabError OFFLINE_DISK_FULL when that is what it says, CommandFailed otherwise
 */
export async function mustFit(
  argv: readonly string[],
  folder: string,
  options: RunOptions = {},
): Promise<Ran> {
  const ran = await run(argv, { ownGroup: true, ...options });
  if (ran.ok) return ran;
  if (saysDiskFull(`${ran.stderr}${ran.stdout}`)) throw diskFull(folder, { cause: new CommandFailed(ran) });
  throw new CommandFailed(ran);
}

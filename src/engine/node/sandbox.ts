/** The folder of the sandbox: a tmpfs that only the sandbox sees, with everything that the cluster writes. */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../exec/run.ts';
import { LayerStore } from '../images/layers.ts';
import { bindFile, mountTmpfs, mountVirtual } from '../linux/mounts.ts';

export interface Sandbox {
  readonly folder: string;
  readonly layers: LayerStore;
}

/** @param folder an existing, empty folder; the host keeps seeing it empty */
export async function makeSandbox(folder: string): Promise<Sandbox> {
  const applets = await run(['/usr/bin/busybox', '--list']);
  mountTmpfs(folder);
  makeDevices(join(folder, 'dev'));
  for (const part of ['images', 'containers', 'pods']) mkdirSync(join(folder, part));
  return {
    folder,
    layers: new LayerStore(
      join(folder, 'images'),
      applets.ok ? applets.stdout.split(/\s+/).filter(Boolean) : [],
    ),
  };
}

/** A /dev for nodes with the harmless devices only: the host's disks stay out of reach, for root too. */
function makeDevices(folder: string): void {
  mkdirSync(join(folder, 'pts'), { recursive: true });
  mkdirSync(join(folder, 'shm'));
  for (const device of ['null', 'zero', 'full', 'random', 'urandom', 'tty'])
    if (existsSync(`/dev/${device}`)) bindFile(`/dev/${device}`, join(folder, device));
  mountVirtual('devpts', join(folder, 'pts'), 'newinstance,ptmxmode=0666,mode=0620');
  symlinkSync('pts/ptmx', join(folder, 'ptmx'));
  symlinkSync('/proc/self/fd', join(folder, 'fd'));
  for (const [index, name] of ['stdin', 'stdout', 'stderr'].entries())
    symlinkSync(`/proc/self/fd/${index}`, join(folder, name));
}

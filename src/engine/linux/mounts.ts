/** Mounts inside the sandbox's mount namespace (mount(2), Documentation/filesystems/overlayfs.rst). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { call } from './libc.ts';

const MS = { RDONLY: 1, NOSUID: 2, NODEV: 4, REMOUNT: 32, BIND: 4096, REC: 16384 } as const;
const MNT_DETACH = 2;

/** A tmpfs on an existing folder. `size` as tmpfs takes it, e.g. '64m'. */
export function mountTmpfs(folder: string, options = 'mode=0755'): void {
  call('mount', `tmpfs on ${folder}`, 'tmpfs', folder, 'tmpfs', MS.NOSUID | MS.NODEV, options);
}

/** Makes `target` show `source` with everything mounted below it. Both exist. */
export function bindMount(source: string, target: string, readOnly = false): void {
  call('mount', `${source} on ${target}`, source, target, null, MS.BIND | MS.REC, null);
  if (readOnly) {
    call('mount', `${target} read-only`, null, target, null, MS.BIND | MS.REMOUNT | MS.RDONLY, null);
  }
}

/** An nsfs file (or any file) made visible under a name. */
export function bindFile(source: string, target: string): void {
  writeFileSync(target, '');
  call('mount', `${source} on ${target}`, source, target, null, MS.BIND, null);
}

/** A file system that has no device: proc, sysfs, devpts. */
export function mountVirtual(type: 'proc' | 'sysfs' | 'devpts', target: string, options?: string): void {
  call('mount', `${type} on ${target}`, type, target, type, MS.NOSUID, options ?? null);
}

/**
 * An overlay: reads fall through the lower folders (topmost first), writes go to `folder`/upper.
 * `userxattr` is what an unprivileged mount needs (kernel 5.11).
 */
export function mountOverlay(lower: readonly string[], folder: string, target: string): void {
  mkdirSync(`${folder}/upper`, { recursive: true });
  mkdirSync(`${folder}/work`, { recursive: true });
  const options = `userxattr,lowerdir=${lower.join(':')},upperdir=${folder}/upper,workdir=${folder}/work`;
  call('mount', `overlay on ${target}`, 'overlay', target, 'overlay', 0, options);
}

/** Takes a mount and all below it away, now for the eye and for good when its last user has gone. */
export function unmount(target: string): void {
  try {
    call('umount2', target, target, MNT_DETACH);
  } catch {
    // Nothing is mounted there: what was wanted.
  }
}

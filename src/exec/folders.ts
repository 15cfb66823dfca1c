/**
 * Where podlab keeps things (XDG base directories): `cache` can be rebuilt, `state` is ours to remember,
 * `run` is about what runs now. Each can be moved by PODLAB_CACHE, PODLAB_STATE and PODLAB_RUN.
 */
import { mkdirSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

const from = (own: string, xdg: string, fallback: string): string => {
  const chosen = process.env[own];
  if (chosen) return chosen;
  const base = process.env[xdg];
  return join(base?.startsWith('/') ? base : fallback, 'podlab');
};

/** The image set, tools, downloads: all of it can be made again. */
export const cacheFolder = (): string => from('PODLAB_CACHE', 'XDG_CACHE_HOME', join(homedir(), '.cache'));
/** Kubeconfigs and what is known of clusters. */
export const stateFolder = (): string =>
  from('PODLAB_STATE', 'XDG_STATE_HOME', join(homedir(), '.local/state'));
/** Sockets and process ids. */
export const runFolder = (): string =>
  process.env['PODLAB_RUN'] ??
  (process.env['XDG_RUNTIME_DIR']
    ? join(process.env['XDG_RUNTIME_DIR'], 'podlab')
    : join(tmpdir(), `podlab-${userInfo().uid}`));

/** Makes a folder that only we can read, and returns its path. */
export function ensure(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

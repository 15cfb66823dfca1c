/** Root file systems of nodes and containers: overlays above an image's layers, on the sandbox's tmpfs. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Layers } from '../images/layers.ts';
import { mountOverlay, unmount } from './mounts.ts';

/** Mounts a writable root; what is written lies in `folder` and goes with it. @returns the root's path */
export function mountRoot(folder: string, layers: Layers): string {
  const root = join(folder, 'root');
  mkdirSync(root, { recursive: true });
  mountOverlay(layers.root, join(folder, 'rw'), root);
  if (layers.usr.length > 0) mountOverlay(layers.usr, join(folder, 'rw-usr'), join(root, 'usr'));
  return root;
}

/** Takes a root away with all that was written there. */
export function removeRoot(folder: string): void {
  unmount(join(folder, 'root'));
  rmSync(folder, { recursive: true, force: true });
}

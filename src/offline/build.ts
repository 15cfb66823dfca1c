/** `podlab offline build`: makes the image set, or finds that it is there. */
import { chmodSync, linkSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withLock } from '../exec/lock.ts';
import { text } from '../model/text.ts';
import { fitting } from './disk.ts';
import { findImageSet, needImageSet, type ImageSet } from './image-set.ts';
import { readManifest, writeManifest } from './manifest.ts';
import { needTools } from './needs.ts';
import { lockFile, setsFolder, workFolder } from './places.ts';
import type { LongWork } from './progress.ts';
import { goCaches } from './recipe/go.ts';
import { imageNames } from './recipe/image-names.ts';
import { recipe, SET_FILES, setKey } from './recipe/recipe.ts';
import { removeTree, runSteps } from './steps.ts';
import { readVersions } from './versions.ts';

/** Sets kept besides the new one, for another checkout of podlab on this machine. */
const OTHERS_KEPT = 1;

/**
 * Builds the set of this checkout. Killed at any moment, it goes on from the last finished step.
 * @throws PodlabError OFFLINE_DISK_FULL, OFFLINE_NEEDS_GO, OFFLINE_NEEDS_PACKAGES, OFFLINE_NEEDS_LINUX
 */
export function buildImageSet(options: LongWork = {}): Promise<ImageSet> {
  return withLock(lockFile(), () => build(options), options.signal);
}

async function build({ onPhase, signal }: LongWork): Promise<ImageSet> {
  // A damaged set is built anew: that is how to mend it.
  const found = await findImageSet().catch(() => undefined);
  if (found) return found;
  const v = readVersions();
  await needTools(v, signal);
  const work = workFolder();
  const key = setKey(v);
  await runSteps(recipe(v, work), {
    work,
    ...(onPhase ? { onPhase } : {}),
    ...(signal ? { signal } : {}),
  });
  const phase = text('Check and file', '校验并归档');
  const began = performance.now();
  onPhase?.({ phase, state: 'begin' });
  await fitting(work, () => assemble(work, key));
  // Modules and build results are 9 GB, and nothing but their programs is needed again.
  await removeTree(goCaches(work), work);
  await forgetOthers(key);
  onPhase?.({ phase, state: 'end', ms: Math.round(performance.now() - began) });
  return needImageSet();
}

/** Gathers the set's files under a name that counts only when they are complete. */
async function assemble(work: string, key: string): Promise<void> {
  const v = readVersions();
  const part = join(setsFolder(), `${key}.part`);
  await rm(part, { recursive: true, force: true });
  for (const [path, [step, file]] of Object.entries(SET_FILES)) {
    const to = join(part, path);
    mkdirSync(dirname(to), { recursive: true });
    await link(join(work, step, file), to);
    if (path.startsWith('bin/')) chmodSync(to, 0o755);
  }
  await writeManifest(part, { key, versions: v, images: imageNames(v, key) }, Object.keys(SET_FILES));
  await rm(join(setsFolder(), key), { recursive: true, force: true });
  renameSync(part, join(setsFolder(), key));
}

/** A second name for a file, or a copy where that is not possible. */
async function link(from: string, to: string): Promise<void> {
  try {
    linkSync(from, to);
  } catch {
    await copyFile(from, to);
  }
}

/** Removes sets of other versions but the newest. */
async function forgetOthers(key: string): Promise<void> {
  const others = readdirSync(setsFolder())
    .filter((name) => /^[0-9a-f]{16}$/.test(name) && name !== key)
    .map((name) => ({ name, made: readManifest(join(setsFolder(), name))?.made ?? '' }))
    .sort((a, b) => b.made.localeCompare(a.made));
  for (const { name } of others.slice(OTHERS_KEPT))
    await rm(join(setsFolder(), name), { recursive: true, force: true });
}

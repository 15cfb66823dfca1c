/** `podlab offline status`: what there is of the image set on this machine. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PodlabError } from '../model/errors.ts';
import { freeBytes } from './disk.ts';
import { findImageSet, type ImageSet } from './image-set.ts';
import { readManifest } from './manifest.ts';
import { setsFolder, workFolder } from './places.ts';
import { recipe, setKey } from './recipe/recipe.ts';
import { isDone, keysOf } from './steps.ts';
import { readVersions, type Versions } from './versions.ts';

export interface OfflineStatus {
  /** Key of the set that this checkout needs. */
  readonly key: string;
  readonly versions: Versions;
  readonly folder: string;
  readonly set: ImageSet | undefined;
  /** Why a set that is there cannot be used. */
  readonly damaged: PodlabError | undefined;
  /** Size of the set in bytes; 0 without one. */
  readonly bytes: number;
  /** Sets of other versions. */
  readonly others: readonly { readonly key: string; readonly made: string; readonly bytes: number }[];
  /** Steps of a build that are done, by name. */
  readonly done: readonly string[];
  /** Steps that are still to do. */
  readonly todo: readonly string[];
  /** Free disk space in bytes; undefined when the folder does not exist yet. */
  readonly free: number | undefined;
}

export async function offlineStatus(): Promise<OfflineStatus> {
  const versions = readVersions();
  const folder = setsFolder();
  const key = setKey(versions);
  let set: ImageSet | undefined;
  let damaged: PodlabError | undefined;
  try {
    set = await findImageSet();
  } catch (error) {
    if (!(error instanceof PodlabError)) throw error;
    damaged = error;
  }
  const work = workFolder();
  const steps = recipe(versions, work);
  const keys = keysOf(steps);
  const isReady = (step: string) => isDone(work, step, keys.get(step));
  return {
    key,
    versions,
    folder,
    set,
    damaged,
    bytes: set ? bytesOf(folder, key) : 0,
    others: namesIn(folder)
      .filter((name) => /^[0-9a-f]{16}$/.test(name) && name !== key)
      .map((name) => ({
        key: name,
        made: readManifest(join(folder, name))?.made ?? '',
        bytes: bytesOf(folder, name),
      })),
    done: steps.map(({ name }) => name).filter(isReady),
    todo: steps.map(({ name }) => name).filter((name) => !isReady(name)),
    free: statSync(folder, { throwIfNoEntry: false }) ? freeBytes(folder) : undefined,
  };
}

const bytesOf = (folder: string, key: string): number =>
  Object.values(readManifest(join(folder, key))?.files ?? {}).reduce((sum, { bytes }) => sum + bytes, 0);

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Where the offline image set and the work on it lie, all under the cache folder. */
import { join } from 'node:path';
import { cacheFolder } from '../exec/folders.ts';

/** Finished sets, each in a folder named by its key. */
export const setsFolder = (): string => join(cacheFolder(), 'offline');
/** Steps' folders and build caches. */
export const workFolder = (): string => join(setsFolder(), 'work');
/** Held by whoever builds or loads a set. */
export const lockFile = (): string => join(setsFolder(), 'build.lock');

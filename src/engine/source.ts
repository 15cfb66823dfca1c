/**
 * Where the engine's own files lie. Bundled, the engine runs from one file in the cache; what it reads beside
 * its code (agnhost's program) and its native library are still found through the sources' folder.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of src/engine. */
export const engineFolder = process.env['PODLAB_ENGINE_SOURCE'] ?? dirname(fileURLToPath(import.meta.url));

/** A file of src/engine by its path in it. */
export const sourceFile = (path: string): string => join(engineFolder, path);

/** `require` as seen from src/engine: for the one library that cannot be bundled. */
export const requireHere = createRequire(join(engineFolder, 'source.ts'));

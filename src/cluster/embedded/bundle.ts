/**
 * The engine as one JavaScript file: made from src/engine when that has changed, kept in the cache.
 * One file starts in 50 ms; through tsx the same modules take ten times that.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, ensure } from '../../exec/folders.ts';

const SOURCE = fileURLToPath(new URL('../../', import.meta.url));
/** Where src/engine lies: the engine reads its own files from there. */
export const ENGINE_SOURCE = join(SOURCE, 'engine');
/** ES modules have no `require`, and some of the libraries inside were written with it. */
const BANNER =
  "import { createRequire as podlabRequire } from 'node:module'; const require = podlabRequire(import.meta.url);";

/** @returns path of the program, to be run by node */
export async function engineProgram(): Promise<string> {
  const folder = ensure(join(cacheFolder(), 'engine'));
  const file = join(folder, `engine-${stamp()}.mjs`);
  if (existsSync(file)) return file;
  const { build } = await import('esbuild');
  const fresh = join(folder, `.${process.pid}-${randomBytes(4).toString('hex')}.mjs`);
  await build({
    entryPoints: [join(ENGINE_SOURCE, 'main.ts')],
    outfile: fresh,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: { js: BANNER },
    logLevel: 'silent',
  });
  renameSync(fresh, file);
  // Bundles of older sources; whoever runs one has read it.
  for (const old of readdirSync(folder))
    if (old.startsWith('engine-') && join(folder, old) !== file) rmSync(join(folder, old), { force: true });
  return file;
}

/** Changes when a source file does: paths, sizes and times. */
function stamp(): string {
  const hash = createHash('sha256').update(process.versions.modules);
  for (const part of ['engine', 'exec']) {
    const folder = join(SOURCE, part);
    for (const name of (readdirSync(folder, { recursive: true }) as string[]).sort()) {
      if (!name.endsWith('.ts')) continue;
      const { mtimeMs, size } = statSync(join(folder, name));
      hash.update(`${part}/${name} ${mtimeMs} ${size}\n`);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

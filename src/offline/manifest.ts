/** `manifest.json` of an image set: what is in it and what each file must be. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import { sha256Of } from './recipe/archive.ts';
import type { ImageNames } from './recipe/image-names.ts';
import type { Versions } from './versions.ts';

export const MANIFEST = 'manifest.json';
const VERIFIED = '.verified.json';
const FORMAT = 1;

export interface Manifest {
  readonly format: typeof FORMAT;
  readonly key: string;
  /** ISO 8601, UTC. */
  readonly made: string;
  readonly versions: Versions;
  readonly images: ImageNames;
  /** Paths relative to the set's folder. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

/** Measures the files of a set and writes its manifest. */
export async function writeManifest(
  folder: string,
  about: Omit<Manifest, 'format' | 'files' | 'made'>,
  paths: readonly string[],
): Promise<void> {
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const path of paths) {
    const file = join(folder, path);
    files[path] = { bytes: statSync(file).size, sha256: await sha256Of(file) };
  }
  const manifest: Manifest = { format: FORMAT, ...about, made: new Date().toISOString(), files };
  writeFileSync(join(folder, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** The manifest of a set, or undefined when there is none that we can read. */
export function readManifest(folder: string): Manifest | undefined {
  try {
    const read = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as Manifest;
    return read.format === FORMAT ? read : undefined;
  } catch {
    return undefined;
  }
}

/** Size, time and inode of each file: what changes when a file does. */
function looks(folder: string, manifest: Manifest): Record<string, string> | undefined {
  const seen: Record<string, string> = {};
  for (const [path, { bytes }] of Object.entries(manifest.files)) {
    const stat = statSync(join(folder, path), { throwIfNoEntry: false });
    if (stat?.size !== bytes) return undefined;
    seen[path] = `${stat.size} ${stat.mtimeMs} ${stat.ino}`;
  }
  return seen;
}

/**
 * The first file of a set that is missing or is not what the manifest says; undefined when all are.
 * Checksums are computed once and again for every file that looks changed since.
 */
export async function damage(folder: string, manifest: Manifest): Promise<string | undefined> {
  const seen = looks(folder, manifest);
  if (!seen)
    return Object.keys(manifest.files).find(
      (path) => statSync(join(folder, path), { throwIfNoEntry: false })?.size !== manifest.files[path]?.bytes,
    );
  const before = verifiedBefore(folder);
  for (const [path, { sha256 }] of Object.entries(manifest.files))
    if (before[path] !== seen[path] && (await sha256Of(join(folder, path))) !== sha256) return path;
  try {
    writeFileSync(join(folder, VERIFIED), JSON.stringify(seen));
  } catch {
    // A read-only cache is verified each time.
  }
  return undefined;
}

function verifiedBefore(folder: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(join(folder, VERIFIED), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

/** The error for a set that does not hold what it says. */
export const damaged = (folder: string, file: string): PodlabError =>
  new PodlabError({
    code: 'OFFLINE_SET_DAMAGED',
    fault: 'machine',
    message: text(
      `The offline image set in ${folder} is damaged: ${file} is missing or changed.`,
      `离线镜像集 ${folder} 已损坏：${file} 缺失或被改动。`,
    ),
    hint: text(
      'Make it anew (finished steps are kept): ./podlab offline build',
      '请重新生成（已完成的步骤会保留）：./podlab offline build',
    ),
  });

/** `podlab offline save FILE` and `load FILE`: carry the image set to a machine that cannot build it. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { withLock } from '../exec/lock.ts';
import { CommandFailed, run } from '../exec/run.ts';
import { PodlabError } from '../model/errors.ts';
import { text, type Text } from '../model/text.ts';
import { followed, mustFit } from './confined.ts';
import { diskFull, needRoom, saysDiskFull } from './disk.ts';
import { needImageSet, type ImageSet } from './image-set.ts';
import { damage, MANIFEST, readManifest, type Manifest } from './manifest.ts';
import { lockFile, setsFolder } from './places.ts';
import type { LongWork } from './progress.ts';
import { SET_FILES, setKey } from './recipe/recipe.ts';
import { readVersions } from './versions.ts';

/** Runs one phase and tells of it. */
async function phase<T>(title: Text, { onPhase }: LongWork, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  onPhase?.({ phase: title, state: 'begin' });
  const result = await work();
  onPhase?.({ phase: title, state: 'end', ms: Math.round(performance.now() - began) });
  return result;
}

const wrongFile = (file: string, en: string, zh: string, cause?: unknown): PodlabError =>
  new PodlabError({
    code: 'OFFLINE_FILE_UNREADABLE',
    fault: 'user',
    message: text(`${file}: ${en}`, `${file}：${zh}`),
    hint: text(
      'Make the file with `./podlab offline save FILE` and copy it whole.',
      '请用 `./podlab offline save FILE` 生成该文件，并完整复制。',
    ),
    cause,
  });

/**
 * Writes this machine's set into one file; a name that ends in `.gz`, `.xz` or `.zst` is compressed.
 * The file appears under its name only when it is complete.
 * @returns its size in bytes
 * @throws PodlabError OFFLINE_SET_MISSING, OFFLINE_SET_DAMAGED, OFFLINE_DISK_FULL, OFFLINE_FILE_UNREADABLE
 */
export async function saveImageSet(file: string, options: LongWork = {}): Promise<number> {
  const set = await needImageSet();
  const to = resolve(file);
  const folder = dirname(to);
  if (!existsSync(folder)) throw wrongFile(file, `there is no folder ${folder}`, `目录 ${folder} 不存在`);
  // tar chooses the compression by the name's end, so the part keeps it.
  const part = join(folder, `.part-${process.pid}-${relative(folder, to)}`);
  const manifest = readManifest(set.folder);
  const paths = Object.keys(manifest?.files ?? {});
  try {
    await phase(text('Write the file', '写入文件'), options, () =>
      // The manifest stands first, so that `load` can refuse early.
      mustFit(
        followed(['tar', '--auto-compress', '-C', set.folder, '-cf', part, MANIFEST, ...paths]),
        folder,
        options.signal ? { signal: options.signal } : {},
      ),
    );
    renameSync(part, to);
  } finally {
    await rm(part, { force: true });
  }
  return statSync(to).size;
}

/**
 * Takes over a set from a file that `save` wrote. Nothing of the file is used before all its checksums were found right.
 * @throws PodlabError OFFLINE_FILE_UNREADABLE, OFFLINE_SET_OTHER_VERSION, OFFLINE_DISK_FULL
 */
export function loadImageSet(file: string, options: LongWork = {}): Promise<ImageSet> {
  const from = resolve(file);
  if (!existsSync(from)) throw wrongFile(file, 'there is no such file', '文件不存在');
  return withLock(lockFile(), () => load(from, options), options.signal);
}

async function load(file: string, options: LongWork): Promise<ImageSet> {
  const sets = setsFolder();
  const key = setKey(readVersions());
  const part = join(sets, `${key}.part`);
  await rm(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true, mode: 0o700 });
  try {
    needRoom(sets, statSync(file).size);
    const manifest = await phase(text('Unpack', '解包'), options, () => unpack(file, part, key, options));
    await phase(text('Check', '校验'), options, () => check(file, part, manifest));
    await rm(join(sets, key), { recursive: true, force: true });
    renameSync(part, join(sets, key));
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return needImageSet();
}

async function unpack(file: string, part: string, key: string, options: LongWork): Promise<Manifest> {
  const tar = async (...members: readonly string[]) => {
    const argv = ['tar', '--no-same-owner', '--no-same-permissions', '-C', part, '-xf', file, ...members];
    const ran = await run(followed(argv), {
      ownGroup: true,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    options.signal?.throwIfAborted();
    if (ran.ok) return;
    if (saysDiskFull(ran.stderr)) throw diskFull(part, { cause: new CommandFailed(ran) });
    throw wrongFile(
      file,
      'this is no image set, or only a part of one',
      '不是镜像集，或文件不完整',
      new CommandFailed(ran),
    );
  };
  await tar('--occurrence=1', MANIFEST);
  const manifest = readManifest(part);
  if (!manifest) throw wrongFile(file, 'its manifest cannot be read', '无法读取其清单');
  if (manifest.key !== key)
    throw new PodlabError({
      code: 'OFFLINE_SET_OTHER_VERSION',
      fault: 'user',
      message: text(
        `${file} was made by another version of podlab (Kubernetes ${manifest.versions.kubernetes}, key ${manifest.key}; this one needs ${key}).`,
        `${file} 由另一版本的 podlab 生成（Kubernetes ${manifest.versions.kubernetes}，标识 ${manifest.key}；当前需要 ${key}）。`,
      ),
      hint: text('Use the same version of podlab on both machines.', '请在两台机器上使用同一版本的 podlab。'),
    });
  // Exactly what a set of this version has: the names in somebody else's file reach no command line.
  const wanted = Object.keys(SET_FILES).sort();
  if (Object.keys(manifest.files).sort().join() !== wanted.join())
    throw wrongFile(file, 'its manifest lists other files than a set has', '其清单与镜像集的内容不符');
  await tar(MANIFEST, ...wanted);
  return manifest;
}

async function check(file: string, part: string, manifest: Manifest): Promise<void> {
  for (const path of Object.keys(manifest.files)) {
    // Only plain files: a link in somebody else's file may point anywhere.
    if (!lstatSync(join(part, path), { throwIfNoEntry: false })?.isFile())
      throw wrongFile(file, `${path} is missing or no plain file`, `${path} 缺失或不是普通文件`);
  }
  for (const name of readdirSync(join(part, 'bin'))) chmodSync(join(part, 'bin', name), 0o755);
  const bad = await damage(part, manifest);
  if (bad !== undefined) throw wrongFile(file, `${bad} is damaged`, `${bad} 已损坏`);
}

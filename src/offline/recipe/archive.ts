/**
 * Images in the format of `docker save`: one tar file with layers, configurations and `manifest.json`
 * (moby's image spec v1.2). `docker load` and containerd's `ctr images import` read it. Layers that several images share are stored once.
 */
import { createHash } from 'node:crypto';
import { createReadStream, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { followed, mustFit } from '../confined.ts';

/** A layer: an uncompressed tar file, which its `sha256` names. */
export interface Layer {
  readonly tar: string;
  readonly sha256: string;
}

/** What an image's configuration says; the fields are those of the OCI image spec. */
export interface ImageConfig {
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly StopSignal?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface ArchiveImage {
  readonly names: readonly string[];
  readonly layers: readonly Layer[];
  readonly config: ImageConfig;
}

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** A tar file as a layer. */
export const layerOf = async (tar: string): Promise<Layer> => ({ tar, sha256: await sha256Of(tar) });

/** Packs a folder as a layer: everything owned by root, times cleared, so that its digest depends on contents only. */
export async function packLayer(folder: string, tar: string, work: string): Promise<Layer> {
  const fixed = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  await mustFit(followed(['tar', ...fixed, '-C', folder, '-cf', tar, '.']), work);
  return layerOf(tar);
}

/** The configuration file of an image; its hash is the image's id. */
function configOf(image: ArchiveImage): string {
  return JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: image.config,
    rootfs: { type: 'layers', diff_ids: image.layers.map(({ sha256 }) => `sha256:${sha256}`) },
    history: image.layers.map(() => ({ created_by: 'podlab offline build' })),
  });
}

/**
 * Writes images into one archive.
 * @param scratch a folder on the same file system, for the tree that becomes the archive
 */
export async function writeArchive(
  images: readonly ArchiveImage[],
  file: string,
  scratch: string,
  work: string,
): Promise<void> {
  await rm(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const stored = new Set<string>();
  const manifest = [];
  for (const image of images) {
    const config = configOf(image);
    const id = createHash('sha256').update(config).digest('hex');
    writeFileSync(join(scratch, `${id}.json`), config);
    for (const { tar, sha256 } of image.layers) {
      if (stored.has(sha256)) continue;
      stored.add(sha256);
      mkdirSync(join(scratch, sha256));
      const to = join(scratch, sha256, 'layer.tar');
      try {
        linkSync(tar, to);
      } catch {
        await copyFile(tar, to); // Another file system.
      }
    }
    manifest.push({
      Config: `${id}.json`,
      RepoTags: image.names,
      Layers: image.layers.map(({ sha256 }) => `${sha256}/layer.tar`),
    });
  }
  writeFileSync(join(scratch, 'manifest.json'), JSON.stringify(manifest));
  const fixed = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  await mustFit(
    followed([
      'tar',
      ...fixed,
      '--hard-dereference',
      '-C',
      scratch,
      '-cf',
      file,
      ...entriesOf(manifest, stored),
    ]),
    work,
  );
  await rm(scratch, { recursive: true });
}

/** manifest.json first, so that a reader can stop early; then each file by name. */
function entriesOf(manifest: readonly { Config: string }[], layers: ReadonlySet<string>): readonly string[] {
  return ['manifest.json', ...new Set(manifest.map(({ Config }) => Config)), ...layers];
}

/** What a kind cluster is made from: the offline image set, or a registry with pinned images. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Docker } from '../../docker/docker.ts';
import { which } from '../../exec/run.ts';
import { findImageSet, needImageSet, type ImageSet } from '../../offline/image-set.ts';
import type { CniImages } from './cni.ts';

export interface Source {
  /** Path of kind. */
  readonly kind: string;
  readonly nodeImage: string;
  readonly cni: CniImages;
  /** The offline set, when it is that. */
  readonly set: ImageSet | undefined;
}

interface Pins {
  readonly nodeImage: string;
  readonly flannel: { readonly flanneld: string; readonly plugin: string };
  readonly calico: { readonly node: string; readonly cni: string; readonly controllers: string };
}

/** Images of the registry mode, pinned. */
export const pins = (): Pins =>
  parse(readFileSync(new URL('../../../cluster-config/pins.yaml', import.meta.url), 'utf8')) as Pins;

/**
 * The offline set when there is one; else a registry, when kind is installed and the engine is the user's, which has
 * an uplink (ours has none).
 * @throws PodlabError of the offline set, with the command that builds it
 */
export async function source(docker: Docker | undefined): Promise<Source> {
  const set = await findImageSet();
  const kind = await which('kind');
  if (!set && kind && docker && !docker.engine) {
    const { nodeImage, flannel, calico } = pins();
    return { kind, nodeImage, cni: { flannel, calico }, set: undefined };
  }
  const needed = set ?? (await needImageSet());
  return { kind: needed.binaries.kind, nodeImage: needed.nodeImage.name, cni: needed.cni, set: needed };
}

const LOAD_MS = 600_000;

/** Makes sure that the engine holds the node image. @returns whether it had to be loaded or pulled */
export async function haveNodeImage(docker: Docker, from: Source, signal?: AbortSignal): Promise<boolean> {
  const there = await docker.run(['image', 'inspect', '--format', '{{.Id}}', from.nodeImage], { signal });
  if (there.ok) return false;
  const get = from.set
    ? ['load', '--input', from.set.nodeImage.tarball]
    : ['pull', '--quiet', from.nodeImage];
  await docker.must(get, { timeout: LOAD_MS, signal, ownGroup: true });
  return true;
}

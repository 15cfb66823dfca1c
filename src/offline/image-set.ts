/**
 * The offline image set as its users see it: a folder under the cache, described by `manifest.json`.
 *
 * `findImageSet` looks, `needImageSet` insists. A set that does not hold what its manifest says is no set.
 */
import { join } from 'node:path';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import { damage, damaged, readManifest, type Manifest } from './manifest.ts';
import { setsFolder } from './places.ts';
import { etcdTag, KUBEADM_REPOSITORY, type ImageNames } from './recipe/image-names.ts';
import { setKey } from './recipe/recipe.ts';
import { readVersions, type Versions } from './versions.ts';

/** Programs of the set that run on the host or in containers, as absolute paths. */
export interface SetBinaries {
  readonly kind: string;
  readonly kubectl: string;
  readonly calicoctl: string;
  /** The OCI runtime to give to dockerd (`--add-runtime`), a thin program in front of runc. */
  readonly podlabRunc: string;
}

/** What `offline build` made. */
export interface ImageSet {
  readonly folder: string;
  readonly key: string;
  /** When it was made, ISO 8601. */
  readonly made: string;
  readonly versions: Versions;
  readonly binaries: SetBinaries;
  /** `docker load -i tarball` makes `name`; every other image is already in its containerd. */
  readonly nodeImage: { readonly name: string; readonly tarball: string };
  /** Images inside the node image, by short name: agnhost, tools, nginx, busybox, flannel, calicoNode ... */
  readonly images: ImageNames;
  /** Images that each CNI's manifest needs; all are inside the node image. */
  readonly cni: {
    readonly flannel: { readonly flanneld: string; readonly plugin: string };
    readonly calico: { readonly node: string; readonly cni: string; readonly controllers: string };
  };
  /** For kubeadm through kind: `imageRepository`, and the tags of dns and etcd. */
  readonly kubeadm: { readonly imageRepository: string; readonly dnsTag: string; readonly etcdTag: string };
}

/** A manifest's set as its users see it. */
function describe(folder: string, manifest: Manifest): ImageSet {
  const { images, versions, key, made } = manifest;
  const bin = (name: string) => join(folder, 'bin', name);
  return {
    folder,
    key,
    made,
    versions,
    binaries: {
      kind: bin('kind'),
      kubectl: bin('kubectl'),
      calicoctl: bin('calicoctl'),
      podlabRunc: bin('podlab-runc'),
    },
    nodeImage: { name: images.node, tarball: join(folder, 'images/node.tar') },
    images,
    cni: {
      flannel: { flanneld: images.flannel, plugin: images.flannelCni },
      calico: { node: images.calicoNode, cni: images.calicoCni, controllers: images.calicoControllers },
    },
    kubeadm: {
      imageRepository: KUBEADM_REPOSITORY,
      dnsTag: versions.coredns,
      etcdTag: etcdTag(versions),
    },
  };
}

/**
 * The set that fits this checkout's versions, or undefined when it was never built or loaded.
 * @throws PodlabError OFFLINE_SET_DAMAGED when it is there and is not what its manifest says
 */
export async function findImageSet(): Promise<ImageSet | undefined> {
  const folder = join(setsFolder(), setKey(readVersions()));
  const manifest = readManifest(folder);
  if (!manifest) return undefined;
  const bad = await damage(folder, manifest);
  if (bad !== undefined) throw damaged(folder, bad);
  return describe(folder, manifest);
}

/** @throws PodlabError OFFLINE_SET_MISSING with the command that builds it, or OFFLINE_SET_DAMAGED */
export async function needImageSet(): Promise<ImageSet> {
  const found = await findImageSet();
  if (found) return found;
  throw new PodlabError({
    code: 'OFFLINE_SET_MISSING',
    fault: 'machine',
    message: text(
      'There is no offline image set for this version of podlab on this machine.',
      '本机上没有适合当前 podlab 版本的离线镜像集。',
    ),
    hint: text(
      'Build it (about 10 minutes on 2 cores): ./podlab offline build - or bring one: ./podlab offline load FILE',
      '请生成（2 核约 10 分钟）：./podlab offline build，或载入：./podlab offline load FILE',
    ),
  });
}

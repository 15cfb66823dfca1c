/** What the offline image set is made of: `cluster-config/offline/versions.yaml`, and where its sources stand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** The folder with modules, node files and versions.yaml. */
export const configFolder = (): string =>
  fileURLToPath(new URL('../../cluster-config/offline', import.meta.url));

/** Versions by name. Tags of images are made of them. */
export interface Versions {
  readonly kind: string;
  readonly kubernetes: string;
  readonly criTools: string;
  readonly etcd: string;
  readonly coredns: string;
  readonly flannel: string;
  readonly flannelCni: string;
  readonly calico: string;
  readonly agnhost: string;
  readonly nginx: string;
  readonly busybox: string;
  readonly pause: string;
  /** Name of the Debian release that root filesystems are made from. */
  readonly debian: string;
  /** The oldest Go that builds all modules. */
  readonly go: string;
}

const NAMES: readonly (keyof Versions)[] = [
  ...([
    'kind',
    'kubernetes',
    'etcd',
    'coredns',
    'flannel',
    'flannelCni',
    'calico',
    'agnhost',
    'criTools',
  ] as const),
  ...(['nginx', 'busybox', 'pause', 'debian', 'go'] as const),
];

/** Reads versions.yaml; a missing name is our defect and is thrown as such. */
export function readVersions(folder = configFolder()): Versions {
  const read = parse(readFileSync(join(folder, 'versions.yaml'), 'utf8')) as Record<string, unknown>;
  for (const name of NAMES)
    if (typeof read[name] !== 'string') throw new TypeError(`versions.yaml: ${name} is not a string`);
  return read as unknown as Versions;
}

/** A pod's volumes as folders of the sandbox (Kubernetes: Volumes); they live as long as the pod. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { gr, type Client, type KubeObject } from '../client/types.ts';
import { fieldValue, resourceValue, type Place } from './env.ts';
import type { Machine } from './machine.ts';
import type { KeyToPath, Pod, Volume, VolumeSource } from './pod-types.ts';

/** A volume that cannot be set up (yet): told as the Event FailedMount, tried again. */
export class MountError extends Error {}

export interface VolumeContext {
  readonly client: Client;
  readonly machine: Machine;
  readonly place: Place;
  /** A token for the pod's service account. */
  readonly token: (pod: Pod, audience: string | undefined, seconds: number | undefined) => Promise<string>;
}

interface File {
  readonly content: Buffer;
  readonly mode: number;
}
type Files = Map<string, File>;

/**
 * Makes or refreshes a pod's volumes below `folder`.
 * @returns the path of each volume by its name
 * @throws MountError for the first that cannot be had
 */
export async function setUpVolumes(
  pod: Pod,
  folder: string,
  context: VolumeContext,
): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  for (const volume of pod.spec?.volumes ?? []) {
    const path = join(folder, volume.name);
    if (volume.hostPath) {
      paths.set(volume.name, hostPath(volume, context.machine));
    } else if (volume.emptyDir) {
      if (!existsSync(path)) {
        mkdirSync(path, { recursive: true });
        chmodSync(path, 0o777);
      }
      paths.set(volume.name, path);
    } else {
      const sources = volume.projected?.sources ?? [volume];
      const mode = volume.projected?.defaultMode ?? 0o644;
      const files: Files = new Map();
      let any = false;
      for (const source of sources) any = (await collect(pod, source, mode, files, context)) || any;
      if (!any && volume.projected === undefined) {
        const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'none';
        throw new MountError(
          `MountVolume.SetUp failed for volume "${volume.name}" : volumes of type ${kind} are not part of this engine (--cluster kind has them)`,
        );
      }
      writeAtomically(path, files);
      paths.set(volume.name, path);
    }
  }
  return paths;
}

/** The objects that a pod's volumes show, as `configmaps/name` and `secrets/name`. */
export function volumeSources(pod: Pod): Set<string> {
  const found = new Set<string>();
  for (const volume of pod.spec?.volumes ?? []) {
    for (const source of volume.projected?.sources ?? [volume]) {
      if (source.configMap) found.add(`configmaps/${source.configMap.name}`);
      const secret = source.secret?.secretName ?? source.secret?.name;
      if (secret) found.add(`secrets/${secret}`);
    }
  }
  return found;
}

function hostPath(volume: Volume, machine: Machine): string {
  const { path, type = '' } = volume.hostPath!;
  const target = machine.path(normalize(`/${path}`));
  if (type === 'DirectoryOrCreate' || (type === '' && !existsSync(target)))
    mkdirSync(target, { recursive: true });
  if (type === 'FileOrCreate' && !existsSync(target)) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, '');
  }
  if (!existsSync(target))
    throw new MountError(
      `MountVolume.SetUp failed for volume "${volume.name}" : hostPath type check failed: ${path} is not a ${type.toLowerCase()}`,
    );
  return target;
}

/** Adds a source's files. @returns whether the source is of a kind that we know */
async function collect(
  pod: Pod,
  source: VolumeSource,
  defaultMode: number,
  files: Files,
  context: VolumeContext,
): Promise<boolean> {
  const namespace = pod.metadata.namespace ?? 'default';
  if (source.configMap) {
    const { name, items, optional, defaultMode: mode } = source.configMap;
    const object = await context.client.get(gr('configmaps'), name, namespace);
    addKeys(object, `configmap "${name}" not found`, { items, optional, mode: mode ?? defaultMode }, files);
    return true;
  }
  if (source.secret) {
    const name = source.secret.secretName ?? source.secret.name ?? '';
    const { items, optional, defaultMode: mode } = source.secret;
    const object = await context.client.get(gr('secrets'), name, namespace);
    addKeys(object, `secret "${name}" not found`, { items, optional, mode: mode ?? defaultMode }, files);
    return true;
  }
  if (source.downwardAPI) {
    for (const item of source.downwardAPI.items ?? []) {
      const value = item.fieldRef
        ? fieldValue(pod, item.fieldRef.fieldPath, context.place)
        : resourceValue(pod, pod.spec!.containers[0]!, item.resourceFieldRef!, context.place);
      files.set(item.path, { content: Buffer.from(value), mode: defaultMode });
    }
    return true;
  }
  if (source.serviceAccountToken) {
    const { path, audience, expirationSeconds } = source.serviceAccountToken;
    const token = await context.token(pod, audience, expirationSeconds);
    files.set(path, { content: Buffer.from(token), mode: 0o600 });
    return true;
  }
  return false;
}

function addKeys(
  object: KubeObject | undefined,
  missing: string,
  wanted: { items: KeyToPath[] | undefined; optional: boolean | undefined; mode: number },
  files: Files,
): void {
  if (object === undefined) {
    if (wanted.optional) return;
    throw new MountError(missing);
  }
  const data = new Map<string, Buffer>();
  const encoding = object.kind === 'Secret' ? 'base64' : 'utf8';
  for (const [key, value] of Object.entries((object['data'] ?? {}) as Record<string, string>))
    data.set(key, Buffer.from(value, encoding));
  for (const [key, value] of Object.entries((object['binaryData'] ?? {}) as Record<string, string>))
    data.set(key, Buffer.from(value, 'base64'));
  const items = wanted.items ?? [...data.keys()].map((key) => ({ key, path: key }) as KeyToPath);
  for (const { key, path, mode } of items) {
    const content = data.get(key);
    if (content !== undefined) files.set(path, { content, mode: mode ?? wanted.mode });
    else if (!wanted.optional) throw new MountError(`references non-existent config key: ${key}`);
  }
}

/**
 * Writes all files or none: into a new folder, then the link `..data` moves over (the kubelet's AtomicWriter).
 * What is the same stays, so that nobody sees a change where there is none.
 */
function writeAtomically(folder: string, files: Files): void {
  mkdirSync(folder, { recursive: true });
  const link = join(folder, '..data');
  const old = existsSync(link) ? readlinkSync(link) : undefined;
  const stamp = `..${new Date().toISOString().replaceAll(/[-:T]/g, '_').replace('Z', '')}${process.hrtime.bigint() % 1000n}`;
  const fresh = join(folder, stamp);
  mkdirSync(fresh);
  for (const [path, file] of files) {
    const target = join(fresh, normalize(path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, file.content);
    chmodSync(target, file.mode);
    const top = path.split('/')[0]!;
    if (!existsSync(join(folder, top))) symlinkSync(join('..data', top), join(folder, top));
  }
  symlinkSync(stamp, `${link}_tmp`);
  renameSync(`${link}_tmp`, link);
  if (old !== undefined) rmSync(join(folder, old), { recursive: true, force: true });
}

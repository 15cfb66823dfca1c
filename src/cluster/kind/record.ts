/** What we remember of each kind cluster: one JSON file and one kubeconfig in the state folder. */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateFolder } from '../../exec/folders.ts';
import type { ProcessName } from '../../exec/lock.ts';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { Cni, Proxy } from '../port.ts';

export interface KindRecord {
  readonly name: string;
  readonly cni: Cni;
  readonly proxy: Proxy;
  /** Number of nodes, control plane included. */
  readonly nodes: number;
  /** Which engine it lives on; see src/docker/docker.ts. */
  readonly engine: 'own-engine' | 'docker' | 'podman';
  /** `making` until it was ready once; with a dead maker it is half-made. */
  readonly state: 'making' | 'running';
  readonly maker: ProcessName;
  /** Port of the API server on 127.0.0.1. */
  readonly port: number;
  readonly relay: ProcessName | undefined;
  readonly podSubnet: string;
  readonly since: string;
}

/** Length that keeps `podlab-NAME-control-plane` a hostname (63 bytes) with room to spare. */
const NAME = /^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/;

/** @throws PodlabError `bad-name` */
export function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new PodlabError({
    code: 'bad-name',
    fault: 'user',
    message: text(`"${name}" is no cluster name.`, `“${name}”不能用作集群名。`),
    hint: text(
      'Use 1 to 20 lower-case letters, digits and dashes, a letter first: --name lab1',
      '请使用 1 到 20 个小写字母、数字或短横线，以字母开头：--name lab1',
    ),
  });
}

const folder = () => join(stateFolder(), 'kind');
const file = (name: string) => join(folder(), `${name}.json`);
/** Where the kubeconfig of a cluster lies. */
export const kubeconfigOf = (name: string) => join(folder(), `${name}.kubeconfig`);
/** The lock that `up` and `down` of one name share. */
export const lockOf = (name: string) => join(folder(), `${name}.lock`);
/** The name that kind knows a cluster by; its nodes' names begin with it. */
export const kindName = (name: string) => `podlab-${name}`;

export function writeRecord(record: KindRecord): void {
  mkdirSync(folder(), { recursive: true, mode: 0o700 });
  const next = `${file(record.name)}.new`;
  writeFileSync(next, `${JSON.stringify(record, undefined, 1)}\n`, { mode: 0o600 });
  renameSync(next, file(record.name));
}

export function readRecord(name: string): KindRecord | undefined {
  try {
    return JSON.parse(readFileSync(file(name), 'utf8')) as KindRecord;
  } catch {
    return undefined;
  }
}

export function allRecords(): readonly KindRecord[] {
  let names: string[];
  try {
    names = readdirSync(folder());
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => readRecord(name.slice(0, -'.json'.length)) ?? []);
}

export function forget(name: string): void {
  for (const path of [kubeconfigOf(name), `${kubeconfigOf(name)}.lock`, file(name)])
    rmSync(path, { force: true });
}

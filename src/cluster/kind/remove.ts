/** Removes what was made for a kind cluster, and nothing else: also when `up` or an earlier removal was killed. */
import { setTimeout as delay } from 'node:timers/promises';
import { findDocker, needDocker, type Docker } from '../../docker/docker.ts';
import { thaw } from '../../docker/leftovers.ts';
import { stopRelay } from '../../docker/relay.ts';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import { findImageSet } from '../../offline/image-set.ts';
import type { OnPhase } from '../port.ts';
import { phase } from './phase.ts';
import { forget, kindName, readRecord, type KindRecord } from './record.ts';

/** Label that kind puts on its containers; its value is our name for the cluster. */
export const LABEL = 'io.x-k8s.kind.cluster';
const BOUND_MS = 120_000;
/** A removal that takes longer is looked at: frozen processes cannot die. */
const PATIENCE_MS = 4_000;

/** Containers of a cluster, running or not: short ids. */
export async function containersOf(docker: Docker, name: string): Promise<readonly string[]> {
  const ran = await docker.must(['ps', '--all', '--quiet', '--filter', `label=${LABEL}=${kindName(name)}`]);
  return ran.stdout.split('\n').filter(Boolean);
}

/** The engine that a cluster lives on; ours is started when it is down, for its containers are there still. */
export async function dockerOf(record: KindRecord): Promise<Docker | undefined> {
  if (record.engine !== 'own-engine') return findDocker();
  return needDocker({ runtime: (await findImageSet())?.binaries.podlabRunc });
}

/** Removes one cluster. The record goes last, so that a killed removal is taken up again. */
export async function removeCluster(record: KindRecord, onPhase?: OnPhase): Promise<void> {
  await phase(onPhase, 'remove', text(`removing ${record.name}`, `删除 ${record.name}`), async () => {
    stopRelay(readRecord(record.name)?.relay);
    const docker = await dockerOf(record);
    if (docker) {
      await removeContainers(docker, record.name);
      await removeNetwork(docker, record.name);
    }
    forget(record.name);
  });
}

/** Containers with their anonymous volumes (kind keeps /var of a node in one). */
export async function removeContainers(docker: Docker, name: string): Promise<void> {
  const began = Date.now();
  for (;;) {
    const ids = await containersOf(docker, name);
    if (ids.length === 0) return;
    if (Date.now() - began > BOUND_MS)
      throw new PodlabError({
        code: 'not-removed',
        fault: 'machine',
        message: text(
          `Containers of ${name} could not be removed: ${ids.join(' ')}`,
          `无法删除 ${name} 的容器：${ids.join(' ')}`,
        ),
        hint: text('Try again: ./podlab down --all', '请重试：./podlab down --all'),
      });
    const done = new AbortController();
    const thawing = thawWhile(docker, ids, done.signal);
    await docker.run(['rm', '--force', '--volumes', ...ids], { timeout: BOUND_MS });
    done.abort();
    await thawing;
  }
}

async function thawWhile(docker: Docker, ids: readonly string[], done: AbortSignal): Promise<void> {
  if (!docker.enterable) return;
  while (!done.aborted) {
    await delay(PATIENCE_MS, undefined, { signal: done }).catch(() => undefined);
    if (!done.aborted) ids.forEach(thaw);
  }
}

/** The network of a cluster is its own and bears its name. */
async function removeNetwork(docker: Docker, name: string): Promise<void> {
  const filter = ['--filter', `label=podlab.cluster=${name}`, '--quiet'];
  const ids = (await docker.must(['network', 'ls', ...filter])).stdout.split('\n').filter(Boolean);
  if (ids.length > 0) await docker.must(['network', 'rm', ...ids]);
}

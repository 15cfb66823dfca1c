/** The kind backend: real Kubernetes in containers. */
import { findDocker, type Docker } from '../../docker/docker.ts';
import { runningEngine, stopEngine } from '../../docker/engine.ts';
import { listen, startRelay } from '../../docker/relay.ts';
import { alive, withLock, type ProcessName } from '../../exec/lock.ts';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { Backend, Cluster, ClusterSummary, OnPhase, UpOptions } from '../port.ts';
import { kindCluster } from './cluster.ts';
import { phase } from './phase.ts';
import {
  allRecords,
  checkName,
  kindName,
  kubeconfigOf,
  lockOf,
  readRecord,
  writeRecord,
  type KindRecord,
} from './record.ts';
import { LABEL, removeCluster } from './remove.ts';
import { makeCluster } from './up.ts';

/** The engine that a record's cluster runs on now, without starting one. */
async function engineOf(record: KindRecord): Promise<Docker | undefined> {
  if (record.engine === 'own-engine' && !runningEngine()) return undefined;
  return findDocker();
}

async function stateOf(record: KindRecord): Promise<ClusterSummary['state']> {
  if (record.state === 'making') return 'half-made';
  const docker = await engineOf(record);
  if (!docker) return 'stopped';
  const up = await docker.must(['ps', '--quiet', '--filter', `label=${LABEL}=${kindName(record.name)}`]);
  return up.stdout.split('\n').filter(Boolean).length === record.nodes ? 'running' : 'stopped';
}

/** The relay ends with its engine only, but a person may have ended it. */
async function withRelay(record: KindRecord): Promise<KindRecord> {
  const engine = runningEngine();
  if (!engine || record.engine !== 'own-engine' || alive(record.relay)) return record;
  const { server } = await listen(record.port);
  const renewed = { ...record, relay: await startRelay(engine, server, record.port) };
  writeRecord(renewed);
  return renewed;
}

async function find(name: string): Promise<Cluster | undefined> {
  const record = readRecord(name);
  if (record?.state !== 'running' || (await stateOf(record)) !== 'running') return undefined;
  const docker = await engineOf(record);
  if (!docker) return undefined;
  const renewed = await withRelay(record);
  return kindCluster(renewed, docker, async (onPhase) => void (await down(name, onPhase)));
}

function up(options: UpOptions, onPhase?: OnPhase, signal?: AbortSignal): Promise<Cluster> {
  checkName(options.name);
  return withLock(
    lockOf(options.name),
    async () => {
      const record = readRecord(options.name);
      if (record) {
        if ((await stateOf(record)) === 'running') throw exists(options.name);
        // Killed while it was made, or its nodes are gone: its addresses would not come back (see docs).
        await removeCluster(record, onPhase);
      }
      const made = await makeCluster(options, onPhase, signal);
      return { ...made, destroy: async (tell?: OnPhase) => void (await down(options.name, tell)) };
    },
    signal,
    waiting(onPhase),
  );
}

/** Another command of ours has the same cluster in hand. */
const waiting =
  (onPhase: OnPhase | undefined) =>
  ({ pid }: ProcessName): void =>
    onPhase?.({
      id: 'wait',
      title: text('waiting', '等待'),
      ms: undefined,
      note: text(`for process ${pid}, which works on the same cluster`, `进程 ${pid} 正在操作同一集群`),
    });

function exists(name: string): PodlabError {
  return new PodlabError({
    code: 'cluster-exists',
    fault: 'user',
    message: text(`Cluster ${name} is up already.`, `集群 ${name} 已在运行。`),
    hint: text(
      `Use it: export KUBECONFIG=${kubeconfigOf(name)} ; or remove it: ./podlab down --cluster kind --name ${name}`,
      `使用它：export KUBECONFIG=${kubeconfigOf(name)} ；或删除它：./podlab down --cluster kind --name ${name}`,
    ),
  });
}

async function down(name: string, onPhase?: OnPhase): Promise<boolean> {
  checkName(name);
  const work = async () => {
    const record = readRecord(name);
    if (!record) return false;
    await removeCluster(record, onPhase);
    return true;
  };
  return withLock(lockOf(name), work, undefined, waiting(onPhase));
}

async function list(): Promise<readonly ClusterSummary[]> {
  return Promise.all(
    allRecords().map(async (record) => ({
      name: record.name,
      backend: 'kind' as const,
      cni: record.cni,
      proxy: record.proxy,
      nodes: record.nodes,
      state: await stateOf(record),
      kubeconfig: record.state === 'running' ? kubeconfigOf(record.name) : undefined,
      since: record.since,
    })),
  );
}

async function downAll(onPhase?: OnPhase): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { name } of allRecords()) if (await down(name, onPhase)) removed.push(name);
  await phase(onPhase, 'stop', text('stopping our Docker engine', '停止自带的 Docker 引擎'), async () => {
    if (await stopEngine()) removed.push('docker engine');
  });
  return removed;
}

export const kindBackend: Backend = { name: 'kind', up, find, list, down, downAll };

/** The embedded backend: our engine in an unprivileged sandbox; no Docker, no root, no images, no internet. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterConfig } from '../../engine/config.ts';
import { FILES } from '../../engine/config.ts';
import { startDaemon, startTime } from '../../exec/daemon.ts';
import { withLock } from '../../exec/lock.ts';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import { kindConfig } from '../kind/config.ts';
import { phase } from '../kind/phase.ts';
import { checkName } from '../kind/record.ts';
import type { Backend, Cluster, ClusterSummary, OnPhase, UpOptions } from '../port.ts';
import { ENGINE_SOURCE, engineProgram } from './bundle.ts';
import { embeddedCluster } from './cluster.ts';
import { EngineGone } from './control.ts';
import {
  clusterFolder,
  clusterNames,
  kubeconfigOf,
  lockFile,
  logTail,
  readConfig,
  relayOf,
  removeCluster,
} from './folder.ts';
import { preflight } from './preflight.ts';

/** How long the engine may take to open its control socket, in milliseconds. */
const START_BOUND_MS = 20_000;

function configOf(options: UpOptions): ClusterConfig {
  // The same reader as the kind backend's, so that a file means the same on both.
  const kind = kindConfig(options, 0, undefined);
  const name = `podlab-${options.name}`;
  let workers = 0;
  const nodes = kind.nodes.map((node) => {
    const worker = node.role === 'worker';
    if (worker) workers += 1;
    const suffix = worker ? `worker${workers > 1 ? workers : ''}` : 'control-plane';
    return {
      name: `${name}-${suffix}`,
      role: worker ? ('worker' as const) : ('control-plane' as const),
      labels: (node['labels'] ?? {}) as Record<string, string>,
      portMappings: (node['extraPortMappings'] ?? []) as {
        containerPort: number;
        hostPort: number;
        listenAddress?: string;
      }[],
    };
  });
  nodes.sort((a, b) => Number(a.role === 'worker') - Number(b.role === 'worker'));
  return {
    name,
    label: options.name,
    nodes,
    cni: options.cni,
    proxy: options.proxy,
    podSubnet: kind.networking.podSubnet,
    serviceSubnet: kind.networking.serviceSubnet,
    kubeconfig: kubeconfigOf(options.name),
    since: new Date().toISOString(),
  };
}

const clusterOf = (config: ClusterConfig): Cluster =>
  embeddedCluster(config, async (onPhase) => void (await down(config.label, onPhase)));

function up(options: UpOptions, onPhase?: OnPhase, signal?: AbortSignal): Promise<Cluster> {
  checkName(options.name);
  return withLock(
    lockFile(options.name),
    async () => {
      if (relayOf(options.name) !== undefined) throw exists(options.name);
      await removeCluster(options.name);
      const config = configOf(options);
      const folder = clusterFolder(options.name);
      await preflight(folder);
      const program = await phase(onPhase, 'engine', text('engine', '引擎'), () => engineProgram());
      try {
        await phase(onPhase, 'boot', text('boot', '启动'), () => boot(folder, config, program, signal));
        const cluster = clusterOf(config);
        await phase(onPhase, 'ready', text('ready', '就绪'), () => cluster.settled(signal));
        return cluster;
      } catch (error) {
        const told = error instanceof EngineGone ? notStarted(options.name) : error;
        await removeCluster(options.name);
        throw told;
      }
    },
    signal,
  );
}

/** Starts the relay, which starts the sandbox; resolves when the engine answers. */
async function boot(
  folder: string,
  config: ClusterConfig,
  program: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  mkdirSync(join(folder, FILES.sandbox), { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, FILES.config), `${JSON.stringify(config, undefined, 1)}\n`, { mode: 0o600 });
  const env: NodeJS.ProcessEnv = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    PODLAB_ENGINE_SOURCE: ENGINE_SOURCE,
  };
  const argv = [process.execPath, program, 'relay', folder];
  const pid = startDaemon(argv, join(folder, FILES.log), env);
  const until = Date.now() + START_BOUND_MS;
  while (!existsSync(join(folder, FILES.control))) {
    signal?.throwIfAborted();
    if (startTime(pid) === undefined || Date.now() > until) {
      throw notStarted(config.label);
    }
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

const notStarted = (name: string): PodlabError =>
  new PodlabError({
    code: 'engine-not-started',
    fault: 'machine',
    message: text(`The engine of cluster ${name} did not start.`, `集群 ${name} 的引擎未能启动。`),
    hint: text('See what this machine lacks: ./podlab doctor', '检查本机缺少什么：./podlab doctor'),
    evidence: logTail(name),
  });

const exists = (name: string): PodlabError =>
  new PodlabError({
    code: 'cluster-exists',
    fault: 'user',
    message: text(`Cluster ${name} is up already.`, `集群 ${name} 已在运行。`),
    hint: text(
      `Use it: export KUBECONFIG=${kubeconfigOf(name)} ; or remove it: ./podlab down ${name}`,
      `使用它：export KUBECONFIG=${kubeconfigOf(name)} ；或删除它：./podlab down ${name}`,
    ),
  });

async function find(name: string): Promise<Cluster | undefined> {
  const config = readConfig(name);
  if (config === undefined || relayOf(name) === undefined) return undefined;
  return clusterOf(config);
}

async function list(): Promise<readonly ClusterSummary[]> {
  return clusterNames().flatMap((name) => {
    const config = readConfig(name);
    if (config === undefined) return [];
    const running = relayOf(name) !== undefined;
    return [
      {
        name,
        backend: 'embedded' as const,
        cni: config.cni === 'none' ? ('other' as const) : config.cni,
        proxy: config.proxy === 'none' ? ('other' as const) : config.proxy,
        nodes: config.nodes.length,
        state: running ? ('running' as const) : ('half-made' as const),
        kubeconfig: running ? config.kubeconfig : undefined,
        since: config.since,
      },
    ];
  });
}

function down(name: string, onPhase?: OnPhase): Promise<boolean> {
  checkName(name);
  return phase(onPhase, 'remove', text('remove', '删除'), () => removeCluster(name));
}

async function downAll(onPhase?: OnPhase): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of clusterNames()) if (await down(name, onPhase)) removed.push(name);
  return removed;
}

export const embeddedBackend: Backend = { name: 'embedded', up, find, list, down, downAll };

/** Makes a kind cluster: image, boot, pod network, ready. */
import { chmodSync, existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { findDocker, needDocker, type Docker } from '../../docker/docker.ts';
import { listen, startRelay } from '../../docker/relay.ts';
import { ownName, type ProcessName } from '../../exec/lock.ts';
import { CommandFailed, run, which } from '../../exec/run.ts';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { Cluster, NodeInfo, OnPhase, UpOptions } from '../port.ts';
import { kindCluster } from './cluster.ts';
import { cniManifests } from './cni.ts';
import { kindConfig, toYaml, type KindConfig } from './config.ts';
import { haveNodeImage, source, type Source } from './images.ts';
import { phase } from './phase.ts';
import { preflight } from './preflight.ts';
import { kindName, kubeconfigOf, writeRecord, type KindRecord } from './record.ts';
import { containersOf, removeCluster } from './remove.ts';

const BOOT_MS = 600_000;
const APPLY_MS = 120_000;
const JOIN_MS = 120_000;

/**
 * Makes a cluster of a name that has no record. Whatever goes wrong, what was made is removed again.
 * @throws PodlabError of each part; the signal's reason on abort
 */
export async function makeCluster(
  options: UpOptions,
  onPhase?: OnPhase,
  signal?: AbortSignal,
): Promise<Cluster> {
  // The file is judged before anything is started or made.
  const nodes = kindConfig(options, 1, undefined).nodes.length;
  preflight(nodes);
  const from = await source(await findDocker());
  const docker = await phase(onPhase, 'engine', text('Docker engine', 'Docker 引擎'), async (note) => {
    const found = await needDocker({ runtime: from.set?.binaries.podlabRunc, signal });
    note(
      found.engine
        ? text('of our own, without uplink', '自带引擎，无外网')
        : text('yours', '使用您自己的引擎'),
    );
    return found;
  });
  if ((await containersOf(docker, options.name)).length > 0) throw foreign(docker, options.name);
  await phase(onPhase, 'image', text('node image', '节点镜像'), async (note) => {
    const loaded = await haveNodeImage(docker, from, signal);
    note(loaded ? text('loaded', '已载入') : text('there already', '已存在'));
  });
  const door = docker.engine ? await listen(0) : { server: undefined, port: await freePort() };
  const config = kindConfig(options, door.port, from.set);
  let record: KindRecord = {
    name: options.name,
    cni: options.cni,
    proxy: options.proxy,
    nodes,
    engine: docker.kind,
    state: 'making',
    maker: ownName(),
    port: door.port,
    relay: undefined,
    podSubnet: config.networking.podSubnet,
    since: new Date().toISOString(),
  };
  writeRecord(record);
  try {
    let relay: ProcessName | undefined;
    if (docker.engine && door.server) relay = await startRelay(docker.engine, door.server, door.port);
    record = { ...record, relay };
    writeRecord(record);
    await phase(onPhase, 'boot', text('nodes and control plane', '节点与控制面'), () =>
      boot(docker, from, options.name, config, signal),
    );
    const made = record;
    const cluster = kindCluster(made, docker, (tell) => removeCluster(made, tell));
    await forwards(cluster, nodes, signal);
    await phase(onPhase, 'cni', text(`pod network: ${options.cni}`, `Pod 网络：${options.cni}`), () =>
      installCni(cluster, from, made, signal),
    );
    await phase(onPhase, 'ready', text('settled', '收敛'), () => cluster.settled(signal));
    writeRecord({ ...record, state: 'running' });
    return cluster;
  } catch (error) {
    await removeCluster(record, onPhase);
    signal?.throwIfAborted();
    throw error;
  }
}

async function freePort(): Promise<number> {
  const { server, port } = await listen(0);
  await new Promise((closed) => server.close(closed));
  return port;
}

async function boot(
  docker: Docker,
  from: Source,
  name: string,
  config: KindConfig,
  signal?: AbortSignal,
): Promise<void> {
  const network = kindName(name);
  if (docker.kind !== 'podman') {
    // Its own network: clusters side by side do not hear each other, and the label says whose it is.
    const masquerade = ['--opt', 'com.docker.network.bridge.enable_ip_masquerade=true'];
    await docker.must(['network', 'create', '--label', `podlab.cluster=${name}`, ...masquerade, network]);
  }
  const kubeconfig = kubeconfigOf(name);
  const create = [
    'create',
    'cluster',
    '--config',
    '-',
    '--image',
    from.nodeImage,
    '--kubeconfig',
    kubeconfig,
  ];
  const env = { ...docker.env, KIND_EXPERIMENTAL_DOCKER_NETWORK: network };
  // When we are killed, kind must not go on making what the next command removes (prctl(2), PR_SET_PDEATHSIG).
  const dies = (await which('setpriv')) ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];
  const ran = await run([...dies, from.kind, ...create, '--retain'], {
    input: toYaml(config),
    env,
    timeout: BOOT_MS,
    signal,
    ownGroup: true,
  });
  if (existsSync(kubeconfig)) chmodSync(kubeconfig, 0o600);
  if (ran.ok) return;
  throw new PodlabError({
    code: 'kind-failed',
    fault: 'machine',
    message: text(`kind could not create ${name}.`, `kind 未能创建 ${name}。`),
    hint: text('What this machine lacks: ./podlab doctor', '检查本机缺少什么：./podlab doctor'),
    evidence: [ran.broken, ran.stderr.slice(-4000)].filter(Boolean).join('\n'),
  });
}

/**
 * The nodes, once all of them are in the API: `kubeadm join` ends when a kubelet has its credentials, and the kubelet
 * registers its node a moment later.
 * @throws PodlabError `nodes-missing`
 */
async function joined(cluster: Cluster, wanted: number, signal?: AbortSignal): Promise<readonly NodeInfo[]> {
  const end = performance.now() + JOIN_MS;
  for (;;) {
    signal?.throwIfAborted();
    const nodes = await cluster.nodes();
    if (nodes.length >= wanted) return nodes;
    if (performance.now() > end)
      throw new PodlabError({
        code: 'nodes-missing',
        fault: 'machine',
        message: text(
          `${nodes.length} of ${wanted} nodes joined ${cluster.name} within ${JOIN_MS / 1000} s.`,
          `${JOIN_MS / 1000} 秒内只有 ${nodes.length}/${wanted} 个节点加入 ${cluster.name}。`,
        ),
      });
    await delay(250, undefined, { signal });
  }
}

/**
 * Nodes are routers. A new network namespace takes its setting from the machine's first one, where forwarding may be
 * off (ip-sysctl of the kernel: ip_forward); kubeadm asks for it, and the bridge plugin turns it on with a node's first
 * pod only, so that a node without pods would drop what comes to its NodePorts.
 */
async function forwards(cluster: Cluster, wanted: number, signal?: AbortSignal): Promise<void> {
  for (const { name } of await joined(cluster, wanted, signal)) {
    const ran = await cluster.onNode(name, ['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1'], { signal });
    if (!ran.ok) throw new CommandFailed(ran);
  }
}

async function installCni(
  cluster: Cluster,
  from: Source,
  record: KindRecord,
  signal?: AbortSignal,
): Promise<void> {
  const leader = `${kindName(record.name)}-control-plane`;
  const told = await cluster.onNode(leader, ['iptables', '--version'], { signal });
  const manifests = cniManifests({
    cni: record.cni,
    podSubnet: record.podSubnet,
    images: from.cni,
    iptables: told.stdout.includes('nf_tables') ? 'NFT' : 'Auto',
  });
  for (const input of manifests) {
    const ran = await cluster.onNode(leader, ['kubectl', 'apply', '-f', '-'], {
      input,
      timeout: APPLY_MS,
      signal,
    });
    if (!ran.ok) throw new CommandFailed(ran);
    const crds = [...input.matchAll(/^ {2}name: (\S+\.crd\.projectcalico\.org)$/gm)].map(
      ([, name]) => `crd/${name}`,
    );
    if (crds.length === 0) continue;
    const established = ['kubectl', 'wait', '--for=condition=Established', '--timeout=60s', ...crds];
    const wait = await cluster.onNode(leader, established, { timeout: APPLY_MS, signal });
    if (!wait.ok) throw new CommandFailed(wait);
  }
}

function foreign(docker: Docker, name: string): PodlabError {
  const list = docker
    .argv('ps', '--all', '--filter', `label=io.x-k8s.kind.cluster=${kindName(name)}`)
    .join(' ');
  return new PodlabError({
    code: 'cluster-foreign',
    fault: 'user',
    message: text(
      `Containers of a cluster ${kindName(name)} are here, but we have no record of making it.`,
      `这里已有集群 ${kindName(name)} 的容器，但并非由我们的记录创建。`,
    ),
    hint: text(`Look: ${list} ; or choose another --name`, `查看：${list} ；或换一个 --name`),
  });
}

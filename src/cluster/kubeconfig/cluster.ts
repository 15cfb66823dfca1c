/**
 * Any cluster that exists, by a kubeconfig. It is somebody else's: the kit makes namespaces of its own there and
 * removes them, runs no command on a node, and changes nothing that it did not make.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Kube, type KubeObject } from '../../kube/kube.ts';
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { Cluster, NodeInfo, NodeRunOptions } from '../port.ts';
import { paste, type Ran } from '../../exec/run.ts';

/** The kubeconfig that kubectl would use (Kubernetes: Organizing Cluster Access Using kubeconfig Files). */
export const defaultKubeconfig = (): string =>
  process.env['KUBECONFIG']?.split(':')[0] || join(homedir(), '.kube', 'config');

/** How a foreign cluster is named. */
export interface KubeconfigChoice {
  /** KUBECONFIG, else ~/.kube/config, when not said. */
  readonly kubeconfig?: string;
  /** The current context when not said. */
  readonly context?: string;
}

/**
 * Opens a cluster that exists.
 * @param enforces whether it enforces NetworkPolicy, as a probe found out; never guessed from a version
 * @throws PodlabError `bad-kubeconfig`, `cluster-unreachable`
 */
export async function openKubeconfigCluster(choice: KubeconfigChoice, enforces: boolean): Promise<Cluster> {
  const path = choice.kubeconfig ?? defaultKubeconfig();
  const kube = await Kube.open(path, choice.context);
  const command = paste([
    'kubectl',
    '--kubeconfig',
    path,
    ...(choice.context ? ['--context', choice.context] : []),
    'get',
    'nodes',
  ]);
  try {
    await kube.list(NODE);
  } catch (cause) {
    throw new PodlabError({
      code: 'cluster-unreachable',
      fault: 'machine',
      message: text(`The cluster of ${path} does not answer.`, `${path} 指向的集群没有响应。`),
      hint: text(`Does this work? ${command}`, `请先确认此命令可用：${command}`),
      evidence: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  } finally {
    kube.close();
  }
  return new KubeconfigCluster(path, choice.context, enforces);
}

const NODE = { apiVersion: 'v1', kind: 'Node' };

class KubeconfigCluster implements Cluster {
  readonly backend = 'kubeconfig';
  readonly cni = 'other';
  readonly proxy = 'other';
  readonly name: string;
  readonly capabilities: Cluster['capabilities'];
  readonly kubeconfig: string;
  readonly context: string | undefined;
  #kube: Promise<Kube> | undefined;

  constructor(path: string, context: string | undefined, enforces: boolean) {
    this.kubeconfig = path;
    this.context = context;
    this.name = context ?? 'current-context';
    this.capabilities = new Set(enforces ? ['NetworkPolicy'] : []);
  }

  async nodes(): Promise<readonly NodeInfo[]> {
    const nodes = (await (await this.#open()).list(NODE)).map(nodeInfo);
    return nodes.sort((a, b) => a.role.localeCompare(b.role) || a.name.localeCompare(b.name));
  }

  async onNode(node: string, argv: readonly string[], _options?: NodeRunOptions): Promise<Ran> {
    const broken = `commands cannot be run on node ${node} of a cluster that is only known by a kubeconfig`;
    return {
      argv,
      code: undefined,
      signal: undefined,
      stdout: '',
      stderr: '',
      ms: 0,
      ok: false,
      broken,
      truncated: false,
    };
  }

  async settled(): Promise<number> {
    const began = performance.now();
    const nodes = await (await this.#open()).list(NODE);
    const late = nodes.filter((node) => !isReady(node)).map((node) => node.metadata.name);
    if (late.length > 0)
      throw new PodlabError({
        code: 'not-settled',
        fault: 'machine',
        message: text(`Nodes are not Ready: ${late.join(', ')}`, `节点未就绪：${late.join('、')}`),
      });
    return Math.round(performance.now() - began);
  }

  /** The cluster stays; what is ours in it goes. */
  async destroy(): Promise<void> {
    const kube = await this.#open();
    const spaces = await kube.list(
      { apiVersion: 'v1', kind: 'Namespace' },
      { labelSelector: 'app.kubernetes.io/managed-by=podlab' },
    );
    await Promise.all(spaces.map((space) => kube.delete(space)));
    kube.close();
    this.#kube = undefined;
  }

  #open(): Promise<Kube> {
    this.#kube ??= Kube.open(this.kubeconfig, this.context);
    return this.#kube;
  }
}

const isReady = (node: KubeObject): boolean =>
  node.status?.conditions?.some(
    (one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True',
  ) ?? false;

/** A node that pods without tolerations are kept off counts as control plane here: no probe pod would start on it. */
function nodeInfo(node: KubeObject): NodeInfo {
  const address =
    node.status?.addresses?.find((one: { type: string }) => one.type === 'InternalIP')?.address ?? '';
  const closed =
    node.spec?.taints?.some((taint: { effect: string }) => taint.effect === 'NoSchedule') ?? false;
  const role = closed ? 'control-plane' : 'worker';
  return { name: node.metadata.name, address, role, podCidr: node.spec?.podCIDR };
}

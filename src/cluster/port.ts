/**
 * The port: what the kit asks of a cluster, whichever backend made it.
 *
 * It is small on purpose. Everything else goes through the doors that a learner has: the Kubernetes API
 * (with {@link Cluster.kubeconfig}), exec in a pod, and commands on a node.
 */
import type { Ran, RunOptions } from '../exec/run.ts';
import type { Text } from '../model/text.ts';

/** Where a cluster comes from. */
export const BACKENDS = ['embedded', 'kind', 'kubeconfig'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** Pod networks that the kit can build. */
export const CNIS = ['flannel', 'flannel-host-gw', 'calico-bgp', 'calico-vxlan'] as const;
export type Cni = (typeof CNIS)[number];

/** Modes of kube-proxy that the kit can set up (IPVS needs ip_vs in the kernel: see `doctor`). */
export const PROXIES = ['iptables', 'nftables'] as const;
export type Proxy = (typeof PROXIES)[number];

/**
 * What a cluster can show. A check names what it needs; a lack is printed (`skipped: needs NodeCommands`),
 * never passed silently.
 */
export const CAPABILITIES = [
  /** Commands can be run on a node: routes, rules, counters, captures. */
  'NodeCommands',
  /** The pod network enforces NetworkPolicy. */
  'NetworkPolicy',
  /** Objects without a namespace may be made, and the cluster's own changed: it is ours, and nobody else's. */
  'ClusterScope',
  /** Nodes learn pod routes from each other by BGP. */
  'Bgp',
] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** One node. */
export interface NodeInfo {
  readonly name: string;
  /** InternalIP, the address that the other nodes reach it at. */
  readonly address: string;
  readonly role: 'control-plane' | 'worker';
  /** The node's share of the pod addresses, as the API tells it (`spec.podCIDR`); calico keeps its own books. */
  readonly podCidr: string | undefined;
}

/** A running cluster. */
export interface Cluster {
  readonly name: string;
  readonly backend: BackendName;
  readonly cni: Cni | 'other';
  readonly proxy: Proxy | 'other';
  readonly capabilities: ReadonlySet<Capability>;
  /** Path of a kubeconfig (mode 0600) that works from this machine, for `kubectl --kubeconfig` too. */
  readonly kubeconfig: string;
  /** The context to use of that file; `undefined` is its current one. */
  readonly context: string | undefined;
  /** The nodes: control plane first, then by name. */
  nodes(): Promise<readonly NodeInfo[]>;
  /**
   * Runs a command on a node, as its root, without a shell of ours (`['sh', '-c', …]` is yours to ask for).
   *
   * A command that ran and said no has a `code`; one that could not be run at all (no such node, node stopped,
   * engine gone, program not found, time limit) has `broken` and no code. Never throws for either.
   */
  onNode(node: string, argv: readonly string[], options?: NodeRunOptions): Promise<Ran>;
  /**
   * Waits until the data plane has taken in what the API holds: nodes Ready, pod network rolled out, kube-proxy
   * synced, CoreDNS ready and, with BGP, every session Established.
   * @returns how long it took, in milliseconds
   * @throws PodlabError `not-settled` with what was still missing
   */
  settled(signal?: AbortSignal): Promise<number>;
  /** Removes the cluster and everything that was made for it; nothing else. */
  destroy(onPhase?: OnPhase): Promise<void>;
}

/** How to run a command on a node. `timeout` in milliseconds, 30 000 by default. */
export type NodeRunOptions = Pick<RunOptions, 'timeout' | 'input' | 'signal'>;

/** A part of a long piece of work: begun (`ms` undefined) or done. `note` says more on one line. */
export interface Phase {
  /** Stable, for JSON: `engine`, `image`, `boot`, `cni`, `ready`, `remove` … */
  readonly id: string;
  readonly title: Text;
  readonly ms: number | undefined;
  readonly note?: Text;
}
export type OnPhase = (phase: Phase) => void;

/** What cluster is wanted. */
export interface UpOptions {
  /** A DNS label of at most 20 characters. */
  readonly name: string;
  readonly cni: Cni;
  readonly proxy: Proxy;
  /** Nodes beside the control plane. */
  readonly workers: number;
  /** Path of a kind configuration (kind.x-k8s.io/v1alpha4); its nodes count instead of `workers`. */
  readonly config?: string;
}

/** What is told of a cluster in a list, without asking it. */
export interface ClusterSummary {
  readonly name: string;
  readonly backend: BackendName;
  readonly cni: Cni | 'other';
  readonly proxy: Proxy | 'other';
  readonly nodes: number;
  /** `half-made`: an `up` that was killed; the next `up` or `down` of that name removes it. */
  readonly state: 'running' | 'half-made' | 'stopped';
  readonly kubeconfig: string | undefined;
  /** ISO 8601. */
  readonly since: string | undefined;
}

/** One kind of cluster. */
export interface Backend {
  readonly name: BackendName;
  /**
   * Makes a cluster and waits until it is ready; on abort or failure removes what it made.
   * @throws PodlabError `cluster-exists` (user) when one of that name runs already
   */
  up(options: UpOptions, onPhase?: OnPhase, signal?: AbortSignal): Promise<Cluster>;
  /** The running cluster of that name. */
  find(name: string): Promise<Cluster | undefined>;
  list(): Promise<readonly ClusterSummary[]>;
  /** Removes one cluster, half-made ones too. @returns whether there was one */
  down(name: string, onPhase?: OnPhase): Promise<boolean>;
  /** Removes every cluster of ours and stops the machinery that was started for them. @returns what was removed */
  downAll(onPhase?: OnPhase): Promise<readonly string[]>;
}

/**
 * What a claim is to the kit: an experiment that asks questions on a cluster, and sabotages that must turn its verdict.
 * `Stage` is the claim's place on one cluster; src/run/stage.ts makes it.
 */
import type { Capability, Cluster, Cni, NodeInfo } from '../src/cluster/port.ts';
import type { Kube, KubeObject } from '../src/kube/kube.ts';
import type { Observation } from '../src/model/observation.ts';
import type { Prediction } from '../src/model/row.ts';
import type { Text } from '../src/model/text.ts';
import type { Verdict } from '../src/model/verdict.ts';

/** Where an experiment can run: a pod network by name, any of them, one that enforces NetworkPolicy, one that ignores it. */
export type Ground = Cni | 'any' | 'enforcing' | 'ignoring';

/** A claim of the ledger with its experiment. */
export interface Claim {
  /** As in checks/ledger.yaml. */
  readonly id: string;
  /**
   * The clusters it has to be asked on, one of each group: `[['any']]`, or `[['calico-bgp'], ['calico-vxlan']]` for a
   * sentence that is true on one and not on the other. The experiment runs once on each, and all rows are judged together.
   */
  readonly on: readonly (readonly Ground[])[];
  /** What the cluster must offer beyond the Kubernetes API and exec. */
  readonly needs: readonly Capability[];
  /** It changes nodes, kube-proxy, CoreDNS or another thing that all share, so it runs alone on its cluster. */
  readonly disturbs?: boolean;
  /** About how long it takes on a quiet machine: long ones are started first. */
  readonly seconds?: number;
  experiment(stage: Stage): Promise<void>;
  readonly sabotages: readonly Sabotage[];
}

/** A change that must turn the verdict, as a real cluster could suffer it. */
export interface Sabotage {
  readonly id: string;
  readonly title: Text;
  /**
   * When it is done: `start` (when the pods of the first `stage.pods` are ready), `service` (right after each Service was
   * made, before the experiment hears of it), or a point that the experiment names with `stage.point`.
   */
  readonly at: 'start' | 'service' | (string & {});
  /** On which of the claim's clusters; on the first when not said. */
  readonly ground?: Ground;
  readonly needs?: readonly Capability[];
  /** Does it; what undoes it goes to `stage.undo`. `subject` is the Service for `at: 'service'`. */
  apply(stage: Stage, subject?: KubeObject): Promise<void>;
  /** What the verdict becomes; anything but the expected one when not said. */
  readonly becomes?: readonly Verdict[];
}

/** A running pod, as experiments need it. */
export interface PodHandle {
  readonly name: string;
  readonly namespace: string;
  /** The first container unless said otherwise. */
  readonly container?: string;
  readonly ip: string;
  readonly node: string;
  readonly uid: string;
}

/** What pod is wanted. Without `containers` it is the probe pod: agnhost netexec on TCP and UDP 80 (and `ports`), with sh, ip, curl, dig. */
export interface PodWish {
  /** `worker 0`, `worker 1`, ...; a node's name; or undefined for where the scheduler likes. */
  readonly node?: number | string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  /** More TCP ports that it answers on beside 80. */
  readonly ports?: readonly number[];
  /** In place of the probe container. */
  readonly containers?: readonly object[];
  /** Merged into the pod's spec. */
  readonly spec?: object;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ServiceWish {
  readonly selector?: Readonly<Record<string, string>>;
  /** Service port -> target port (a number or a port's name); `{80: 80}` when not said. */
  readonly ports?: Readonly<Record<number, number | string>>;
  readonly protocol?: 'TCP' | 'UDP';
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Merged into the Service's spec. */
  readonly spec?: object;
}

export interface ServiceHandle {
  readonly name: string;
  readonly namespace: string;
  /** '' for a headless one. */
  readonly clusterIP: string;
  readonly object: KubeObject;
}

/** What a command in a pod or on a node said; `ran` tells it apart from one that never ran. */
export interface CommandAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AskOptions {
  /** Milliseconds; 10 000 when not said. */
  readonly timeout?: number;
  readonly input?: string;
}

/** How a row is described. */
export interface RowWish {
  /** Short and unique in the claim, and the same on every run: `A->C lo down`. */
  readonly id: string;
  readonly question: Text;
  readonly under?: Text;
  readonly era?: 'then' | 'now';
}

/** A claim's place on one cluster: its namespace, the doors, and where rows go. Everything made through it is removed at its end. */
export interface Stage {
  readonly cluster: Cluster;
  readonly kube: Kube;
  /** The claim's own namespace. */
  readonly namespace: string;
  readonly nodes: readonly NodeInfo[];
  /** Nodes that pods are scheduled on, by name. */
  readonly workers: readonly NodeInfo[];
  /** Ends when the run is interrupted or the claim's deadline has passed. */
  readonly signal: AbortSignal;

  /** Another namespace of this claim's; `suffix` keeps it apart. */
  anotherNamespace(suffix: string, labels?: Readonly<Record<string, string>>): Promise<string>;
  /** Makes pods side by side and waits until each is Ready (and its address answers to nobody in particular). */
  pods<Name extends string>(wishes: Readonly<Record<Name, PodWish>>): Promise<Record<Name, PodHandle>>;
  service(name: string, wish: ServiceWish): Promise<ServiceHandle>;
  /** Makes or changes an object; it is removed at the end. The namespace is the claim's unless the object names one. */
  apply<T extends KubeObject>(object: T): Promise<T>;
  /** Removes an object and waits until it is gone. */
  remove(object: KubeObject): Promise<void>;

  /** Runs a command in a pod. */
  exec(pod: PodHandle, argv: readonly string[], options?: AskOptions): Promise<Observation<CommandAnswer>>;
  /** Runs a command on a node. A program that is not there is not asked; an exit code is an answer. */
  onNode(node: string, argv: readonly string[], options?: AskOptions): Promise<Observation<CommandAnswer>>;

  /**
   * Asks until the answer holds, at most `within` ms (30 000), and returns the last look, which may be used as the row.
   * How long it took and how many looks said otherwise go into the event stream. A look that was not asked does not end it,
   * unless it is the last.
   */
  until<T>(
    what: Text,
    ask: () => Promise<Observation<T>>,
    holds: (value: T) => boolean,
    options?: { within?: number },
  ): Promise<Observation<T>>;

  /** A row whose prediction is the article's. */
  decisive<T>(
    row: RowWish,
    prediction: Prediction<T>,
    seen: Observation<T> | Promise<Observation<T>>,
  ): Promise<void>;
  /** A row that must come out as said, or nothing was learned. */
  control<T>(
    row: RowWish,
    prediction: Prediction<T>,
    seen: Observation<T> | Promise<Observation<T>>,
  ): Promise<void>;
  /** A moment at which a sabotage may strike. */
  point(name: string): Promise<void>;
  /** To be run at the end, last first, whatever happens: undoes what was done to nodes and components. */
  undo(action: () => Promise<unknown>): void;
  note(note: Text): void;
}

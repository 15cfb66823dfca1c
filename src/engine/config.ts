/** What a cluster is told when it is made: one JSON file in its run folder, `cluster.json`. */

export interface NodeConfig {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly labels?: Readonly<Record<string, string>>;
  readonly portMappings?: readonly PortMapping[];
}

/** A port of this machine that leads to a port of a node (kind's extraPortMappings; TCP only). */
export interface PortMapping {
  readonly containerPort: number;
  readonly hostPort: number;
  /** 127.0.0.1 unless given. */
  readonly listenAddress?: string;
}

/** `none` leaves the nodes NotReady until somebody brings a network (kind's disableDefaultCNI). */
export type CniMode = 'flannel' | 'flannel-host-gw' | 'calico-bgp' | 'calico-vxlan' | 'none';

export interface ClusterConfig {
  /** What the cluster calls itself: its nodes' names begin with it. */
  readonly name: string;
  /** What its maker calls it. */
  readonly label: string;
  readonly nodes: readonly NodeConfig[];
  readonly cni: CniMode;
  readonly proxy: 'iptables' | 'nftables' | 'none';
  /** 10.244.0.0/16; each node has a /24 of it. */
  readonly podSubnet: string;
  /** 10.96.0.0/16; the DNS Service has its tenth address. */
  readonly serviceSubnet: string;
  /** Where the kubeconfig is written (mode 0600). */
  readonly kubeconfig: string;
  /** ISO 8601. */
  readonly since: string;
}

/** Files of a cluster's run folder. */
export const FILES = {
  config: 'cluster.json',
  /** Process id and start time of the relay, which everything depends on. */
  pid: 'pid',
  log: 'engine.log',
  /** HTTPS of the API. */
  api: 'api.sock',
  /** Commands on nodes, state of the cluster: see node/control.ts. */
  control: 'control.sock',
  /** Mount point of the sandbox's tmpfs; always empty for the host. */
  sandbox: 's',
} as const;

/** The unix socket behind a port of this machine. */
export const portSocket = (hostPort: number): string => `port-${hostPort}.sock`;

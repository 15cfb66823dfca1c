/**
 * calico-node of one node: felix (policy) and the routes of its mode (BIRD or VXLAN).
 *
 * A pod's rules are in the kernel before its containers start, because the CNI plugin tells of it with
 * {@link CalicoNode.addEndpoint}; until then an unknown interface is dropped, as felix does.
 */
import type { Component } from '../component.ts';
import { gr, type Client, type Informer, type KubeObject } from '../client/types.ts';
import { Bird, type BirdInit } from './bird.ts';
import { addressOf } from './blocks.ts';
import { meaningOf, selectsPod, type AddressSet, type Endpoint } from './policy.ts';
import { filterChains, natChains } from './rules.ts';
import { VxlanRoutes } from './vxlan.ts';
import { Writer, type NodeExec } from './write.ts';

export type CalicoMode = 'bgp' | 'vxlan';

export interface CalicoInit {
  readonly client: Client;
  readonly node: string;
  readonly mode: CalicoMode;
  /** The pod network, the one IPPool: `10.244.0.0/16`. */
  readonly poolCidr: string;
  readonly exec: NodeExec;
  readonly bird: Pick<BirdInit, 'folder' | 'spawn'>;
  /** Told of what went wrong; the agent goes on and tries again. */
  readonly onError: (error: unknown) => void;
}

/** After a failed write, in milliseconds. */
const RETRY = 500;

const POLICIES = gr('networkpolicies', 'networking.k8s.io');

/** An address that a pod has or had a moment ago: not of the host, not of a pod that has ended. */
const isEndpoint = (pod: KubeObject): boolean =>
  Boolean(pod.status?.podIP) &&
  !pod.spec?.hostNetwork &&
  !['Succeeded', 'Failed'].includes(pod.status?.phase);

const endpointOf = (pod: KubeObject, ip: string = pod.status?.podIP): Endpoint => ({
  namespace: pod.metadata.namespace!,
  name: pod.metadata.name,
  ip,
  labels: pod.metadata.labels ?? {},
  ports: [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].flatMap(
    (container: { ports?: { name?: string; containerPort: number; protocol?: string }[] }) =>
      (container.ports ?? [])
        .filter((port) => port.name)
        .map((port) => ({ name: port.name!, port: port.containerPort, protocol: port.protocol ?? 'TCP' })),
  ),
});

export class CalicoNode implements Component {
  readonly name = 'calico-node';
  readonly #init: CalicoInit;
  readonly #bird: Bird | undefined;
  #vxlan: VxlanRoutes | undefined;
  #writer: Writer | undefined;
  #informers: { pods: Informer; namespaces: Informer; policies: Informer; nodes: Informer } | undefined;
  /** Pods of this node that have their network and are not in the API with an address yet. */
  readonly #early = new Map<string, { ip: string; container: string }>();
  #dirty = false;
  #working: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(init: CalicoInit) {
    this.#init = init;
    if (init.mode === 'bgp') this.#bird = new Bird({ node: init.node, ...init.bird });
  }

  get node(): string {
    return this.#init.node;
  }

  get running(): boolean {
    return this.#informers !== undefined;
  }

  /** Where BIRD listens for birdc, in BGP mode. */
  get birdSocket(): string | undefined {
    return this.#bird?.socket;
  }

  async start(): Promise<void> {
    if (this.#informers) return;
    const { client, exec } = this.#init;
    this.#writer = new Writer(exec);
    await this.#writer.adopt();
    if (this.#init.mode === 'vxlan') this.#vxlan = new VxlanRoutes(this.#init.node, exec);
    this.#informers = {
      pods: client.informer(gr('pods')),
      namespaces: client.informer(gr('namespaces')),
      policies: client.informer(POLICIES),
      nodes: client.informer(gr('nodes')),
    };
    for (const informer of Object.values(this.#informers)) informer.onChange(() => this.#changed());
    await this.#settle();
  }

  /** Stops as a killed pod would: rules and routes stay in the kernel; peers miss BIRD's keepalives. */
  async stop(): Promise<void> {
    for (const informer of Object.values(this.#informers ?? {})) informer.stop();
    this.#informers = undefined;
    clearTimeout(this.#retry);
    await this.#working?.catch(() => undefined);
    this.#bird?.stop();
  }

  /** A pod got its network: resolves when its rules are in the kernel. Told by the CNI plugin, before containers start. */
  async addEndpoint(of: { namespace: string; name: string; ip: string; container: string }): Promise<void> {
    this.#early.set(`${of.namespace}/${of.name}`, { ip: of.ip, container: of.container });
    await this.#settle();
  }

  /** Its network is gone. `container` tells it apart from a new pod of the same name. */
  removeEndpoint(of: { namespace: string; name: string; container: string }): void {
    const key = `${of.namespace}/${of.name}`;
    if (this.#early.get(key)?.container === of.container) this.#early.delete(key);
    this.#changed();
  }

  #changed(): void {
    this.#dirty = true;
    if (this.#working || !this.#informers) return;
    // One turn later, so that many changes at once are one write.
    this.#working = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#work());
  }

  /** Everything that was known when it was called is in the kernel when it resolves. */
  async #settle(): Promise<void> {
    this.#changed();
    await this.#working;
  }

  async #work(): Promise<void> {
    try {
      while (this.#dirty && this.#informers) {
        this.#dirty = false;
        await this.#write();
      }
    } catch (error) {
      this.#init.onError(error);
      this.#retry = setTimeout(() => this.#changed(), RETRY);
    } finally {
      this.#working = undefined;
    }
  }

  async #write(): Promise<void> {
    const { pods, namespaces, policies, nodes } = this.#informers!;
    const early = new Map(this.#early);
    const endpoints = new Map<string, Endpoint>();
    const local: Endpoint[] = [];
    for (const pod of pods.list()) {
      const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
      const here = pod.spec?.nodeName === this.#init.node ? early.get(key) : undefined;
      if (!here && !isEndpoint(pod)) continue;
      const endpoint = endpointOf(pod, here?.ip);
      endpoints.set(key, endpoint);
      if (here) local.push(endpoint);
    }
    const labels = new Map(namespaces.list().map((one) => [one.metadata.name, one.metadata.labels ?? {}]));
    // Only what selects a pod of this node makes rules here, as felix has it.
    const relevant = policies
      .list()
      .filter((policy) => local.some((endpoint) => selectsPod(policy, endpoint)));
    const meaning = meaningOf(relevant, [...endpoints.values()], labels);
    const pool = [this.#init.poolCidr];
    const hosts = nodes
      .list()
      .map(addressOf)
      .filter((one): one is string => one !== undefined);
    const fixed: AddressSet[] = [
      { name: 'cali40all-ipam-pools', type: 'hash:net', members: new Set(pool) },
      { name: 'cali40masq-ipam-pools', type: 'hash:net', members: new Set(pool) },
      {
        name: 'cali40all-vxlan-net',
        type: 'hash:net',
        members: new Set(this.#init.mode === 'vxlan' ? hosts : []),
      },
    ];
    await this.#writer!.write({
      filter: filterChains(local, meaning),
      nat: natChains(),
      sets: new Map([...meaning.sets, ...fixed.map((set) => [set.name, set] as const)]),
    });
    this.#bird?.sync(nodes.list(), pods.list(), this.#init.poolCidr);
    await this.#vxlan?.sync(nodes.list(), pods.list());
  }
}

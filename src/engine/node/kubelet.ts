/** The node agent: registers its node, tells how it is, and sees to the pods that are bound to it. */
import { type FSWatcher, statfsSync, watch } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { gr, type Informer, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { ensureKubeletChains } from '../proxy/index.ts';
import { readNetwork } from './cni.ts';
import type { NodeContext } from './node-context.ts';
import { nodeObject, nodeStatus } from './node-status.ts';
import type { Pod } from './pod-types.ts';
import { PodWorker } from './pod-worker.ts';

export const KUBELET_VERSION = 'v1.34.4';
/** The kubelet renews its Lease that often, in milliseconds (nodeLeaseDurationSeconds 40 / 4). */
const LEASE_PERIOD = 10_000;
/** How often the node's condition is looked at; a CNI configuration that appears is seen at once. */
const CONDITION_PERIOD = 2_000;
const LEASES = gr('leases', 'coordination.k8s.io');

export class Kubelet implements Component {
  readonly name = 'kubelet';
  readonly context: NodeContext;
  readonly #workers = new Map<string, PodWorker>();
  #informers: Informer[] = [];
  #timers: NodeJS.Timeout[] = [];
  #watcher: FSWatcher | undefined;
  #chained = false;
  #running = false;
  #told = '';

  constructor(context: NodeContext) {
    this.context = context;
  }

  get node(): string {
    return this.context.machine.name;
  }

  get running(): boolean {
    return this.#running;
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const { client, machine } = this.context;
    if (!this.#chained) {
      await ensureKubeletChains((argv, input) => machine.run(argv, input === undefined ? {} : { input }));
      this.#chained = true;
    }
    await this.#register();
    const pods = client.informer<Pod>(gr('pods'), { fieldSelector: `spec.nodeName=${machine.name}` });
    const configMaps = client.informer(gr('configmaps'));
    const secrets = client.informer(gr('secrets'));
    this.#informers = [pods, configMaps, secrets];
    const known = new Set(pods.list().map((pod) => pod.metadata.uid));
    for (const [uid, worker] of this.#workers) if (!known.has(uid)) worker.orphaned();
    pods.onChange(({ type, object }) => {
      if (type === 'DELETED') this.#workers.get(object.metadata.uid!)?.orphaned();
      else this.#saw(object);
    });
    const source = (kind: string) => (change: { object: KubeObject; before: KubeObject | undefined }) => {
      if (change.before === undefined && this.#workers.size === 0) return;
      for (const worker of this.#workers.values()) {
        if (worker.pod.metadata.namespace === change.object.metadata.namespace)
          worker.sourceChanged(`${kind}/${change.object.metadata.name}`);
      }
    };
    configMaps.onChange(source('configmaps'));
    secrets.onChange(source('secrets'));
    const { onError } = this.context;
    this.#watcher = watch(machine.path('/etc/cni/net.d'), () => {
      void this.tellCondition().catch(onError);
      for (const worker of this.#workers.values()) if (worker.sandbox === undefined) worker.wake();
    });
    this.#timers = [
      setInterval(() => void this.#renewLease().catch(onError), LEASE_PERIOD),
      setInterval(() => void this.tellCondition().catch(onError), CONDITION_PERIOD),
    ];
  }

  /** As if its process had ended: containers go on, nothing is probed, told or started. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    for (const informer of this.#informers) informer.stop();
    for (const timer of this.#timers) clearInterval(timer);
    this.#watcher?.close();
    for (const worker of this.#workers.values()) worker.pause();
  }

  /** The worker of a pod, for exec, logs and the like. */
  worker(uid: string | undefined): PodWorker | undefined {
    return this.#running ? this.#workers.get(uid ?? '') : undefined;
  }

  #saw(pod: Pod): void {
    const uid = pod.metadata.uid!;
    const worker = this.#workers.get(uid);
    if (worker !== undefined) {
      if (worker.paused) worker.resume(pod);
      else worker.update(pod);
      return;
    }
    if (['Succeeded', 'Failed'].includes(pod.status?.phase) && pod.metadata.deletionTimestamp === undefined)
      return;
    const fresh = new PodWorker(pod, this.context, () => this.#workers.delete(uid));
    this.#workers.set(uid, fresh);
    fresh.wake();
  }

  async #register(): Promise<void> {
    const { client, machine } = this.context;
    const old = await client.get(gr('nodes'), machine.name);
    if (old === undefined) {
      const node = nodeObject(machine);
      await client.create(gr('nodes'), { ...node, status: this.#status(undefined) });
    }
    this.#told = '';
    await this.tellCondition();
    await this.#renewLease();
  }

  #status(old: KubeObject | undefined): Record<string, unknown> {
    const { machine, capacity } = this.context;
    return nodeStatus(machine, capacity, old, {
      networkReady: readNetwork(machine) !== undefined,
      kubeletVersion: KUBELET_VERSION,
      kernel: release(),
      architecture: arch() === 'x64' ? 'amd64' : arch(),
    });
  }

  /** Writes the node's status when something of it has changed; soon after a CNI configuration has come or gone. */
  async tellCondition(): Promise<void> {
    const { client, machine } = this.context;
    const node = await client.get(gr('nodes'), machine.name);
    if (node === undefined) {
      if (this.#told !== '') {
        this.#told = '';
        await this.#register(); // Somebody deleted the node; a kubelet that lives registers again.
      }
      return;
    }
    const conditions = ((node.status?.conditions ?? []) as { type: string; status: string }[])
      .map((one) => `${one.type}=${one.status}`)
      .join();
    const key = `${readNetwork(machine) !== undefined} ${conditions}`;
    if (key === this.#told) return;
    const status = this.#status(node);
    const written = await client.updateStatus(gr('nodes'), {
      ...node,
      status: { ...node.status, ...status },
    });
    const now = ((written.status?.conditions ?? []) as { type: string; status: string }[])
      .map((one) => `${one.type}=${one.status}`)
      .join();
    this.#told = `${readNetwork(machine) !== undefined} ${now}`;
  }

  async #renewLease(): Promise<void> {
    const { client, machine } = this.context;
    const renewTime = new Date().toISOString().replace('Z', '000Z');
    const lease = await client.get(LEASES, machine.name, 'kube-node-lease');
    if (lease !== undefined) {
      await client.patch(LEASES, machine.name, 'kube-node-lease', { spec: { renewTime } });
      return;
    }
    const node = await client.get(gr('nodes'), machine.name);
    await client.create(LEASES, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: machine.name,
        namespace: 'kube-node-lease',
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Node', name: machine.name, uid: node?.metadata.uid ?? '' },
        ],
      },
      spec: { holderIdentity: machine.name, leaseDurationSeconds: 40, renewTime },
    });
  }
}

/** What the machine has, as the node's capacity; every node sees all of it, as with kind. */
export function machineCapacity(folder: string): { cpu: string; memory: string; disk: string } {
  const disk = statfsSync(folder);
  return {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    disk: `${Math.floor((disk.blocks * disk.bsize) / 1024)}Ki`,
  };
}

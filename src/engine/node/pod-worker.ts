/**
 * One pod on its node: brings what runs to what the API says, one step after another, again at every change
 * (the kubelet's pod worker and syncPod; Kubernetes: Pod Lifecycle).
 */
import { join } from 'node:path';
import { gr } from '../client/types.ts';
import { ContainerLife } from './container-life.ts';
import type { Place } from './env.ts';
import type { NodeContext } from './node-context.ts';
import type { Container } from './container.ts';
import { programOf } from './exec.ts';
import { startPause } from './start-container.ts';
import { createSandbox, NetworkNotReady, type PodSandbox } from './pod-sandbox.ts';
import { podStatus } from './pod-status.ts';
import { type Pod, podKey } from './pod-types.ts';
import { apiTime, ContainerRecord } from './record.ts';
import { stopContainers } from './stop-containers.ts';
import { MountError, setUpVolumes, volumeSources } from './volumes.ts';

/** Wait before a failed set-up of sandbox or volumes is tried again: grows from the first to the last, in ms. */
const RETRY = { first: 250, last: 10_000 };
/** Changes of a status within that time are one write, in milliseconds. */
const STATUS_DELAY = 5;

export class PodWorker {
  pod: Pod;
  readonly context: NodeContext;
  readonly records: ContainerRecord[];
  sandbox: PodSandbox | undefined;
  /** Told when the pod has gone from this node. */
  readonly onGone: () => void;
  readonly #life: ContainerLife;
  readonly #startTime: string;
  #volumes: ReadonlyMap<string, string> | undefined;
  #verdict: { phase: 'Failed' | 'Succeeded'; reason?: string; message?: string } | undefined;
  #dirty = false;
  #syncing = false;
  #stopping = false;
  #wake: NodeJS.Timeout | undefined;
  #wakeAt = Infinity;
  #retry = RETRY.first;
  #statusTimer: NodeJS.Timeout | undefined;
  #written = '';
  #removed = false;
  #paused = false;
  #refreshVolumes = false;
  /** Shortens a running graceful stop. */
  readonly #deadline: { at: number; listeners: Set<() => void> } = { at: Infinity, listeners: new Set() };

  constructor(pod: Pod, context: NodeContext, onGone: () => void) {
    this.pod = pod;
    this.context = context;
    this.onGone = onGone;
    this.#startTime = (pod.status?.startTime as string | undefined) ?? apiTime(new Date());
    this.records = [
      ...(pod.spec?.initContainers ?? []).map(
        (def) => new ContainerRecord(def, def.restartPolicy === 'Always' ? 'sidecar' : 'init'),
      ),
      ...(pod.spec?.containers ?? []).map((def) => new ContainerRecord(def, 'main')),
    ];
    if (this.records.some((record) => record.kind === 'init' || record.kind === 'sidecar'))
      for (const record of this.records)
        if (record.kind === 'main') record.state = { waiting: { reason: 'PodInitializing' } };
    this.#life = new ContainerLife(this, () => this.changed());
  }

  get place(): Place {
    const { machine, capacity } = this.context;
    return { nodeName: machine.name, hostIp: machine.address, podIp: this.sandbox?.ip, capacity };
  }

  /** PID 1 of a pod whose containers share their processes, as upstream's pause container; made when first asked for. */
  async pauseProcess(): Promise<number | undefined> {
    this.#pause ??= startPause(this.pod, this.sandbox!, this.context);
    return programOf(await this.#pause);
  }
  #pause: Promise<Container> | undefined;

  /** The newest object of the pod. */
  update(pod: Pod): void {
    this.pod = pod;
    for (const record of this.records) {
      const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
      // Of a running pod's containers only the image can change; the container is started anew then.
      const now = all.find((def) => def.name === record.def.name);
      if (now === undefined) continue;
      if (now.image !== record.def.image && record.running !== undefined && record.isRunning) {
        record.killed = `Container ${now.name} definition changed`;
        record.def = now;
        record.running.signal('SIGTERM');
      } else record.def = now;
    }
    for (const def of pod.spec?.ephemeralContainers ?? []) {
      if (!this.records.some((record) => record.def.name === def.name))
        this.records.push(new ContainerRecord(def, 'ephemeral'));
    }
    if (pod.metadata.deletionTimestamp !== undefined) this.#shorten(pod);
    this.wake();
  }

  /** The object has gone from the API although we had not let it go: ends everything at once. */
  orphaned(): void {
    this.#removed = true;
    this.#deadline.at = 0;
    for (const listener of this.#deadline.listeners) listener();
    this.wake();
  }

  /** One of the ConfigMaps and Secrets has changed. @param source e.g. configmaps/name */
  sourceChanged(source: string): void {
    if (!volumeSources(this.pod).has(source)) return;
    this.#refreshVolumes = true;
    this.wake();
  }

  /** The kubelet stops: nothing is decided, probed or told any more; what runs goes on. */
  pause(): void {
    this.#paused = true;
    clearTimeout(this.#wake);
    clearTimeout(this.#statusTimer);
    for (const record of this.records) this.#life.stopProbes(record);
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The kubelet is back. */
  resume(pod: Pod): void {
    this.#paused = false;
    this.#written = '';
    for (const record of this.records) if (record.isRunning) this.#life.startProbes(record);
    this.update(pod);
    this.changed();
  }

  /** Looks at everything anew, now or after a time in milliseconds. */
  wake(after = 0): void {
    if (this.#paused) return;
    if (after === 0) {
      this.#dirty = true;
      if (!this.#syncing) void this.#run();
      return;
    }
    const at = Date.now() + after;
    if (at >= this.#wakeAt) return;
    clearTimeout(this.#wake);
    this.#wakeAt = at;
    this.#wake = setTimeout(() => {
      this.#wakeAt = Infinity;
      this.wake();
    }, after);
  }

  /** Something is to be told: the status is written soon, and everything is looked at again. */
  changed(): void {
    this.#statusSoon();
    this.wake();
  }

  async #run(): Promise<void> {
    this.#syncing = true;
    while (this.#dirty && !this.#paused) {
      this.#dirty = false;
      try {
        await this.#sync();
      } catch (error) {
        this.context.onError(error);
        this.wake(this.#nextRetry());
      }
    }
    this.#syncing = false;
  }

  #nextRetry(): number {
    const now = this.#retry;
    this.#retry = Math.min(this.#retry * 2, RETRY.last);
    return now;
  }

  async #sync(): Promise<void> {
    const { pod } = this;
    if (this.#removed || pod.metadata.deletionTimestamp !== undefined) return this.#terminate();
    if (this.#verdict !== undefined) return;
    const deadline = pod.spec?.activeDeadlineSeconds;
    if (deadline !== undefined) {
      const left = Date.parse(this.#startTime) + deadline * 1000 - Date.now();
      if (left <= 0)
        return this.#fail(
          'DeadlineExceeded',
          'Pod was active on the node longer than the specified deadline',
        );
      this.wake(left + 1);
    }
    this.#statusSoon();
    if (!(await this.#prepare())) return;
    await this.#containers();
    await this.#conclude();
  }

  /** Sandbox and volumes. @returns whether containers can be started */
  async #prepare(): Promise<boolean> {
    const { context, pod } = this;
    try {
      if (this.sandbox === undefined) {
        this.sandbox = await createSandbox(pod, context.machine, context.cni, this.#folder('net'));
        this.#statusSoon();
      }
      if (this.#volumes === undefined || this.#refreshVolumes) {
        this.#refreshVolumes = false;
        this.#volumes = await setUpVolumes(pod, this.#folder('volumes'), { ...context, place: this.place });
      }
      this.#retry = RETRY.first;
      return true;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof MountError) context.record(pod, 'Warning', 'FailedMount', message);
      else if (error instanceof NetworkNotReady) context.record(pod, 'Warning', 'NetworkNotReady', message);
      else
        context.record(
          pod,
          'Warning',
          'FailedCreatePodSandBox',
          `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: ${message}`,
        );
      this.wake(this.#nextRetry());
      return false;
    }
  }

  /** Starts what may start now, in order: init containers one after another, then all others. */
  async #containers(): Promise<void> {
    const volumes = this.#volumes!;
    for (const record of this.records) {
      if (record.kind === 'ephemeral') await this.#life.ensure(record, volumes);
      if (record.kind !== 'init' && record.kind !== 'sidecar') continue;
      if (record.kind === 'sidecar') {
        await this.#life.ensure(record, volumes);
        if (!record.started) return;
        continue;
      }
      if (record.terminated?.exitCode === 0) continue;
      if (record.terminated !== undefined && this.pod.spec?.restartPolicy === 'Never') {
        this.#verdict = { phase: 'Failed' };
        return;
      }
      await this.#life.ensure(record, volumes);
      return;
    }
    for (const record of this.records) {
      if (record.kind !== 'main') continue;
      if (record.terminated !== undefined && !this.#restarts(record)) continue;
      await this.#life.ensure(record, volumes);
    }
  }

  #restarts(record: ContainerRecord): boolean {
    const policy = this.pod.spec?.restartPolicy ?? 'Always';
    return policy === 'Always' || (policy === 'OnFailure' && record.terminated?.exitCode !== 0);
  }

  /** When no container will run again, the pod has succeeded or failed as a whole. */
  async #conclude(): Promise<void> {
    const mains = this.records.filter((record) => record.kind === 'main');
    const over = mains.every((record) => record.terminated !== undefined && !this.#restarts(record));
    if (!over && this.#verdict === undefined) return;
    this.#verdict ??= {
      phase: mains.every((record) => record.terminated?.exitCode === 0) ? 'Succeeded' : 'Failed',
    };
    await this.#stopAll(30);
    await this.#removeSandbox();
    this.#statusSoon();
  }

  async #fail(reason: string, message: string): Promise<void> {
    this.#verdict = { phase: 'Failed', reason, message };
    await this.#stopAll(this.pod.spec?.terminationGracePeriodSeconds ?? 30);
    await this.#removeSandbox();
    this.#statusSoon();
  }

  #shorten(pod: Pod): void {
    const grace = pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
    // deletionTimestamp is the time of the request plus the grace; it has whole seconds only.
    const at = Math.min(this.#deadline.at, Date.now() + grace * 1000);
    if (at >= this.#deadline.at) return;
    this.#deadline.at = at;
    for (const listener of this.#deadline.listeners) listener();
  }

  /** Ends the pod: containers, network, then the object. */
  async #terminate(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { client, onError } = this.context;
    const { pod } = this;
    await this.#stopAll(undefined);
    await this.#removeSandbox();
    clearTimeout(this.#wake);
    if (!this.#removed) {
      const records = this.records;
      if (this.#verdict === undefined) {
        const mains = records.filter((record) => record.kind === 'main');
        const good = mains.every((record) => record.terminated?.exitCode === 0);
        this.#verdict = { phase: good ? 'Succeeded' : 'Failed' };
      }
      clearTimeout(this.#statusTimer);
      await this.#writeStatus().catch(onError);
      await client
        .delete(gr('pods'), pod.metadata.name, pod.metadata.namespace, {
          graceSeconds: 0,
          uid: pod.metadata.uid,
        })
        .catch(onError);
    }
    for (const record of this.records) {
      record.previous?.remove();
      record.running?.remove();
    }
    this.onGone();
  }

  /** @param grace seconds; by the deadline of the deletion when not given */
  async #stopAll(grace: number | undefined): Promise<void> {
    for (const record of this.records) this.#life.stopProbes(record, ['Liveness', 'Startup']);
    if (grace !== undefined) this.#deadline.at = Date.now() + grace * 1000;
    await stopContainers(this, this.#deadline);
    for (const record of this.records) this.#life.stopProbes(record);
  }

  async #removeSandbox(): Promise<void> {
    const { sandbox } = this;
    const pause = await this.#pause;
    this.#pause = undefined;
    pause?.signal('SIGKILL');
    await pause?.exited;
    pause?.remove();
    await sandbox?.remove();
    this.sandbox = undefined;
    this.#lastIp ??= sandbox?.ip;
  }
  #lastIp: string | undefined;

  #folder(part: string): string {
    return join(this.context.sandboxFolder, 'pods', this.pod.metadata.uid ?? podKey(this.pod), part);
  }

  #statusSoon(): void {
    if (this.#paused || this.#removed) return;
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = undefined;
      this.#writeStatus().catch((error: unknown) => {
        if (!this.#removed) this.context.onError(error);
      });
    }, STATUS_DELAY);
  }

  async #writeStatus(): Promise<void> {
    const status = podStatus({
      pod: this.pod,
      machine: this.context.machine,
      records: this.records,
      ip: this.sandbox?.ip ?? this.#lastIp,
      startTime: this.#startTime,
      sandboxReady: this.sandbox !== undefined,
      verdict: this.#verdict,
    });
    const text = JSON.stringify(status);
    if (text === this.#written || this.#removed) return;
    this.#written = text;
    const { name, namespace, uid } = this.pod.metadata;
    const now = await this.context.client.get<Pod>(gr('pods'), name, namespace);
    if (now === undefined || now.metadata.uid !== uid) return;
    await this.context.client.updateStatus(gr('pods'), { ...now, status: { ...now.status, ...status } });
  }
}

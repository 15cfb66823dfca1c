/** The life of a pod's containers: start, probes, hooks, end, restart with back-off. */
import { Container, type Exit } from './container.ts';
import { ConfigError } from './env.ts';
import { programOf } from './exec.ts';
import { runHook } from './hooks.ts';
import type { ContainerDef } from './pod-types.ts';
import type { PodWorker } from './pod-worker.ts';
import { startProbe, type ProbeKind, type ProbeTarget } from './probes.ts';
import { apiTime, type ContainerRecord } from './record.ts';
import { imageOf, RunError, startContainer, StartError, type Started } from './start-container.ts';

export class ContainerLife {
  readonly #worker: PodWorker;
  readonly #changed: () => void;

  constructor(worker: PodWorker, changed: () => void) {
    this.#worker = worker;
    this.#changed = changed;
  }

  /** Starts it when it does not run and its time has come; else makes sure that it is looked at then. */
  async ensure(record: ContainerRecord, volumes: ReadonlyMap<string, string>): Promise<void> {
    if (record.isRunning || (record.kind === 'ephemeral' && record.terminated !== undefined)) return;
    const left = record.notBefore - Date.now();
    if (left > 0) {
      this.#crashLoop(record);
      this.#worker.wake(left);
      return;
    }
    await this.#start(record, volumes);
  }

  /** CrashLoopBackOff is what a container is called while it waits for its next start. */
  #crashLoop(record: ContainerRecord): void {
    const ended = record.terminated;
    if (ended === undefined) return;
    const { pod, context } = this.#worker;
    record.lastState = { terminated: ended };
    const message = `back-off ${record.backOffText} restarting failed container=${record.def.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
    record.state = { waiting: { reason: 'CrashLoopBackOff', message } };
    context.record(
      pod,
      'Warning',
      'BackOff',
      `Back-off restarting failed container ${record.def.name} in pod ${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`,
      record.def.name,
    );
    this.#changed();
  }

  async #start(record: ContainerRecord, volumes: ReadonlyMap<string, string>): Promise<void> {
    const { pod, context, sandbox, place } = this.#worker;
    const { def } = record;
    const again = record.terminated !== undefined || record.lastState !== undefined;
    let started: Started;
    try {
      imageOf(def);
      if (record.id === undefined || !again)
        this.#tell(record, 'Normal', 'Pulled', `Container image "${def.image}" already present on machine`);
      const joinPid = await this.#joins(def);
      started = await startContainer(pod, def, sandbox!, volumes, place, context, joinPid);
    } catch (error) {
      this.#refused(record, error);
      return;
    }
    if (again) record.restartCount += 1;
    if (record.terminated !== undefined) record.lastState = { terminated: record.terminated };
    record.previous?.remove();
    record.previous = record.running;
    record.running = started.running;
    record.id = started.id;
    record.killed = undefined;
    record.state = { running: { startedAt: apiTime(started.running.startedAt) } };
    record.started = def.startupProbe === undefined;
    record.ready = record.kind === 'ephemeral' ? false : record.started && def.readinessProbe === undefined;
    this.#tell(record, 'Normal', 'Created', `Container created`);
    this.#tell(record, 'Normal', 'Started', `Container started`);
    void started.running.exited.then((exit) => this.#ended(record, started, exit));
    if (def.lifecycle?.postStart !== undefined) {
      const failed = await runHook(def.lifecycle.postStart, this.#target(record), 30_000);
      if (failed !== undefined) {
        this.#tell(record, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${failed}`);
        record.killed = 'FailedPostStartHook';
        started.running.signal('SIGKILL');
      }
    }
    if (record.running.exit === undefined) this.startProbes(record);
    this.#changed();
  }

  /** Whose processes it is to see: those of the pod (shareProcessNamespace) or of the container that is debugged. */
  async #joins(def: ContainerDef & { targetContainerName?: string }): Promise<number | undefined> {
    const { pod, records } = this.#worker;
    if (pod.spec?.shareProcessNamespace) return this.#worker.pauseProcess();
    const target = records.find((one) => one.def.name === def.targetContainerName)?.running;
    return target instanceof Container ? programOf(target) : undefined;
  }

  #tell(record: ContainerRecord, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#worker.context.record(this.#worker.pod, type, reason, message, record.def.name);
  }

  /** It could not be started: a waiting state with the reason, and another try later. */
  #refused(record: ContainerRecord, error: unknown): void {
    const { def } = record;
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof RunError) {
      this.#tell(record, 'Warning', 'Failed', `Error: ${message}`);
      if (record.terminated !== undefined) record.restartCount += 1;
      const at = apiTime(new Date());
      record.state = {
        terminated: {
          exitCode: 128,
          reason: 'StartError',
          message,
          startedAt: '1970-01-01T00:00:00Z',
          finishedAt: at,
        },
      };
      record.backOff(0);
      this.#changed();
      return;
    }
    const reason =
      error instanceof StartError
        ? error.reason
        : error instanceof ConfigError
          ? 'CreateContainerConfigError'
          : 'CreateContainerError';
    if (reason === 'ErrImagePull') {
      const first = record.notBefore === 0;
      if (first) this.#tell(record, 'Normal', 'Pulling', `Pulling image "${def.image}"`);
      if (first) this.#tell(record, 'Warning', 'Failed', `Failed to pull image "${def.image}": ${message}`);
      this.#tell(record, 'Warning', 'Failed', 'Error: ErrImagePull');
      record.state = { waiting: { reason, message } };
      record.backOff(0);
      record.notBefore = Math.max(record.notBefore, Date.now() + 10_000);
      // The next look is a moment later: then it waits, and is called so.
      setTimeout(() => this.#imageBackOff(record), 1_000).unref();
    } else {
      if (reason !== 'CreateContainerConfigError' || record.notBefore === 0)
        this.#tell(record, 'Warning', 'Failed', `Error: ${message}`);
      record.state = { waiting: { reason, message } };
      record.notBefore = Date.now() + 2_000;
      this.#worker.wake(2_000);
    }
    this.#changed();
  }

  #imageBackOff(record: ContainerRecord): void {
    if (!('waiting' in record.state) || record.state.waiting.reason !== 'ErrImagePull') return;
    const image = record.def.image ?? '';
    const message = `Back-off pulling image "${image}": ErrImagePull: ${record.state.waiting.message ?? ''}`;
    record.state = { waiting: { reason: 'ImagePullBackOff', message } };
    this.#tell(record, 'Normal', 'BackOff', `Back-off pulling image "${image}"`);
    this.#tell(record, 'Warning', 'Failed', 'Error: ImagePullBackOff');
    this.#changed();
  }

  #ended(record: ContainerRecord, started: Started, exit: Exit): void {
    if (record.running !== started.running) return;
    this.stopProbes(record);
    const ranMs = exit.at.getTime() - started.running.startedAt.getTime();
    let words = started.lastWords();
    if (!words && exit.code !== 0 && record.def.terminationMessagePolicy === 'FallbackToLogsOnError')
      words = started.running.log.tail(80, 2048);
    record.state = {
      terminated: {
        exitCode: exit.code,
        reason: exit.code === 0 ? 'Completed' : 'Error',
        ...(words ? { message: words } : {}),
        startedAt: apiTime(started.running.startedAt),
        finishedAt: apiTime(exit.at),
        containerID: `containerd://${started.id}`,
      },
    };
    record.ready = record.kind === 'init' && exit.code === 0;
    record.started = false;
    record.backOff(ranMs);
    this.#changed();
  }

  #target(record: ContainerRecord): ProbeTarget {
    const { context, sandbox } = this.#worker;
    return {
      from: context.machine.net,
      podIp: sandbox?.ip ?? '127.0.0.1',
      container: record.running!,
      def: record.def,
    };
  }

  /** The startup probe first; the others once that has succeeded. */
  startProbes(record: ContainerRecord): void {
    this.stopProbes(record);
    const { def } = record;
    if (record.kind === 'init' || record.kind === 'ephemeral') return;
    const listener = {
      onVerdict: (kind: ProbeKind, ok: boolean) => this.#verdict(record, kind, ok),
      onFailure: (kind: ProbeKind, message: string) =>
        this.#tell(record, 'Warning', 'Unhealthy', `${kind} probe failed: ${message}`),
    };
    const start = (kind: ProbeKind, probe: typeof def.livenessProbe) => {
      if (probe === undefined) return;
      const stop = startProbe(kind, probe, this.#target(record), listener);
      record.stopProbes.push(Object.assign(stop, { kind }));
    };
    if (!record.started) {
      start('Startup', def.startupProbe);
      return;
    }
    start('Liveness', def.livenessProbe);
    start('Readiness', def.readinessProbe);
  }

  stopProbes(record: ContainerRecord, kinds?: readonly ProbeKind[]): void {
    record.stopProbes = record.stopProbes.filter((stop) => {
      const kind = (stop as unknown as { kind: ProbeKind }).kind;
      if (kinds !== undefined && !kinds.includes(kind)) return true;
      stop();
      return false;
    });
  }

  #verdict(record: ContainerRecord, kind: ProbeKind, ok: boolean): void {
    if (kind === 'Readiness') record.ready = ok;
    else if (kind === 'Startup' && ok) {
      record.started = true;
      record.ready = record.def.readinessProbe === undefined;
      this.startProbes(record);
    } else if (!ok) {
      this.#kill(record, kind);
    }
    this.#changed();
  }

  /** A container that fails its liveness or startup probe is ended, and started anew by its restart policy. */
  #kill(record: ContainerRecord, kind: ProbeKind): void {
    const { pod } = this.#worker;
    this.stopProbes(record);
    record.killed = `failed ${kind.toLowerCase()} probe`;
    this.#tell(
      record,
      'Normal',
      'Killing',
      `Container ${record.def.name} failed ${kind.toLowerCase()} probe, will be restarted`,
    );
    const probe = kind === 'Liveness' ? record.def.livenessProbe : record.def.startupProbe;
    const grace = probe?.terminationGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
    const { running } = record;
    running?.signal(stopSignal(record));
    const limit = setTimeout(() => running?.signal('SIGKILL'), grace * 1000);
    void running?.exited.then(() => clearTimeout(limit));
  }
}

/** The signal that asks a container to end: its image's, else SIGTERM. */
export function stopSignal(record: ContainerRecord): NodeJS.Signals {
  try {
    return imageOf(record.def).stopSignal ?? 'SIGTERM';
  } catch {
    return 'SIGTERM';
  }
}

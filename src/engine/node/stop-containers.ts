/** Ends a pod's containers with grace: preStop hook, the stop signal, and SIGKILL when the time is over. */
import { runHook } from './hooks.ts';
import type { PodWorker } from './pod-worker.ts';
import type { ContainerRecord } from './record.ts';
import { stopSignal } from './container-life.ts';

/** When the grace is over (by Date.now()), and who wants to know that it has become shorter. */
export interface Deadline {
  at: number;
  readonly listeners: Set<() => void>;
}

/** All at once, sidecars after the others and in reverse order (KEP-753). */
export async function stopContainers(worker: PodWorker, deadline: Deadline): Promise<void> {
  const alive = worker.records.filter((record) => record.isRunning);
  const sidecars = alive.filter((record) => record.kind === 'sidecar').reverse();
  const others = alive.filter((record) => record.kind !== 'sidecar');
  await Promise.all(others.map((record) => stopOne(worker, record, deadline)));
  for (const record of sidecars) await stopOne(worker, record, deadline);
}

async function stopOne(worker: PodWorker, record: ContainerRecord, deadline: Deadline): Promise<void> {
  const { running, def } = record;
  if (running === undefined || running.exit !== undefined) return;
  worker.context.record(worker.pod, 'Normal', 'Killing', `Stopping container ${def.name}`, def.name);
  let limit: NodeJS.Timeout;
  const arm = () => {
    clearTimeout(limit);
    // Longer than setTimeout can count is as good as for ever.
    limit = setTimeout(
      () => running.signal('SIGKILL'),
      Math.min(2 ** 31 - 1, Math.max(0, deadline.at - Date.now())),
    );
  };
  arm();
  deadline.listeners.add(arm);
  try {
    const hook = def.lifecycle?.preStop;
    if (hook !== undefined && deadline.at > Date.now()) {
      const left = Math.min(2 ** 31 - 1, deadline.at - Date.now());
      const target = {
        from: worker.context.machine.net,
        podIp: worker.sandbox?.ip ?? '127.0.0.1',
        container: running,
        def,
      };
      const failed = await Promise.race([runHook(hook, target, left), running.exited.then(() => undefined)]);
      if (failed !== undefined)
        worker.context.record(
          worker.pod,
          'Warning',
          'FailedPreStopHook',
          `PreStopHook failed: ${failed}`,
          def.name,
        );
    }
    running.signal(stopSignal(record));
    await running.exited;
    // The record's own listener has run by now, for it was there first.
  } finally {
    clearTimeout(limit!);
    deadline.listeners.delete(arm);
  }
}

/** Runs the experiments of one cluster: most side by side, those that disturb others alone, the long ones first. */
import type { Claim, Sabotage } from '../../checks/experiment.ts';
import type { Backend, Cluster } from '../cluster/port.ts';
import type { Kube } from '../kube/kube.ts';
import { PodlabError } from '../model/errors.ts';
import type { Listener } from '../model/events.ts';
import type { Row } from '../model/row.ts';
import { text } from '../model/text.ts';
import { attempt, brokenRow, reasonOf, type AttemptInit } from './attempt.ts';
import { USUAL_SECONDS } from './plan.ts';

/** An experiment that is to be run on a cluster. */
export interface Job {
  readonly claim: Claim;
  readonly sabotage?: Sabotage;
}

/** What became of it. */
export interface Done {
  readonly rows: readonly Row[];
  readonly ms: number;
  readonly struck: boolean;
}

export interface CrewInit {
  readonly cluster: Cluster;
  readonly backend: Backend;
  readonly kube: Kube;
  readonly jobs: readonly Job[];
  readonly signal: AbortSignal;
  readonly listener: Listener;
  readonly onDone: (job: Job, done: Done) => void;
  /**
   * Those that disturb go first: they mostly wait, so that on one of two clusters they leave the machine to the other.
   */
  readonly aloneFirst?: boolean;
  /** Experiments at once; 8 when not said. */
  readonly width?: number;
  readonly deadline?: number;
  readonly open?: AttemptInit['open'];
  /** Milliseconds between two looks whether the cluster is still there; 5 000 when not said. */
  readonly watchEvery?: number;
}

const WIDTH = 8;
const WATCH_EVERY = 5_000;

/** What a job may change on the nodes or of the whole cluster would be seen by the experiments beside it. */
const alone = ({ claim, sabotage }: Job): boolean =>
  claim.disturbs === true ||
  (sabotage?.needs ?? []).some((need) => need === 'NodeCommands' || need === 'ClusterScope');

const longFirst = (a: Job, b: Job) => (b.claim.seconds ?? USUAL_SECONDS) - (a.claim.seconds ?? USUAL_SECONDS);

/** Whether a cluster is still there; a backend that cannot be asked is as good as none. */
const there = (backend: Backend, name: string): Promise<boolean> =>
  backend.find(name).then(Boolean, () => false);

/** Watches a cluster. The signal ends when it was gone twice in a row. */
function watch(init: CrewInit): { gone: AbortSignal; stop(): void } {
  const { backend, cluster } = init;
  const gone = new AbortController();
  let missed = 0;
  let looking = false;
  const timer = setInterval(async () => {
    if (looking) return;
    looking = true;
    missed = (await there(backend, cluster.name)) ? 0 : missed + 1;
    looking = false;
    if (missed >= 2)
      gone.abort(
        new PodlabError({
          code: 'cluster-gone',
          fault: 'machine',
          message: text(`the cluster "${cluster.name}" disappeared`, `集群“${cluster.name}”已消失`),
        }),
      );
  }, init.watchEvery ?? WATCH_EVERY);
  return { gone: gone.signal, stop: () => clearInterval(timer) };
}

/** Runs all jobs; each ends in `onDone`. Those that could not begin have a row that says why. */
export async function crew(init: CrewInit): Promise<void> {
  const { cluster, kube, listener, onDone } = init;
  const watcher = watch(init);
  const signal = AbortSignal.any([init.signal, watcher.gone]);
  const closings: Promise<readonly string[]>[] = [];
  const one = async (job: Job): Promise<void> => {
    if (signal.aborted) {
      const rows = [brokenRow(reasonOf(signal.reason), `${cluster.backend}/${cluster.cni}`)];
      return onDone(job, { rows, ms: 0, struck: true });
    }
    if (!job.sabotage) listener({ type: 'claim-begin', id: job.claim.id, cluster: cluster.name });
    // The rows of a sabotaged run are kept with it; in the stream they would read as the claim's own.
    const heard: Listener = job.sabotage
      ? (event) => void (event.type === 'row' || listener(event))
      : listener;
    const { closed, ...done } = await attempt({
      ...job,
      cluster,
      kube,
      signal,
      listener: heard,
      deadline: init.deadline,
      open: init.open,
    });
    onDone(job, done);
    closings.push(
      closed.then((left) => {
        if (left.length > 0 && !signal.aborted)
          listener({
            type: 'note',
            claim: job.claim.id,
            note: text(`could not be put back: ${left.join('; ')}`, `未能恢复：${left.join('；')}`),
          });
        return left;
      }),
    );
  };
  const together = init.jobs.filter((job) => !alone(job)).sort(longFirst);
  const queue = [...together];
  const hand = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await one(job);
  };
  const sideBySide = async () => {
    await Promise.all(Array.from({ length: init.width ?? WIDTH }, hand));
    // What is on its way out is seen by those who look at the nodes.
    await Promise.all(closings);
  };
  const oneByOne = async () => {
    for (const job of init.jobs.filter(alone).sort(longFirst)) {
      await one(job);
      await Promise.all(closings);
    }
  };
  try {
    for (const part of init.aloneFirst ? [oneByOne, sideBySide] : [sideBySide, oneByOne]) await part();
  } finally {
    await Promise.all(closings);
    watcher.stop();
  }
}

/** One experiment on one cluster: opened, run within its time, and put back, whatever happens. */
import type { Claim, Sabotage } from '../../checks/experiment.ts';
import type { Cluster } from '../cluster/port.ts';
import type { Kube } from '../kube/kube.ts';
import { PodlabError } from '../model/errors.ts';
import type { Listener } from '../model/events.ts';
import type { Row } from '../model/row.ts';
import { same, text, type Text } from '../model/text.ts';
import { USUAL_SECONDS } from './plan.ts';
import { openStage, type StageHandle } from './stage.ts';

export interface AttemptInit {
  readonly claim: Claim;
  readonly cluster: Cluster;
  readonly kube: Kube;
  readonly sabotage?: Sabotage;
  readonly signal: AbortSignal;
  readonly listener: Listener;
  /** Milliseconds; see {@link deadlineOf}. */
  readonly deadline?: number;
  /** How a stage is opened; tests bring their own. */
  readonly open?: typeof openStage;
}

export interface Attempt {
  readonly rows: readonly Row[];
  /** Milliseconds until the last row. */
  readonly ms: number;
  /** Whether the sabotage was done; true when there was none to do. */
  readonly struck: boolean;
  /** Ends when everything is put back; what could not be is listed. */
  readonly closed: Promise<readonly string[]>;
}

/** How long an experiment that does not heed its signal is waited for, in milliseconds. */
const GRACE = 15_000;

/** The longest that an experiment may take: generous, since other work may share the machine. */
export const deadlineOf = (claim: Claim): number => 180_000 + 6_000 * (claim.seconds ?? USUAL_SECONDS);

/** Why an experiment broke off. */
export function reasonOf(error: unknown): Text {
  if (error instanceof PodlabError) return error.text;
  return same(error instanceof Error ? error.message : String(error));
}

/** A row that says that the experiment did not run to its end, so that its claim cannot be judged. */
export const brokenRow = (reason: Text, cluster: string): Row => ({
  id: 'experiment',
  kind: 'control',
  question: text('the experiment runs to its end', '实验完整执行'),
  predicted: text('yes', '是'),
  observed: undefined,
  met: undefined,
  reason,
  cluster,
  probes: [],
});

/** Runs an experiment once. Never throws: what went wrong is a row that was not asked. */
export async function attempt(init: AttemptInit): Promise<Attempt> {
  const { claim, cluster, sabotage, listener, kube } = init;
  const began = performance.now();
  const within = init.deadline ?? deadlineOf(claim);
  const limit = new AbortController();
  const signal = AbortSignal.any([init.signal, limit.signal]);
  const late = new PodlabError({
    code: 'deadline',
    fault: 'machine',
    message: text(
      `the experiment did not end within ${Math.round(within / 1000)} s`,
      `实验没有在 ${Math.round(within / 1000)} 秒内结束`,
    ),
  });
  const timer = setTimeout(() => limit.abort(late), within);
  const why = (error: unknown) => reasonOf(signal.aborted ? signal.reason : error);
  const ms = () => Math.round(performance.now() - began);
  let handle: StageHandle;
  try {
    handle = await (init.open ?? openStage)({ claim, cluster, kube, sabotage, signal, listener });
  } catch (error) {
    clearTimeout(timer);
    const rows = [brokenRow(why(error), `${cluster.backend}/${cluster.cni}`)];
    return { rows, ms: ms(), struck: sabotage === undefined, closed: Promise.resolve([]) };
  }
  const ended = claim.experiment(handle.stage).then(
    () => undefined,
    (error: unknown) => why(error),
  );
  const given = new Promise<Text>((resolve) => {
    const giveUp = () => setTimeout(() => resolve(why(undefined)), GRACE).unref();
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
  const broke = await Promise.race([ended, given]);
  clearTimeout(timer);
  if (broke !== undefined) handle.broke(broke);
  const rows = [...handle.rows()];
  return {
    rows,
    ms: ms(),
    struck: sabotage === undefined || handle.struck(),
    closed: handle.close({ wait: true }),
  };
}

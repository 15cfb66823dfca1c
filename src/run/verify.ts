/** `verify`: asks claims on clusters and computes their verdicts. Everything that is shown comes from its one event stream. */
import type { Claim, Sabotage } from '../../checks/experiment.ts';
import type { Cluster, OnPhase } from '../cluster/port.ts';
import { Kube } from '../kube/kube.ts';
import { PodlabError } from '../model/errors.ts';
import type { Listener } from '../model/events.ts';
import type { LedgerEntry } from '../model/ledger.ts';
import {
  RESULT_VERSION,
  type ClaimResult,
  type ClusterFacts,
  type Result,
  type SabotageResult,
} from '../model/result.ts';
import type { Row } from '../model/row.ts';
import { text, type Text } from '../model/text.ts';
import { brokenRow, reasonOf } from './attempt.ts';
import { crew, type CrewInit, type Done, type Job } from './crew.ts';
import { factsOf } from './facts.ts';
import { suits, type Place } from './grounds.ts';
import { plan, type Assignment } from './plan.ts';
import { lend, placesFor, type Wish } from './supply.ts';
import { claimResult, sabotageResult, skippedClaim, skippedSabotage } from './sum-up.ts';
import { packageVersion } from './version.ts';

export interface VerifyInit extends Wish {
  readonly claims: readonly Claim[];
  readonly ledger: readonly LedgerEntry[];
  readonly sabotage: boolean;
  /** Leave the clusters up that were made for this run. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly listener: Listener;
  /** Milliseconds for each experiment. */
  readonly deadline?: number;
  /** How a stage and an API are opened, how wide, how often is looked; tests bring their own. */
  readonly crew?: Pick<CrewInit, 'open' | 'width' | 'watchEvery'>;
  readonly openKube?: typeof Kube.open;
}

/** Clusters that are made for a run and up at the same time: more than two of kind run into the kernel's inotify limits. */
const MOST_NEW_CLUSTERS = { kind: 2, embedded: 4, kubeconfig: 1 } as const;

/** The error of a backend whose machine has no room for one more cluster now. */
const NO_ROOM = 'inotify-limit';

const UNKNOWN_ROW = text('there was no answer', '没有结果');

/**
 * Runs claims and returns all that was learned. Claims that cannot be asked here are in it too, with the reason.
 * @throws PodlabError when no cluster could be had at all
 */
export async function verify(init: VerifyInit): Promise<Result> {
  return new Verification(init).run();
}

class Verification {
  readonly #init: VerifyInit;
  readonly #tell: Listener;
  readonly #clusters: ClusterFacts[] = [];
  readonly #phases: { name: string; ms: number }[] = [];
  /** What became of the experiments, by claim (and sabotage) and place. */
  readonly #done = new Map<string, Map<Place, Done>>();
  readonly #results = new Map<string, ClaimResult>();
  readonly #failures: unknown[] = [];

  constructor(init: VerifyInit) {
    this.#init = init;
    this.#tell = (event) => {
      if (event.type === 'phase' && event.ms !== undefined)
        this.#phases.push({ name: `${event.of}: ${event.id}`, ms: event.ms });
      init.listener(event);
    };
  }

  async run(): Promise<Result> {
    const began = new Date().toISOString();
    const { claims, ledger } = this.#init;
    const places = await placesFor(this.#init);
    const { assignments, skipped } = plan(claims, places, this.#init.backend.name === 'embedded');
    for (const { claim, reason } of skipped) this.#end(skippedClaim(this.#entry(claim.id), reason));
    await this.#work(assignments);
    const all = ledger.flatMap((entry) => this.#results.get(entry.id) ?? []);
    for (const one of all) if (one.ms > 0) this.#phases.push({ name: `claim ${one.id}`, ms: one.ms });
    const sabotages = this.#init.sabotage ? this.#sabotages(assignments) : undefined;
    const result: Result = {
      version: RESULT_VERSION,
      podlab: packageVersion(),
      began,
      ended: new Date().toISOString(),
      clusters: this.#clusters,
      phases: this.#phases,
      claims: all,
      ...(sabotages && { sabotages }),
    };
    this.#tell({ type: 'end', result });
    return result;
  }

  /** Works on every place that is used: those that are up at once, new ones two at a time. */
  async #work(assignments: readonly Assignment[]): Promise<void> {
    const used = [...new Set(assignments.flatMap((one) => one.places))];
    // Those that are there on demand only come last: by then the others have made room.
    const fresh = used
      .filter((place) => place.running === undefined)
      .sort((a, b) => Number(a.onDemand) - Number(b.onDemand));
    const up = used.filter((place) => place.running !== undefined);
    const later: Place[] = [];
    let made = 0;
    const hand = async () => {
      for (let place = fresh.shift(); place; place = fresh.shift()) {
        made += 1;
        // Where the kernel's limits leave no room for one more, it is made when the others are gone.
        if ((await this.#workAt(place, assignments, made > 1)) === 'no room') later.push(place);
      }
    };
    const hands = Array.from({ length: MOST_NEW_CLUSTERS[this.#init.backend.name] }, hand);
    await Promise.all([...up.map((place) => this.#workAt(place, assignments)), ...hands]);
    for (const place of later) await this.#workAt(place, assignments);
    if (used.length > 0 && this.#failures.length === used.length) throw this.#failures[0];
  }

  /** Asks all that is to be asked at one place. @returns `no room` when it may wait for that and has asked nothing */
  async #workAt(
    place: Place,
    assignments: readonly Assignment[],
    mayWait = false,
  ): Promise<'no room' | undefined> {
    const { signal, keep } = this.#init;
    const mine = assignments.filter((one) => one.places.includes(place));
    const jobs = mine.flatMap(({ claim, places }): Job[] => [
      { claim },
      ...(this.#init.sabotage ? claim.sabotages : [])
        .filter((one) => this.#whyNot(one, places) === undefined && groundOf(one, places) === place)
        .map((sabotage) => ({ claim, sabotage })),
    ]);
    const onPhase =
      (of: string): OnPhase =>
      (phase) =>
        this.#tell({ ...phase, type: 'phase', of });
    try {
      signal.throwIfAborted();
      const { cluster, giveBack } = await lend(place, this.#init, { keep, signal, onPhase });
      try {
        await this.#ask(cluster, jobs, place, assignments);
      } finally {
        await giveBack().catch((error: unknown) => {
          const why = reasonOf(error);
          const note = text(`could not be removed: ${why.en}`, `未能删除：${why.zh}`);
          this.#tell({ type: 'note', claim: cluster.name, note });
        });
      }
    } catch (error) {
      if (mayWait && error instanceof PodlabError && error.code === NO_ROOM) return 'no room';
      this.#failures.push(error);
      const rows = [brokenRow(reasonOf(signal.aborted ? signal.reason : error), place.key)];
      for (const job of jobs)
        if (!this.#done.get(keyOf(job.claim, job.sabotage))?.has(place))
          this.#arrived(job, place, { rows, ms: 0, struck: true }, assignments);
    }
    return undefined;
  }

  /** Runs the jobs on a cluster that is there. */
  async #ask(
    cluster: Cluster,
    jobs: readonly Job[],
    place: Place,
    assignments: readonly Assignment[],
  ): Promise<void> {
    const { signal, backend, deadline } = this.#init;
    const kube = await (this.#init.openKube ?? Kube.open)(cluster.kubeconfig, cluster.context);
    try {
      const facts = await factsOf(cluster, kube).catch(() => undefined);
      if (facts) {
        this.#clusters.push(facts);
        this.#tell({ type: 'cluster', cluster: facts });
      }
      const onDone = (job: Job, done: Done) => this.#arrived(job, place, done, assignments);
      const listener = this.#tell;
      // Every second pod network begins with what has to run alone.
      const aloneFirst = place.cni === 'calico-bgp' || place.cni === 'flannel-host-gw';
      await crew({
        ...this.#init.crew,
        aloneFirst,
        cluster,
        kube,
        jobs,
        signal,
        backend,
        deadline,
        listener,
        onDone,
      });
    } finally {
      kube.close();
    }
  }

  /** Keeps what an experiment brought; the last of a claim's experiments completes its result. */
  #arrived(job: Job, place: Place, done: Done, assignments: readonly Assignment[]): void {
    const key = keyOf(job.claim, job.sabotage);
    const all = this.#done.get(key) ?? new Map<Place, Done>();
    this.#done.set(key, all.set(place, done));
    const { places } = assignments.find((one) => one.claim === job.claim)!;
    if (job.sabotage) {
      const { id, title } = job.sabotage;
      return this.#tell({
        type: 'note',
        claim: job.claim.id,
        note: text(`sabotage ${id} was run: ${title.en}`, `已实施破坏 ${id}：${title.zh}`),
      });
    }
    if (!places.every((one) => all.has(one))) return;
    const { rows, ms } = this.#gather(job.claim, places);
    this.#end(claimResult(this.#entry(job.claim.id), rows, ms));
  }

  #end(result: ClaimResult): void {
    this.#results.set(result.id, result);
    this.#tell({ type: 'claim-end', result });
  }

  /** The rows of a claim on all its places; `instead` takes the place of the undisturbed ones. */
  #gather(
    claim: Claim,
    places: readonly Place[],
    instead?: { place: Place; done: Done },
  ): { rows: Row[]; ms: number } {
    const plain = this.#done.get(keyOf(claim));
    const all = places.map((place) => (instead?.place === place ? instead.done : plain?.get(place)));
    return {
      rows: all.flatMap((one, at) => one?.rows ?? [brokenRow(UNKNOWN_ROW, places[at]!.key)]),
      ms: all.reduce((sum, one) => sum + (one?.ms ?? 0), 0),
    };
  }

  /** Why a sabotage is not tried here. */
  #whyNot(sabotage: Sabotage, places: readonly Place[]): Text | undefined {
    const place = groundOf(sabotage, places);
    if (!place) return text(`needs a cluster with ${sabotage.ground}`, `需要 ${sabotage.ground} 的集群`);
    const missing = (sabotage.needs ?? []).filter((need) => !place.capabilities.has(need));
    return missing.length > 0 ? text(`needs ${missing.join(', ')}`, `需要 ${missing.join(', ')}`) : undefined;
  }

  #sabotages(assignments: readonly Assignment[]): SabotageResult[] {
    const results: SabotageResult[] = [];
    for (const { claim, places } of assignments)
      for (const sabotage of claim.sabotages) {
        const plain = this.#results.get(claim.id);
        const place = groundOf(sabotage, places);
        const done = place && this.#done.get(keyOf(claim, sabotage))?.get(place);
        const not =
          this.#whyNot(sabotage, places) ??
          (plain?.asExpected
            ? undefined
            : text('the claim did not come out as expected without it', '未加破坏时判定已与预期不符'));
        const result =
          not || !place || !done
            ? skippedSabotage(claim, sabotage, not ?? UNKNOWN_ROW)
            : sabotageResult(claim, sabotage, this.#entry(claim.id).expected_verdict, {
                ...done,
                rows: this.#gather(claim, places, { place, done }).rows,
              });
        results.push(result);
        this.#tell({ type: 'sabotage-end', result });
      }
    return results;
  }

  #entry(id: string): LedgerEntry {
    const entry = this.#init.ledger.find((one) => one.id === id);
    if (entry) return entry;
    throw new PodlabError({
      code: 'bad-ledger',
      fault: 'podlab',
      message: text(`checks/ledger.yaml has no entry ${id}`, `checks/ledger.yaml 中没有条目 ${id}`),
    });
  }
}

const keyOf = (claim: Claim, sabotage?: Sabotage) => (sabotage ? `${claim.id} ${sabotage.id}` : claim.id);

/** Where a sabotage strikes: the first of the claim's places, or the one of its ground. */
const groundOf = (sabotage: Sabotage, places: readonly Place[]): Place | undefined =>
  sabotage.ground === undefined ? places[0] : places.find((place) => suits(sabotage.ground!, place));

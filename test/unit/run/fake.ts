/** A backend whose clusters are made of nothing, and claims whose packets are made up: for the order of things in a run. */
import type { Claim, Sabotage, Stage } from '../../../checks/experiment.ts';
import type {
  Backend,
  Capability,
  Cluster,
  ClusterSummary,
  Cni,
  UpOptions,
} from '../../../src/cluster/port.ts';
import type { Kube } from '../../../src/kube/kube.ts';
import { PodlabError } from '../../../src/model/errors.ts';
import type { RunEvent } from '../../../src/model/events.ts';
import type { LedgerEntry } from '../../../src/model/ledger.ts';
import { asked, notAsked } from '../../../src/model/observation.ts';
import { is, judgeRow, type Row } from '../../../src/model/row.ts';
import { same, text } from '../../../src/model/text.ts';
import type { Verdict } from '../../../src/model/verdict.ts';
import { brokenRow } from '../../../src/run/attempt.ts';
import { offered } from '../../../src/run/grounds.ts';
import type { openStage } from '../../../src/run/stage.ts';
import { verify, type VerifyInit } from '../../../src/run/verify.ts';

export class FakeBackend implements Backend {
  readonly name = 'kind';
  readonly clusters = new Map<string, Cluster>();
  readonly log: string[] = [];
  /** The most clusters that were being made for a run and up at once. */
  mostAtOnce = 0;
  refuses: Error | undefined;
  /** How many the machine has room for. */
  room = Infinity;

  async up({ name, cni, proxy }: UpOptions): Promise<Cluster> {
    this.log.push(`up ${name} ${cni}`);
    if (this.refuses) throw this.refuses;
    if (this.clusters.size >= this.room)
      throw new PodlabError({ code: 'inotify-limit', fault: 'machine', message: same('no room') });
    return this.add(name, cni, proxy);
  }

  add(name: string, cni: Cni, proxy: Cluster['proxy'] = 'iptables'): Cluster {
    const cluster: Cluster = {
      name,
      cni,
      proxy,
      backend: 'kind',
      capabilities: offered('kind', cni) as ReadonlySet<Capability>,
      kubeconfig: '',
      context: undefined,
      nodes: async () => [],
      onNode: () => Promise.reject(new Error('no nodes here')),
      settled: async () => 0,
      destroy: async () => {
        this.log.push(`down ${name}`);
        this.clusters.delete(name);
      },
    };
    this.clusters.set(name, cluster);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.clusters.size);
    return cluster;
  }

  find = async (name: string) => this.clusters.get(name);
  list = async (): Promise<ClusterSummary[]> =>
    [...this.clusters.values()].map(({ name, backend, cni, proxy }) => ({
      name,
      backend,
      cni,
      proxy,
      nodes: 3,
      state: 'running',
      kubeconfig: '',
      since: undefined,
    }));
  down = async (name: string) => this.clusters.delete(name);
  downAll = async () => [];
}

/** What the fake experiments see: `true` meets the article's prediction. */
export type Seen = boolean | 'broken';

interface FakeStage {
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
  /** Set by a sabotage. */
  spoilt: boolean;
  row(kind: Row['kind'], seen: Seen): Promise<void>;
  point(): Promise<void>;
}

export const openFake: typeof openStage = async ({ cluster, signal, sabotage }) => {
  const rows: Row[] = [];
  let struck = false;
  const stage: FakeStage = {
    cluster,
    signal,
    spoilt: false,
    async row(kind, seen) {
      const value = stage.spoilt && seen !== 'broken' ? !seen : seen;
      const answer = value === 'broken' ? notAsked(text('exec failed', 'exec 失败')) : asked(value);
      const shared = {
        id: `${kind}${rows.length}`,
        kind,
        question: same('q'),
        cluster: `kind/${cluster.cni}`,
      };
      rows.push(judgeRow(shared, is(true), answer));
    },
    async point() {
      if (!sabotage) return;
      struck = true;
      await sabotage.apply(stage as unknown as Stage);
    },
  };
  return {
    stage: stage as unknown as Stage,
    rows: () => rows,
    struck: () => struck,
    broke: (reason) => void rows.push(brokenRow(reason, `kind/${cluster.cni}`)),
    close: async () => [],
  };
};

/** A sabotage that turns decisive rows into their contrary. */
export const spoils: Sabotage = {
  id: 'spoils',
  title: same('spoils'),
  at: 'start',
  apply: async (stage) => {
    (stage as unknown as FakeStage).spoilt = true;
  },
};

export const harmless: Sabotage = {
  id: 'harmless',
  title: same('harmless'),
  at: 'start',
  apply: async () => undefined,
};

/** A claim that sees this, after `before`. */
export const claim = (
  id: string,
  seen: Seen = true,
  more: Partial<Claim> & { before?: (stage: FakeStage) => Promise<unknown> } = {},
): Claim => ({
  id,
  on: [['any']],
  needs: [],
  sabotages: [],
  async experiment(stage) {
    const fake = stage as unknown as FakeStage;
    await more.before?.(fake);
    await fake.point();
    const { spoilt } = fake;
    fake.spoilt = false;
    await fake.row('control', true);
    fake.spoilt = spoilt;
    await fake.row('decisive', seen);
  },
  ...more,
});

const entry = (id: string, expected: Verdict): LedgerEntry =>
  ({ id, quote: `论断 ${id}`, claim_en: `claim ${id}`, expected_verdict: expected }) as LedgerEntry;

/** Runs the claims on fakes; every one is expected to be CONFIRMED. */
export async function run(
  claims: readonly Claim[],
  more: Partial<VerifyInit> & { backend?: FakeBackend } = {},
) {
  const events: RunEvent[] = [];
  const backend = more.backend ?? new FakeBackend();
  const result = await verify({
    claims,
    ledger: claims.map(({ id }) => entry(id, 'CONFIRMED')),
    cni: ['flannel', 'calico'],
    on: [],
    sabotage: false,
    keep: false,
    signal: new AbortController().signal,
    listener: (event) => events.push(event),
    openKube: async () => ({ close: () => undefined }) as unknown as Kube,
    crew: { open: openFake, watchEvery: 5 },
    ...more,
    backend,
  });
  return { result, events, backend };
}

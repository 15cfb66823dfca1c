/** A claim's place on one cluster. Everything is made through it, so that everything can be removed. */
import { randomBytes } from 'node:crypto';
import type {
  AskOptions,
  Claim,
  CommandAnswer,
  PodHandle,
  PodWish,
  RowWish,
  Sabotage,
  ServiceHandle,
  ServiceWish,
  Stage,
} from '../../checks/experiment.ts';
import type { Cluster, NodeInfo } from '../cluster/port.ts';
import { paste } from '../exec/run.ts';
import type { Kube, KubeObject, ObjectRef } from '../kube/kube.ts';
import type { Listener } from '../model/events.ts';
import { PodlabError } from '../model/errors.ts';
import type { Observation } from '../model/observation.ts';
import { judgeRow, type Prediction, type Row, type RowKind } from '../model/row.ts';
import { text, type Text } from '../model/text.ts';
import { observe } from './observe.ts';
import { pause } from './pause.ts';
import { handleOf, OWN_LABEL, podManifest, whenReady } from './pods.ts';

/** What `openStage` needs. */
export interface StageInit {
  readonly claim: Claim;
  readonly cluster: Cluster;
  readonly kube: Kube;
  /** Given only when it is to strike on this cluster. */
  readonly sabotage?: Sabotage;
  readonly signal: AbortSignal;
  readonly listener: Listener;
}

/** A stage and what its owner does with it. */
export interface StageHandle {
  readonly stage: Stage;
  rows(): readonly Row[];
  /** Records that the experiment broke off: a row that was not asked, so that the claim cannot be judged. */
  broke(reason: Text): void;
  /** Whether the sabotage has struck. */
  struck(): boolean;
  /** Undoes everything, last first. `wait` until its namespaces are gone. Never throws: what could not be undone is returned. */
  close(options?: { wait?: boolean }): Promise<readonly string[]>;
}

/** Looks at something that changes: 50 ms apart at first, 500 ms in the end. */
const FIRST_PAUSE = 50;
const LAST_PAUSE = 500;
const SETTLE_WITHIN = 30_000;
const COMMAND_WITHIN = 10_000;

/** Opens a claim's place on a cluster: a namespace of its own. */
export async function openStage(init: StageInit): Promise<StageHandle> {
  const stage = new ClaimStage(init, await init.cluster.nodes());
  await stage.makeNamespace(stage.namespace);
  return stage.handle();
}

class ClaimStage implements Stage {
  readonly cluster: Cluster;
  readonly kube: Kube;
  readonly namespace: string;
  readonly nodes: readonly NodeInfo[];
  readonly workers: readonly NodeInfo[];
  readonly signal: AbortSignal;
  readonly #claim: Claim;
  readonly #tell: Listener;
  readonly #rows: Row[] = [];
  readonly #undo: (() => Promise<unknown>)[] = [];
  readonly #namespaces: string[] = [];
  #sabotage: Sabotage | undefined;
  #struck = false;
  #begun = false;

  constructor(init: StageInit, nodes: readonly NodeInfo[]) {
    this.cluster = init.cluster;
    this.kube = init.kube;
    this.signal = init.signal;
    this.#claim = init.claim;
    this.#tell = init.listener;
    this.#sabotage = init.sabotage;
    this.nodes = nodes;
    const workers = nodes.filter((one) => one.role === 'worker');
    this.workers = workers.length > 0 ? workers : nodes;
    this.namespace = `podlab-${init.claim.id.replace('.', '-')}-${randomBytes(3).toString('hex')}`;
  }

  handle(): StageHandle {
    return {
      stage: this,
      rows: () => this.#rows,
      struck: () => this.#struck,
      broke: (reason) => {
        const question = text('the experiment runs to its end', '实验完整执行');
        this.#judge(
          'control',
          { id: 'experiment', question },
          { says: text('yes', '是'), holds: () => true },
          {
            asked: false,
            reason,
            probes: [],
          },
        );
      },
      close: (options) => this.#close(options?.wait ?? false),
    };
  }

  async anotherNamespace(suffix: string, labels: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = `${this.namespace}-${suffix}`;
    await this.makeNamespace(name, labels);
    return name;
  }

  async makeNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    this.signal.throwIfAborted();
    this.#namespaces.push(name);
    await this.kube.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { ...OWN_LABEL, 'podlab/claim': this.#claim.id, ...labels } },
    });
    // Pods are refused until the namespace has its ServiceAccount (Kubernetes: ServiceAccount admission controller).
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', name: 'default', namespace: name };
    await this.#poll(
      text(`namespace ${name} gets its ServiceAccount`, `命名空间 ${name} 得到 ServiceAccount`),
      async () => Boolean(await this.kube.get(account)),
    );
  }

  async pods<Name extends string>(wishes: Readonly<Record<Name, PodWish>>): Promise<Record<Name, PodHandle>> {
    this.signal.throwIfAborted();
    const entries = Object.entries<PodWish>(wishes);
    const manifests = entries.map(([name, wish]) => podManifest(name, wish, this.namespace, this.workers));
    await Promise.all(manifests.map((one) => this.kube.create(one)));
    const namespaces = [...new Set(manifests.map((one) => one.metadata.namespace!))];
    const ready = await Promise.all(
      namespaces.map((namespace) => {
        const names = manifests
          .filter((one) => one.metadata.namespace === namespace)
          .map((one) => one.metadata.name);
        return whenReady(this.kube, namespace, names, this.signal);
      }),
    );
    const handles = new Map(
      ready.flatMap((map) => [...map].map(([name, pod]) => [name, handleOf(pod)] as const)),
    );
    await Promise.all(
      entries.map(([name, wish]) => (wish.containers ? undefined : this.#answers(handles.get(name)!))),
    );
    if (!this.#begun) {
      this.#begun = true;
      await this.point('start');
    }
    return Object.fromEntries(handles) as Record<Name, PodHandle>;
  }

  /** A container is Ready when it runs; its server listens a moment later. Asked inside the pod, where no policy reaches. */
  async #answers(pod: PodHandle): Promise<void> {
    await this.#poll(text(`the server in ${pod.name} listens`, `${pod.name} 中的服务开始监听`), async () => {
      const seen = await this.exec(pod, ['/agnhost', 'connect', '--timeout=1s', '127.0.0.1:80']);
      return seen.asked && seen.value.code === 0;
    });
  }

  async service(name: string, wish: ServiceWish): Promise<ServiceHandle> {
    const protocol = wish.protocol ?? 'TCP';
    const ports = Object.entries(wish.ports ?? { 80: 80 }).map(([port, targetPort]) => ({
      name: `${protocol.toLowerCase()}-${port}`,
      protocol,
      port: Number(port),
      targetPort,
    }));
    const object = await this.apply<KubeObject>({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: wish.namespace ?? this.namespace, labels: wish.labels },
      spec: { ...(wish.selector ? { selector: wish.selector } : {}), ports, ...wish.spec },
    });
    const clusterIP = object.spec.clusterIP === 'None' ? '' : (object.spec.clusterIP ?? '');
    return { name, namespace: object.metadata.namespace!, clusterIP, object };
  }

  async apply<T extends KubeObject>(object: T): Promise<T> {
    this.signal.throwIfAborted();
    const namespace = await this.#namespaceOf(object);
    const labels = { ...OWN_LABEL, ...object.metadata['labels'] };
    const made = await this.kube.apply<T>({ ...object, metadata: { ...object.metadata, namespace, labels } });
    if (namespace === undefined || !this.#namespaces.includes(namespace))
      this.undo(() => this.kube.delete(made));
    if (object.kind === 'Service' && this.#sabotage?.at === 'service') await this.#strike(made);
    return made;
  }

  async remove(object: KubeObject): Promise<void> {
    const { apiVersion, kind } = object;
    const ref: ObjectRef = {
      apiVersion,
      kind,
      name: object.metadata.name,
      namespace: await this.#namespaceOf(object),
    };
    await this.kube.delete(ref);
    await this.#poll(
      text(`${kind} ${ref.name} is gone`, `${kind} ${ref.name} 已删除`),
      async () => !(await this.kube.get(ref)),
    );
  }

  async exec(
    pod: PodHandle,
    argv: readonly string[],
    options: AskOptions = {},
  ): Promise<Observation<CommandAnswer>> {
    this.signal.throwIfAborted();
    const at = new Date().toISOString();
    const answer = await this.kube.exec(pod, argv, { timeout: COMMAND_WITHIN, ...options });
    const container = pod.container ? ['-c', pod.container] : [];
    return observe(
      {
        where: `pod ${pod.namespace}/${pod.name}`,
        command: paste(['kubectl', 'exec', '-n', pod.namespace, pod.name, ...container, '--', ...argv]),
        stdout: answer.stdout,
        stderr: answer.stderr,
        code: answer.reached ? answer.code : undefined,
        ms: answer.ms,
        at,
      },
      answer.reached ? undefined : answer.reason,
    );
  }

  async onNode(
    node: string,
    argv: readonly string[],
    options: AskOptions = {},
  ): Promise<Observation<CommandAnswer>> {
    const at = new Date().toISOString();
    // What undoes a change runs after an interruption too, so the signal is not handed on.
    const ran = await this.cluster.onNode(node, argv, { timeout: COMMAND_WITHIN, ...options });
    const { stdout, stderr, code, ms } = ran;
    return observe({ where: `node ${node}`, command: paste(argv), stdout, stderr, code, ms, at }, ran.broken);
  }

  async until<T>(
    what: Text,
    ask: () => Promise<Observation<T>>,
    holds: (value: T) => boolean,
    options: { within?: number } = {},
  ): Promise<Observation<T>> {
    const began = performance.now();
    const within = options.within ?? SETTLE_WITHIN;
    for (let looks = 1, wait = FIRST_PAUSE; ; looks++, wait = Math.min(wait * 1.5, LAST_PAUSE)) {
      this.signal.throwIfAborted();
      const seen = await ask();
      const held = seen.asked && holds(seen.value);
      const ms = Math.round(performance.now() - began);
      if (held || ms > within) {
        if (looks > 1 || !held) this.#tell({ type: 'settled', claim: this.#claim.id, what, ms, looks, held });
        return seen;
      }
      await pause(wait, this.signal);
    }
  }

  async decisive<T>(
    row: RowWish,
    prediction: Prediction<T>,
    seen: Observation<T> | Promise<Observation<T>>,
  ): Promise<void> {
    this.#judge('decisive', row, prediction, await seen);
  }

  async control<T>(
    row: RowWish,
    prediction: Prediction<T>,
    seen: Observation<T> | Promise<Observation<T>>,
  ): Promise<void> {
    this.#judge('control', row, prediction, await seen);
  }

  async point(name: string): Promise<void> {
    if (this.#sabotage?.at === name && !this.#struck) await this.#strike();
  }

  undo(action: () => Promise<unknown>): void {
    this.#undo.push(action);
  }

  note(note: Text): void {
    this.#tell({ type: 'note', claim: this.#claim.id, note });
  }

  async #strike(subject?: KubeObject): Promise<void> {
    this.#struck = true;
    await this.#sabotage!.apply(this, subject);
  }

  async #namespaceOf(object: KubeObject): Promise<string | undefined> {
    return (await this.kube.namespaced(object)) ? (object.metadata.namespace ?? this.namespace) : undefined;
  }

  #judge<T>(kind: RowKind, wish: RowWish, prediction: Prediction<T>, seen: Observation<T>): void {
    // Rows of a claim that is asked on several clusters say on which.
    const id = this.#claim.on.length > 1 ? `${wish.id} [${this.cluster.cni}]` : wish.id;
    const row = judgeRow(
      { ...wish, id, kind, cluster: `${this.cluster.backend}/${this.cluster.cni}` },
      prediction,
      seen,
    );
    this.#rows.push(row);
    this.#tell({ type: 'row', claim: this.#claim.id, row });
  }

  /** @throws PodlabError `not-settled` when it does not come true */
  async #poll(what: Text, look: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + SETTLE_WITHIN;
    for (let wait = 10; !(await look()); wait = Math.min(wait * 2, LAST_PAUSE)) {
      if (performance.now() > end)
        throw new PodlabError({
          code: 'not-settled',
          fault: 'machine',
          message: text(
            `not within ${SETTLE_WITHIN / 1000} s: ${what.en}`,
            `${SETTLE_WITHIN / 1000} 秒内未达到：${what.zh}`,
          ),
        });
      await pause(wait, this.signal);
    }
  }

  async #close(wait: boolean): Promise<readonly string[]> {
    const left: string[] = [];
    const attempt = async (action: () => Promise<unknown>) => {
      try {
        await action();
      } catch (error) {
        left.push(error instanceof Error ? error.message : String(error));
      }
    };
    this.#sabotage = undefined;
    for (const action of this.#undo.reverse()) await attempt(action);
    const spaces = this.#namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', name }));
    await Promise.all(spaces.map((space) => attempt(() => this.kube.delete(space))));
    const end = performance.now() + 2 * SETTLE_WITHIN;
    for (const space of wait ? spaces : [])
      await attempt(async () => {
        while (await this.kube.get(space)) {
          if (performance.now() > end) throw new Error(`namespace ${space.name} is still there`);
          await pause(LAST_PAUSE);
        }
      });
    return left;
  }
}

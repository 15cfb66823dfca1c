/** Clusters for a run: one that is up, or one that is made for it and removed after it. */
import { paste } from '../exec/run.ts';
import type { Backend, Cluster, OnPhase, Proxy } from '../cluster/port.ts';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import { networks, offered, placeOf, type Place } from './grounds.ts';

export interface Wish {
  readonly backend: Backend;
  /** Words of `--cni`. */
  readonly cni: readonly string[];
  /** Names of running clusters; then no other is used. */
  readonly on: readonly string[];
  /** Only clusters with this mode of kube-proxy, and new ones in it. */
  readonly proxy?: Proxy;
}

/**
 * The places that a run may use. A running cluster of the right kind is used before a new one is made.
 * @throws PodlabError `unknown-cni`, `unknown-cluster` (user)
 */
export async function placesFor(wish: Wish): Promise<Place[]> {
  const { backend } = wish;
  if (wish.on.length > 0 || backend.name === 'kubeconfig') {
    const names = wish.on.length > 0 ? wish.on : ['current'];
    return Promise.all(names.map(async (name) => placeOf(await mustFind(backend, name))));
  }
  const wanted = networks(wish.cni);
  const running = (await backend.list()).filter(
    (one) => one.state === 'running' && (wish.proxy === undefined || one.proxy === wish.proxy),
  );
  return wanted.map(({ cni, onDemand }) => ({
    key: cni,
    cni,
    capabilities: offered(backend.name, cni),
    running: running.find((one) => one.cni === cni)?.name,
    onDemand,
  }));
}

async function mustFind(backend: Backend, name: string): Promise<Cluster> {
  const found = await backend.find(name);
  if (found) return found;
  const names = (await backend.list()).map((one) => one.name).join(', ');
  throw new PodlabError({
    code: 'unknown-cluster',
    fault: 'user',
    message: text(
      `There is no running cluster "${name}" (${backend.name}).`,
      `没有正在运行的集群“${name}”（${backend.name}）。`,
    ),
    hint: names
      ? text(`There are: ${names}`, `现有：${names}`)
      : text(`Make it: ${paste(['./podlab', 'up', name])}`, `创建它：${paste(['./podlab', 'up', name])}`),
  });
}

/** The name of a cluster that a run makes for itself: at most 20 characters. */
const ownName = (cni: string) => `verify-${cni.replace('flannel-host-gw', 'host-gw')}`;

/** A cluster lent to a run. */
export interface Lent {
  readonly cluster: Cluster;
  /** Removes it if it was made for the run. */
  giveBack(): Promise<void>;
}

/** Gets a place's cluster. `onPhase` hears of its making and its removal. */
export async function lend(
  place: Place,
  wish: Wish,
  options: { keep: boolean; onPhase: (of: string) => OnPhase; signal: AbortSignal },
): Promise<Lent> {
  const { backend } = wish;
  if (place.running !== undefined)
    return { cluster: await mustFind(backend, place.running), giveBack: () => Promise.resolve() };
  const name = ownName(place.cni);
  const onPhase = options.onPhase(name);
  const cluster = await backend.up(
    { name, cni: place.cni as Exclude<Place['cni'], 'other'>, proxy: wish.proxy ?? 'iptables', workers: 2 },
    onPhase,
    options.signal,
  );
  return { cluster, giveBack: () => (options.keep ? Promise.resolve() : cluster.destroy(onPhase)) };
}

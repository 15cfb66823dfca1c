/**
 * What a claim would make in a cluster, without making it: its experiment runs on a stage that writes everything down
 * and asks nothing. So the list comes from the very code that would make the objects.
 */
import type { Claim, PodHandle, PodWish, ServiceHandle, Stage } from '../../checks/experiment.ts';
import type { NodeInfo } from '../cluster/port.ts';
import type { Kube, KubeObject } from '../kube/kube.ts';
import { notAsked, type NotAsked } from '../model/observation.ts';
import { text } from '../model/text.ts';
import { OWN_LABEL, podManifest } from './pods.ts';

/** An object that would be made. */
export interface PlannedObject {
  readonly claim: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** The part after `podlab-<claim>-` is drawn anew on each run and shown as `*`. */
  readonly namespace: string | undefined;
  readonly name: string;
}

const NODES: readonly NodeInfo[] = ['node-1', 'node-2', 'node-3'].map((name, index) => ({
  name,
  address: `192.0.2.${index + 1}`, // Documentation addresses (RFC 5737): nothing is sent to them.
  role: 'worker',
  podCidr: undefined,
}));

/** An experiment that waits for what a plan cannot show is left after this, in milliseconds. */
const PATIENCE = 2_000;

/** Lists the objects of one claim. */
export async function plan(claim: Claim): Promise<readonly PlannedObject[]> {
  const namespace = `podlab-${claim.id.replace('.', '-')}-*`;
  const objects = new Map<string, PlannedObject>();
  const add = (object: KubeObject, space: string | undefined = object.metadata.namespace ?? namespace) => {
    const { apiVersion, kind } = object;
    const name = object.metadata.name;
    objects.set(`${kind} ${space} ${name}`, { claim: claim.id, apiVersion, kind, namespace: space, name });
  };
  const made = <T extends KubeObject>(object: T): T => {
    add(object);
    return { spec: {}, status: {}, ...object, metadata: { uid: 'planned', ...object.metadata } };
  };
  const space = (name: string) => {
    add({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, undefined);
    return name;
  };
  const unasked: NotAsked = notAsked(text('a plan asks nothing', '演练不提问'));
  const over = new AbortController();

  const kube = {
    create: async (object: KubeObject) => made(object),
    apply: async (object: KubeObject) => made(object),
    patch: async (object: KubeObject) => object,
    delete: async () => undefined,
    get: async () => undefined,
    list: async () => [],
    watch: async () => undefined,
    request: async () => ({ status: 0, text: '', json: undefined, ms: 0, warnings: [] }),
    namespaced: async () => true,
    path: async () => '/',
    exec: async () => ({ reached: false, reason: 'planned', stdout: '', stderr: '', ms: 0 }),
    close: () => undefined,
  } as unknown as Kube;

  const stage: Stage = {
    cluster: {
      name: 'plan',
      backend: 'kubeconfig',
      cni: 'other',
      proxy: 'other',
      capabilities: new Set(['NetworkPolicy']),
      kubeconfig: '',
      context: undefined,
      nodes: async () => NODES,
      onNode: async (_node, argv) => ({
        argv,
        code: undefined,
        signal: undefined,
        stdout: '',
        stderr: '',
        ms: 0,
        ok: false,
        broken: 'planned',
        truncated: false,
      }),
      settled: async () => 0,
      destroy: async () => undefined,
    },
    kube,
    namespace,
    nodes: NODES,
    workers: NODES,
    signal: over.signal,
    anotherNamespace: async (suffix) => space(`${namespace}-${suffix}`),
    pods: async <Name extends string>(wishes: Readonly<Record<Name, PodWish>>) =>
      Object.fromEntries(
        Object.entries<PodWish>(wishes).map(([name, wish], index) => {
          const manifest = made(podManifest(name, wish, namespace, NODES));
          const handle: PodHandle = {
            name,
            namespace: manifest.metadata.namespace!,
            ip: `198.51.100.${index + 1}`,
            node: NODES[index % NODES.length]!.name,
            uid: 'planned',
          };
          return [name, handle];
        }),
      ) as Record<Name, PodHandle>,
    service: async (name, wish): Promise<ServiceHandle> => {
      const object = made<KubeObject>({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: wish.namespace ?? namespace, labels: OWN_LABEL },
      });
      return { name, namespace: object.metadata.namespace!, clusterIP: '198.51.100.254', object };
    },
    apply: async (object) => made(object),
    remove: async () => undefined,
    exec: async () => unasked,
    onNode: async () => unasked,
    until: async (_what, ask) => ask(),
    decisive: async () => undefined,
    control: async () => undefined,
    point: async () => undefined,
    undo: () => undefined,
    note: () => undefined,
  };

  space(namespace);
  const limit = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE).unref());
  // It may break off where it looks into an answer that a plan has not; what was planned until then stands.
  await Promise.race([claim.experiment(stage).catch(() => undefined), limit]);
  over.abort();
  return [...objects.values()];
}

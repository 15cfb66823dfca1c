/** A control plane without nodes' programs: the real API store, all controllers, and a kubelet that only says what a kubelet would. */
import { bootstrap } from '../../../src/engine/api/bootstrap.ts';
import { Registry } from '../../../src/engine/api/registry.ts';
import { Store } from '../../../src/engine/api/store.ts';
import { LocalClient } from '../../../src/engine/client/local.ts';
import { gr, type KubeObject } from '../../../src/engine/client/types.ts';
import type { Component } from '../../../src/engine/component.ts';
import { createControllers } from '../../../src/engine/controllers/index.ts';

export interface Plane {
  readonly client: LocalClient;
  readonly parts: ReadonlyMap<string, Component>;
  readonly logs: string[];
  /** Images named `broken` never become ready. */
  node(name: string, extra?: Partial<KubeObject>): Promise<void>;
  create(kind: keyof typeof KINDS, metadata: object, spec?: object, more?: object): Promise<KubeObject>;
  /** Polls until `look` gives something that is neither false nor undefined; fails after 10 s with what it last gave. */
  until<T>(look: () => Promise<T> | T): Promise<Exclude<T, false | undefined | null>>;
  pods(namespace?: string): Promise<KubeObject[]>;
  stop(): Promise<void>;
}

const KINDS = {
  Pod: gr('pods'),
  Service: gr('services'),
  Endpoints: gr('endpoints'),
  Namespace: gr('namespaces'),
  ConfigMap: gr('configmaps'),
  ReplicationController: gr('replicationcontrollers'),
  Deployment: gr('deployments', 'apps'),
  ReplicaSet: gr('replicasets', 'apps'),
  StatefulSet: gr('statefulsets', 'apps'),
  DaemonSet: gr('daemonsets', 'apps'),
  Job: gr('jobs', 'batch'),
  CronJob: gr('cronjobs', 'batch'),
};
const VERSIONS: Record<string, string> = { '': 'v1', apps: 'apps/v1', batch: 'batch/v1' };
const PODS = gr('pods');

export async function plane(): Promise<Plane> {
  const registry = new Registry(new Store(), {
    serviceSubnet: '10.96.0.0/16',
    caCertificate: 'PEM',
    mayCreateInTerminating: () => false,
  });
  bootstrap(registry, '172.18.0.2', 6443);
  const client = new LocalClient(registry);
  const logs: string[] = [];
  const controllers = createControllers({
    client,
    resources: () =>
      [...registry.catalog.all()].map(({ group, plural, kind, scope }) => ({
        group,
        resource: plural,
        kind,
        namespaced: scope === 'Namespaced',
      })),
    caCertificate: 'PEM',
    log: (line) => logs.push(line),
  });
  for (const part of controllers) await part.start();
  const kubelet = kubeletOf(client);
  return {
    client,
    logs,
    parts: new Map(controllers.map((part) => [part.name, part])),
    node: async (name, extra = {}) => {
      const node = await client.create(gr('nodes'), {
        apiVersion: 'v1',
        kind: 'Node',
        ...extra,
        metadata: {
          ...extra.metadata,
          name,
          labels: { 'kubernetes.io/hostname': name, ...extra.metadata?.labels },
        },
      });
      await client.updateStatus(gr('nodes'), {
        ...node,
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          allocatable: { pods: '110', cpu: '4', memory: '8Gi' },
        },
      });
    },
    create: (kind, metadata, spec, more = {}) =>
      client.create<KubeObject>(KINDS[kind], {
        apiVersion: VERSIONS[KINDS[kind].group] ?? '',
        kind,
        metadata: { name: '', ...(kind === 'Namespace' ? {} : { namespace: 'default' }), ...metadata },
        ...(spec ? { spec } : {}),
        ...more,
      }),
    until: async (look) => {
      const end = performance.now() + 10_000;
      for (;;) {
        const found = await look();
        if (found !== false && found !== undefined && found !== null)
          return found as Exclude<typeof found, false | undefined | null>;
        if (performance.now() > end) throw new Error(`never came: ${look.toString()}\n${logs.join('\n')}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    pods: async (namespace = 'default') => client.list(PODS, { namespace }),
    stop: async () => {
      kubelet();
      for (const part of controllers) await part.stop();
    },
  };
}

/** Runs every pod that has a node at once, and lets it go when it is deleted. */
function kubeletOf(client: LocalClient): () => void {
  let last = 1;
  const seen = new Set<string | undefined>();
  const informer = client.informer(PODS);
  informer.onChange(({ type, object }) => {
    const { name, namespace, deletionTimestamp } = object.metadata;
    if (type === 'DELETED' || !object.spec.nodeName) return;
    if (deletionTimestamp) {
      setImmediate(() => void client.delete(PODS, name, namespace, { graceSeconds: 0 }));
      return;
    }
    if (seen.has(object.metadata.uid)) return;
    seen.add(object.metadata.uid);
    const image: string = object.spec.containers[0].image;
    const phase = image === 'done' ? 'Succeeded' : image === 'failed' ? 'Failed' : 'Running';
    const ready = image === 'broken' || phase !== 'Running' ? 'False' : 'True';
    last += 1;
    const podIP = `10.244.${last >> 8}.${last & 255}`;
    setImmediate(
      () =>
        void client
          .patch(
            PODS,
            name,
            namespace,
            {
              status: {
                phase,
                podIP,
                conditions: [{ type: 'Ready', status: ready, lastTransitionTime: new Date().toISOString() }],
              },
            },
            'status',
          )
          .catch(() => undefined),
    );
  });
  return () => informer.stop();
}

/** A pod template with one container and a label `app`. */
export const template = (app: string, image = 'nginx', spec: object = {}) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'c', image, ports: [{ name: 'http', containerPort: 8080 }] }], ...spec },
});

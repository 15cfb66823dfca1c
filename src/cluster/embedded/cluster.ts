/** A running embedded cluster, as the port wants it. */
import { PodlabError } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { ClusterConfig } from '../../engine/config.ts';
import type { Ran } from '../../exec/run.ts';
import type { Capability, Cluster, NodeInfo, NodeRunOptions, OnPhase } from '../port.ts';
import { Control, EngineGone } from './control.ts';
import { clusterFolder, kubeconfigOf, logTail } from './folder.ts';

/** How long a cluster may take to settle, in milliseconds; it takes a second, a busy machine some more. */
const BOUND_MS = 60_000;

export interface EmbeddedCluster extends Cluster {
  /** The parts that can be stopped and started on their own. */
  components(): Promise<readonly { name: string; node: string | undefined; running: boolean }[]>;
  /** Stops or starts a part, on one node or on all. */
  switch(component: string, on: boolean, node?: string): Promise<void>;
}

export function embeddedCluster(
  config: ClusterConfig,
  remove: (onPhase?: OnPhase) => Promise<void>,
): EmbeddedCluster {
  const control = new Control(clusterFolder(config.label));
  const capabilities = new Set<Capability>(['NodeCommands', 'ClusterScope']);
  if (config.cni.startsWith('calico')) capabilities.add('NetworkPolicy');
  if (config.cni === 'calico-bgp') capabilities.add('Bgp');
  return {
    name: config.label,
    backend: 'embedded',
    cni: config.cni === 'none' ? 'other' : config.cni,
    proxy: config.proxy === 'none' ? 'other' : config.proxy,
    capabilities,
    kubeconfig: kubeconfigOf(config.label),
    context: undefined,
    nodes: async () => (await control.ask({ op: 'nodes' })).value as readonly NodeInfo[],
    onNode: (node, argv, options) => onNode(control, node, argv, options),
    settled: (signal) => settled(control, config.label, signal),
    destroy: remove,
    components: async () =>
      (await control.ask({ op: 'components' })).value as {
        name: string;
        node: string | undefined;
        running: boolean;
      }[],
    switch: async (component, on, node) => {
      await control.ask({ op: on ? 'start' : 'stop', component, node });
    },
  };
}

async function onNode(
  control: Control,
  node: string,
  argv: readonly string[],
  options: NodeRunOptions = {},
): Promise<Ran> {
  const began = performance.now();
  try {
    const input = options.input === undefined ? undefined : Buffer.from(options.input).toString('base64');
    const { timeout = 30_000 } = options;
    const { ran } = await control.ask({ op: 'run', node, argv, input, timeout }, options.signal);
    // JSON has no `undefined`: what is absent is meant to be there.
    return { ...ran!, code: ran!.code, signal: ran!.signal, broken: ran!.broken };
  } catch (error) {
    const broken =
      error instanceof EngineGone
        ? error.message
        : options.signal?.aborted
          ? 'interrupted'
          : (error as Error).message;
    return {
      argv,
      code: undefined,
      signal: undefined,
      stdout: '',
      stderr: '',
      ms: Math.round(performance.now() - began),
      ok: false,
      broken,
      truncated: false,
    };
  }
}

async function settled(control: Control, name: string, signal?: AbortSignal): Promise<number> {
  const began = performance.now();
  const lacks = (await control.ask({ op: 'settled', timeout: BOUND_MS }, signal)).value as string[];
  signal?.throwIfAborted();
  if (lacks.length === 0) return Math.round(performance.now() - began);
  throw new PodlabError({
    code: 'not-settled',
    fault: 'machine',
    message: text(
      `Cluster ${name} did not settle within ${BOUND_MS / 1000} s.`,
      `集群 ${name} 在 ${BOUND_MS / 1000} 秒内未能收敛。`,
    ),
    hint: text(
      `Look at it: kubectl --kubeconfig ${kubeconfigOf(name)} get pods -A -o wide`,
      `查看：kubectl --kubeconfig ${kubeconfigOf(name)} get pods -A -o wide`,
    ),
    evidence: [...lacks, logTail(name)].join('\n'),
  });
}

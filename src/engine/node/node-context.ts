/** What the parts of a node agent share. */
import type { Client, Informer } from '../client/types.ts';
import type { LayerStore } from '../images/layers.ts';
import type { Cni } from './cni.ts';
import type { Recorder } from './events.ts';
import type { Machine } from './machine.ts';
import type { Pod } from './pod-types.ts';
import type { PartFactory } from './running.ts';

export interface NodeContext {
  readonly client: Client;
  readonly machine: Machine;
  readonly cni: Cni;
  /** Folder of the cluster's sandbox. */
  readonly sandboxFolder: string;
  readonly layers: LayerStore;
  /** Services of all namespaces, shared by all nodes. */
  readonly services: Informer;
  /** Parts of the engine that run as pods, by the `component` of their image. */
  readonly parts: ReadonlyMap<string, PartFactory>;
  readonly record: Recorder;
  /** 10.96.0.10 */
  readonly clusterDns: string;
  /** cluster.local */
  readonly clusterDomain: string;
  readonly capacity: { readonly cpu: string; readonly memory: string };
  /** A service account's token for a pod. */
  readonly token: (pod: Pod, audience: string | undefined, seconds: number | undefined) => Promise<string>;
  /** Told of defects; the agent goes on. */
  readonly onError: (error: unknown) => void;
}

/** The API of a cluster: one store, one registry, a client for components in the process, a server for the others. */
import { LocalClient } from '../client/local.ts';
import { bootstrap } from './bootstrap.ts';
import type { KubeletPort } from './kubelet-port.ts';
import { Registry } from './registry.ts';
import { Store } from './store.ts';

export interface ApiOptions {
  /** ClusterIPs come from here, `10.96.0.0/16`. */
  readonly serviceSubnet?: string;
  /** The control-plane node's address on the nodes' segment: what `kubernetes.default` leads to. */
  readonly apiAddress?: string;
  readonly apiPort?: number;
  /** Answers exec, attach, logs and port-forward; without it they fail with 503. */
  readonly kubelet?: KubeletPort;
  /** Told of exceptions in listeners and connections, which must not end the server. */
  readonly onError?: (error: unknown) => void;
}

export interface Api {
  readonly client: LocalClient;
  readonly store: Store;
  readonly registry: Registry;
}

export function createApi(options: ApiOptions = {}): Api {
  const store = new Store(options.onError);
  const registry = new Registry(store, {
    serviceSubnet: options.serviceSubnet ?? '10.96.0.0/16',
    caCertificate: '',
    mayCreateInTerminating: (resource) => resource.group === '' && resource.plural === 'events',
  });
  bootstrap(registry, options.apiAddress ?? '172.18.0.2', options.apiPort ?? 6_443);
  return { client: new LocalClient(registry), store, registry };
}

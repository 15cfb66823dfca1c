/** The API of a cluster: one store, one registry, a client for components in the process, a server for the others. */
import { LocalClient } from '../client/local.ts';
import { bootstrap } from './bootstrap.ts';
import { followDefinitions } from './custom/definitions.ts';
import { newAuthority, newIdentity, type Authority } from './http/pki.ts';
import { ApiServer } from './http/server.ts';
import { Tokens, type TokenSubject } from './http/tokens.ts';
import { kubeconfig } from './kubeconfig.ts';
import type { KubeletPort } from './kubelet-port.ts';
import { Registry } from './registry.ts';
import { followQuotas } from './strategies/limits.ts';
import { cidrRange, toAddress } from './strategies/services.ts';
import { Store } from './store.ts';

export interface ApiOptions {
  /** ClusterIPs come from here, `10.96.0.0/16`. */
  readonly serviceSubnet?: string;
  /** The control-plane node's address on the nodes' segment: what `kubernetes.default` leads to. */
  readonly apiAddress?: string;
  readonly apiPort?: number;
  /** More names and addresses for the server's certificate. */
  readonly names?: readonly string[];
  /** Answers exec, attach, logs and port-forward; without it they fail with 503. May be set later: see `Api.kubelet`. */
  readonly kubelet?: KubeletPort;
  /** Told of exceptions in listeners and connections, which must not end the server. */
  readonly onError?: (error: unknown) => void;
}

/** In ms. */
const EVENT_LIFE = 3_600_000;

export class Api {
  readonly client: LocalClient;
  readonly store: Store;
  readonly registry: Registry;
  readonly server: ApiServer;
  readonly authority: Authority;
  readonly #tokens = new Tokens();
  /** The node side; set it before clients exec. */
  kubelet: KubeletPort | undefined;

  constructor(options: ApiOptions = {}) {
    const onError = options.onError ?? ((error: unknown) => console.error(error));
    const subnet = options.serviceSubnet ?? '10.96.0.0/16';
    const address = options.apiAddress ?? '172.18.0.2';
    this.kubelet = options.kubelet;
    this.authority = newAuthority('kubernetes');
    this.store = new Store(onError);
    this.registry = new Registry(this.store, {
      serviceSubnet: subnet,
      caCertificate: this.authority.certificate,
      mayCreateInTerminating: (resource) => resource.group === '' && resource.plural === 'events',
    });
    followDefinitions(this.registry);
    followQuotas(this.registry);
    this.#expireEvents();
    bootstrap(this.registry, address, options.apiPort ?? 6_443);
    this.client = new LocalClient(this.registry);
    const names = [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      'kubernetes.default.svc.cluster.local',
    ];
    const identity = newIdentity(this.authority, {
      subject: { commonName: 'kube-apiserver' },
      use: 'server',
      names: [
        ...names,
        'localhost',
        toAddress(cidrRange(subnet).first + 1),
        address,
        '127.0.0.1',
        ...(options.names ?? []),
      ],
    });
    const kubelet = () => this.kubelet;
    this.server = new ApiServer(
      {
        registry: this.registry,
        tokens: this.#tokens,
        onError,
        get kubelet() {
          return kubelet();
        },
      },
      identity,
      this.authority.certificate,
    );
  }

  /** Events live for an hour (kube-apiserver --event-ttl). */
  #expireEvents(): void {
    const timer = setInterval(() => {
      const oldest = Date.now() - EVENT_LIFE;
      for (const { metadata, lastTimestamp } of this.store.list('/events'))
        if (Date.parse(lastTimestamp ?? metadata.creationTimestamp) < oldest)
          this.store.remove('/events', metadata.namespace ?? '', metadata.name);
    }, 60_000);
    timer.unref();
  }

  /** A token for a pod's service account, valid for some seconds. */
  issueToken(subject: TokenSubject, seconds: number): string {
    return this.#tokens.issue(subject, seconds);
  }

  /** A kubeconfig with a certificate of the group system:masters. */
  kubeconfig(name: string, server: string): string {
    const client = newIdentity(this.authority, {
      subject: { commonName: 'kubernetes-admin', organization: 'system:masters' },
      use: 'client',
    });
    return kubeconfig(name, server, this.authority.certificate, client);
  }
}

export const createApi = (options: ApiOptions = {}): Api => new Api(options);

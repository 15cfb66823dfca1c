/**
 * ingress-nginx's controller: watches what Ingresses need and writes nginx's configuration into each of its pods.
 *
 * It works for every running container of the controller's image and with the arguments of that container
 * (--controller-class, --publish-service, --publish-status-address), so upstream's manifest decides, not we.
 */
import { createHash } from 'node:crypto';
import type { KubeletPort } from '../api/kubelet-port.ts';
import { gr, type Client, type Informer } from '../client/types.ts';
import type { Component } from '../component.ts';
import { instancesOf, push, type Instance } from '../nginx/push.ts';
import { FOLDER, OPTIONS } from './image.ts';
import { hostsOf, isOurs, type World } from './model.ts';
import { nginxConfig } from './nginx.ts';

const IMAGE = /(^|\/)ingress-nginx\/controller(:|@|$)/;
/** Changes that come together are one reload. */
const GATHER = 30;
const RETRY = 500;

export interface IngressInit {
  readonly client: Client;
  readonly kubelet: Pick<KubeletPort, 'exec'>;
  readonly onError: (error: unknown) => void;
}

export class IngressController implements Component {
  readonly name = 'ingress-nginx-controller';
  readonly node = undefined;
  readonly #init: IngressInit;
  #informers:
    Record<'ingresses' | 'classes' | 'services' | 'slices' | 'secrets' | 'pods', Informer> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Digest of what each container was last told. */
  readonly #told = new Map<string, string>();

  constructor(init: IngressInit) {
    this.#init = init;
  }

  get running(): boolean {
    return this.#informers !== undefined;
  }

  async start(): Promise<void> {
    if (this.#informers) return;
    const { client } = this.#init;
    this.#informers = {
      ingresses: client.informer(gr('ingresses', 'networking.k8s.io')),
      classes: client.informer(gr('ingressclasses', 'networking.k8s.io')),
      services: client.informer(gr('services')),
      slices: client.informer(gr('endpointslices', 'discovery.k8s.io')),
      secrets: client.informer(gr('secrets')),
      pods: client.informer(gr('pods')),
    };
    for (const informer of Object.values(this.#informers)) informer.onChange(() => this.#soon(GATHER));
  }

  async stop(): Promise<void> {
    for (const informer of Object.values(this.#informers ?? {})) informer.stop();
    this.#informers = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #soon(ms: number): void {
    this.#timer ??= setTimeout(() => {
      void this.#work()
        .catch((error: unknown) => {
          this.#init.onError(error);
          return true;
        })
        .then((again) => {
          this.#timer = undefined;
          if (again && this.#informers) this.#soon(RETRY);
        });
    }, ms);
  }

  /** @returns whether something is left to do */
  async #work(): Promise<boolean> {
    const known = this.#informers;
    if (!known) return false;
    const instances = known.pods.list().flatMap((pod) => instancesOf(pod, IMAGE));
    const ids = new Set(instances.map((one) => one.id));
    for (const id of this.#told.keys()) if (!ids.has(id)) this.#told.delete(id);
    if (instances.length === 0) return false;
    const world: World = {
      ingresses: known.ingresses.list(),
      classes: known.classes.list(),
      services: known.services.list(),
      slices: known.slices.list(),
    };
    const files = new Map<string, string>();
    const certificate = (name: string) => {
      const [namespace, secret] = name.split('/') as [string, string];
      const data = known.secrets.get(secret, namespace)?.['data'];
      if (!data?.['tls.crt'] || !data['tls.key']) return undefined;
      const at = `${FOLDER}/tls-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
      const text = (value: string) => Buffer.from(value, 'base64').toString('utf8');
      files.set(`${at}.pem`, text(data['tls.crt']));
      files.set(`${at}.key`, text(data['tls.key']));
      return { cert: `${at}.pem`, key: `${at}.key` };
    };
    files.set(`${FOLDER}/nginx.conf`, nginxConfig(hostsOf(world), { ...OPTIONS, certificate }));
    const digest = createHash('sha256')
      .update(JSON.stringify([...files]))
      .digest('hex');
    let again = false;
    for (const instance of instances.filter((one) => this.#told.get(one.id) !== digest)) {
      const refused = await push(this.#init.kubelet, instance, files, `${FOLDER}/nginx.conf`);
      if (refused === undefined) this.#told.set(instance.id, digest);
      else {
        this.#init.onError(new Error(`ingress-nginx: ${refused}`));
        again = true;
      }
    }
    await this.#publish(instances[0]!, world);
    return again;
  }

  /** Writes the address at which an Ingress is reached into its status. */
  async #publish(instance: Instance, world: World): Promise<void> {
    const address = this.#address(instance, world);
    for (const ingress of world.ingresses.filter((one) => isOurs(one, world.classes))) {
      const now = JSON.stringify(ingress.status?.loadBalancer?.ingress ?? []);
      if (now === JSON.stringify(address)) continue;
      const { name, namespace } = ingress.metadata;
      await this.#init.client.patch(
        gr('ingresses', 'networking.k8s.io'),
        name,
        namespace,
        { status: { loadBalancer: { ingress: address } } },
        'status',
      );
    }
  }

  #address({ pod, args }: Instance, world: World): { ip?: string; hostname?: string }[] {
    const option = (name: string) => args.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3);
    const fixed = option('publish-status-address');
    if (fixed) return [/^[\d.]+$/.test(fixed) ? { ip: fixed } : { hostname: fixed }];
    const published = option('publish-service')?.replace('$(POD_NAMESPACE)', pod.metadata.namespace!);
    if (!published) return pod.status?.hostIP ? [{ ip: pod.status.hostIP }] : [];
    const service = world.services.find(
      (one) => `${one.metadata.namespace}/${one.metadata.name}` === published,
    );
    if (service?.spec?.type === 'LoadBalancer') return service.status?.loadBalancer?.ingress ?? [];
    return service?.spec?.clusterIP ? [{ ip: service.spec.clusterIP }] : [];
  }
}

/**
 * The Gateway controller: for each Gateway of ours a Deployment of nginx and a Service, the configuration of both from
 * the HTTPRoutes that are attached, and the conditions that the specification asks for.
 */
import { createHash } from 'node:crypto';
import type { KubeletPort } from '../api/kubelet-port.ts';
import { ApiError, gr, type Client, type Informer, type KubeObject } from '../client/types.ts';
import type { Component } from '../component.ts';
import { instancesOf, push } from '../nginx/push.ts';
import { attach, granted, type Attachment, type ParentStatus } from './attach.ts';
import { childrenOf, labelOf } from './children.ts';
import { gatewayConfig } from './nginx.ts';
import {
  condition,
  CONTROLLER,
  GROUP,
  type Condition,
  type Gateway,
  type Listener,
  type Route,
  type World,
} from './types.ts';

const IMAGE = /(^|\/)podlab\/gateway(:|@|$)/;
const CONF = '/etc/nginx/nginx.conf';
const RUN = '/tmp/nginx';
/** Changes that come together are one reload. */
const GATHER = 30;
const RETRY = 500;

const RESOURCES = {
  classes: gr('gatewayclasses', GROUP),
  gateways: gr('gateways', GROUP),
  routes: gr('httproutes', GROUP),
  grants: gr('referencegrants', GROUP),
  namespaces: gr('namespaces'),
  services: gr('services'),
  slices: gr('endpointslices', 'discovery.k8s.io'),
  secrets: gr('secrets'),
  pods: gr('pods'),
} as const;

export interface GatewayInit {
  readonly client: Client;
  readonly kubelet: Pick<KubeletPort, 'exec'>;
  readonly onError: (error: unknown) => void;
}

export class GatewayController implements Component {
  readonly name = 'gateway-controller';
  readonly node = undefined;
  readonly #init: GatewayInit;
  #crds: Informer | undefined;
  #informers: Record<keyof typeof RESOURCES, Informer> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #told = new Map<string, string>();

  constructor(init: GatewayInit) {
    this.#init = init;
  }

  get running(): boolean {
    return this.#crds !== undefined;
  }

  /** Waits for the definitions of Gateway API: without them there is nothing to do. */
  async start(): Promise<void> {
    if (this.#crds) return;
    this.#crds = this.#init.client.informer(gr('customresourcedefinitions', 'apiextensions.k8s.io'));
    this.#crds.onChange(() => this.#soon(GATHER));
  }

  async stop(): Promise<void> {
    for (const informer of Object.values(this.#informers ?? {})) informer.stop();
    this.#crds?.stop();
    this.#crds = this.#informers = undefined;
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
          if (again && this.#crds) this.#soon(RETRY);
        });
    }, ms);
  }

  /** Follows Gateway API's resources once all of its definitions are there. */
  #open(): Record<keyof typeof RESOURCES, Informer> | undefined {
    if (this.#informers || !this.#crds) return this.#informers;
    const names = new Set(this.#crds.list().map((one) => one.metadata.name));
    const needed = Object.values(RESOURCES).filter((one) => one.group === GROUP);
    if (!needed.every((one) => names.has(`${one.resource}.${GROUP}`))) return undefined;
    const entries = Object.entries(RESOURCES).map(
      ([key, of]) => [key, this.#init.client.informer(of)] as const,
    );
    this.#informers = Object.fromEntries(entries) as Record<keyof typeof RESOURCES, Informer>;
    for (const [, informer] of entries) informer.onChange(() => this.#soon(GATHER));
    return this.#informers;
  }

  /** @returns whether something is left to do */
  async #work(): Promise<boolean> {
    const known = this.#open();
    if (!known) return false;
    const list = <T extends KubeObject>(key: keyof typeof RESOURCES) => known[key].list() as T[];
    const world: World = {
      classes: list('classes'),
      gateways: list<Gateway>('gateways'),
      routes: list<Route>('routes'),
      grants: list('grants'),
      namespaces: list('namespaces'),
      services: list('services'),
      slices: list('slices'),
      secrets: list('secrets'),
    };
    const classes = world.classes.filter((one) => one.spec?.controllerName === CONTROLLER);
    for (const one of classes)
      await this.#conditions(RESOURCES.classes, one, [condition('Accepted', true, 'Accepted')]);
    const gateways = world.gateways.filter((one) =>
      classes.some((own) => own.metadata.name === one.spec?.gatewayClassName),
    );
    if (gateways.length === 0) return false;
    const attachments: Attachment[] = [];
    for (const route of world.routes) {
      const found = attach(route, gateways, world);
      attachments.push(...found.attachments);
      await this.#routeStatus(route, found.parents);
    }
    let again = false;
    for (const gateway of gateways) {
      const own = attachments.filter((one) => one.gateway === gateway);
      for (const child of childrenOf(gateway)) await this.#keep(child.of, child.object);
      const ready = await this.#configure(gateway, own, world, list('pods'));
      again ||= ready === 'refused';
      await this.#gatewayStatus(gateway, own, world, ready === 'told');
    }
    return again;
  }

  /** Writes the configuration into the Gateway's pods. */
  async #configure(
    gateway: Gateway,
    own: readonly Attachment[],
    world: World,
    pods: readonly KubeObject[],
  ): Promise<'told' | 'no pod' | 'refused'> {
    const files = new Map<string, string>();
    const certificate = ({ listener }: Pick<Attachment, 'listener'>) => {
      const ref = listener.tls?.certificateRefs?.[0];
      const secret = ref && secretOf(gateway, ref, world);
      if (!secret?.['data']?.['tls.crt'] || !secret['data']['tls.key']) return undefined;
      const at = `/etc/nginx/tls-${createHash('sha256').update(`${secret.metadata.namespace}/${secret.metadata.name}`).digest('hex').slice(0, 16)}`;
      const plain = (value: string) => Buffer.from(value, 'base64').toString('utf8');
      files.set(`${at}.pem`, plain(secret['data']['tls.crt']));
      files.set(`${at}.key`, plain(secret['data']['tls.key']));
      return { cert: `${at}.pem`, key: `${at}.key` };
    };
    files.set(CONF, gatewayConfig(own, world, { runFolder: RUN, certificate }));
    const digest = createHash('sha256')
      .update(JSON.stringify([...files]))
      .digest('hex');
    const instances = pods
      .filter(
        (pod) =>
          pod.metadata.namespace === gateway.metadata.namespace &&
          pod.metadata.labels?.[labelOf] === gateway.metadata.name,
      )
      .flatMap((pod) => instancesOf(pod, IMAGE));
    for (const instance of instances) {
      if (this.#told.get(instance.id) === digest) continue;
      const refused = await push(this.#init.kubelet, instance, files, CONF);
      if (refused !== undefined) {
        this.#init.onError(new Error(`gateway ${gateway.metadata.name}: ${refused}`));
        return 'refused';
      }
      this.#told.set(instance.id, digest);
    }
    return instances.length > 0 ? 'told' : 'no pod';
  }

  /** Makes an object of the Gateway's, or brings its spec up to date. */
  async #keep(of: ReturnType<typeof gr>, wanted: KubeObject): Promise<void> {
    const { client } = this.#init;
    const { name, namespace } = wanted.metadata;
    const now = await client.get(of, name, namespace);
    const digest = createHash('sha256').update(JSON.stringify(wanted.spec)).digest('hex').slice(0, 16);
    const mark = { 'podlab.dev/spec': digest };
    if (!now) await client.create(of, { ...wanted, metadata: { ...wanted.metadata, annotations: mark } });
    else if (now.metadata.annotations?.['podlab.dev/spec'] !== digest)
      await client.patch(of, name, namespace, { metadata: { annotations: mark }, spec: wanted.spec });
  }

  async #gatewayStatus(
    gateway: Gateway,
    own: readonly Attachment[],
    world: World,
    ready: boolean,
  ): Promise<void> {
    const service = world.services.find(
      (one) =>
        one.metadata.namespace === gateway.metadata.namespace &&
        one.metadata.labels?.[labelOf] === gateway.metadata.name,
    );
    const given: string[] = (service?.status?.loadBalancer?.ingress ?? [])
      .map((one: { ip: string }) => one.ip)
      .filter(Boolean);
    const addresses = (given.length > 0 ? given : [service?.spec?.clusterIP].filter(Boolean)).map(
      (value) => ({ type: 'IPAddress', value }),
    );
    const listeners = (gateway.spec?.listeners ?? []).map((listener) => ({
      name: listener.name,
      supportedKinds: kindsOf(listener),
      attachedRoutes: new Set(own.filter((one) => one.listener === listener).map((one) => one.route)).size,
      conditions: this.#dated(
        gateway.status?.listeners?.find((one: { name: string }) => one.name === listener.name)?.conditions ??
          [],
        listenerConditions(gateway, listener, world, ready),
        gateway.metadata.generation,
      ),
    }));
    const programmed = ready && addresses.length > 0;
    const conditions = [
      condition('Accepted', true, 'Accepted'),
      condition(
        'Programmed',
        programmed,
        programmed ? 'Programmed' : addresses.length > 0 ? 'Pending' : 'AddressNotAssigned',
      ),
    ];
    await this.#conditions(RESOURCES.gateways, gateway, conditions, { addresses, listeners });
  }

  async #routeStatus(route: Route, parents: readonly ParentStatus[]): Promise<void> {
    type Parent = { controllerName: string; parentRef: unknown; conditions: unknown[] };
    const before: Parent[] = route.status?.parents ?? [];
    const others = before.filter((one) => one.controllerName !== CONTROLLER);
    const ours = parents.map(({ parentRef, conditions }): Parent => {
      const old = before.find(
        (one) =>
          one.controllerName === CONTROLLER && JSON.stringify(one.parentRef) === JSON.stringify(parentRef),
      );
      return {
        parentRef,
        controllerName: CONTROLLER,
        conditions: this.#dated((old?.conditions ?? []) as Dated[], conditions, route.metadata.generation),
      };
    });
    const wanted = [...others, ...ours];
    if (JSON.stringify(before) === JSON.stringify(wanted)) return;
    await this.#status(RESOURCES.routes, route, { parents: wanted });
  }

  async #conditions(
    of: ReturnType<typeof gr>,
    object: KubeObject,
    wanted: readonly Condition[],
    more: object = {},
  ): Promise<void> {
    const conditions = this.#dated(object.status?.conditions ?? [], wanted, object.metadata.generation);
    const status = { ...more, conditions };
    const now = Object.fromEntries(Object.keys(status).map((key) => [key, object.status?.[key]]));
    if (JSON.stringify(now) !== JSON.stringify(status)) await this.#status(of, object, status);
  }

  async #status(of: ReturnType<typeof gr>, object: KubeObject, status: object): Promise<void> {
    try {
      await this.#init.client.patch(
        of,
        object.metadata.name,
        object.metadata.namespace,
        { status },
        'status',
      );
    } catch (error) {
      if (!(error instanceof ApiError && error.status.code === 404)) throw error; // It was deleted meanwhile.
    }
  }

  /** Conditions keep their time while they do not change (Kubernetes API conventions: conditions). */
  #dated(before: readonly Dated[], wanted: readonly Condition[], generation = 1): Dated[] {
    return wanted.map((one) => {
      const old = before.find((other) => other.type === one.type);
      const lastTransitionTime =
        old?.status === one.status ? old.lastTransitionTime : new Date().toISOString().replace(/\.\d+/, '');
      return { ...one, observedGeneration: generation, lastTransitionTime };
    });
  }
}

interface Dated extends Condition {
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

const kindsOf = (listener: Listener) =>
  (listener.allowedRoutes?.kinds ?? [{ kind: 'HTTPRoute' }])
    .filter((one) => one.kind === 'HTTPRoute' && (one.group ?? GROUP) === GROUP)
    .map((one) => ({ group: GROUP, kind: one.kind }));

type CertificateRef = NonNullable<NonNullable<Listener['tls']>['certificateRefs']>[number];

function secretOf(gateway: Gateway, ref: CertificateRef, world: World): KubeObject | undefined {
  const namespace = ref.namespace ?? gateway.metadata.namespace!;
  if (
    !granted(
      { kind: 'Gateway', namespace: gateway.metadata.namespace! },
      { group: '', kind: 'Secret', namespace, name: ref.name },
      world,
    )
  )
    return undefined;
  return world.secrets.find((one) => one.metadata.namespace === namespace && one.metadata.name === ref.name);
}

function listenerConditions(gateway: Gateway, listener: Listener, world: World, ready: boolean): Condition[] {
  const known = listener.protocol === 'HTTP' || listener.protocol === 'HTTPS';
  const kinds = listener.allowedRoutes?.kinds;
  const ref = listener.tls?.certificateRefs?.[0];
  const namespace = ref?.namespace ?? gateway.metadata.namespace!;
  const permitted =
    !ref ||
    granted(
      { kind: 'Gateway', namespace: gateway.metadata.namespace! },
      { group: '', kind: 'Secret', namespace, name: ref.name },
      world,
    );
  const resolved =
    kinds && kindsOf(listener).length < kinds.length
      ? condition('ResolvedRefs', false, 'InvalidRouteKinds')
      : !permitted
        ? condition('ResolvedRefs', false, 'RefNotPermitted')
        : listener.protocol === 'HTTPS' && (!ref || !secretOf(gateway, ref, world)?.['data']?.['tls.crt'])
          ? condition('ResolvedRefs', false, 'InvalidCertificateRef')
          : condition('ResolvedRefs', true, 'ResolvedRefs');
  const works = known && resolved.status === 'True' && ready;
  return [
    condition('Accepted', known, known ? 'Accepted' : 'UnsupportedProtocol'),
    resolved,
    condition(
      'Programmed',
      works,
      works ? 'Programmed' : known && resolved.status === 'True' ? 'Pending' : 'Invalid',
    ),
    condition('Conflicted', false, 'NoConflicts'),
  ];
}

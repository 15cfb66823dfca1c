/**
 * What Ingress objects ask for, as the controller understands them (Kubernetes: Ingress; ingress-nginx user guide,
 * annotations). Pure: objects in, hosts with their routes out.
 */
import type { KubeObject } from '../client/types.ts';

/** Where a request goes: the addresses that are ready, or none. */
export interface Upstream {
  /** `namespace-service-port`, as ingress-nginx names it. */
  readonly name: string;
  readonly servers: readonly string[];
  readonly protocol: 'http' | 'https';
  /** Requests of one client stay with one server (annotation affinity: cookie). */
  readonly stickyCookie: string | undefined;
}

/** A second backend for a share of the requests (ingress-nginx canary). */
export interface Canary {
  readonly upstream: Upstream;
  readonly weight: number;
  readonly weightTotal: number;
  readonly header: string | undefined;
  readonly headerValue: string | undefined;
  readonly cookie: string | undefined;
}

export interface Route {
  readonly path: string;
  readonly type: 'Exact' | 'Prefix' | 'Regex';
  readonly upstream: Upstream;
  readonly annotations: Readonly<Record<string, string>>;
  canary: Canary | undefined;
}

export interface Host {
  /** '' for requests with no host of ours; `*.example.org` for wildcards. */
  readonly name: string;
  readonly routes: Route[];
  /** Name of the Secret whose certificate it answers with. */
  tls: string | undefined;
}

export interface World {
  readonly ingresses: readonly KubeObject[];
  readonly classes: readonly KubeObject[];
  readonly services: readonly KubeObject[];
  readonly slices: readonly KubeObject[];
}

/** The controller name that IngressClasses of ingress-nginx carry. */
export const CONTROLLER = 'k8s.io/ingress-nginx';
const PREFIX = 'nginx.ingress.kubernetes.io/';

/** Whether an Ingress is ours: by class name, by the old annotation, or by a default class. */
export function isOurs(ingress: KubeObject, classes: readonly KubeObject[]): boolean {
  const ours = classes.filter((one) => one.spec?.controller === CONTROLLER);
  const name: string | undefined =
    ingress.spec?.ingressClassName ?? ingress.metadata.annotations?.['kubernetes.io/ingress.class'];
  if (name !== undefined) return ours.some((one) => one.metadata.name === name);
  return ours.some(
    (one) => one.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true',
  );
}

/** The annotations of ingress-nginx without their prefix. */
export const annotationsOf = (ingress: KubeObject): Record<string, string> =>
  Object.fromEntries(
    Object.entries(ingress.metadata.annotations ?? {})
      .filter(([key]) => key.startsWith(PREFIX))
      .map(([key, value]) => [key.slice(PREFIX.length), value]),
  );

/** Works out the hosts and routes. The oldest Ingress wins where two ask for the same path. */
export function hostsOf(world: World): Host[] {
  const hosts = new Map<string, Host>();
  const host = (name: string): Host => {
    let found = hosts.get(name);
    if (!found) hosts.set(name, (found = { name, routes: [], tls: undefined }));
    return found;
  };
  const age = (one: KubeObject) =>
    `${one.metadata.creationTimestamp ?? ''} ${one.metadata.namespace}/${one.metadata.name}`;
  const ours = world.ingresses
    .filter((one) => isOurs(one, world.classes))
    .sort((a, b) => (age(a) < age(b) ? -1 : 1));
  const isCanary = (one: KubeObject) => annotationsOf(one)['canary'] === 'true';

  for (const ingress of ours.filter((one) => !isCanary(one))) {
    const annotations = annotationsOf(ingress);
    for (const tls of ingress.spec?.tls ?? [])
      for (const name of tls.hosts ?? [])
        host(name).tls ??= `${ingress.metadata.namespace}/${tls.secretName}`;
    for (const { name, path, type, backend } of pathsOf(ingress)) {
      const routes = host(name).routes;
      const kind =
        annotations['use-regex'] === 'true' || annotations['rewrite-target']?.includes('$') ? 'Regex' : type;
      if (routes.some((one) => one.path === path && one.type === kind)) continue;
      const upstream = upstreamOf(world, ingress, backend, annotations);
      routes.push({ path, type: kind, upstream, annotations, canary: undefined });
    }
  }
  for (const ingress of ours.filter(isCanary)) {
    const annotations = annotationsOf(ingress);
    for (const { name, path, backend } of pathsOf(ingress)) {
      // A canary without a main Ingress of the same host and path is nothing (ingress-nginx: canary).
      const main = hosts.get(name)?.routes.find((one) => one.path === path && !one.canary);
      if (!main) continue;
      main.canary = {
        upstream: upstreamOf(world, ingress, backend, annotations),
        weight: Number(annotations['canary-weight'] ?? 0),
        weightTotal: Number(annotations['canary-weight-total'] ?? 100),
        header: annotations['canary-by-header'],
        headerValue: annotations['canary-by-header-value'],
        cookie: annotations['canary-by-cookie'],
      };
    }
  }
  return [...hosts.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Backend {
  service?: { name: string; port: { number?: number; name?: string } };
}

function pathsOf(
  ingress: KubeObject,
): { name: string; path: string; type: Route['type']; backend: Backend }[] {
  const rules = (ingress.spec?.rules ?? []).flatMap(
    (rule: { host?: string; http?: { paths: { path?: string; pathType: string; backend: Backend }[] } }) =>
      (rule.http?.paths ?? []).map((one) => ({
        name: rule.host ?? '',
        path: one.path ?? '/',
        type: one.pathType === 'Exact' ? ('Exact' as const) : ('Prefix' as const),
        backend: one.backend,
      })),
  );
  const fallback = ingress.spec?.defaultBackend;
  return fallback ? [...rules, { name: '', path: '/', type: 'Prefix' as const, backend: fallback }] : rules;
}

/** The ready addresses of a Service's port, from its EndpointSlices. */
function upstreamOf(
  world: World,
  ingress: KubeObject,
  backend: Backend,
  annotations: Record<string, string>,
): Upstream {
  const namespace = ingress.metadata.namespace!;
  const wanted = backend.service;
  const service = world.services.find(
    (one) => one.metadata.namespace === namespace && one.metadata.name === wanted?.name,
  );
  const port = service?.spec?.ports?.find(
    (one: { name?: string; port: number }) =>
      one.port === wanted?.port.number || (wanted?.port.name !== undefined && one.name === wanted.port.name),
  );
  const slices = world.slices.filter(
    (one) =>
      one.metadata.namespace === namespace &&
      one.metadata.labels?.['kubernetes.io/service-name'] === wanted?.name,
  );
  const servers = slices.flatMap((slice) => {
    const number = slice['ports']?.find(
      (one: { name?: string }) => (one.name ?? '') === (port?.name ?? ''),
    )?.port;
    if (!port || number === undefined) return [];
    return (slice['endpoints'] ?? [])
      .filter((one: { conditions?: { ready?: boolean } }) => one.conditions?.ready !== false)
      .map((one: { addresses: string[] }) => `${one.addresses[0]}:${number}`);
  });
  return {
    name: `${namespace}-${wanted?.name ?? 'none'}-${wanted?.port.number ?? wanted?.port.name ?? 0}`,
    servers: [...new Set(servers)].sort() as string[],
    protocol: annotations['backend-protocol']?.toUpperCase() === 'HTTPS' ? 'https' : 'http',
    stickyCookie:
      annotations['affinity'] === 'cookie'
        ? (annotations['session-cookie-name'] ?? 'INGRESSCOOKIE')
        : undefined,
  };
}

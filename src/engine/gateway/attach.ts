/** Which route is attached to which listener, and why not (Gateway API: attaching routes, ReferenceGrant). */
import {
  condition,
  GROUP,
  type BackendRef,
  type Condition,
  type Gateway,
  type Listener,
  type ParentRef,
  type Route,
  type World,
} from './types.ts';

/** A route at a listener, with the host names under which requests reach it there. */
export interface Attachment {
  readonly gateway: Gateway;
  readonly listener: Listener;
  readonly route: Route;
  readonly hostnames: readonly string[];
}

/** What is to be written into a route's status for one parent. */
export interface ParentStatus {
  readonly parentRef: ParentRef;
  readonly conditions: readonly Condition[];
}

const SUPPORTED = new Set([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
]);

/** Attaches one route to the Gateways of ours that it names. */
export function attach(
  route: Route,
  gateways: readonly Gateway[],
  world: World,
): { attachments: Attachment[]; parents: ParentStatus[] } {
  const attachments: Attachment[] = [];
  const parents: ParentStatus[] = [];
  for (const parentRef of route.spec?.parentRefs ?? []) {
    if ((parentRef.group ?? GROUP) !== GROUP || (parentRef.kind ?? 'Gateway') !== 'Gateway') continue;
    const namespace = parentRef.namespace ?? route.metadata.namespace;
    const gateway = gateways.find(
      (one) => one.metadata.name === parentRef.name && one.metadata.namespace === namespace,
    );
    if (!gateway) continue; // Not ours, or not there: nobody writes a status for it.
    const named = (gateway.spec?.listeners ?? []).filter(
      (one) =>
        (parentRef.sectionName === undefined || one.name === parentRef.sectionName) &&
        (parentRef.port === undefined || one.port === parentRef.port),
    );
    const allowed = named.filter((one) => admits(one, gateway, route, world));
    const found = allowed
      .map((listener) => ({
        gateway,
        listener,
        route,
        hostnames: intersect(listener.hostname, route.spec?.hostnames ?? []),
      }))
      .filter((one) => one.hostnames.length > 0);
    const unsupported = (route.spec?.rules ?? [])
      .flatMap((rule) => rule.filters ?? [])
      .find((one) => !SUPPORTED.has(one.type));
    const accepted = unsupported
      ? condition('Accepted', false, 'UnsupportedValue', `filter ${unsupported.type} is not supported`)
      : named.length === 0
        ? condition('Accepted', false, 'NoMatchingParent', 'no listener of that name or port')
        : allowed.length === 0
          ? condition(
              'Accepted',
              false,
              'NotAllowedByListeners',
              'no listener admits routes of this namespace or kind',
            )
          : found.length === 0
            ? condition(
                'Accepted',
                false,
                'NoMatchingListenerHostname',
                'no listener has a host name of this route',
              )
            : condition('Accepted', true, 'Accepted');
    if (accepted.status === 'True') attachments.push(...found);
    parents.push({ parentRef, conditions: [accepted, resolved(route, world)] });
  }
  return { attachments, parents };
}

function admits(listener: Listener, gateway: Gateway, route: Route, world: World): boolean {
  const kinds = listener.allowedRoutes?.kinds;
  if (kinds?.length && !kinds.some((one) => one.kind === 'HTTPRoute' && (one.group ?? GROUP) === GROUP))
    return false;
  if (!['HTTP', 'HTTPS'].includes(listener.protocol)) return false;
  const { from = 'Same', selector } = listener.allowedRoutes?.namespaces ?? {};
  if (from === 'All') return true;
  if (from === 'Same') return route.metadata.namespace === gateway.metadata.namespace;
  const labels =
    world.namespaces.find((one) => one.metadata.name === route.metadata.namespace)?.metadata.labels ?? {};
  return Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
}

/** Names that both a listener and a route answer to; `''` is any name. A wildcard covers one or more labels. */
export function intersect(listener: string | undefined, route: readonly string[]): string[] {
  if (route.length === 0) return [listener ?? ''];
  if (!listener) return [...route];
  const covers = (wild: string, name: string) =>
    wild.startsWith('*.') && name.endsWith(wild.slice(1)) && name !== wild.slice(1);
  return route.flatMap((name) => {
    if (name === listener || covers(listener, name)) return [name];
    return covers(name, listener) ? [listener] : [];
  });
}

/** Whether a reference across namespaces is allowed by a ReferenceGrant in the target's namespace. */
export function granted(
  from: { kind: string; namespace: string },
  to: { group: string; kind: string; namespace: string; name: string },
  world: World,
): boolean {
  if (from.namespace === to.namespace) return true;
  return world.grants.some(
    (grant) =>
      grant.metadata.namespace === to.namespace &&
      grant.spec.from.some(
        (one: { group: string; kind: string; namespace: string }) =>
          one.group === GROUP && one.kind === from.kind && one.namespace === from.namespace,
      ) &&
      grant.spec.to.some(
        (one: { group: string; kind: string; name?: string }) =>
          one.group === to.group && one.kind === to.kind && (one.name === undefined || one.name === to.name),
      ),
  );
}

/** Why a backend cannot be used, or undefined when it can. */
export function backendFault(
  ref: BackendRef,
  route: Route,
  world: World,
): { reason: string; message: string } | undefined {
  const namespace = ref.namespace ?? route.metadata.namespace!;
  if ((ref.group ?? '') !== '' || (ref.kind ?? 'Service') !== 'Service')
    return { reason: 'InvalidKind', message: `backend kind ${ref.kind} is not supported` };
  const from = { kind: 'HTTPRoute', namespace: route.metadata.namespace! };
  if (!granted(from, { group: '', kind: 'Service', namespace, name: ref.name }, world))
    return {
      reason: 'RefNotPermitted',
      message: `no ReferenceGrant in ${namespace} allows Service ${ref.name}`,
    };
  const service = world.services.find(
    (one) => one.metadata.namespace === namespace && one.metadata.name === ref.name,
  );
  const has = service?.spec?.ports?.some((one: { port: number }) => one.port === ref.port);
  return has
    ? undefined
    : {
        reason: 'BackendNotFound',
        message: `Service ${namespace}/${ref.name} with port ${ref.port} was not found`,
      };
}

function resolved(route: Route, world: World): Condition {
  for (const ref of (route.spec?.rules ?? []).flatMap((rule) => rule.backendRefs ?? [])) {
    const fault = backendFault(ref, route, world);
    if (fault) return condition('ResolvedRefs', false, fault.reason, fault.message);
  }
  return condition('ResolvedRefs', true, 'ResolvedRefs');
}

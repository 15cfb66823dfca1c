/** The admission plugins LimitRanger and ResourceQuota. */
import type { KubeObject } from '../../client/types.ts';
import { equal, has, isObject, type Json, type JsonObject } from '../json.ts';
import type { Registry } from '../registry.ts';
import { keyOf, type Resource } from '../resources/resource.ts';
import { canonicalQuantity, quantityValue } from '../schema/quantity.ts';
import { forbidden } from '../status.ts';

const containersOf = (pod: KubeObject): Json[] => [
  ...(pod.spec?.initContainers ?? []),
  ...(pod.spec?.containers ?? []),
];

/** Gives containers the defaults of the namespace's LimitRanges and refuses what lies outside them. */
export function admitLimits(pod: KubeObject, registry: Registry): void {
  const ranges = registry.store.list('/limitranges', pod.metadata.namespace);
  for (const range of ranges)
    for (const item of (range.spec?.limits as Json[] | undefined) ?? []) {
      if (item.type !== 'Container') continue;
      for (const container of containersOf(pod)) {
        const resources: JsonObject = (container.resources ??= {});
        for (const [part, defaults] of [
          ['limits', item.default],
          ['requests', item.defaultRequest ?? item.default],
        ] as const)
          for (const [name, amount] of Object.entries<string>(defaults ?? {}))
            if (!has((resources[part] ??= {}), name)) resources[part][name] = amount;
      }
    }
  const wrong: string[] = [];
  for (const range of ranges)
    for (const item of (range.spec?.limits as Json[] | undefined) ?? [])
      if (item.type === 'Container')
        for (const one of containersOf(pod)) wrong.push(...outside(item, one.resources ?? {}));
  if (wrong.length > 0)
    throw forbidden(
      '',
      'pods',
      pod.metadata.name,
      wrong.length === 1 ? String(wrong[0]) : `[${wrong.join(', ')}]`,
    );
}

function outside(item: Json, resources: Json): string[] {
  const wrong: string[] = [];
  for (const [name, most] of Object.entries<string>(item.max ?? {})) {
    const limit: string | undefined = resources.limits?.[name];
    if (limit === undefined)
      wrong.push(`maximum ${name} usage per Container is ${most}.  No limit is specified`);
    else if (quantityValue(limit) > quantityValue(most))
      wrong.push(`maximum ${name} usage per Container is ${most}, but limit is ${limit}`);
  }
  for (const [name, least] of Object.entries<string>(item.min ?? {})) {
    const request: string | undefined = resources.requests?.[name];
    if (request === undefined)
      wrong.push(`minimum ${name} usage per Container is ${least}.  No request is specified`);
    else if (quantityValue(request) < quantityValue(least))
      wrong.push(`minimum ${name} usage per Container is ${least}, but request is ${request}`);
  }
  return wrong;
}

/** What an object counts as, by the names that quotas use. */
function usageOf(resource: Resource, object: KubeObject): Map<string, number> {
  const used = new Map<string, number>();
  const add = (name: string, amount: number) => used.set(name, (used.get(name) ?? 0) + amount);
  add(`count/${resource.plural}${resource.group ? `.${resource.group}` : ''}`, 1);
  if (resource.group !== '') return used;
  if (resource.plural !== 'pods') {
    add(resource.plural, 1);
    const { type } = object.spec ?? {};
    if (resource.plural === 'services' && type === 'LoadBalancer') add('services.loadbalancers', 1);
    if (resource.plural === 'services' && type !== 'ClusterIP')
      add('services.nodeports', (object.spec?.ports ?? []).filter((port: Json) => port.nodePort).length);
    return used;
  }
  if (['Succeeded', 'Failed'].includes(object.status?.phase)) return new Map();
  add('pods', 1);
  for (const container of (object.spec?.containers as Json[] | undefined) ?? [])
    for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
      const { requests = {}, limits = {} } = container.resources ?? {};
      if (requests[name] !== undefined) {
        add(`requests.${name}`, quantityValue(requests[name]));
        add(name, quantityValue(requests[name]));
      }
      if (limits[name] !== undefined) add(`limits.${name}`, quantityValue(limits[name]));
    }
  return used;
}

/** Memory and storage with a binary suffix where they are whole kibibytes, the rest in thousandths. */
function shown(name: string, amount: number): string {
  const binary = /memory|storage/.test(name) && amount % 1_024 === 0;
  const text = binary ? `${amount / 1_024}Ki` : `${Math.round(amount * 1_000)}m`;
  return canonicalQuantity(text) ?? String(amount);
}

/** What a namespace uses of each thing that a quota names. */
function usedIn(registry: Registry, namespace: string, names: ReadonlySet<string>): Map<string, number> {
  const total = new Map<string, number>();
  for (const resource of registry.catalog.all()) {
    if (resource.scope !== 'Namespaced') continue;
    for (const object of registry.store.list(keyOf(resource), namespace))
      for (const [name, amount] of usageOf(resource, object))
        if (names.has(name)) total.set(name, (total.get(name) ?? 0) + amount);
  }
  return total;
}

/** Refuses an object that would go beyond a quota of its namespace. */
export function admitQuota(resource: Resource, object: KubeObject, registry: Registry): void {
  const namespace = object.metadata.namespace ?? '';
  const quotas = registry.store.list('/resourcequotas', namespace);
  if (quotas.length === 0) return;
  const asked = usageOf(resource, object);
  for (const quota of quotas) {
    const hard: Record<string, string> = quota.spec?.hard ?? {};
    if (quota.spec?.scopes?.length || quota.spec?.scopeSelector) continue;
    const names = new Set(Object.keys(hard).filter((name) => asked.has(name)));
    const missing = Object.keys(hard).filter(
      (name) => /^(requests\.|limits\.)?(cpu|memory)$/.test(name) && !asked.has(name),
    );
    if (resource.group === '' && resource.plural === 'pods' && missing.length > 0)
      throw forbidden(
        '',
        'pods',
        object.metadata.name,
        `failed quota: ${quota.metadata.name}: must specify ${missing
          .sort()
          .map(
            (name) =>
              `${name} for: ${(object.spec?.containers ?? []).map((one: Json) => one.name).join(',')}`,
          )
          .join('; ')}`,
      );
    if (names.size === 0) continue;
    const used = usedIn(registry, namespace, names);
    const over = [...names].filter(
      (name) => (used.get(name) ?? 0) + (asked.get(name) ?? 0) > quantityValue(hard[name] ?? '0') + 1e-9,
    );
    if (over.length === 0) continue;
    const list = (amount: (name: string) => string) =>
      over
        .sort()
        .map((name) => `${name}=${amount(name)}`)
        .join(',');
    throw forbidden(
      resource.group,
      resource.plural,
      object.metadata.name,
      `exceeded quota: ${quota.metadata.name}, requested: ${list((name) => shown(name, asked.get(name) ?? 0))}, used: ${list((name) => shown(name, used.get(name) ?? 0))}, limited: ${list((name) => hard[name] ?? '')}`,
    );
  }
}

/** Keeps the status of quotas: the resourcequota controller. Counts anew when something of a namespace with one changes. */
export function followQuotas(registry: Registry): void {
  const { store, catalog } = registry;
  const quotas = catalog.byKey('', 'resourcequotas');
  if (!quotas) throw new Error('the table has no ResourceQuotas');
  const count = (namespace: string): void => {
    for (const quota of store.list('/resourcequotas', namespace)) {
      const hard: unknown = quota.spec?.hard;
      if (!isObject(hard)) continue;
      const used = usedIn(registry, namespace, new Set(Object.keys(hard)));
      const status = {
        hard,
        used: Object.fromEntries(Object.keys(hard).map((name) => [name, shown(name, used.get(name) ?? 0)])),
      };
      if (!equal(status, quota.status)) registry.update(quotas, { ...quota, status }, {}, 'status');
    }
  };
  for (const resource of catalog.all())
    if (resource.scope === 'Namespaced')
      store.watch(keyOf(resource), ({ object }) => {
        const namespace = object.metadata.namespace ?? '';
        if (store.list('/resourcequotas', namespace).length > 0) count(namespace);
      });
}

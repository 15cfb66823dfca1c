/** CustomResourceDefinitions: what makes one valid, and the resource that it adds to the catalog. */
import type { KubeObject } from '../../client/types.ts';
import { has, isObject, type Json, type JsonObject } from '../json.ts';
import { badDns1035Label, badDnsSubdomain, timestamp } from '../names.ts';
import type { Registry } from '../registry.ts';
import { ALL_VERBS, keyOf, type Resource } from '../resources/resource.ts';
import { forbiddenField, invalidValue, required, unsupported, type Cause } from '../status.ts';
import type { Strategy } from '../strategy.ts';
import { compareVersions } from '../http/discovery.ts';
import { jsonPathValues } from '../tables/index.ts';

const KEY = 'apiextensions.k8s.io/customresourcedefinitions';
/** Holds a definition until its objects are gone. */
const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';

function schemaFaults(schema: Json, path: string, depth = 0): Cause[] {
  if (!isObject(schema)) return [];
  if (depth > 64) return [forbiddenField(path, 'nested too deeply')];
  const causes: Cause[] = [];
  const free = schema['x-kubernetes-preserve-unknown-fields'] || schema['x-kubernetes-int-or-string'];
  if (!schema['type'] && !free)
    causes.push(required(`${path}.type`, 'must not be empty for specified object fields'));
  if (schema['$ref']) causes.push(forbiddenField(`${path}.$ref`, '$ref is not supported'));
  if (schema['type'] === 'array' && !isObject(schema['items']))
    causes.push(required(`${path}.items`, 'must be specified'));
  if (isObject(schema['properties']) && isObject(schema['additionalProperties']))
    causes.push(
      forbiddenField(
        `${path}.additionalProperties`,
        'additionalProperties and properties are mutual exclusive',
      ),
    );
  for (const [name, inner] of Object.entries(isObject(schema['properties']) ? schema['properties'] : {}))
    causes.push(...schemaFaults(inner, `${path}.properties[${name}]`, depth + 1));
  if (isObject(schema['items'])) causes.push(...schemaFaults(schema['items'], `${path}.items`, depth + 1));
  if (isObject(schema['additionalProperties']))
    causes.push(...schemaFaults(schema['additionalProperties'], `${path}.additionalProperties`, depth + 1));
  return causes;
}

function causesOf(definition: KubeObject): Cause[] {
  const spec: JsonObject = definition.spec ?? {};
  const names: JsonObject = spec['names'] ?? {};
  const causes: Cause[] = [];
  if (!spec['group']) causes.push(required('spec.group'));
  else if (!String(spec['group']).includes('.'))
    causes.push(invalidValue('spec.group', spec['group'], 'should be a domain with at least one dot'));
  else if (badDnsSubdomain(spec['group']))
    causes.push(invalidValue('spec.group', spec['group'], String(badDnsSubdomain(spec['group']))));
  for (const field of ['plural', 'kind']) if (!names[field]) causes.push(required(`spec.names.${field}`));
  for (const field of ['plural', 'singular']) {
    const bad = names[field] ? badDns1035Label(String(names[field])) : undefined;
    if (bad) causes.push(invalidValue(`spec.names.${field}`, names[field], bad));
  }
  if (spec['scope'] !== 'Namespaced' && spec['scope'] !== 'Cluster')
    causes.push(
      spec['scope']
        ? unsupported('spec.scope', spec['scope'], ['Cluster', 'Namespaced'])
        : required('spec.scope'),
    );
  const wanted = `${names['plural']}.${spec['group']}`;
  if (definition.metadata.name !== wanted)
    causes.push(
      invalidValue('metadata.name', definition.metadata.name, `must be spec.names.plural+"."+spec.group`),
    );
  const versions: JsonObject[] = spec['versions'] ?? [];
  if (versions.filter((version) => version['storage'] === true).length !== 1)
    causes.push(
      invalidValue('spec.versions', versions, 'must have exactly one version marked as storage version'),
    );
  for (const [i, version] of versions.entries()) {
    const path = `spec.versions[${i}]`;
    const bad = badDns1035Label(String(version['name'] ?? ''));
    if (bad) causes.push(invalidValue(`${path}.name`, version['name'] ?? '', bad));
    const schema: unknown = version['schema']?.openAPIV3Schema;
    if (!isObject(schema)) causes.push(required(`${path}.schema.openAPIV3Schema`, 'schemas are required'));
    else causes.push(...schemaFaults(schema, `${path}.schema.openAPIV3Schema`));
  }
  if (spec['conversion']?.strategy === 'Webhook')
    causes.push(
      forbiddenField(
        'spec.conversion.strategy',
        'the embedded engine calls no webhooks; use strategy None or a real cluster (--cluster kind)',
      ),
    );
  return causes;
}

function statusOf(definition: KubeObject): JsonObject {
  const now = timestamp();
  const { spec } = definition;
  const stored: string[] = definition.status?.storedVersions ?? [];
  const storage: string | undefined = spec.versions?.find((one: JsonObject) => one['storage'])?.name;
  const condition = (type: string, reason: string, message: string) => ({
    type,
    status: 'True',
    lastTransitionTime: now,
    reason,
    message,
  });
  return {
    acceptedNames: spec.names,
    storedVersions: storage && !stored.includes(storage) ? [...stored, storage] : stored,
    conditions: definition.status?.conditions ?? [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
  };
}

export const customResourceDefinitions: Strategy = {
  defaults: ({ spec }) => {
    const names = spec?.names;
    if (!names?.kind) return;
    names.singular ||= String(names.kind).toLowerCase();
    names.listKind ||= `${names.kind}List`;
    spec.conversion ??= { strategy: 'None' };
  },
  create: (definition) => {
    definition.metadata.finalizers = [...new Set([...(definition.metadata.finalizers ?? []), CLEANUP])];
    if (definition.spec?.names) definition.status = statusOf(definition);
  },
  update: (definition) => {
    if (definition.spec?.names) definition.status = statusOf(definition);
  },
  validate: causesOf,
};

/** The resource that a definition describes; undefined when no version is served. */
function resourceOf(definition: KubeObject): Resource | undefined {
  const { spec } = definition;
  const versions = new Map<string, JsonObject>(
    (spec.versions as JsonObject[])
      .filter((version) => version['served'] !== false)
      .sort((a, b) => compareVersions(a['name'], b['name']))
      .map((version) => [version['name'], version]),
  );
  const storage = (spec.versions as JsonObject[]).find((version) => version['storage']);
  if (versions.size === 0 || !storage) return undefined;
  const parts = storage['subresources'] ?? {};
  const selectable: Record<string, (object: KubeObject) => string> = {};
  for (const { jsonPath } of storage['selectableFields'] ?? [])
    selectable[String(jsonPath).replace(/^\./, '')] = (object) =>
      String(jsonPathValues(object, String(jsonPath))[0] ?? '');
  return {
    group: spec.group,
    version: storage['name'],
    kind: spec.names.kind,
    plural: spec.names.plural,
    singular: spec.names.singular,
    shortNames: spec.names.shortNames ?? [],
    categories: spec.names.categories ?? [],
    scope: spec.scope,
    subresources: ['status', 'scale'].filter((name) => has(parts, name)),
    verbs: ALL_VERBS,
    otherVersions: [],
    type: undefined,
    generation: true,
    selectable,
    createOnUpdate: false,
    custom: { definition, versions },
  };
}

/** Keeps the catalog in step with the definitions in the store, and cleans up behind those that are deleted. */
export function followDefinitions(registry: Registry): void {
  const { store, catalog } = registry;
  const own = catalog.byKey('apiextensions.k8s.io', 'customresourcedefinitions');
  if (!own) throw new Error('the table has no CustomResourceDefinitions');
  const watched = new Set<string>();
  const finish = (name: string, key: string): void => {
    const definition = store.get(KEY, '', name);
    if (!definition?.metadata.deletionTimestamp || store.count(key) > 0) return;
    const finalizers = (definition.metadata.finalizers ?? []).filter((one) => one !== CLEANUP);
    if (finalizers.length === definition.metadata.finalizers?.length) return;
    registry.update(own, { ...definition, metadata: { ...definition.metadata, finalizers } });
  };
  store.watch(KEY, ({ type, object }) => {
    const resource = resourceOf(object);
    const key = `${object.spec.group}/${object.spec.names.plural}`;
    if (type === 'DELETED' || !resource) {
      catalog.remove(key);
      return;
    }
    const known = catalog.byKey(resource.group, resource.plural);
    if (known && !known.custom) return; // A definition cannot take a built-in resource's place.
    catalog.add(resource);
    if (!watched.has(key)) {
      watched.add(key);
      store.watch(key, (change) => {
        if (change.type === 'DELETED') finish(object.metadata.name, key);
      });
    }
    if (!object.metadata.deletionTimestamp) return;
    for (const item of store.list(key))
      if (!item.metadata.deletionTimestamp)
        registry.delete(resource, item.metadata.namespace ?? '', item.metadata.name);
    finish(object.metadata.name, keyOf(resource));
  });
}

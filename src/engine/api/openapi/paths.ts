/** Paths of the OpenAPI documents: which verbs a resource has and which query parameters they take. */
import type { JsonObject } from '../json.ts';
import type { Served } from '../resources/catalog.ts';
import type { Dialect } from './schemas.ts';

const READ = ['pretty'];
const LIST = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'pretty',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'timeoutSeconds',
  'watch',
];
const WRITE = ['dryRun', 'fieldManager', 'fieldValidation', 'pretty'];
const PATCH = [...WRITE, 'force'];
const DELETE = ['dryRun', 'gracePeriodSeconds', 'orphanDependents', 'pretty', 'propagationPolicy'];

const TYPES: Readonly<Record<string, string>> = {
  allowWatchBookmarks: 'boolean',
  force: 'boolean',
  limit: 'integer',
  gracePeriodSeconds: 'integer',
  orphanDependents: 'boolean',
  sendInitialEvents: 'boolean',
  timeoutSeconds: 'integer',
  watch: 'boolean',
};

const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

export function parameter(dialect: Dialect, name: string, where: 'query' | 'path' = 'query'): JsonObject {
  const type = TYPES[name] ?? 'string';
  return {
    name,
    in: where,
    ...(where === 'path' ? { required: true } : {}),
    ...(dialect === 'v2' ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } }),
  };
}

/** `listAppsV1NamespacedDeployment`. */
function operationId(action: string, served: Served): string {
  const word = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  const group = word(served.group.split('.')[0] || 'core');
  const scope = served.resource.scope === 'Namespaced' ? 'Namespaced' : '';
  return `${action}${group}${word(served.version)}${scope}${served.resource.kind}`;
}

/**
 * Paths of one resource.
 * @param ref to the schema of an object and of a list
 */
export function pathsOf(
  dialect: Dialect,
  served: Served,
  ref: { object: JsonObject; list: JsonObject },
): [string, JsonObject][] {
  const { resource, group, version } = served;
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  const gvk = { group, kind: resource.kind, version };
  const operation = (
    action: string,
    kind: string,
    names: readonly string[],
    answer: JsonObject,
    body = false,
  ) => ({
    operationId: operationId(action, served),
    tags: [group ? `${group.split('.')[0]}_${version}` : `core_${version}`],
    ...(kind === 'patch' && dialect === 'v2' ? { consumes: PATCH_TYPES } : {}),
    parameters: [
      ...(body && dialect === 'v2' ? [{ name: 'body', in: 'body', required: true, schema: ref.object }] : []),
      ...names.map((name) => parameter(dialect, name)),
    ],
    ...(body && dialect === 'v3'
      ? {
          requestBody: {
            content: Object.fromEntries(
              (kind === 'patch' ? PATCH_TYPES : ['*/*']).map((type) => [
                type,
                { schema: kind === 'patch' ? { type: 'object' } : ref.object },
              ]),
            ),
          },
        }
      : {}),
    responses: {
      200: {
        description: 'OK',
        ...(dialect === 'v2' ? { schema: answer } : { content: { 'application/json': { schema: answer } } }),
      },
      401: { description: 'Unauthorized' },
    },
    'x-kubernetes-action': kind,
    'x-kubernetes-group-version-kind': gvk,
  });
  const has = (verb: string) => resource.verbs.includes(verb);
  const verbs = (pairs: [string, boolean, () => JsonObject][]): JsonObject =>
    Object.fromEntries(pairs.filter(([, there]) => there).map(([verb, , make]) => [verb, make()]));
  const scoped = resource.scope === 'Namespaced';
  const base = scoped ? `${root}/namespaces/{namespace}/${resource.plural}` : `${root}/${resource.plural}`;
  const inPath = (names: string[]) => names.map((name) => parameter(dialect, name, 'path'));
  const out: [string, JsonObject][] = [
    [
      base,
      {
        ...verbs([
          ['get', has('list'), () => operation('list', 'list', LIST, ref.list)],
          ['post', has('create'), () => operation('create', 'post', WRITE, ref.object, true)],
          [
            'delete',
            has('deletecollection'),
            () => operation('deleteCollection', 'deletecollection', [...LIST, ...DELETE], ref.object),
          ],
        ]),
        ...(scoped ? { parameters: inPath(['namespace']) } : {}),
      },
    ],
  ];
  if (has('get'))
    out.push([
      `${base}/{name}`,
      {
        ...verbs([
          ['get', true, () => operation('read', 'get', READ, ref.object)],
          ['put', has('update'), () => operation('replace', 'put', WRITE, ref.object, true)],
          ['patch', has('patch'), () => operation('patch', 'patch', PATCH, ref.object, true)],
          ['delete', has('delete'), () => operation('delete', 'delete', DELETE, ref.object)],
        ]),
        parameters: inPath(scoped ? ['name', 'namespace'] : ['name']),
      },
    ]);
  if (scoped && has('list'))
    out.push([`${root}/${resource.plural}`, { get: operation('list', 'list', LIST, ref.list) }]);
  return out;
}

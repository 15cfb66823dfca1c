/** Discovery: which resources there are, one document at a time (legacy) or all at once (aggregated, KEP-3352). */
import { createHash } from 'node:crypto';
import type { Catalog, Served } from '../resources/catalog.ts';
import type { Resource } from '../resources/resource.ts';
import { mediaTypes } from './negotiate.ts';

/** The order of kube-apiserver's group priorities; what is not named (custom groups) follows by name. */
const ORDER = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
];

/** v2 before v1 before v1beta1 (apimachinery's version.CompareKubeAwareVersionStrings). */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string): [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (!match) return [-1, 0, 0];
    return [
      match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0,
      Number(match[1]),
      Number(match[3] ?? 0),
    ];
  };
  const [x, y] = [rank(a), rank(b)];
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2] || a.localeCompare(b);
}

/** What a subresource's object is. */
const SUBRESOURCE_KINDS: Record<string, { group?: string; version?: string; kind: string; verbs: string[] }> =
  {
    attach: { kind: 'PodAttachOptions', verbs: ['create', 'get'] },
    exec: { kind: 'PodExecOptions', verbs: ['create', 'get'] },
    portforward: { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
    log: { kind: '', verbs: ['get'] },
    proxy: { kind: '', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    binding: { kind: 'Binding', verbs: ['create'] },
    eviction: { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
    token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] },
    scale: { group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] },
    finalize: { kind: '', verbs: ['update'] },
  };

const PROXY_KINDS: Record<string, string> = {
  pods: 'PodProxyOptions',
  services: 'ServiceProxyOptions',
  nodes: 'NodeProxyOptions',
};

function subresource(resource: Resource, name: string) {
  const known = SUBRESOURCE_KINDS[name];
  const verbs = known?.verbs ?? ['get', 'patch', 'update'];
  const kind = (name === 'proxy' ? PROXY_KINDS[resource.plural] : known?.kind) || resource.kind;
  return { name, kind, group: known?.group, version: known?.version, verbs };
}

/** A storage version hash has to be there for some clients and means nothing but itself. */
const hashOf = (resource: Resource): string =>
  createHash('sha256')
    .update(`${resource.group}/${resource.version}/${resource.kind}`)
    .digest('base64')
    .slice(0, 11)
    .concat('=');

function legacyResources(served: readonly Served[]): object[] {
  return served.flatMap(({ resource }) => [
    {
      name: resource.plural,
      singularName: resource.singular,
      namespaced: resource.scope === 'Namespaced',
      kind: resource.kind,
      verbs: resource.verbs,
      ...(resource.shortNames.length ? { shortNames: resource.shortNames } : {}),
      ...(resource.categories.length ? { categories: resource.categories } : {}),
      ...(resource.verbs.includes('list') ? { storageVersionHash: hashOf(resource) } : {}),
    },
    ...[...resource.subresources].sort().map((name) => {
      const sub = subresource(resource, name);
      return {
        name: `${resource.plural}/${name}`,
        singularName: '',
        namespaced: resource.scope === 'Namespaced',
        ...(sub.group ? { group: sub.group, version: sub.version } : {}),
        kind: sub.kind,
        verbs: sub.verbs,
      };
    }),
  ]);
}

function aggregatedResources(served: readonly Served[]): object[] {
  return served.map(({ resource, group, version }) => ({
    resource: resource.plural,
    responseKind: { group, version, kind: resource.kind },
    scope: resource.scope,
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories.length ? { categories: resource.categories } : {}),
    ...(resource.subresources.length
      ? {
          subresources: [...resource.subresources].sort().map((name) => {
            const sub = subresource(resource, name);
            return {
              subresource: name,
              responseKind: { group: sub.group ?? group, version: sub.version ?? version, kind: sub.kind },
              verbs: sub.verbs,
            };
          }),
        }
      : {}),
  }));
}

interface Group {
  readonly name: string;
  /** Version -> what it serves; the preferred version first. */
  readonly versions: [string, Served[]][];
}

function groupsOf(catalog: Catalog): Group[] {
  const groups = new Map<string, Map<string, Served[]>>();
  for (const served of catalog.allServed()) {
    let versions = groups.get(served.group);
    if (!versions) groups.set(served.group, (versions = new Map()));
    const list = versions.get(served.version) ?? [];
    list.push(served);
    versions.set(served.version, list);
  }
  const place = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return [...groups]
    .map(([name, versions]) => ({
      name,
      versions: [...versions]
        .sort(([a], [b]) => compareVersions(a, b))
        .map(([version, list]): [string, Served[]] => [
          version,
          list.sort((a, b) => (a.resource.plural < b.resource.plural ? -1 : 1)),
        ]),
    }))
    .sort((a, b) => place(a.name) - place(b.name) || a.name.localeCompare(b.name));
}

const groupVersion = (group: string, version: string) => ({
  groupVersion: group ? `${group}/${version}` : version,
  version,
});

const apiGroup = (group: Group) => ({
  name: group.name,
  versions: group.versions.map(([version]) => groupVersion(group.name, version)),
  preferredVersion: groupVersion(group.name, group.versions[0]?.[0] ?? ''),
});

/** Whether the client asks for everything at once, and in which version. */
function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const { type, parameters } of mediaTypes(accept)) {
    if (type !== 'application/json') continue;
    if (parameters['as'] === 'APIGroupDiscoveryList' && parameters['g'] === 'apidiscovery.k8s.io') {
      if (parameters['v'] === 'v2' || parameters['v'] === 'v2beta1') return parameters['v'];
    } else if (parameters['as'] === undefined) return undefined;
  }
  return undefined;
}

export interface Document {
  readonly body: string;
  readonly type: string;
  readonly etag?: string;
}

/** Answers discovery requests from documents that are made once for each state of the catalog. */
export class Discovery {
  readonly #catalog: Catalog;
  #made = -1;
  #groups: Group[] = [];
  readonly #documents = new Map<string, Document | undefined>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** @returns undefined when the path is no discovery document */
  find(path: string, accept: string | undefined): Document | undefined {
    if (this.#made !== this.#catalog.generation) {
      this.#made = this.#catalog.generation;
      this.#groups = groupsOf(this.#catalog);
      this.#documents.clear();
    }
    const root = path === '/api' || path === '/apis';
    const version = root ? aggregatedVersion(accept) : undefined;
    const key = `${version ?? ''} ${path}`;
    if (!this.#documents.has(key)) this.#documents.set(key, this.#make(path, version));
    return this.#documents.get(key);
  }

  #make(path: string, aggregated: string | undefined): Document | undefined {
    const [root, ...rest] = path.split('/').filter((part) => part !== '');
    const plain = (value: object): Document => ({ body: JSON.stringify(value), type: 'application/json' });
    if (rest.length === 0 && (root === 'api' || root === 'apis')) {
      const mine = this.#groups.filter((group) => (group.name === '') === (root === 'api'));
      if (aggregated) return this.#aggregated(mine, aggregated);
      return plain(
        root === 'api'
          ? {
              kind: 'APIVersions',
              versions: ['v1'],
              serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '127.0.0.1:6443' }],
            }
          : { kind: 'APIGroupList', apiVersion: 'v1', groups: mine.map(apiGroup) },
      );
    }
    const name = root === 'api' ? '' : rest.shift();
    const group = this.#groups.find((one) => one.name === name);
    if (!group || (root !== 'api' && root !== 'apis')) return undefined;
    if (rest.length === 0) return plain({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) });
    const version = group.versions.find(([one]) => one === rest[0]);
    if (!version || rest.length > 1) return undefined;
    return plain({
      kind: 'APIResourceList',
      ...(name ? { apiVersion: 'v1' } : {}),
      groupVersion: groupVersion(group.name, version[0]).groupVersion,
      resources: legacyResources(version[1]),
    });
  }

  #aggregated(groups: readonly Group[], version: string): Document {
    const body = JSON.stringify({
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: groups.map((group) => ({
        metadata: group.name ? { name: group.name } : {},
        versions: group.versions.map(([name, served]) => ({
          version: name,
          resources: aggregatedResources(served),
          freshness: 'Current',
        })),
      })),
    });
    return {
      body,
      type: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      etag: `"${createHash('sha256').update(body).digest('hex').toUpperCase()}"`,
    };
  }
}

/** From a kind to its path, by the API's own discovery (Kubernetes API concepts: resource URIs). */
import type { Http } from './http.ts';

interface Resource {
  readonly name: string;
  readonly namespaced: boolean;
}

/** The API serves no such kind. */
export class NoSuchKind extends Error {
  constructor(apiVersion: string, kind: string) {
    super(`no matches for kind "${kind}" in version "${apiVersion}"`);
    this.name = 'NoSuchKind';
  }
}

export class Resources {
  readonly #http: Http;
  readonly #known = new Map<string, Promise<Map<string, Resource>>>();

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * The path of a collection or object.
   * @throws NoSuchKind
   */
  async path(
    ref: { apiVersion: string; kind: string; name?: string; namespace?: string },
    subresource = '',
  ): Promise<string> {
    const root = ref.apiVersion.includes('/') ? `/apis/${ref.apiVersion}` : `/api/${ref.apiVersion}`;
    let resource = (await this.#group(root)).get(ref.kind);
    if (!resource) {
      this.#known.delete(root); // A CustomResourceDefinition may have come since.
      resource = (await this.#group(root)).get(ref.kind);
    }
    if (!resource) throw new NoSuchKind(ref.apiVersion, ref.kind);
    const space =
      resource.namespaced && ref.namespace ? `/namespaces/${encodeURIComponent(ref.namespace)}` : '';
    const name = ref.name === undefined ? '' : `/${encodeURIComponent(ref.name)}`;
    return `${root}${space}/${resource.name}${name}${subresource ? `/${subresource}` : ''}`;
  }

  /** Whether objects of this kind live in a namespace. */
  async namespaced(apiVersion: string, kind: string): Promise<boolean> {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    return (await this.#group(root)).get(kind)?.namespaced ?? true;
  }

  #group(root: string): Promise<Map<string, Resource>> {
    let found = this.#known.get(root);
    if (!found) {
      found = this.#http.request('GET', root).then((reply) => {
        const list =
          (reply.json as { resources?: { name: string; namespaced: boolean; kind: string }[] }) ?? {};
        const main = (list.resources ?? []).filter((one) => !one.name.includes('/'));
        return new Map(main.map((one) => [one.kind, { name: one.name, namespaced: one.namespaced }]));
      });
      found.catch(() => this.#known.delete(root));
      this.#known.set(root, found);
    }
    return found;
  }
}

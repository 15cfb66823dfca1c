/** The client of the cluster's own components: straight on the registry in the same process, without HTTP. */
import type { Registry, WriteOptions } from '../api/registry.ts';
import { mergePatch } from '../api/patch/merge.ts';
import { apiVersionOf, keyOf, type Resource } from '../api/resources/resource.ts';
import { noSuchPath } from '../api/status.ts';
import { seenBy } from '../api/view.ts';
import {
  ApiError,
  type Change,
  type Client,
  type GroupResource,
  type Informer,
  type KubeObject,
  type ListOptions,
} from './types.ts';

/** Writes of components are not tracked in managedFields: nobody applies to their fields. */
const OWN: WriteOptions = {};

export class LocalClient implements Client {
  readonly #registry: Registry;
  #stopped = false;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** While stopped every request fails, as when the API server is down; informers just see no changes. */
  set stopped(stopped: boolean) {
    this.#stopped = stopped;
  }

  #resource(of: GroupResource): Resource {
    if (this.#stopped)
      throw new ApiError({ code: 503, reason: 'ServiceUnavailable', message: 'the API server is stopped' });
    const found = this.#registry.catalog.byKey(of.group, of.resource);
    if (!found) throw noSuchPath();
    return found;
  }

  async get<T extends KubeObject>(of: GroupResource, name: string, namespace = ''): Promise<T | undefined> {
    return this.#registry.get(this.#resource(of), namespace, name) as T | undefined;
  }

  async list<T extends KubeObject>(of: GroupResource, options: ListOptions = {}): Promise<T[]> {
    return this.#registry.list(this.#resource(of), options.namespace, options).items as T[];
  }

  async create<T extends KubeObject>(of: GroupResource, object: NoInfer<T>): Promise<T> {
    const resource = this.#resource(of);
    return this.#registry.create(resource, named(resource, object), OWN) as T;
  }

  async update<T extends KubeObject>(of: GroupResource, object: NoInfer<T>): Promise<T> {
    return this.#registry.update(this.#resource(of), object, OWN) as T;
  }

  async updateStatus<T extends KubeObject>(of: GroupResource, object: NoInfer<T>): Promise<T> {
    return this.#registry.update(this.#resource(of), object, OWN, 'status') as T;
  }

  async patch<T extends KubeObject>(
    of: GroupResource,
    name: string,
    namespace: string | undefined,
    patch: object,
    subresource = '',
  ): Promise<T> {
    const resource = this.#resource(of);
    const before = this.#registry.need(resource, namespace ?? '', name);
    return this.#registry.update(resource, mergePatch(before, patch), OWN, subresource) as T;
  }

  async delete(
    of: GroupResource,
    name: string,
    namespace = '',
    options: {
      graceSeconds?: number;
      uid?: string;
      propagation?: 'Background' | 'Foreground' | 'Orphan';
    } = {},
  ): Promise<void> {
    const resource = this.#resource(of);
    const before = this.#registry.get(resource, namespace, name);
    if (!before) return;
    // Another object of the same name, when a uid is asked for: the one that is meant is gone.
    if (options.uid && before.metadata.uid !== options.uid) return;
    this.#registry.delete(resource, namespace, name, options);
  }

  informer<T extends KubeObject>(of: GroupResource, options: ListOptions = {}): Informer<T> {
    const resource = this.#registry.catalog.byKey(of.group, of.resource);
    if (!resource) throw noSuchPath();
    return new StoreInformer<T>(this.#registry, resource, options);
  }
}

/** Fills in apiVersion and kind, which components may leave out. */
function named(resource: Resource, object: KubeObject): KubeObject {
  if (object.apiVersion && object.kind) return object;
  return { ...object, apiVersion: apiVersionOf(resource.group, resource.version), kind: resource.kind };
}

/** Reads straight from the store: there is no second copy to go stale. */
class StoreInformer<T extends KubeObject> implements Informer<T> {
  readonly #registry: Registry;
  readonly #resource: Resource;
  readonly #namespace: string | undefined;
  readonly #match: ((object: KubeObject) => boolean) | undefined;
  readonly #stops = new Set<() => void>();

  constructor(registry: Registry, resource: Resource, options: ListOptions) {
    this.#registry = registry;
    this.#resource = resource;
    this.#namespace = options.namespace;
    this.#match = registry.match(resource, options);
  }

  #takes(object: KubeObject | undefined): boolean {
    if (!object) return false;
    if (this.#namespace !== undefined && object.metadata.namespace !== this.#namespace) return false;
    return this.#match ? this.#match(object) : true;
  }

  list(): T[] {
    const all = this.#registry.store.list(keyOf(this.#resource), this.#namespace);
    return (this.#match ? all.filter(this.#match) : all) as T[];
  }

  get(name: string, namespace = this.#namespace ?? ''): T | undefined {
    const object = this.#registry.get(this.#resource, namespace, name);
    return this.#takes(object) ? (object as T) : undefined;
  }

  onChange(listener: (change: Change<T>) => void): () => void {
    const stop = this.#registry.store.watch(keyOf(this.#resource), (change) => {
      const seen = seenBy(change, (object) => this.#takes(object));
      if (seen) listener(seen as Change<T>);
    });
    this.#stops.add(stop);
    for (const object of this.list()) listener({ type: 'ADDED', object, before: undefined });
    return () => {
      stop();
      this.#stops.delete(stop);
    };
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#stops.clear();
  }
}

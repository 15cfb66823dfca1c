/** A store in memory behind the engine's Client, for tests of components: no validation, no graceful deletion. */
import {
  ApiError,
  type Change,
  type Client,
  type GroupResource,
  type Informer,
  type KubeObject,
  type ListOptions,
} from '../../../src/engine/client/types.ts';

type Listener = (change: Change<any>) => void;

const keyOf = ({ group, resource }: GroupResource) => `${group}/${resource}`;
const error = (code: number, reason: string) => new ApiError({ code, reason, message: reason });

export class MemoryClient implements Client {
  private readonly stores = new Map<string, Map<string, KubeObject>>();
  private readonly listeners = new Map<string, Set<Listener>>();
  private version = 0;
  private uids = 0;
  writes = 0;

  get<T extends KubeObject>(of: GroupResource, name: string, namespace?: string) {
    return Promise.resolve(this.store(of).get(`${namespace ?? ''}/${name}`) as T | undefined);
  }

  list<T extends KubeObject>(of: GroupResource, options: ListOptions = {}) {
    return Promise.resolve(this.all(of, options) as T[]);
  }

  create<T extends KubeObject>(of: GroupResource, object: T) {
    const copy = structuredClone(object);
    const meta = copy.metadata;
    meta.name ||= `${meta.generateName}${Math.random().toString(36).slice(2, 7)}`;
    if (this.store(of).has(`${meta.namespace ?? ''}/${meta.name}`))
      return Promise.reject(error(409, 'AlreadyExists'));
    meta.uid ??= `uid-${++this.uids}`;
    meta.creationTimestamp ??= new Date().toISOString();
    return Promise.resolve(this.put(of, copy));
  }

  update<T extends KubeObject>(of: GroupResource, object: T) {
    return this.change<T>(of, object, (old) => ({ ...structuredClone(object), status: old.status }) as T);
  }

  updateStatus<T extends KubeObject>(of: GroupResource, object: T) {
    return this.change<T>(of, object, (old) => ({
      ...structuredClone(old),
      status: structuredClone(object.status),
    }));
  }

  patch<T extends KubeObject>(of: GroupResource, name: string, namespace: string | undefined, patch: object) {
    const old = this.store(of).get(`${namespace ?? ''}/${name}`);
    if (!old) return Promise.reject(error(404, 'NotFound'));
    return Promise.resolve(this.put(of, merge(structuredClone(old), patch) as T));
  }

  delete(of: GroupResource, name: string, namespace?: string, options: { graceSeconds?: number } = {}) {
    const key = `${namespace ?? ''}/${name}`;
    const old = this.store(of).get(key);
    if (!old) return Promise.resolve();
    if (old.metadata.finalizers?.length && options.graceSeconds !== 0) {
      this.put(of, { ...old, metadata: { ...old.metadata, deletionTimestamp: new Date().toISOString() } });
    } else {
      this.store(of).delete(key);
      this.writes++;
      this.tell(of, { type: 'DELETED', object: old, before: old });
    }
    return Promise.resolve();
  }

  informer<T extends KubeObject>(of: GroupResource, options: ListOptions = {}): Informer<T> {
    const mine = new Set<Listener>();
    const all = this.listenersOf(of);
    return {
      list: () => this.all(of, options) as T[],
      get: (name, namespace) => this.store(of).get(`${namespace ?? ''}/${name}`) as T | undefined,
      onChange: (listener) => {
        const wrapped: Listener = (change) => {
          if (matches(change.object, options)) listener(change);
        };
        mine.add(wrapped);
        all.add(wrapped);
        for (const object of this.all(of, options))
          listener({ type: 'ADDED', object: object as T, before: undefined });
        return () => all.delete(wrapped);
      },
      stop: () => mine.forEach((listener) => all.delete(listener)),
    };
  }

  /** Objects now, without waiting. */
  all(of: GroupResource, options: ListOptions = {}): KubeObject[] {
    return [...this.store(of).values()].filter((object) => matches(object, options));
  }

  private change<T extends KubeObject>(of: GroupResource, object: T, make: (old: T) => T): Promise<T> {
    const { name, namespace, resourceVersion } = object.metadata;
    const old = this.store(of).get(`${namespace ?? ''}/${name}`) as T | undefined;
    if (!old) return Promise.reject(error(404, 'NotFound'));
    if (resourceVersion && resourceVersion !== old.metadata.resourceVersion)
      return Promise.reject(error(409, 'Conflict'));
    return Promise.resolve(this.put(of, make(old)));
  }

  private put<T extends KubeObject>(of: GroupResource, object: T): T {
    const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
    const before = this.store(of).get(key);
    object.metadata = { ...object.metadata, resourceVersion: `${++this.version}` };
    this.writes++;
    if (object.metadata.deletionTimestamp && !object.metadata.finalizers?.length) {
      this.store(of).delete(key);
      this.tell(of, { type: 'DELETED', object, before });
    } else {
      this.store(of).set(key, freeze(object));
      this.tell(of, { type: before ? 'MODIFIED' : 'ADDED', object, before });
    }
    return object;
  }

  private tell(of: GroupResource, change: Change): void {
    for (const listener of [...this.listenersOf(of)]) listener(change);
  }

  private store(of: GroupResource) {
    const store = this.stores.get(keyOf(of)) ?? new Map<string, KubeObject>();
    this.stores.set(keyOf(of), store);
    return store;
  }

  private listenersOf(of: GroupResource) {
    const listeners = this.listeners.get(keyOf(of)) ?? new Set<Listener>();
    this.listeners.set(keyOf(of), listeners);
    return listeners;
  }
}

function matches(object: KubeObject, { namespace, labelSelector, fieldSelector }: ListOptions): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  for (const part of labelSelector?.split(',') ?? []) {
    const [key = '', value] = part.split(/==?/);
    if (object.metadata.labels?.[key] !== value) return false;
  }
  for (const part of fieldSelector?.split(',') ?? []) {
    const [path = '', value] = part.split('=');
    const found = path.split('.').reduce<any>((at, key) => at?.[key], object);
    if ((found ?? '') !== value) return false;
  }
  return true;
}

function merge(into: any, patch: any): any {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result = typeof into === 'object' && into !== null && !Array.isArray(into) ? into : {};
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  return result;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}

/**
 * The one store: every object of the cluster, frozen, under one resourceVersion counter (as etcd's revision),
 * and a log of changes that watches are served from. Synchronous: a write has told every watcher when it returns.
 */
import type { Change, KubeObject } from '../client/types.ts';
import { freeze } from './json.ts';

/** A change with the version that it made. */
export interface StoredChange extends Change {
  readonly version: number;
}

export type Watcher = (change: StoredChange) => void;

/** How many changes of each resource are remembered. A watch from before the oldest gets 410 Expired. */
const LOG_LENGTH = 2_048;

interface Bucket {
  /** namespace ('' for cluster scope) -> name -> object. */
  readonly objects: Map<string, Map<string, KubeObject>>;
  log: StoredChange[];
  /** The version of the newest change that has been dropped from the log. */
  forgotten: number;
  readonly watchers: Set<Watcher>;
  count: number;
}

export class Store {
  /** As a fresh etcd's, not zero: resourceVersion "0" means "any" in requests. */
  #version = 1;
  readonly #buckets = new Map<string, Bucket>();
  readonly #queue: { bucket: Bucket; change: StoredChange }[] = [];
  #telling = false;
  readonly #onError: (error: unknown) => void;

  /** @param onError told of exceptions of watchers, which must not disturb the writer */
  constructor(onError: (error: unknown) => void = (error) => console.error(error)) {
    this.#onError = onError;
  }

  /** The newest resourceVersion. */
  get version(): number {
    return this.#version;
  }

  #bucket(key: string): Bucket {
    let bucket = this.#buckets.get(key);
    if (!bucket) {
      bucket = { objects: new Map(), log: [], forgotten: 0, watchers: new Set(), count: 0 };
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  get(key: string, namespace: string, name: string): KubeObject | undefined {
    return this.#buckets.get(key)?.objects.get(namespace)?.get(name);
  }

  /** All of one resource, of one namespace if given; in no order. */
  list(key: string, namespace?: string): KubeObject[] {
    const objects = this.#buckets.get(key)?.objects;
    if (!objects) return [];
    if (namespace !== undefined) return [...(objects.get(namespace)?.values() ?? [])];
    const all: KubeObject[] = [];
    for (const some of objects.values()) for (const object of some.values()) all.push(object);
    return all;
  }

  count(key: string): number {
    return this.#buckets.get(key)?.count ?? 0;
  }

  /** Writes an object, which becomes frozen and gets the next resourceVersion. Returns it. */
  put(key: string, object: KubeObject): KubeObject {
    const bucket = this.#bucket(key);
    const namespace = object.metadata.namespace ?? '';
    let some = bucket.objects.get(namespace);
    if (!some) bucket.objects.set(namespace, (some = new Map()));
    const before = some.get(object.metadata.name);
    const version = ++this.#version;
    object.metadata.resourceVersion = String(version);
    freeze(object);
    some.set(object.metadata.name, object);
    if (!before) bucket.count++;
    this.#tell(bucket, { type: before ? 'MODIFIED' : 'ADDED', object, before, version });
    return object;
  }

  /** Removes an object; returns its last form, with the version of the removal. */
  remove(key: string, namespace: string, name: string): KubeObject | undefined {
    const bucket = this.#bucket(key);
    const some = bucket.objects.get(namespace);
    const before = some?.get(name);
    if (!some || !before) return undefined;
    some.delete(name);
    if (some.size === 0) bucket.objects.delete(namespace);
    bucket.count--;
    const version = ++this.#version;
    const object = freeze({ ...before, metadata: { ...before.metadata, resourceVersion: String(version) } });
    this.#tell(bucket, { type: 'DELETED', object, before, version });
    return object;
  }

  /**
   * The changes after a version, or undefined when they are not all remembered (410).
   * @param version a resourceVersion that this store has handed out
   */
  since(key: string, version: number): StoredChange[] | undefined {
    const bucket = this.#bucket(key);
    if (version < bucket.forgotten) return undefined;
    let low = 0;
    let high = bucket.log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((bucket.log[middle] as StoredChange).version <= version) low = middle + 1;
      else high = middle;
    }
    return bucket.log.slice(low);
  }

  watch(key: string, watcher: Watcher): () => void {
    const { watchers } = this.#bucket(key);
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }

  /** Tells in the order of versions, also when a watcher writes: then after the change it is being told of. */
  #tell(bucket: Bucket, change: StoredChange): void {
    bucket.log.push(Object.freeze(change));
    if (bucket.log.length > 2 * LOG_LENGTH) {
      const dropped = bucket.log.length - LOG_LENGTH;
      bucket.forgotten = (bucket.log[dropped - 1] as StoredChange).version;
      bucket.log = bucket.log.slice(dropped);
    }
    this.#queue.push({ bucket, change });
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift())
        for (const watcher of [...next.bucket.watchers]) {
          if (!next.bucket.watchers.has(watcher)) continue;
          try {
            watcher(next.change);
          } catch (error) {
            this.#onError(error);
          }
        }
    } finally {
      this.#telling = false;
    }
  }
}

/**
 * What every component of the engine knows of the API: objects, and a client to read, watch and write them.
 * The real one (local.ts) works on the store of the API server in the same process, without HTTP;
 * what it hands out is frozen and shared, so nobody may change it: make a copy, change that, write it back.
 */

/** ObjectMeta, as far as components read it (Kubernetes API reference, ObjectMeta v1). */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Any object of the API. Components narrow `spec` and `status` with types of their own. */

export interface KubeObject<Spec = any, Status = any> {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: Spec;
  status?: Status;

  [field: string]: any;
}

/** A resource by its group and plural name: `{group: '', resource: 'pods'}`, `{group: 'apps', resource: 'deployments'}`. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** Shorthand: `gr('pods')`, `gr('deployments', 'apps')`. */
export const gr = (resource: string, group = ''): GroupResource => ({ group, resource });

export interface ListOptions {
  namespace?: string;
  /** In the syntax of kubectl -l. */
  labelSelector?: string;
  /** In the syntax of kubectl --field-selector. */
  fieldSelector?: string;
}

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One change of one object; `before` is undefined for ADDED. Frozen. */
export interface Change<T extends KubeObject = KubeObject> {
  readonly type: ChangeType;
  readonly object: T;
  readonly before: T | undefined;
}

/** A cache that follows a resource: list, then watch, for ever (client-go's shared informer). */
export interface Informer<T extends KubeObject = KubeObject> {
  /** Everything now, in no order. */
  list(): T[];
  get(name: string, namespace?: string): T | undefined;
  /** Tells of each object that exists (as ADDED) and of every change after. Returns how to stop listening. */
  onChange(listener: (change: Change<T>) => void): () => void;
  stop(): void;
}

/** An API error; `status` is the Kubernetes Status object (code, reason, message, details). */
export class ApiError extends Error {
  readonly status: { code: number; reason: string; message: string; details?: unknown };
  constructor(status: { code: number; reason: string; message: string; details?: unknown }) {
    super(status.message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** Reads and writes objects as a component of the cluster. All errors are {@link ApiError}. */
export interface Client {
  get<T extends KubeObject = KubeObject>(
    of: GroupResource,
    name: string,
    namespace?: string,
  ): Promise<T | undefined>;
  list<T extends KubeObject = KubeObject>(of: GroupResource, options?: ListOptions): Promise<T[]>;
  create<T extends KubeObject = KubeObject>(of: GroupResource, object: NoInfer<T>): Promise<T>;
  /** Whole object; 409 Conflict when resourceVersion is not the newest. */
  update<T extends KubeObject = KubeObject>(of: GroupResource, object: NoInfer<T>): Promise<T>;
  /** The status subresource: only `status` is taken. */
  updateStatus<T extends KubeObject = KubeObject>(of: GroupResource, object: NoInfer<T>): Promise<T>;
  /** JSON merge patch (RFC 7386); `subresource` e.g. 'status'. */
  patch<T extends KubeObject = KubeObject>(
    of: GroupResource,
    name: string,
    namespace: string | undefined,
    patch: object,
    subresource?: string,
  ): Promise<T>;
  /** Deletes; resolves with nothing when there is none. `graceSeconds: 0` removes a pod at once. */
  delete(
    of: GroupResource,
    name: string,
    namespace?: string,
    options?: { graceSeconds?: number; uid?: string; propagation?: 'Background' | 'Foreground' | 'Orphan' },
  ): Promise<void>;
  informer<T extends KubeObject = KubeObject>(of: GroupResource, options?: ListOptions): Informer<T>;
}

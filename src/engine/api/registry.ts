/**
 * The one place where a request becomes an object: defaults, admission, validation, versions, deletion.
 * The HTTP server and the in-process client both write through here, and nothing else writes to the store.
 */
import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../client/types.ts';
import { copy, equal, isObject } from './json.ts';
import { metadataCauses } from './metadata.ts';
import { generatedName, timestamp } from './names.ts';
import { Catalog } from './resources/catalog.ts';
import { apiVersionOf, keyOf, type Resource } from './resources/resource.ts';
import { matcher, type Match } from './selectors.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  invalid,
  MODIFIED,
  notFound,
  type Cause,
} from './status.ts';
import { type Store } from './store.ts';
import { strategyOf } from './strategies/index.ts';
import { admitQuota } from './strategies/limits.ts';

export interface WriteOptions {
  /** Everything but the writing. */
  readonly dryRun?: boolean;
  /** Collects texts for `Warning:` headers. */
  readonly warnings?: string[];
  /** Changes managedFields for the requester; undefined for components of our own, whose fields are not tracked. */
  readonly track?: (object: KubeObject, before: KubeObject | undefined, subresource: string) => void;
}

export interface DeleteOptions {
  readonly graceSeconds?: number | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly dryRun?: boolean;
}

/** What deleting did: gone, or still there with a deletionTimestamp. */
export interface Deleted {
  readonly object: KubeObject;
  readonly gone: boolean;
}

export interface Listed {
  readonly items: KubeObject[];
  readonly version: number;
}

const NAMESPACES = '/namespaces';

export class Registry {
  readonly store: Store;
  readonly catalog = new Catalog();
  /** Cluster-wide facts that strategies need. */
  readonly cluster: ClusterFacts;

  constructor(store: Store, cluster: ClusterFacts) {
    this.store = store;
    this.cluster = cluster;
  }

  get(resource: Resource, namespace: string, name: string): KubeObject | undefined {
    return this.store.get(keyOf(resource), namespace, name);
  }

  /** @throws ApiError 404 */
  need(resource: Resource, namespace: string, name: string): KubeObject {
    const object = this.get(resource, namespace, name);
    if (!object) throw notFound(resource.group, resource.plural, name);
    return object;
  }

  list(
    resource: Resource,
    namespace: string | undefined,
    selectors: { labelSelector?: string | undefined; fieldSelector?: string | undefined } = {},
  ): Listed {
    const match = this.match(resource, selectors);
    const all = this.store.list(keyOf(resource), namespace);
    return { items: match ? all.filter(match) : all, version: this.store.version };
  }

  match(
    resource: Resource,
    selectors: { labelSelector?: string | undefined; fieldSelector?: string | undefined },
  ): Match | undefined {
    return matcher(selectors, resource.selectable);
  }

  /**
   * Creates an object.
   * @param given in the stored version; it is not changed
   */
  create(resource: Resource, given: KubeObject, options: WriteOptions = {}): KubeObject {
    const object = copy(given);
    const strategy = strategyOf(resource);
    this.#shape(resource, object);
    const { metadata } = object;
    if (resource.scope === 'Cluster') delete metadata.namespace;
    if (!metadata.name && metadata.generateName) {
      metadata.name = generatedName(metadata.generateName);
      for (let i = 0; i < 8 && this.get(resource, metadata.namespace ?? '', metadata.name); i++)
        metadata.name = generatedName(metadata.generateName);
    }
    if (metadata.resourceVersion && metadata.resourceVersion !== '0')
      throw badRequest('resourceVersion should not be set on objects to be created');
    if (resource.scope === 'Namespaced')
      this.#namespaceOpen(resource, metadata.namespace ?? '', metadata.name);
    delete metadata.resourceVersion;
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    delete (metadata as { selfLink?: string }).selfLink;
    metadata.uid = randomUUID();
    metadata.creationTimestamp = timestamp();
    delete metadata.generation;
    if (resource.generation) metadata.generation = 1;
    if (resource.subresources.includes('status') && !strategy.keepsStatus) delete object.status;
    strategy.defaults?.(object);
    strategy.create?.(object, this, options.dryRun ?? false);
    this.#validate(resource, object, undefined);
    if (this.get(resource, metadata.namespace ?? '', metadata.name))
      throw alreadyExists(resource.group, resource.plural, metadata.name);
    if (resource.scope === 'Namespaced') admitQuota(resource, object, this);
    options.warnings?.push(...(strategy.warnings?.(object, undefined) ?? []));
    options.track?.(object, undefined, '');
    if (options.dryRun) return object;
    const stored = this.store.put(keyOf(resource), object);
    strategy.created?.(stored, this);
    return stored;
  }

  /**
   * Replaces an object, or only the part that a subresource stands for.
   * @param given in the stored version; it is not changed
   * @param subresource '' for the object itself, 'status', 'finalize', 'approval' ...
   */
  update(resource: Resource, given: KubeObject, options: WriteOptions = {}, subresource = ''): KubeObject {
    this.#shape(resource, given);
    const { name, namespace = '', resourceVersion, uid } = given.metadata;
    const before = this.get(resource, namespace, name);
    if (!before) {
      if (resource.createOnUpdate && !subresource && !resourceVersion)
        return this.create(resource, given, options);
      throw notFound(resource.group, resource.plural, name);
    }
    if (uid && uid !== before.metadata.uid)
      throw conflict(
        resource.group,
        resource.plural,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`,
      );
    if (resourceVersion && resourceVersion !== before.metadata.resourceVersion)
      throw conflict(resource.group, resource.plural, name, MODIFIED);
    const strategy = strategyOf(resource);
    const object = this.#merged(resource, before, given, subresource);
    if (subresource === 'status') {
      this.#check(resource, object, strategy.validateStatus?.(object, before) ?? []);
      this.#check(resource, object, metadataCauses(resource, object, before, strategy.name));
    } else {
      strategy.defaults?.(object);
      strategy.update?.(object, before, this, options.dryRun ?? false);
      if (resource.generation && !equal(object.spec, before.spec))
        object.metadata.generation = (before.metadata.generation ?? 0) + 1;
      this.#validate(resource, object, before);
      if (!subresource) options.warnings?.push(...(strategy.warnings?.(object, before) ?? []));
    }
    options.track?.(object, before, subresource);
    if (equal(object, before)) return before;
    if (options.dryRun) return object;
    if (this.#finished(object)) return this.#remove(resource, object);
    return this.store.put(keyOf(resource), object);
  }

  /** Deletes at once, or begins the deletion when there are finalizers or a grace period. */
  delete(resource: Resource, namespace: string, name: string, options: DeleteOptions = {}): Deleted {
    const before = this.need(resource, namespace, name);
    const { metadata } = before;
    if (options.uid && options.uid !== metadata.uid)
      throw conflict(
        resource.group,
        resource.plural,
        name,
        `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${metadata.uid}`,
      );
    if (options.resourceVersion && options.resourceVersion !== metadata.resourceVersion)
      throw conflict(
        resource.group,
        resource.plural,
        name,
        `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`,
      );
    const strategy = strategyOf(resource);
    let grace = strategy.grace?.(before, options.graceSeconds) ?? 0;
    const finalizers = new Set(metadata.finalizers ?? []);
    if (options.propagation) {
      finalizers.delete('foregroundDeletion');
      finalizers.delete('orphan');
      if (options.propagation === 'Foreground') finalizers.add('foregroundDeletion');
      if (options.propagation === 'Orphan') finalizers.add('orphan');
    }
    const held = finalizers.size > 0 || (before.spec?.finalizers?.length ?? 0) > 0;
    if (!held && grace === 0) {
      if (options.dryRun) return { object: before, gone: true };
      return { object: this.#remove(resource, before), gone: true };
    }
    if (metadata.deletionTimestamp) {
      // A later deletion may only shorten what is left.
      const was = metadata.deletionGracePeriodSeconds ?? 0;
      if (grace >= was && equal([...finalizers], metadata.finalizers ?? []))
        return { object: before, gone: false };
      grace = Math.min(grace, was);
    }
    const object = copy(before);
    if (finalizers.size > 0) object.metadata.finalizers = [...finalizers];
    else delete object.metadata.finalizers;
    object.metadata.deletionTimestamp = timestamp(Date.now() + grace * 1_000);
    object.metadata.deletionGracePeriodSeconds = grace;
    if (object.metadata.generation !== undefined && !metadata.deletionTimestamp) object.metadata.generation++;
    if (keyOf(resource) === NAMESPACES) object.status = { ...object.status, phase: 'Terminating' };
    if (options.dryRun) return { object, gone: false };
    return { object: this.store.put(keyOf(resource), object), gone: false };
  }

  /** The object that an update makes of the stored and the given one. */
  #merged(resource: Resource, before: KubeObject, given: KubeObject, subresource: string): KubeObject {
    const { metadata: was } = before;
    const strategy = strategyOf(resource);
    if (subresource === 'status' || subresource === 'finalize' || subresource === 'approval') {
      const object = copy(before);
      if (subresource === 'finalize') {
        object.spec = { ...object.spec, finalizers: given.spec?.finalizers ?? [] };
        if (object.spec.finalizers.length === 0) delete object.spec.finalizers;
      } else if (given.status === undefined) delete object.status;
      else object.status = copy(given.status);
      if (subresource === 'status' && strategy.statusTakesMetadata) {
        if (given.metadata.labels) object.metadata.labels = copy(given.metadata.labels);
        if (given.metadata.annotations) object.metadata.annotations = copy(given.metadata.annotations);
      }
      keepManaged(object, before, given);
      return object;
    }
    const object = copy(given);
    const { metadata } = object;
    metadata.uid = was.uid as string;
    if (was.namespace) metadata.namespace = was.namespace;
    metadata.creationTimestamp = was.creationTimestamp as string;
    metadata.resourceVersion = was.resourceVersion as string;
    delete (metadata as { selfLink?: string }).selfLink;
    for (const field of [
      'generateName',
      'generation',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
    ] as const)
      if (was[field] === undefined) delete metadata[field];
      else (metadata as unknown as Record<string, unknown>)[field] = was[field];
    if (resource.subresources.includes('status')) {
      if (before.status === undefined) delete object.status;
      else object.status = copy(before.status);
    }
    keepManaged(object, before, given);
    return object;
  }

  #finished(object: KubeObject): boolean {
    const { metadata } = object;
    return (
      metadata.deletionTimestamp !== undefined &&
      (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
      (metadata.finalizers?.length ?? 0) === 0 &&
      (object.spec?.finalizers?.length ?? 0) === 0
    );
  }

  #remove(resource: Resource, object: KubeObject): KubeObject {
    const { name, namespace = '' } = object.metadata;
    const removed = this.store.remove(keyOf(resource), namespace, name) ?? object;
    strategyOf(resource).deleted?.(removed, this);
    return removed;
  }

  #shape(resource: Resource, object: KubeObject): void {
    const kind = apiVersionOf(resource.group, resource.version);
    if (!isObject(object) || !isObject(object.metadata))
      throw badRequest(`the body is not a ${resource.kind} of ${kind}: it has no metadata`);
  }

  #namespaceOpen(resource: Resource, namespace: string, name: string): void {
    const found = this.store.get(NAMESPACES, '', namespace);
    if (!found) throw notFound('', 'namespaces', namespace);
    if (found.metadata.deletionTimestamp && !this.cluster.mayCreateInTerminating(resource))
      throw forbidden(
        resource.group,
        resource.plural,
        name,
        `unable to create new content in namespace ${namespace} because it is being terminated`,
      );
  }

  #validate(resource: Resource, object: KubeObject, before: KubeObject | undefined): void {
    const strategy = strategyOf(resource);
    this.#check(resource, object, [
      ...metadataCauses(resource, object, before, strategy.name),
      ...(strategy.validate?.(object, before) ?? []),
    ]);
  }

  #check(resource: Resource, object: KubeObject, causes: readonly Cause[]): void {
    if (causes.length > 0) throw invalid(resource.group, resource.kind, object.metadata.name ?? '', causes);
  }
}

type Managed = { managedFields?: unknown };

/** managedFields: an absent list keeps the stored one, an empty one resets it, as upstream. */
function keepManaged(object: KubeObject, before: KubeObject, given: KubeObject): void {
  const asked = (given.metadata as Managed).managedFields ?? (before.metadata as Managed).managedFields;
  if (asked === undefined) delete (object.metadata as Managed).managedFields;
  else (object.metadata as Managed).managedFields = copy(asked);
}

/** What strategies need to know of the cluster. */
export interface ClusterFacts {
  /** Allocates ClusterIPs from this CIDR, `10.96.0.0/16`. */
  readonly serviceSubnet: string;
  /** PEM of the authority that signs the server's certificate, for kube-root-ca.crt. */
  readonly caCertificate: string;
  readonly mayCreateInTerminating: (resource: Resource) => boolean;
}

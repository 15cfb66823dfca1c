/** All objects of all kinds, by uid, by owner and by namespace: what collecting garbage and emptying namespaces need. */
import { gr, type Change, type GroupResource, type KubeObject } from '../client/types.ts';
import type { Work } from './controller.ts';

/** A kind that the API serves, built in or custom. */
export interface ServedResource {
  readonly group: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** An object with the resource that it is one of. */
export interface Known {
  readonly of: GroupResource;
  readonly object: KubeObject;
}

/** Kinds that come and go by the thousand, and own nothing and are owned by nothing. */
const IGNORED = new Set(['/events', 'events.k8s.io/events', 'coordination.k8s.io/leases']);

export class Everything {
  private readonly byUid = new Map<string, Known>();
  private readonly dependents = new Map<string, Set<string>>();
  private readonly byNamespace = new Map<string, Set<string>>();
  private readonly watched = new Set<string>();

  /**
   * @param resources called again when custom resources come
   * @param listener told of every change
   */
  constructor(
    private readonly work: Work,
    private readonly resources: () => Iterable<ServedResource>,
    private readonly listener: (change: Change, of: GroupResource) => void,
    private readonly all = false,
  ) {
    this.follow();
    work.watch(gr('customresourcedefinitions', 'apiextensions.k8s.io'), () =>
      setImmediate(() => this.follow()),
    );
  }

  get(uid: string): Known | undefined {
    return this.byUid.get(uid);
  }

  /** Objects that name this one as an owner. */
  ownedBy(uid: string): Known[] {
    return [...(this.dependents.get(uid) ?? [])].flatMap((one) => this.byUid.get(one) ?? []);
  }

  inNamespace(namespace: string): Known[] {
    return [...(this.byNamespace.get(namespace) ?? [])].flatMap((one) => this.byUid.get(one) ?? []);
  }

  private follow(): void {
    for (const { group, resource } of this.resources()) {
      const key = `${group}/${resource}`;
      if (this.watched.has(key) || (IGNORED.has(key) && !(this.all && key !== 'events.k8s.io/events')))
        continue;
      this.watched.add(key);
      const of = gr(resource, group);
      this.work.watch(of, (change) => {
        this.see(change, of);
        this.listener(change, of);
      });
    }
  }

  private see({ type, object, before }: Change, of: GroupResource): void {
    const { uid = '', namespace } = object.metadata;
    for (const owner of before?.metadata.ownerReferences ?? []) this.dependents.get(owner.uid)?.delete(uid);
    if (type === 'DELETED') {
      this.byUid.delete(uid);
      if (namespace !== undefined) this.byNamespace.get(namespace)?.delete(uid);
      for (const owner of object.metadata.ownerReferences ?? []) drop(this.dependents, owner.uid, uid);
      return;
    }
    this.byUid.set(uid, { of, object });
    if (namespace !== undefined) insert(this.byNamespace, namespace, uid);
    for (const owner of object.metadata.ownerReferences ?? []) insert(this.dependents, owner.uid, uid);
  }
}

function insert(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}

function drop(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}

/** Finds resources: the built-in table, and the custom ones that CustomResourceDefinitions add and take away. */
import { keyOf, type OtherVersion, type Resource } from './resource.ts';
import { BUILT_IN } from './table.ts';

/** A resource in one of the versions in which it is served. */
export interface Served {
  readonly resource: Resource;
  readonly group: string;
  readonly version: string;
  /** The type in the table of fields for this version. */
  readonly type: string | undefined;
  /** Undefined in the stored version. */
  readonly other: OtherVersion | undefined;
}

const NO_RESOURCES: Readonly<Record<string, string>> = {
  DeleteOptions: 'meta.v1.DeleteOptions',
  Eviction: 'policy.v1.Eviction',
  Scale: 'autoscaling.v1.Scale',
  TokenRequest: 'authentication.v1.TokenRequest',
};

export class Catalog {
  readonly #byKey = new Map<string, Resource>();
  readonly #served = new Map<string, Served>();
  /** Raised by each change, so that discovery documents can be kept until then. */
  generation = 0;

  constructor() {
    for (const resource of BUILT_IN) this.add(resource);
  }

  add(resource: Resource): void {
    this.remove(keyOf(resource));
    this.#byKey.set(keyOf(resource), resource);
    const serve = (
      group: string,
      version: string,
      type: string | undefined,
      other: OtherVersion | undefined,
    ) =>
      this.#served.set(`${group}/${version}/${resource.plural}`, { resource, group, version, type, other });
    if (!resource.custom) serve(resource.group, resource.version, resource.type, undefined);
    for (const other of resource.otherVersions) serve(other.group, other.version, other.type, other);
    if (resource.custom)
      for (const version of resource.custom.versions.keys())
        serve(
          resource.group,
          version,
          undefined,
          version === resource.version ? undefined : { group: resource.group, version, type: undefined },
        );
    this.generation++;
  }

  remove(key: string): void {
    const resource = this.#byKey.get(key);
    if (!resource) return;
    this.#byKey.delete(key);
    for (const [name, served] of this.#served) if (served.resource === resource) this.#served.delete(name);
    this.generation++;
  }

  byKey(group: string, plural: string): Resource | undefined {
    return this.#byKey.get(`${group}/${plural}`);
  }

  /** By the parts of a request's path. */
  served(group: string, version: string, plural: string): Served | undefined {
    return this.#served.get(`${group}/${version}/${plural}`);
  }

  /** By apiVersion and kind of an object. */
  byKind(apiVersion: string, kind: string): Served | undefined {
    for (const served of this.#served.values())
      if (
        served.resource.kind === kind &&
        (served.group ? `${served.group}/${served.version}` : served.version) === apiVersion
      )
        return served;
    return undefined;
  }

  /** The type of a kind in the table of fields, also of those that are no resources: Scale, DeleteOptions ... */
  typeOf(apiVersion: string, kind: string): string | undefined {
    if (Object.hasOwn(NO_RESOURCES, kind)) return NO_RESOURCES[kind];
    return this.byKind(apiVersion, kind)?.type;
  }

  all(): Iterable<Resource> {
    return this.#byKey.values();
  }

  allServed(): Iterable<Served> {
    return this.#served.values();
  }
}

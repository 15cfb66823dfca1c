/** What a row of the resource table says of a resource. */
import type { KubeObject } from '../../client/types.ts';
import type { Cause } from '../status.ts';

/** A column of `kubectl get` (metav1.TableColumnDefinition) and how its cell is filled. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** OpenAPI format, e.g. `name` for the first column. */
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, 1 only with `-o wide`. */
  readonly priority: 0 | 1;
  readonly cell: (object: KubeObject, now: number) => unknown;
}

export type Scope = 'Namespaced' | 'Cluster';

/** One resource in the version in which it is stored and, unless `served` says otherwise, served. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: Scope;
  /** `status`, `scale`, `log` ...: what may follow the object's name in a path. */
  readonly subresources: readonly string[];
  /** All of create, get, list, watch, update, patch, delete, deletecollection unless the resource is odd. */
  readonly verbs: readonly string[];
  /** Other versions of the same objects that are served too; fields are the same unless `convert` says so. */
  readonly otherVersions: readonly OtherVersion[];
  /** The name of the type in the table of fields, `core.v1.Pod`; undefined for custom resources. */
  readonly type: string | undefined;
  /** Whether changes of spec raise metadata.generation. */
  readonly generation: boolean;
  /** Fields that --field-selector may name besides metadata.name and metadata.namespace. */
  readonly selectable: Readonly<Record<string, (object: KubeObject) => string>>;
  /** Whether an update of a name that does not exist creates it (leases, events, endpoints ...). */
  readonly createOnUpdate: boolean;
  /** A custom resource's definition, with which it is validated and printed. */
  readonly custom?: CustomVersions;
}

export interface OtherVersion {
  readonly group: string;
  readonly version: string;
  readonly type: string | undefined;
  /** From the stored form to this version. */
  readonly from?: (stored: KubeObject) => KubeObject;
  /** From this version to the stored form. */
  readonly to?: (object: KubeObject) => KubeObject;
}

/** What a CustomResourceDefinition says of each of its versions. */
export interface CustomVersions {
  readonly definition: KubeObject;
  /** Version name -> the version's part of the definition. */

  readonly versions: ReadonlyMap<string, any>;
}

/** Fills in what a manifest left out, in place. `before` is the stored object on updates. */
export type Defaulter = (object: KubeObject, before: KubeObject | undefined) => void;
/** Finds what is wrong with an object that has its defaults. */
export type Validator = (object: KubeObject, before: KubeObject | undefined) => Cause[];

export const ALL_VERBS = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
] as const;

/** The store's key of a resource. */
export const keyOf = (resource: { group: string; plural: string }): string =>
  `${resource.group}/${resource.plural}`;

/** `v1`, `apps/v1`. */
export const apiVersionOf = (group: string, version: string): string =>
  group ? `${group}/${version}` : version;

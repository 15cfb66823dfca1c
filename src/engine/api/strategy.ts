/** What is special about a kind when it is written; the registry does what is common to all. */
import type { KubeObject } from '../client/types.ts';
import type { Registry } from './registry.ts';
import type { Cause } from './status.ts';

export interface Strategy {
  /** Fills in what a manifest left out, in place (upstream: SetDefaults_*). */
  readonly defaults?: (object: KubeObject) => void;
  /** Admission and preparation of a new object, in place: sets status, allocates; may throw. */
  readonly create?: (object: KubeObject, registry: Registry, dryRun: boolean) => void;
  /** The same for a change of the main resource. */
  readonly update?: (object: KubeObject, before: KubeObject, registry: Registry, dryRun: boolean) => void;
  /** Findings in an object that has its defaults; `before` on updates. */
  readonly validate?: (object: KubeObject, before: KubeObject | undefined) => Cause[];
  /** Findings in a new status. */
  readonly validateStatus?: (object: KubeObject, before: KubeObject) => Cause[];
  /** Things that hold for this kind beside its fields' types: told to the user as `Warning:`. */
  readonly warnings?: (object: KubeObject, before: KubeObject | undefined) => string[];
  readonly created?: (object: KubeObject, registry: Registry) => void;
  readonly deleted?: (object: KubeObject, registry: Registry) => void;
  /** Seconds between the deletion's beginning and its end; 0 deletes at once. */
  readonly grace?: (object: KubeObject, asked: number | undefined) => number;
  /** Keeps status given on creation (nodes register with theirs). */
  readonly keepsStatus?: boolean;
  /** An update of status may change labels and annotations too (pods, nodes). */
  readonly statusTakesMetadata?: boolean;
  /** The rules of metadata.name; a DNS subdomain unless said otherwise. */
  readonly name?: (name: string) => string | undefined;
}

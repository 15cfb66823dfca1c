/** Owners, selectors, conditions and hashes: what controllers do with any object. */
import type { KubeObject, OwnerReference } from '../client/types.ts';

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export type Labels = Readonly<Record<string, string>>;

/** Whether a LabelSelector takes labels: an empty one takes all, an absent one takes none (meta/v1). */
export function selects(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  if (!selector) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    if (labels[key] !== value) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key];
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      default:
        return false;
    }
  });
}

/** Whether a plain map of labels (Service, ReplicationController) takes labels; an empty one takes none. */
export function selectsAll(selector: Labels | undefined, labels: Labels = {}): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

export const controllerRef = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((owner) => owner.controller);

export const isControlledBy = (object: KubeObject, owner: KubeObject): boolean =>
  controllerRef(object)?.uid === owner.metadata.uid;

/** The reference by which `owner` controls an object. */
export const ownedBy = (owner: KubeObject): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

/** Now, as the API writes times. */
export const timestamp = (ms = Date.now()): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
}

/** Conditions with one of them set; its time of transition changes with its status only. */
export function withCondition<C extends Condition>(conditions: readonly C[] | undefined, set: C): C[] {
  const before = conditions?.find(({ type }) => type === set.type);
  const lastTransitionTime = before?.status === set.status ? before.lastTransitionTime : timestamp();
  const now = { ...set, lastTransitionTime: lastTransitionTime ?? timestamp() };
  return before
    ? (conditions ?? []).map((one) => (one === before ? now : one))
    : [...(conditions ?? []), now];
}

/** Whether two values are the same JSON, whatever the order of keys; undefined fields count as absent. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => equal(one, b[i]))
    );
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key of Object.keys(x)) if (!equal(x[key], y[key])) return false;
  for (const key of Object.keys(y)) if (y[key] !== undefined && x[key] === undefined) return false;
  return true;
}

/** JSON with keys in order, so that equal values give equal texts. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/** Characters of names that cannot make bad words (apimachinery's rand.SafeEncodeString). */
const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/** A short name of a value for pod-template-hash and controller-revision-hash: FNV-1a in 32 bits. */
export function shortHash(value: unknown): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(canonical(value))) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return [...`${hash}`].map((digit) => SAFE[digit.charCodeAt(0) % SAFE.length]).join('');
}

/** `3`, or `25%` of a total, rounded up or down. */
export function scaled(value: number | string | undefined, total: number, up: boolean): number {
  if (typeof value !== 'string') return value ?? 0;
  const exact = (Number(value.replace('%', '')) / 100) * total;
  return up ? Math.ceil(exact) : Math.floor(exact);
}

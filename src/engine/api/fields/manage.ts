/** managedFields: who owns which field (KEP-555), kept on every write and decided upon in server-side apply. */
import { ApiError, type KubeObject } from '../../client/types.ts';
import { isObject, type Json } from '../json.ts';
import { timestamp } from '../names.ts';
import { mergeApplied, without } from './merge.ts';
import { difference, FieldSet, pathText } from './set.ts';
import type { Shape } from './shape.ts';

export interface Manager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
}

interface Entry extends Manager {
  readonly time: string | undefined;
  readonly set: FieldSet;
}

const same = (a: Manager, b: Manager): boolean =>
  a.manager === b.manager &&
  a.operation === b.operation &&
  a.subresource === b.subresource &&
  // An applier that changes the version keeps its fields.
  (a.operation === 'Apply' || a.apiVersion === b.apiVersion);

export function readEntries(object: KubeObject | undefined): Entry[] {
  const list: unknown = (object?.metadata as { managedFields?: unknown } | undefined)?.managedFields;
  if (!Array.isArray(list)) return [];
  return (list as unknown[]).filter(isObject).flatMap((entry) =>
    entry['operation'] === 'Apply' || entry['operation'] === 'Update'
      ? [
          {
            manager: String(entry['manager'] ?? ''),
            operation: entry['operation'],
            apiVersion: String(entry['apiVersion'] ?? ''),
            subresource: String(entry['subresource'] ?? ''),
            time: entry['time'] as string | undefined,
            set: FieldSet.fromJson(entry['fieldsV1']),
          },
        ]
      : [],
  );
}

function writeEntries(object: KubeObject, entries: readonly Entry[]): void {
  const kept = entries.filter((entry) => !entry.set.empty);
  const metadata = object.metadata as { managedFields?: unknown };
  if (kept.length === 0) {
    delete metadata.managedFields;
    return;
  }
  metadata.managedFields = kept
    .sort(
      (a, b) =>
        a.operation.localeCompare(b.operation) ||
        (a.time ?? '').localeCompare(b.time ?? '') ||
        a.manager.localeCompare(b.manager),
    )
    .map((entry) => ({
      manager: entry.manager,
      operation: entry.operation,
      apiVersion: entry.apiVersion,
      ...(entry.time ? { time: entry.time } : {}),
      fieldsType: 'FieldsV1',
      fieldsV1: entry.set.toJson(),
      ...(entry.subresource ? { subresource: entry.subresource } : {}),
    }));
}

/** Fields that nobody owns (fieldmanager's stripmeta). */
const NOBODYS = FieldSet.fromJson({
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
    'f:deletionTimestamp': {},
    'f:deletionGracePeriodSeconds': {},
  },
});
const STATUS = FieldSet.fromJson({ 'f:status': {} });

function stripped(set: FieldSet, subresource: string, hasStatus: boolean): FieldSet {
  set.takeTrees(NOBODYS);
  const metadata = set.children.get('f:metadata');
  if (metadata) {
    metadata.self = false;
    if (metadata.empty) set.children.delete('f:metadata');
  }
  if (subresource === 'status') {
    for (const element of [...set.children.keys()])
      if (element !== 'f:status' && element !== 'f:metadata') set.children.delete(element);
  } else if (hasStatus) set.takeTrees(STATUS);
  set.self = false;
  return set;
}

/** After a create, update or patch: its manager owns what it changed, and others no longer do. */
export function trackUpdate(
  object: KubeObject,
  before: KubeObject | undefined,
  manager: Manager,
  shape: Shape,
  hasStatus: boolean,
): void {
  const { changed, removed } = difference(before ?? {}, object, shape);
  stripped(changed, manager.subresource, hasStatus);
  const entries = readEntries(object);
  if (changed.empty && removed.empty) return;
  const out: Entry[] = [];
  let found = false;
  for (const entry of entries) {
    const set = entry.set.clone().take(removed);
    if (same(entry, manager)) {
      found = true;
      set.add(changed);
      out.push({ ...entry, set, time: set.equals(entry.set) && changed.empty ? entry.time : timestamp() });
    } else {
      set.take(changed);
      out.push({ ...entry, set });
    }
  }
  if (!found) out.push({ ...manager, set: changed, time: timestamp() });
  writeEntries(object, out);
}

const shown = (entry: Entry): string => {
  const sub = entry.subresource ? ` with subresource ${JSON.stringify(entry.subresource)}` : '';
  if (entry.operation === 'Apply') return `${JSON.stringify(entry.manager)}${sub}`;
  return `${JSON.stringify(entry.manager)}${sub} using ${entry.apiVersion}${entry.time ? ` at ${entry.time}` : ''}`;
};

interface Conflict {
  readonly entry: Entry;
  readonly path: string[];
}

function conflictError(conflicts: readonly Conflict[]): ApiError {
  const [first] = conflicts;
  let message: string;
  if (conflicts.length === 1 && first)
    message = `Apply failed with 1 conflict: conflict with ${shown(first.entry)}: ${pathText(first.path)}`;
  else {
    const lines: string[] = [];
    for (const entry of new Set(conflicts.map((one) => one.entry))) {
      lines.push(`conflicts with ${shown(entry)}:`);
      for (const one of conflicts) if (one.entry === entry) lines.push(`- ${pathText(one.path)}`);
    }
    message = `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
  }
  return new ApiError({
    code: 409,
    reason: 'Conflict',
    message,
    details: {
      causes: conflicts.map((one) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${shown(one.entry)}`,
        field: pathText(one.path),
      })),
    },
  });
}

/** Objects that were written without tracking: somebody owned them before. */
function unowned(live: KubeObject, apiVersion: string, shape: Shape, hasStatus: boolean): Entry[] {
  return [
    {
      manager: 'before-first-apply',
      operation: 'Update',
      apiVersion,
      subresource: '',
      time: undefined,
      set: stripped(FieldSet.of(live, shape, true), '', hasStatus),
    },
  ];
}

/**
 * Applies a configuration: the merged object, managedFields and all.
 * @param live undefined when the object does not exist yet
 * @throws ApiError 409 when others own what it changes, unless forced
 */
export function applyConfiguration(
  live: KubeObject | undefined,
  config: KubeObject,
  manager: Manager,
  shape: Shape,
  force: boolean,
  hasStatus: boolean,
): KubeObject {
  const wanted = stripped(FieldSet.of(config, shape, false), manager.subresource, hasStatus);
  let entries = readEntries(live);
  if (live && entries.length === 0) entries = unowned(live, manager.apiVersion, shape, hasStatus);
  const mine = entries.find((entry) => same(entry, manager));
  const others = entries.filter((entry) => entry !== mine);
  let merged: Json = mergeApplied(live, config, shape);

  const { changed } = live ? difference(live, merged, shape) : { changed: new FieldSet() };
  const conflicts: Conflict[] = [];
  for (const entry of others)
    for (const path of changed.paths())
      if (path.length > 0 && entry.set.has(path) && !NOBODYS.has(path)) conflicts.push({ entry, path });
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);

  if (mine) {
    // What it applied before and no longer does goes, unless somebody else owns it too.
    const dropped = mine.set.clone().take(wanted);
    for (const entry of others) dropped.take(ancestors(entry.set));
    dropped.take(ancestors(wanted));
    merged = without(merged, dropped, shape);
  }
  const out: Entry[] = others.map((entry) => {
    const set = entry.set.clone();
    for (const one of conflicts)
      if (one.entry === entry) {
        const taken = new FieldSet();
        let at = taken;
        for (const element of one.path) at = at.child(element);
        at.self = true;
        set.take(taken);
      }
    return { ...entry, set };
  });
  const unchanged = mine?.set.equals(wanted) && changed.empty;
  out.push({ ...manager, set: wanted, time: unchanged ? mine?.time : timestamp() });
  const object = { ...(merged as KubeObject), metadata: { ...(merged as KubeObject).metadata } };
  writeEntries(object, out);
  return object;
}

/** A set and every place above its places: a container with owned parts stays. */
function ancestors(set: FieldSet): FieldSet {
  const out = new FieldSet();
  out.self = true;
  for (const [element, inner] of set.children) out.children.set(element, ancestors(inner));
  return out;
}

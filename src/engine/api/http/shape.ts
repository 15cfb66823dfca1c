/** Stored objects in the form that a request asks for: another version, a table, metadata only. */
import type { KubeObject } from '../../client/types.ts';
import type { Served } from '../resources/catalog.ts';
import { apiVersionOf } from '../resources/resource.ts';
import { columnsOf } from '../tables/index.ts';
import { textOf } from './answer.ts';
import type { Form } from './negotiate.ts';

/** A stored object as its version is served. */
export function toServed(served: Served, stored: KubeObject): KubeObject {
  if (!served.other) return stored;
  if (served.other.from) return served.other.from(stored);
  return { ...stored, apiVersion: apiVersionOf(served.group, served.version) };
}

/** An object of a served version as it is stored. */
export function toStored(served: Served, object: KubeObject): KubeObject {
  if (!served.other) return object;
  if (served.other.to) return served.other.to(object);
  return { ...object, apiVersion: apiVersionOf(served.resource.group, served.resource.version) };
}

export interface Shape {
  readonly form: Form;
  /** Version of the meta.k8s.io group for tables and partial objects. */
  readonly version: string;
  /** What rows of a table carry. */
  readonly include: 'None' | 'Metadata' | 'Object';
}

const partial = (object: KubeObject, version: string): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
});

function row(served: Served, stored: KubeObject, shape: Shape, now: number): object {
  const cells = columnsOf(served).map((column) => {
    const value = column.cell(stored, now);
    return value === undefined ? (column.type === 'string' ? '' : null) : value;
  });
  const object = toServed(served, stored);
  return {
    cells,
    ...(shape.include === 'None'
      ? {}
      : { object: shape.include === 'Object' ? object : partial(object, shape.version) }),
  };
}

const definitions = (served: Served): object[] =>
  columnsOf(served).map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format: format ?? '',
    description: description ?? '',
    priority,
  }));

/** @param first whether the column definitions are sent (in a watch only with the first table) */
export function tableText(
  served: Served,
  items: readonly KubeObject[],
  metadata: object,
  shape: Shape,
  first = true,
): string {
  const now = Date.now();
  return JSON.stringify({
    kind: 'Table',
    apiVersion: `meta.k8s.io/${shape.version}`,
    metadata,
    columnDefinitions: first ? definitions(served) : null,
    rows: items.map((item) => row(served, item, shape, now)),
  });
}

/** One object's JSON. */
export function objectText(served: Served, stored: KubeObject, shape: Shape): string {
  if (shape.form === 'table')
    return tableText(served, [stored], { resourceVersion: stored.metadata.resourceVersion }, shape);
  if (shape.form === 'partial') return JSON.stringify(partial(toServed(served, stored), shape.version));
  return textOf(toServed(served, stored));
}

/** A list's JSON. */
export function listText(
  served: Served,
  items: readonly KubeObject[],
  metadata: object,
  shape: Shape,
): string {
  if (shape.form === 'table') return tableText(served, items, metadata, shape);
  const kind = shape.form === 'partial' ? 'PartialObjectMetadata' : served.resource.kind;
  const apiVersion =
    shape.form === 'partial' ? `meta.k8s.io/${shape.version}` : apiVersionOf(served.group, served.version);
  const texts = items.map((item) => objectText(served, item, shape));
  return `{"kind":"${kind}List","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},"items":[${texts.join(',')}]}`;
}

/** Parts of the cells of `kubectl get` (upstream: pkg/printers/internalversion). */
import type { KubeObject } from '../../client/types.ts';
import type { Json } from '../json.ts';
import type { Column } from '../resources/resource.ts';

/** Time as kubectl shows ages (apimachinery duration.HumanDuration). */
export function age(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  if (years < 8) return days % 365 === 0 ? `${years}y` : `${years}y${days % 365}d`;
  return `${years}y`;
}

/** The age of a timestamp, `<unknown>` without one. */
export const since = (time: string | undefined, now: number): string =>
  time ? age(now - Date.parse(time)) : '<unknown>';

type Cell = (object: Json, now: number) => unknown;

const column = (
  name: string,
  type: Column['type'],
  priority: 0 | 1,
  cell: Cell,
  format?: string,
): Column => ({ name, type, priority, cell: cell as (object: KubeObject, now: number) => unknown, format });

export const text = (name: string, cell: Cell): Column => column(name, 'string', 0, cell);
export const wide = (name: string, cell: Cell): Column => column(name, 'string', 1, cell);
export const count = (name: string, cell: Cell): Column => column(name, 'integer', 0, cell);

export const NAME = column('Name', 'string', 0, (object) => object.metadata.name, 'name');
export const AGE = text('Age', (object, now) => since(object.metadata.creationTimestamp, now));

/** `a=1,b=2`, or `<none>`. */
export const labelsText = (labels: Record<string, string> | undefined): string => {
  const entries = Object.entries(labels ?? {});
  return entries.length === 0
    ? '<none>'
    : entries
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(',');
};

/** A metav1.LabelSelector as kubectl shows it. */
export function selectorText(selector: Json): string {
  if (!selector) return '<none>';
  const terms = Object.entries(selector.matchLabels ?? {})
    .map(([key, value]) => `${key}=${String(value)}`)
    .sort();
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const list = [...values].sort().join(',');
    if (operator === 'In') terms.push(`${key} in (${list})`);
    if (operator === 'NotIn') terms.push(`${key} notin (${list})`);
    if (operator === 'Exists') terms.push(key);
    if (operator === 'DoesNotExist') terms.push(`!${key}`);
  }
  return terms.length === 0 ? '<none>' : terms.join(',');
}

/** The wide columns of everything with a pod template. */
export const TEMPLATE: readonly Column[] = [
  wide('Containers', (object) =>
    (object.spec.template?.spec?.containers ?? []).map((one: Json) => one.name).join(','),
  ),
  wide('Images', (object) =>
    (object.spec.template?.spec?.containers ?? []).map((one: Json) => one.image).join(','),
  ),
];
export const SELECTOR = wide('Selector', (object) => selectorText(object.spec.selector));

/** A change as one who watches only some of the objects sees it. */
import type { Change, KubeObject } from '../client/types.ts';

/**
 * An object that comes into the selection is ADDED, one that leaves it DELETED (with its new form, as upstream).
 * @returns undefined when it was not and is not selected
 */
export function seenBy<C extends Change>(
  change: C,
  takes: (object: KubeObject) => boolean,
): Change | undefined {
  const was = change.before !== undefined && takes(change.before);
  const is = change.type !== 'DELETED' && takes(change.object);
  if (!was && !is) return undefined;
  return {
    type: is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED',
    object: change.object,
    before: was ? change.before : undefined,
  };
}

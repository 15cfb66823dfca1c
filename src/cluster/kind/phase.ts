/** Long work in parts that tell their times. */
import type { Text } from '../../model/text.ts';
import type { OnPhase } from '../port.ts';

/** Runs one part and tells its beginning and, when it went well, its end. */
export async function phase<T>(
  onPhase: OnPhase | undefined,
  id: string,
  title: Text,
  work: (note: (note: Text) => void) => Promise<T>,
): Promise<T> {
  const began = performance.now();
  onPhase?.({ id, title, ms: undefined });
  const result = await work((note) => onPhase?.({ id, title, ms: undefined, note }));
  onPhase?.({ id, title, ms: Math.round(performance.now() - began) });
  return result;
}

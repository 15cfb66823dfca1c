import type { Text } from './text.ts';

/** One command that was run to learn something, with all that it said. */
export interface Probe {
  /** Where it ran: `pod lab/a`, `node podlab-worker`, `api`. */
  readonly where: string;
  /** In a form that can be pasted. */
  readonly command: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code, or HTTP status for `api`; undefined when it was never reached. */
  readonly code: number | undefined;
  /** Wall time in milliseconds. */
  readonly ms: number;
  /** When it was asked (RFC 3339). */
  readonly at: string;
}

/** The question reached the thing asked, and this is the answer. */
export interface Asked<T> {
  readonly asked: true;
  readonly value: T;
  readonly probes: readonly Probe[];
}

/** The question never reached it: a broken probe. Can never be judged. */
export interface NotAsked {
  readonly asked: false;
  readonly reason: Text;
  readonly probes: readonly Probe[];
}

/** What was seen: an answer, or the reason why there is none. Only the first can be judged. */
export type Observation<T> = Asked<T> | NotAsked;

export const asked = <T>(value: T, ...probes: Probe[]): Asked<T> => ({ asked: true, value, probes });
export const notAsked = (reason: Text, ...probes: Probe[]): NotAsked => ({ asked: false, reason, probes });

/** Derives a value from an observation; what was not asked stays so. */
export const derive = <A, B>(seen: Observation<A>, into: (value: A) => B): Observation<B> =>
  seen.asked ? { ...seen, value: into(seen.value) } : seen;

/** Several observations as one; if one was not asked, nor was the whole. */
export function together<T>(seen: readonly Observation<T>[]): Observation<T[]> {
  const probes = seen.flatMap((one) => one.probes);
  const broken = seen.find((one): one is NotAsked => !one.asked);
  if (broken) return { ...broken, probes };
  return { asked: true, value: seen.map((one) => (one as Asked<T>).value), probes };
}

import type { Observation, Probe } from './observation.ts';
import { same, text, type Text } from './text.ts';

/** What is foretold of an answer: in words, and as a test. */
export interface Prediction<T> {
  readonly says: Text;
  holds(value: T): boolean;
}

/** Predicts exactly this value. */
export const is = <T extends string | number | boolean>(expected: T): Prediction<T> => ({
  says: same(String(expected)),
  holds: (value) => value === expected,
});

/** Predicts anything but this value. */
export const isNot = <T extends string | number | boolean>(unexpected: T): Prediction<T> => ({
  says: text(`not ${unexpected}`, `不是 ${unexpected}`),
  holds: (value) => value !== unexpected,
});

/** Predicts what the words say and the test holds. */
export const that = <T>(says: Text, holds: (value: T) => boolean): Prediction<T> => ({ says, holds });

export type RowKind = 'decisive' | 'control';

/**
 * One row of an experiment. `predicted` of a decisive row is what *the article's sentence* foretells:
 * meeting it speaks for the sentence. `predicted` of a control row is what must come out, or nothing was learned.
 */
export interface Row {
  readonly id: string;
  readonly kind: RowKind;
  readonly question: Text;
  readonly predicted: Text;
  /** The answer as printed; undefined when it was not asked. */
  readonly observed: string | undefined;
  /** Whether the prediction came true; undefined when it was not asked. */
  readonly met: boolean | undefined;
  /** Why it was not asked. */
  readonly reason?: Text;
  /** The condition under which this decisive row stands (for IMPRECISE). */
  readonly under?: Text;
  /** `then`: the old API, version or mode; `now`: today's (for OUTDATED). */
  readonly era?: 'then' | 'now';
  /** The cluster it was asked on, e.g. `kind/calico-bgp`. */
  readonly cluster: string;
  readonly probes: readonly Probe[];
}

/** Prints a value the way a row shows it. */
export const show = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Judges one observation against a prediction. */
export function judgeRow<T>(
  row: Pick<Row, 'id' | 'kind' | 'question' | 'cluster' | 'under' | 'era'>,
  prediction: Prediction<T>,
  seen: Observation<T>,
): Row {
  const base = { ...row, predicted: prediction.says, probes: seen.probes };
  return seen.asked
    ? { ...base, observed: show(seen.value), met: prediction.holds(seen.value) }
    : { ...base, observed: undefined, met: undefined, reason: seen.reason };
}

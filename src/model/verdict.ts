import type { Row } from './row.ts';
import { text, type Text } from './text.ts';

/** What the packets say of a sentence. */
export const VERDICTS = ['CONFIRMED', 'REFUTED', 'OUTDATED', 'IMPRECISE', 'OPINION', 'INCONCLUSIVE'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** A computed verdict with its reason. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly why: Text;
  /** The row that decided it, if one did. */
  readonly decidedBy?: string;
}

/**
 * Computes the verdict from the rows, and from nothing else:
 * a row that was not asked or a control that was missed -> INCONCLUSIVE; all decisive rows met -> CONFIRMED;
 * all missed -> REFUTED; met of old and missed of today -> OUTDATED; met under one stated condition and missed
 * under another -> IMPRECISE; anything else contradicts itself -> INCONCLUSIVE.
 */
export function judge(rows: readonly Row[]): Judgement {
  const broken = rows.find((row) => row.met === undefined);
  if (broken)
    return {
      verdict: 'INCONCLUSIVE',
      why: text(
        `row ${broken.id} could not be asked: ${broken.reason?.en ?? ''}`,
        `第 ${broken.id} 行未能探测：${broken.reason?.zh ?? ''}`,
      ),
      decidedBy: broken.id,
    };
  const control = rows.find((row) => row.kind === 'control' && !row.met);
  if (control)
    return {
      verdict: 'INCONCLUSIVE',
      why: text(
        `control ${control.id} was missed: ${control.observed}`,
        `对照 ${control.id} 未达到：${control.observed}`,
      ),
      decidedBy: control.id,
    };
  const decisive = rows.filter((row) => row.kind === 'decisive');
  const first = decisive[0];
  if (!first || !rows.some((row) => row.kind === 'control'))
    return {
      verdict: 'INCONCLUSIVE',
      why: text('no decisive row or no control was asked', '没有决定行或没有对照行'),
    };
  const met = decisive.filter((row) => row.met);
  const missed = decisive.filter((row) => !row.met);
  if (missed.length === 0)
    return {
      verdict: 'CONFIRMED',
      why: text('every decisive row came true', '所有决定行都成立'),
      decidedBy: first.id,
    };
  if (met.length === 0)
    return {
      verdict: 'REFUTED',
      why: text('no decisive row came true', '没有一个决定行成立'),
      decidedBy: first.id,
    };
  if (met.every((row) => row.era === 'then') && missed.every((row) => row.era === 'now'))
    return {
      verdict: 'OUTDATED',
      why: text('true of old, not of today', '过去成立，如今不成立'),
      decidedBy: missed[0]!.id,
    };
  const conditionsOf = (some: readonly Row[]) => new Set(some.map((row) => row.under?.en));
  const holdsUnder = conditionsOf(met);
  const failsUnder = conditionsOf(missed);
  if (
    !holdsUnder.has(undefined) &&
    !failsUnder.has(undefined) &&
    [...holdsUnder].every((one) => !failsUnder.has(one))
  ) {
    const names = (some: readonly Row[], lang: 'en' | 'zh') =>
      [...new Set(some.map((row) => row.under![lang]))].join('; ');
    return {
      verdict: 'IMPRECISE',
      why: text(
        `true: ${names(met, 'en')}; not true: ${names(missed, 'en')}`,
        `成立：${names(met, 'zh')}；不成立：${names(missed, 'zh')}`,
      ),
      decidedBy: missed[0]!.id,
    };
  }
  return {
    verdict: 'INCONCLUSIVE',
    why: text('the decisive rows contradict each other', '决定行互相矛盾'),
    decidedBy: missed[0]!.id,
  };
}

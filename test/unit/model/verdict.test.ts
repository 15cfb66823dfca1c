import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asked, derive, notAsked, together } from '../../../src/model/observation.ts';
import { is, judgeRow, that, type Row } from '../../../src/model/row.ts';
import { same, text } from '../../../src/model/text.ts';
import { judge } from '../../../src/model/verdict.ts';

const base = { question: same('q'), predicted: same('p'), cluster: 'kind/flannel', probes: [] };
const row = (more: Partial<Row>): Row => ({
  id: 'r',
  kind: 'decisive',
  observed: 'o',
  met: true,
  ...base,
  ...more,
});
const control = row({ id: 'c', kind: 'control' });

/** Any row at all: asked or not, met or not, with or without a condition or an era. */
const anyRow: fc.Arbitrary<Row> = fc
  .record({
    kind: fc.constantFrom('decisive' as const, 'control' as const),
    met: fc.constantFrom(true, false, undefined),
    under: fc.constantFrom(undefined, same('A'), same('B'), same('C')),
    era: fc.constantFrom(undefined, 'then' as const, 'now' as const),
    id: fc.string({ minLength: 1, maxLength: 3 }),
  })
  .map((one) => row({ ...one, observed: one.met === undefined ? undefined : 'o', reason: same('broken') }));
const anyRows = fc.array(anyRow, { maxLength: 8 });

describe('judge', () => {
  it('never judges a broken probe, nor a missed control, whatever else is there', () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const spoilt = rows.some((one) => one.met === undefined || (one.kind === 'control' && !one.met));
        if (spoilt) expect(judge(rows).verdict).toBe('INCONCLUSIVE');
      }),
    );
  });

  it('needs a decisive row and a control', () => {
    expect(judge([]).verdict).toBe('INCONCLUSIVE');
    expect(judge([control]).verdict).toBe('INCONCLUSIVE');
    expect(judge([row({})]).verdict).toBe('INCONCLUSIVE');
  });

  it('follows from the decisive rows alone when all controls came out, in any order', () => {
    fc.assert(
      fc.property(
        anyRows.map((rows) => [
          ...rows.filter((one) => one.kind === 'decisive' && one.met !== undefined),
          control,
        ]),
        (rows) => {
          const decisive = rows.filter((one) => one.kind === 'decisive');
          const { verdict } = judge(rows);
          expect(judge([...rows].reverse()).verdict).toBe(verdict);

          const met = decisive.filter((one) => one.met);
          const missed = decisive.filter((one) => !one.met);
          if (decisive.length === 0) expect(verdict).toBe('INCONCLUSIVE');
          else if (missed.length === 0) expect(verdict).toBe('CONFIRMED');
          else if (met.length === 0) expect(verdict).toBe('REFUTED');
          else if (met.every((one) => one.era === 'then') && missed.every((one) => one.era === 'now'))
            expect(verdict).toBe('OUTDATED');
          else if (
            decisive.every((one) => one.under) &&
            met.every((one) => missed.every((other) => one.under!.en !== other.under!.en))
          )
            expect(verdict).toBe('IMPRECISE');
          else expect(verdict).toBe('INCONCLUSIVE');
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('says the conditions of IMPRECISE in both languages', () => {
    const on = text('on calico', '在 calico 上');
    const off = text('on flannel', '在 flannel 上');
    const { verdict, why } = judge([row({ under: on }), row({ met: false, under: off }), control]);
    expect(verdict).toBe('IMPRECISE');
    expect(why.en).toBe('true: on calico; not true: on flannel');
    expect(why.zh).toContain('不成立：在 flannel 上');
  });
});

describe('a broken probe', () => {
  const broken = notAsked(text('exec failed', 'exec 失败'));

  it('stays broken through everything that is derived from it', () => {
    expect(derive(broken, () => 'TIMEOUT')).toBe(broken);
    expect(together([asked('CONNECTED'), broken]).asked).toBe(false);
  });

  it('meets no prediction and misses none, not even one that everything meets', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.constantFrom('decisive' as const, 'control' as const), (holds, kind) => {
        const judged = judgeRow(
          { ...base, id: 'r', kind },
          that(same('any'), () => holds),
          broken,
        );
        expect([judged.met, judged.observed]).toEqual([undefined, undefined]);
        expect(judge([judged, control, row({})]).verdict).toBe('INCONCLUSIVE');
      }),
    );
  });

  it('is not a denial: TIMEOUT has to be seen', () => {
    const seen = judgeRow({ ...base, id: 'r', kind: 'decisive' }, is('TIMEOUT'), broken);
    expect(seen.met).toBeUndefined();
  });
});

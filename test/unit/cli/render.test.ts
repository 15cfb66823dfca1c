import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { makeIo } from '../../../src/cli/io.ts';
import { clip, duration, pad, table, wrap } from '../../../src/cli/render/columns.ts';
import { reportLines } from '../../../src/cli/render/report.ts';
import { claim, run, spoils } from '../run/fake.ts';

/** English words and Chinese sentences, mixed. */
const words = fc
  .array(
    fc.oneof(
      fc.constantFrom('Pod', 'kube-proxy', '论断', '（', '集群。', '10.244.1.7'),
      fc.string({ maxLength: 6 }),
    ),
  )
  .map((parts) => parts.join(' '));

describe('columns', () => {
  it('never wider than asked, and nothing but spaces is lost', () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 8, max: 80 }), (text, width) => {
        const lines = wrap(text, width);
        for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
        expect(lines.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
        expect(stringWidth(clip(text, width))).toBeLessThanOrEqual(Math.max(width, 1));
      }),
    );
  });

  it('line up under each other where characters are wide', () => {
    expect(
      table([
        ['名称', 'x'],
        ['podlab', 'y'],
      ]).map((line) => stringWidth(line.slice(0, -1))),
    ).toEqual([8, 8]);
    expect(stringWidth(pad('不准确', 10))).toBe(10);
  });

  it.each([
    [420, '420 ms'],
    [3210, '3.2 s'],
    [125_000, '2 min 05 s'],
  ])('%d ms reads %s', (ms, reads) => expect(duration(ms)).toBe(reads));
});

describe('the report', () => {
  const env = { COLUMNS: '80' };

  it('quotes the claim, says the verdict in words, and shows the row that decided it', async () => {
    const claims = [
      claim('1'),
      claim('2', false),
      claim('3', 'broken'),
      claim('4', true, { needs: ['Bgp'] }),
    ];
    const { result } = await run(claims, { cni: ['flannel'] });
    const zh = reportLines(result, makeIo({ lang: 'zh' }, env)).join('\n');
    for (const part of [
      '“论断 1”',
      '✓ 成立',
      '✗ 不成立',
      '? 无法判定',
      '与预期不符',
      '跳过: 需要 Bgp',
      'exec 失败',
    ])
      expect(zh).toContain(part);
    expect(zh).toContain('与预期一致 1，不一致 1，无法判定 1，跳过 1');
    const en = reportLines(result, makeIo({ lang: 'en' }, env));
    expect(en).toContain('1 as expected, 1 otherwise, 1 inconclusive, 1 skipped');
    expect(en.filter((line) => stringWidth(line) > 80)).toEqual([]);
  });

  it('counts sabotages', async () => {
    const { result } = await run([claim('1', true, { sabotages: [spoils] })], { sabotage: true });
    const lines = reportLines(result, makeIo({ lang: 'en' }, env));
    expect(lines.join('\n')).toMatch(/✓ 1 spoils +turned it to REFUTED/);
    expect(lines.at(-1)).toBe('sabotages: 1 turned the verdict, 0 did not, 0 not tried');
  });
});

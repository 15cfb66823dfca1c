/** Verdicts in words and with a mark; the colour only repeats what the words say. */
import { text, type Text } from '../../model/text.ts';
import type { Verdict } from '../../model/verdict.ts';
import type { Io, Paint } from '../io.ts';

const LOOKS: Readonly<Record<Verdict, { mark: string; words: Text; style: Parameters<Paint>[0] }>> = {
  CONFIRMED: { mark: '✓', words: text('CONFIRMED', '成立'), style: 'green' },
  REFUTED: { mark: '✗', words: text('REFUTED', '不成立'), style: 'red' },
  OUTDATED: { mark: '⌛', words: text('OUTDATED', '已过时'), style: 'magenta' },
  IMPRECISE: { mark: '≈', words: text('IMPRECISE', '不准确'), style: 'yellow' },
  OPINION: { mark: '“', words: text('OPINION', '观点'), style: 'cyan' },
  INCONCLUSIVE: { mark: '?', words: text('INCONCLUSIVE', '无法判定'), style: 'inverse' },
};

export const verdictWords = (verdict: Verdict, io: Io): string => {
  const { mark, words, style } = LOOKS[verdict];
  return io.paint(style, `${mark} ${io.say(words)}`);
};

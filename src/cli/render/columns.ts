/** Text in columns of a terminal, where a Chinese character is two wide. */
import stringWidth from 'string-width';

/** Fills a text with spaces to a width. */
export const pad = (words: string, width: number): string =>
  words + ' '.repeat(Math.max(0, width - stringWidth(words)));

/** Cuts a text to a width; what was cut shows as `…`. */
export function clip(words: string, width: number): string {
  if (stringWidth(words) <= width) return words;
  let kept = '';
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(words)) {
    const wide = stringWidth(segment);
    if (used + wide > width - 1) break;
    kept += segment;
    used += wide;
  }
  return `${kept}…`;
}

/** Breaks a text into lines of a width: at spaces where there are some, and anywhere between Chinese characters. */
export function wrap(words: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  // A piece is a wide character, or a run of narrow ones with the space after it.
  for (const piece of words.match(
    /[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+\s*|\s+/g,
  ) ?? []) {
    if (line !== '' && stringWidth((line + piece).trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = piece.trimStart();
    } else line += piece;
    while (stringWidth(line.trimEnd()) > width) {
      // One word longer than the line.
      let head = '';
      for (const { segment } of new Intl.Segmenter().segment(line)) {
        if (stringWidth(head + segment) > width) break;
        head += segment;
      }
      lines.push(head);
      line = line.slice(head.length);
    }
  }
  if (line.trim() !== '') lines.push(line.trimEnd());
  return lines;
}

/** Lines of a table: columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, stringWidth(cell))),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : pad(cell, widths[at]!)))
      .join('  ')
      .trimEnd(),
  );
}

/** A time as people read it: `420 ms`, `3.2 s`, `2 min 05 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

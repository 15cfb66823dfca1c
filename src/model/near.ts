/** Names that a person may have meant. */

/** How many letters have to be typed, removed, changed or swapped with their neighbour (optimal string alignment distance). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The known names nearest to `name`, best first, at most `most`; those that begin with it count as near. */
export function near(name: string, known: readonly string[], most = 3): string[] {
  const wanted = name.toLowerCase();
  return known
    .map((one) => ({
      one,
      far: distance(wanted, one.toLowerCase()),
      begins: one.toLowerCase().startsWith(wanted),
    }))
    .filter(({ one, far, begins }) => begins || far <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => Number(b.begins) - Number(a.begins) || a.far - b.far)
    .slice(0, most)
    .map(({ one }) => one);
}

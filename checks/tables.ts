/** Truth tables: who reaches whom, every pair asked at once. */
import { derive, together, type Observation } from '../src/model/observation.ts';
import { mark, type Outcome } from '../src/model/outcome.ts';
import { connectAll } from './connect.ts';
import type { PodHandle, Stage } from './experiment.ts';

/** Rows are the pods that ask, columns what they ask for. `undefined` is a pair that was not asked. */
export interface TruthTable {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly cells: readonly (readonly (Outcome | undefined)[])[];
}

/** A column: a name for it, and where it is. */
export interface Target {
  readonly name: string;
  readonly to: string;
  readonly port: number;
  readonly protocol?: 'TCP' | 'UDP';
}

/** A pod as a column. */
export const port80 = (pod: PodHandle, name = pod.name): Target => ({ name, to: pod.ip, port: 80 });

/** Asks each of `from` for each of `targets`. */
export async function askTable(
  stage: Stage,
  from: readonly (PodHandle & { readonly title?: string })[],
  targets: readonly Target[],
): Promise<{ table: TruthTable; seen: Observation<TruthTable> }> {
  const answers = await connectAll(
    stage,
    from.flatMap((pod) => targets.map(({ to, port, protocol }) => ({ from: pod, to, port, protocol }))),
  );
  const table = {
    rows: from.map((pod) => pod.title ?? pod.name),
    columns: targets.map((one) => one.name),
    cells: from.map((_, row) =>
      targets.map((_, column) => {
        const one = answers[row * targets.length + column]!;
        return one.asked ? one.value : undefined;
      }),
    ),
  };
  return { table, seen: derive(together(answers), () => table) };
}

/** One line of marks for each row, rows apart by a blank: `... .XX .XX`. */
export const marksOf = (table: TruthTable): string =>
  table.cells.map((row) => row.map(mark).join('')).join(' ');

/** A table of marks: `.` allowed, `X` blocked, `?` not asked. */
export function printTable({ rows, columns, cells }: TruthTable): string {
  const first = Math.max(...rows.map((name) => name.length), 0);
  const line = (head: string, words: readonly string[]) =>
    `${head.padEnd(first)}  ${words.map((word, index) => word.padEnd(columns[index]!.length)).join('  ')}`.trimEnd();
  return [line('', columns), ...rows.map((name, index) => line(name, cells[index]!.map(mark)))].join('\n');
}

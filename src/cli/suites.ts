/** Runs one suite of podlab's own tests and counts. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../exec/run.ts';

/** What came out; `reasons` are the titles of skipped tests, which say why. */
export interface Sum {
  passed: number;
  failed: number;
  skipped: number;
  reasons: string[];
}

/** The parts of vitest's JSON report that are read (its format is Jest's). */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** Counts a report. A file that could not be loaded is a failure, though it has no tests; so is a run that ended badly. */
export function count(report: Report | undefined, ended: boolean): Sum {
  const sum: Sum = { passed: 0, failed: 0, skipped: 0, reasons: [] };
  for (const file of report?.testResults ?? []) {
    const before = sum.failed;
    for (const one of file.assertionResults) {
      if (one.status === 'passed') sum.passed += 1;
      else if (one.status === 'failed') sum.failed += 1;
      else {
        sum.skipped += 1;
        sum.reasons.push(one.fullName);
      }
    }
    if (file.status === 'failed' && sum.failed === before) sum.failed += 1;
  }
  if (!ended && sum.failed === 0) sum.failed += 1;
  return sum;
}

/** Runs the suite; its output goes to stderr as it comes. */
export async function runSuite(
  root: string,
  suite: string,
  options: { only?: string; signal?: AbortSignal } = {},
): Promise<Sum> {
  const folder = await mkdtemp(join(tmpdir(), 'podlab-test-'));
  const file = join(folder, 'report.json');
  const only = options.only === undefined ? [] : ['-t', options.only];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const argv = [process.execPath, vitest, 'run', '--project', suite, ...only];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  // Our own loader is for the command line; vitest brings its own.
  const { NODE_OPTIONS: _, ...env } = process.env;
  try {
    const ran = await run([...argv, ...reporters], {
      cwd: root,
      env,
      signal: options.signal,
      onOutput: (piece) => process.stderr.write(piece),
    });
    const report = await readFile(file, 'utf8').then(
      (words) => JSON.parse(words) as Report,
      () => undefined,
    );
    return count(report, ran.ok);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

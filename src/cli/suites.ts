/** Runs podlab's own tests, suite by suite, and counts. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, type Ran } from '../exec/run.ts';

/** What came out; `reasons` are the titles of skipped tests, which say why. */
export interface Sum {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly reasons: readonly string[];
  /** Titles of tests that failed at first, in files that were run again. */
  readonly again?: readonly string[];
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

/** Adds up. */
export const add = (a: Sum, b: Sum): Sum => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  reasons: [...a.reasons, ...b.reasons],
  again: [...(a.again ?? []), ...(b.again ?? [])],
});

export const NOTHING: Sum = { passed: 0, failed: 0, skipped: 0, reasons: [] };

/** Counts a report. A file that could not be loaded is a failure, though it has no tests; so is a run that ended badly. */
export function count(report: Report | undefined, ended: boolean): Sum {
  const sum = { passed: 0, failed: 0, skipped: 0, reasons: [] as string[] };
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

export interface SuiteOptions {
  /** Run files that failed once more, alone, and say so: on a machine that others use, one bad minute is no defect. */
  readonly again?: boolean;
  /** Only tests whose name holds these words. */
  readonly only?: string;
  /** Milliseconds; then the suite is ended and has failed. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/** Runs a program of the project's tools; what it says goes to stderr as it comes. In a session of its own, so that all of it ends. */
const runTool = (root: string, argv: readonly string[], { limit, signal }: SuiteOptions): Promise<Ran> => {
  // Our own loader is for the command line; the tools bring theirs.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const onOutput = (piece: string) => void process.stderr.write(piece);
  return run([process.execPath, ...argv], {
    cwd: root,
    env,
    timeout: limit,
    signal,
    onOutput,
    ownGroup: true,
  });
};

/** Runs the tests of one folder of test/, or some of its files. */
async function runOnce(
  root: string,
  suite: string,
  files: readonly string[],
  options: SuiteOptions,
): Promise<{ report: Report | undefined; ran: Ran }> {
  const folder = await mkdtemp(join(tmpdir(), 'podlab-test-'));
  const file = join(folder, 'report.json');
  const only = options.only === undefined ? [] : ['-t', options.only];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  try {
    const ran = await runTool(
      root,
      [vitest, 'run', '--project', suite, ...only, ...reporters, ...files],
      options,
    );
    const report = await readFile(file, 'utf8').then(
      (words) => JSON.parse(words) as Report,
      () => undefined,
    );
    return { report, ran };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const failedIn = (file: Report['testResults'][number]): string[] => {
  const tests = file.assertionResults.filter((one) => one.status === 'failed').map((one) => one.fullName);
  return tests.length > 0 || file.status !== 'failed' ? tests : [file.name];
};

/** Runs a suite; its files that failed once more when asked to. Their second end counts, and the first is told. */
async function runTests(root: string, suite: string, options: SuiteOptions): Promise<Sum & { ran: Ran }> {
  const end = performance.now() + (options.limit ?? Infinity);
  const first = await runOnce(root, suite, [], options);
  const files = first.report?.testResults ?? [];
  const failed = files.filter((file) => failedIn(file).length > 0);
  let sum = count(first.report, first.ran.ok);
  let ran = first.ran;
  if (options.again && failed.length > 0 && first.ran.broken === undefined && end > performance.now()) {
    const limit = options.limit === undefined ? undefined : Math.round(end - performance.now());
    const names = failed.map((file) => file.name);
    const second = await runOnce(root, suite, names, { ...options, limit });
    const rest = { testResults: files.filter((file) => !names.includes(file.name)) };
    sum = { ...add(count(rest, true), count(second.report, second.ran.ok)), again: failed.flatMap(failedIn) };
    ran = second.ran;
  }
  // Tests that were not meant are no skipped tests.
  return { ...(options.only === undefined ? sum : { ...sum, skipped: 0, reasons: [] }), ran };
}

/** The checks that are no tests: types, lint, format. */
export const CHECK = 'check';
const CHECKS: readonly (readonly string[])[] = [
  ['typescript/bin/tsc', '--noEmit'],
  ['eslint/bin/eslint.js', '.'],
  ['prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
];

/** Runs types, lint and format; each counts as one. */
async function runChecks(root: string, options: SuiteOptions): Promise<Sum & { ran: Ran }> {
  let sum = NOTHING;
  let ran!: Ran;
  for (const [program, ...args] of CHECKS) {
    ran = await runTool(root, [join(root, 'node_modules', program!), ...args], options);
    sum = add(sum, { ...NOTHING, [ran.ok ? 'passed' : 'failed']: 1 });
    if (ran.broken !== undefined) break;
  }
  return { ...sum, ran };
}

/** Runs one suite and counts; `broken` says why it did not end by itself. */
export async function runSuite(
  root: string,
  suite: string,
  options: SuiteOptions = {},
): Promise<{ sum: Sum; ms: number; broken: string | undefined }> {
  const began = performance.now();
  const { ran, ...sum } = await (suite === CHECK ? runChecks(root, options) : runTests(root, suite, options));
  if (ran.broken !== undefined && sum.failed === 0) sum.failed = 1;
  return { sum, ms: Math.round(performance.now() - began), broken: ran.broken };
}

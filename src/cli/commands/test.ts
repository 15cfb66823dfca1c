/** `podlab test [SUITE...]`: the project's own tests, by vitest, with their sum on the last line. */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT, PodlabError } from '../../model/errors.ts';
import { near } from '../../model/near.ts';
import { text } from '../../model/text.ts';
import type { AddCommand } from '../frame.ts';
import { interruptSignal } from '../interrupt.ts';
import { duration } from '../render/columns.ts';
import { add, CHECK, NOTHING, runSuite } from '../suites.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Quick ones first; one that is not named here comes last. */
const ORDER = ['unit', 'engine', 'embedded', 'offline', 'kind', 'claims'];
const rank = (suite: string) => (ORDER.includes(suite) ? ORDER.indexOf(suite) : ORDER.length);

/** The suites: folders of test/ that hold tests. */
const suites = (): string[] =>
  readdirSync(`${root}test`, { withFileTypes: true, recursive: true })
    .filter((one) => one.isFile() && one.name.endsWith('.test.ts'))
    .map((one) => one.parentPath.slice(`${root}test/`.length).split('/')[0]!)
    .filter((name, at, all) => all.indexOf(name) === at)
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));

/** Milliseconds for each suite; `''` is for those that are not named. */
type Limits = ReadonlyMap<string, number>;

function minutes(words: string): number {
  const value = Number(words);
  if (Number.isFinite(value) && value > 0) return value * 60_000;
  throw new PodlabError({
    code: 'usage',
    fault: 'user',
    message: text(`"${words}" is no number of minutes.`, `“${words}”不是有效的分钟数。`),
    hint: text('For example: --limit 20', '例如：--limit 20'),
  });
}

const limits = (words: string): Limits =>
  new Map(
    words.split(',').map((part) => {
      const [suite, value] = part.includes('=') ? part.split('=') : ['', part];
      return [suite!, minutes(value!)];
    }),
  );

interface TestFlags {
  readonly all?: boolean;
  readonly again?: boolean;
  readonly only?: string;
  readonly limit?: Limits;
  readonly total?: number;
}

export const addTest: AddCommand = (program, frame) => {
  const { t } = frame;
  program
    .command('test')
    .description(t(text("run podlab's own tests", '运行 podlab 自身的测试')))
    .argument(
      '[suite...]',
      t(
        text(
          'suites to run; unit when none is named; check is types, lint, format',
          '要运行的测试套件；默认 unit；check 指类型、规范与格式检查',
        ),
      ),
    )
    .option('--all', t(text('every suite, and types, lint and format', '所有套件，以及类型、规范与格式检查')))
    .option(
      '--again',
      t(
        text(
          'run files that failed once more, and name the tests that failed at first',
          '失败的文件再运行一次，并列出最初失败的测试',
        ),
      ),
    )
    .option(
      '--limit <minutes>',
      t(
        text(
          'the longest that a suite may take: 20, or unit=8,kind=20',
          '套件的最长时间：20，或 unit=8,kind=20',
        ),
      ),
      limits,
    )
    .option('--total <minutes>', t(text('the longest that all of it may take', '全部的最长时间')), minutes)
    .option(
      '-t, --only <words>',
      t(text('only tests whose name holds these words', '只运行名称包含这些文字的测试')),
    )
    .addHelpText(
      'after',
      frame.examples(
        ['podlab test', text('the unit tests: a minute, no cluster', '单元测试：一分钟，不需要集群')],
        ['podlab test kind', text('on real clusters', '在真实集群上')],
      ),
    )
    .action(
      frame.action<TestFlags, [string[]]>(async (io, flags, wanted) => {
        if (!existsSync(`${root}test`))
          throw new PodlabError({
            code: 'no-tests',
            fault: 'user',
            message: text('The installed package comes without the tests.', '安装包中不含测试。'),
            hint: text(
              'Run `./podlab test` in a clone of the repository.',
              '请在仓库的克隆中运行 `./podlab test`。',
            ),
          });
        const known = suites();
        const unknown = wanted.filter((one) => one !== CHECK && !known.includes(one));
        if (unknown.length > 0) {
          const close = unknown.flatMap((one) => near(one, known));
          throw new PodlabError({
            code: 'unknown-suite',
            fault: 'user',
            message: text(
              `There is no test suite ${unknown.join(', ')}.`,
              `没有测试套件 ${unknown.join('、')}。`,
            ),
            hint: text(
              `Choose from: ${(close.length > 0 ? close : known).join(', ')}`,
              `可选：${(close.length > 0 ? close : known).join('、')}`,
            ),
          });
        }
        const chosen = flags.all ? [CHECK, ...known] : wanted.length > 0 ? wanted : ['unit'];
        let total = NOTHING;
        const end = performance.now() + (flags.total ?? Infinity);
        for (const suite of chosen) {
          const signal = interruptSignal(io);
          const own = flags.limit?.get(suite) ?? flags.limit?.get('') ?? Infinity;
          // A suite for which no time is left has failed as well: it is given a moment, and says so.
          const left = Math.max(1, Math.min(own, end - performance.now()));
          const limit = left === Infinity ? undefined : Math.round(left);
          const { sum, ms, broken } = await runSuite(root, suite, {
            only: flags.only,
            again: flags.again,
            limit,
            signal,
          });
          total = add(total, sum);
          const counts = `${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`;
          io.tell(`${suite}: ${counts} (${duration(ms)})${broken === undefined ? '' : `: ${broken}`}`);
          if (signal.aborted) break;
        }
        for (const name of total.again ?? [])
          io.tell(`${io.say(text('failed at first, run again:', '最初失败，已重跑：'))} ${name}`);
        for (const reason of total.reasons) io.tell(`${io.say(text('skipped:', '跳过：'))} ${reason}`);
        const { passed, failed, skipped } = total;
        if (io.json) io.out(JSON.stringify(total, undefined, 2));
        // These words are read by machines, so they are the same in every language.
        else io.out(`${passed} passed, ${failed} failed, ${skipped} skipped`);
        return failed > 0 ? EXIT.differs : passed === 0 ? EXIT.usage : EXIT.ok;
      }),
    );
};

/** `podlab test [SUITE...]`: the project's own tests, by vitest, with their sum on the last line. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT, PodlabError } from '../../model/errors.ts';
import { near } from '../../model/near.ts';
import { text } from '../../model/text.ts';
import type { AddCommand } from '../frame.ts';
import { interruptSignal } from '../interrupt.ts';
import { runSuite, type Sum } from '../suites.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The suites: folders of test/ that hold tests. */
const suites = (): string[] =>
  readdirSync(`${root}test`, { withFileTypes: true, recursive: true })
    .filter((one) => one.isFile() && one.name.endsWith('.test.ts'))
    .map((one) => one.parentPath.slice(`${root}test/`.length).split('/')[0]!)
    .filter((name, at, all) => all.indexOf(name) === at)
    .sort((a, b) => Number(b === 'unit') - Number(a === 'unit') || a.localeCompare(b));

export const addTest: AddCommand = (program, frame) => {
  const { t } = frame;
  program
    .command('test')
    .description(t(text("run podlab's own tests", '运行 podlab 自身的测试')))
    .argument('[suite...]', t(text('suites to run; unit when none is named', '要运行的测试套件；默认 unit')))
    .option('--all', t(text('every suite', '所有套件')))
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
      frame.action<{ all?: boolean; only?: string }, [string[]]>(async (io, flags, wanted) => {
        const known = suites();
        const unknown = wanted.filter((one) => !known.includes(one));
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
        const chosen = flags.all ? known : wanted.length > 0 ? wanted : ['unit'];
        const total: Sum = { passed: 0, failed: 0, skipped: 0, reasons: [] };
        for (const suite of chosen) {
          const sum = await runSuite(root, suite, { only: flags.only, signal: interruptSignal(io) });
          for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += sum[key];
          total.reasons.push(...sum.reasons);
        }
        for (const reason of total.reasons) io.tell(`${io.say(text('skipped:', '跳过：'))} ${reason}`);
        const { passed, failed, skipped } = total;
        if (io.json) io.out(JSON.stringify(total, undefined, 2));
        // These words are read by machines, so they are the same in every language.
        else io.out(`${passed} passed, ${failed} failed, ${skipped} skipped`);
        return failed > 0 ? EXIT.differs : passed === 0 ? EXIT.usage : EXIT.ok;
      }),
    );
};

/** The command line as commander sees it, in one language. */
import { Command, Option } from 'commander';
import stringWidth from 'string-width';
import { text, type Lang } from '../model/text.ts';
import { packageVersion } from '../run/version.ts';
import { addClaims } from './commands/claims.ts';
import { addDoctor } from './commands/doctor.ts';
import { addDown } from './commands/down.ts';
import { addKubeconfig } from './commands/kubeconfig.ts';
import { addList } from './commands/list.ts';
import { addOffline } from './commands/offline.ts';
import { addStatus } from './commands/status.ts';
import { addTest } from './commands/test.ts';
import { addUp } from './commands/up.ts';
import { addVerify } from './commands/verify.ts';
import { wrap } from './render/columns.ts';
import { makeFrame, type AddCommand, type Frame } from './frame.ts';

/** Headings and standing phrases of the parser's help. */
const HEADINGS: Readonly<Record<string, string>> = {
  'Usage:': '用法：',
  'Arguments:': '参数：',
  'Options:': '选项：',
  'Global Options:': '通用选项：',
  'Commands:': '命令：',
};

function helpIn(command: Command, frame: Frame): void {
  command.helpOption('-h, --help', frame.t(text('show this help', '显示帮助')));
  command.configureHelp({
    helpWidth: Math.min(process.stdout.columns || 80, 100),
    // Chinese has wide characters and no spaces to break at.
    displayWidth: stringWidth,
    boxWrap: (words, width) =>
      words
        .split('\n')
        .map((line) => wrap(line, width).join('\n'))
        .join('\n'),
    styleTitle: (title) => (frame.lang === 'zh' ? (HEADINGS[title] ?? title) : title),
    argumentDescription(argument) {
      if (argument.defaultValue === undefined) return argument.description;
      return `${argument.description} (${frame.t(text('default', '默认'))}: ${String(argument.defaultValue)})`;
    },
    optionDescription(option) {
      const parts: string[] = [];
      const [choices, fallback] = [frame.t(text('one of', '可选')), frame.t(text('default', '默认'))];
      if (option.argChoices) parts.push(`${choices}: ${option.argChoices.join(', ')}`);
      if (option.defaultValue !== undefined && option.defaultValue !== false)
        parts.push(`${fallback}: ${option.defaultValueDescription ?? String(option.defaultValue)}`);
      return parts.length > 0 ? `${option.description} (${parts.join('; ')})` : option.description;
    },
  });
}

/** The options that every command has, before and after its name; `verify` has a `--json` of its own. */
function addGlobals(command: Command, { t }: Frame): void {
  command.addOption(
    new Option('--lang <lang>', t(text('language (LANG otherwise)', '语言（默认取自 LANG）'))).choices([
      'en',
      'zh',
    ]),
  );
  if (!command.options.some((one) => one.long === '--json'))
    command.option('--json', t(text('answer as JSON on stdout', '以 JSON 输出到 stdout')));
  command.option('-q, --quiet', t(text('no progress, only the answer', '不显示进度，只输出结果')));
}

const COMMANDS: readonly AddCommand[] = [
  addUp,
  addDown,
  addList,
  addStatus,
  addKubeconfig,
  addVerify,
  addClaims,
  addDoctor,
  addOffline,
  addTest,
];

/** Builds the program; nothing heavy is loaded before a command runs. */
export function makeProgram(lang: Lang): Command {
  const frame = makeFrame(lang);
  const { t } = frame;
  const program = new Command('podlab');
  program
    .description(
      t(
        text(
          'Kubernetes networking, judged by packets: clusters to try things on, and claims that are put to the test.',
          'Kubernetes 网络，由数据包来评判：搭建集群做实验，让每个论断接受检验。',
        ),
      ),
    )
    .version(packageVersion(), '-V, --version', t(text('show the version', '显示版本')))
    .enablePositionalOptions()
    .helpCommand('help [command]', t(text('show the help of a command', '显示命令的帮助')))
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      frame.examples(
        ['podlab doctor', text('what can this machine do?', '这台机器能做什么？')],
        ['podlab up --cni calico-bgp', text('a cluster of three nodes', '三个节点的集群')],
        ['podlab claims show 2.7a', text('a claim and its experiment', '一个论断及其实验')],
        ['podlab verify --claim 2.7a', text('let the packets answer', '让数据包来回答')],
        ['podlab down --all', text('remove everything again', '全部清理')],
      ),
    );
  for (const add of COMMANDS) add(program, frame);
  const all = [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)];
  for (const command of all) {
    addGlobals(command, frame);
    helpIn(command, frame);
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  return program;
}

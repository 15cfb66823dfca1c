/** The one place that prints errors: what happened, what was seen, what to do next. */
import { type CommanderError } from 'commander';
import { CommandFailed } from '../exec/run.ts';
import { PodlabError } from '../model/errors.ts';
import { same, text, type Text } from '../model/text.ts';
import type { Io } from './io.ts';

/** Faults of the machine that Node tells by a code. */
const MACHINE: Record<string, { code: string; message: Text; hint: Text }> = {
  ENOSPC: {
    code: 'disk-full',
    message: text('The disk is full.', '磁盘已满。'),
    hint: text(
      'Free some space (`df -h` shows where), then run the command again.',
      '请腾出空间（`df -h` 查看），然后重新运行。',
    ),
  },
  EDQUOT: {
    code: 'disk-full',
    message: text('Your disk quota is used up.', '磁盘配额已用完。'),
    hint: text(
      'Free some space (`quota -s` shows how much), then run the command again.',
      '请腾出空间（`quota -s` 查看），然后重新运行。',
    ),
  },
  EACCES: {
    code: 'no-permission',
    message: text('Permission denied.', '权限不足。'),
    hint: text(
      'Look at the owner of that path (`ls -ld`), or choose another place.',
      '请检查该路径的所有者（`ls -ld`），或换一个位置。',
    ),
  },
  EMFILE: {
    code: 'too-many-files',
    message: text('Too many open files.', '打开的文件过多。'),
    hint: text('Raise the limit: `ulimit -n 4096`', '提高上限：`ulimit -n 4096`'),
  },
};
MACHINE['EROFS'] = MACHINE['EACCES']!;
MACHINE['EPERM'] = MACHINE['EACCES']!;

/** Words of the command-line parser, by its codes. `it` is what it put in quotes first, `more` what came second. */
const PARSER: Readonly<Record<string, (it: string, more: string) => Text>> = {
  'commander.unknownCommand': (it) => text(`There is no command "${it}".`, `没有命令“${it}”。`),
  'commander.unknownOption': (it) => text(`There is no option "${it}".`, `没有选项“${it}”。`),
  'commander.missingArgument': (it) => text(`The argument "${it}" is missing.`, `缺少参数“${it}”。`),
  'commander.optionMissingArgument': (it) =>
    text(`The option "${it}" needs a value.`, `选项“${it}”需要一个值。`),
  'commander.missingMandatoryOptionValue': (it) =>
    text(`The option "${it}" is missing.`, `缺少选项“${it}”。`),
  'commander.excessArguments': () => text('There are too many arguments.', '参数过多。'),
  'commander.conflictingOption': (it, more) =>
    text(`"${it}" and "${more}" exclude each other.`, `“${it}”与“${more}”不能同时使用。`),
  'commander.invalidArgument': (it, more) =>
    text(`"${more}" is no value for "${it}".`, `“${more}”不是“${it}”的有效值。`),
};

/** What the parser said, as an error of ours. */
export function fromParser(error: CommanderError, commandPath: string): PodlabError {
  const quoted = [...error.message.matchAll(/'([^']*)'/g)].map((found) => found[1]!);
  const meant = /\(Did you mean (?:one of )?(.*)\?\)/.exec(error.message)?.[1];
  const choices = /Allowed choices are (.*?)\.$/.exec(error.message)?.[1];
  const help = `${commandPath} --help`;
  const make = PARSER[error.code];
  return new PodlabError({
    code: 'usage',
    fault: 'user',
    message: make ? make(quoted[0] ?? '', quoted[1] ?? '') : same(error.message),
    hint: meant
      ? text(`Did you mean ${meant}? See: ${help}`, `是不是想输入 ${meant}？参见：${help}`)
      : choices
        ? text(`Choose one of: ${choices}`, `可选：${choices}`)
        : text(`See: ${help}`, `参见：${help}`),
  });
}

/** Makes every error one of ours: a machine's fault where Node or a program says so, a defect of podlab otherwise. */
export function asPodlabError(error: unknown): PodlabError {
  if (error instanceof PodlabError) return error;
  if (error instanceof CommandFailed)
    return new PodlabError({
      code: 'command-failed',
      fault: 'machine',
      message: text(`The program "${error.ran.argv[0]}" failed.`, `程序“${error.ran.argv[0]}”执行失败。`),
      hint: text(
        '`./podlab doctor` tells what this machine lacks.',
        '`./podlab doctor` 会说明本机缺少什么。',
      ),
      evidence: error.message,
      cause: error,
    });
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : MACHINE[code];
  if (known)
    return new PodlabError({
      ...known,
      fault: 'machine',
      evidence: (error as Error).message || path,
      cause: error,
    });
  if (error instanceof Error && error.name === 'ApiUnreachable')
    return new PodlabError({
      code: 'api-unreachable',
      fault: 'machine',
      message: text('The Kubernetes API does not answer.', 'Kubernetes API 没有响应。'),
      hint: text('Is the cluster up? `./podlab list` tells.', '集群在运行吗？`./podlab list` 可以查看。'),
      evidence: error.message,
      cause: error,
    });
  return new PodlabError({
    code: 'bug',
    fault: 'podlab',
    message: text(
      'podlab met something it did not foresee; this is a defect of podlab.',
      'podlab 遇到了未预料的情况；这是 podlab 的缺陷。',
    ),
    hint: text(
      'Please report it with the lines above and the command that you ran.',
      '请把以上内容和所运行的命令一并反馈给我们。',
    ),
    evidence: error instanceof Error ? (error.stack ?? error.message) : String(error),
    cause: error,
  });
}

/** The longest evidence that is printed, in lines: the last ones, where programs say why. */
const EVIDENCE_LINES = 20;

/** Prints an error: with --json as `{"error": …}` on stdout, otherwise in words on stderr. */
export function printError(error: PodlabError, io: Io): void {
  if (io.json) {
    const { code, fault, text: message, hint, evidence, exitCode } = error;
    io.out(JSON.stringify({ error: { code, fault, message, hint, evidence, exitCode } }, undefined, 2));
    return;
  }
  const { paintError: paint } = io;
  const word = io.say(text('error', '错误'));
  const lines = [`${paint(['red', 'bold'], `podlab: ${word} [${error.code}]`)} ${io.say(error.text)}`];
  if (error.evidence) {
    const all = error.evidence.trim().split('\n');
    const shown = error.fault === 'podlab' ? all.slice(0, EVIDENCE_LINES) : all.slice(-EVIDENCE_LINES);
    lines.push(...shown.map((line) => paint('dim', `  | ${line}`)));
  }
  if (error.hint) lines.push(`  ${paint('bold', io.say(text('next:', '下一步：')))} ${io.say(error.hint)}`);
  process.stderr.write(`${lines.join('\n')}\n`);
}

/**
 * Many commands in one exec: run side by side by a shell in the pod, each answer in a frame of its own. An exec costs a
 * cluster more than the question in it, and a denied connection costs its whole time limit, so pairs are asked at once.
 */
import {
  notAsked,
  type Asked,
  type NotAsked,
  type Observation,
  type Probe,
} from '../src/model/observation.ts';
import { text } from '../src/model/text.ts';
import type { CommandAnswer, PodHandle, Stage } from './experiment.ts';

/** One command of a batch. */
export interface Command {
  readonly argv: readonly string[];
  /** As a person would type it, when that is not `argv` itself. */
  readonly shown?: string;
}

/** What one command of a batch said: both its streams as they came. */
export interface Piece {
  readonly code: number;
  readonly output: string;
}

export interface BatchOptions {
  /** How many run at once; 24 when not said. */
  readonly width?: number;
  /** The longest that one command takes, in milliseconds; 2 000 when not said. */
  readonly each?: number;
  /** Shell functions that the commands use. */
  readonly functions?: string;
}

/** A word as a POSIX shell takes it literally. */
export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** What a loaded machine may add to the time that the commands themselves take. */
const SLACK = 20_000;

/**
 * The script. Times are /proc/uptime's, which every Linux has (`date` of busybox has no fractions).
 * A frame is printed by one `printf %s`, so that it is one write and frames do not mix.
 */
export function batchScript(commands: readonly Command[], options: BatchOptions = {}): string {
  const lines = [
    'set -f',
    "n='\n'",
    'u() { read -r now rest </proc/uptime; }',
    'p() { i=$1; shift; u; a=$now; o=$("$@" 2>&1); c=$?; u; printf %s "@@$i $c $a $now$n$o$n@@$i.$n"; }',
    options.functions ?? '',
  ];
  const width = options.width ?? 24;
  commands.forEach((command, index) => {
    lines.push(`p ${index} ${command.argv.map(quote).join(' ')} &`);
    if ((index + 1) % width === 0) lines.push('wait');
  });
  return [...lines, 'wait', 'echo @@end'].filter(Boolean).join('\n');
}

/** Reads the frames: by index, what each command said and how many milliseconds it took. */
export function readBatch(stdout: string): Map<number, Piece & { ms: number }> {
  const found = new Map<number, Piece & { ms: number }>();
  for (const [, index, code, from, to, output] of stdout.matchAll(
    /^@@(\d+) (\d+) ([\d.]+) ([\d.]+)\n([^]*?)\n@@\1\.$/gm,
  ))
    found.set(Number(index), {
      code: Number(code),
      output: output!,
      ms: Math.round((Number(to) - Number(from)) * 1000),
    });
  return found;
}

/** Exit codes that are the shell's and not the program's: not started, or ended by a signal (POSIX 2.8.2). */
const shellSays = (code: number): boolean => code === 126 || code === 127 || code > 128;

/** Runs the commands in a pod; one observation for each, in their order. */
export async function batch(
  stage: Stage,
  pod: PodHandle,
  commands: readonly Command[],
  options: BatchOptions = {},
): Promise<Observation<Piece>[]> {
  if (commands.length === 0) return [];
  const rounds = Math.ceil(commands.length / (options.width ?? 24));
  const timeout = rounds * (options.each ?? 2_000) + SLACK;
  const seen = await stage.exec(pod, ['sh', '-c', batchScript(commands, options)], { timeout });
  return takeApart(seen, commands, pod);
}

/** Gives each command of a batch its own observation. What left no frame was not asked. */
export function takeApart(
  seen: Observation<CommandAnswer>,
  commands: readonly Command[],
  pod: PodHandle,
): Observation<Piece>[] {
  const frames = readBatch(seen.probes.map((one) => one.stdout).join('\n'));
  const whole = seen.probes[0];
  return commands.map((command, index): Observation<Piece> => {
    const frame = frames.get(index);
    const said = command.shown ?? command.argv.map(quote).join(' ');
    const probe: Probe = {
      where: whole?.where ?? `pod ${pod.namespace}/${pod.name}`,
      command: said,
      stdout: frame?.output ?? '',
      stderr: frame ? '' : (whole?.stderr ?? ''),
      code: frame?.code,
      ms: frame?.ms ?? whole?.ms ?? 0,
      at: whole?.at ?? new Date().toISOString(),
    };
    if (frame === undefined) {
      if (!seen.asked) return notAsked(seen.reason, probe);
      const why = whole?.stderr.trim() ?? '';
      return notAsked(text(`no answer to: ${said} ${why}`, `没有回答：${said} ${why}`), probe);
    }
    if (shellSays(frame.code))
      return notAsked(
        text(
          `${said} did not run (code ${frame.code}): ${frame.output}`,
          `${said} 未能运行（退出码 ${frame.code}）：${frame.output}`,
        ),
        probe,
      );
    return { asked: true, value: { code: frame.code, output: frame.output }, probes: [probe] };
  });
}

/** Reads each piece; `undefined` from `read` means that it cannot be made sense of, so nothing was learned. */
export function understand<T>(
  seen: Observation<Piece>,
  read: (piece: Piece) => T | undefined,
): Asked<T> | NotAsked {
  if (!seen.asked) return seen;
  const value = read(seen.value);
  if (value !== undefined) return { ...seen, value };
  const { code, output } = seen.value;
  const short = output.slice(0, 300);
  return notAsked(
    text(`cannot make sense of code ${code}: ${short}`, `无法理解的输出（退出码 ${code}）：${short}`),
    ...seen.probes,
  );
}

/** Asks groups of questions by the pod that asks, all pods at once; answers in the order of the questions. */
export async function byPod<Q extends { readonly from: PodHandle }, T>(
  questions: readonly Q[],
  ask: (pod: PodHandle, questions: readonly Q[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const groups = new Map<string, { question: Q; index: number }[]>();
  questions.forEach((question, index) => {
    const { namespace, name, container } = question.from;
    const key = `${namespace}/${name}/${container ?? ''}`;
    groups.set(key, [...(groups.get(key) ?? []), { question, index }]);
  });
  const answers: T[] = [];
  await Promise.all(
    [...groups.values()].map(async (group) => {
      const given = await ask(
        group[0]!.question.from,
        group.map(({ question }) => question),
      );
      group.forEach(({ index }, at) => (answers[index] = given[at]!));
    }),
  );
  return answers;
}

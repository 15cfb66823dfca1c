/** Commands on a node whose output is the answer. */
import type { CommandAnswer, AskOptions, Stage } from './experiment.ts';
import { notAsked, type Observation } from '../src/model/observation.ts';
import { text } from '../src/model/text.ts';

/** The output of a command that had to succeed; one that failed answered nothing. */
export function outputOf(seen: Observation<CommandAnswer>): Observation<string> {
  if (!seen.asked) return seen;
  const { code, stdout, stderr } = seen.value;
  if (code === 0) return { ...seen, value: stdout };
  const said = (stderr || stdout).trim().slice(0, 300);
  return notAsked(
    text(`the command failed with exit code ${code}: ${said}`, `命令以退出码 ${code} 失败：${said}`),
    ...seen.probes,
  );
}

/** What a parser makes of an output; one that it cannot read answered nothing. */
export function parsed<T>(seen: Observation<string>, parse: (output: string) => T): Observation<T> {
  if (!seen.asked) return seen;
  try {
    return { ...seen, value: parse(seen.value) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return notAsked(text(`unreadable output: ${why}`, `无法解析输出：${why}`), ...seen.probes);
  }
}

/** Runs a command on a node and gives its output. */
export async function nodeOutput(
  stage: Stage,
  node: string,
  argv: readonly string[],
  options?: AskOptions,
): Promise<Observation<string>> {
  return outputOf(await stage.onNode(node, argv, options));
}

/** The reading of a command's JSON output; an empty output is an empty list, as `ip -j` has it for nothing. */
export const json = <T>(output: string): T => JSON.parse(output.trim() === '' ? '[]' : output) as T;

/** What every command is built in: both languages, the global options, one way to end. */
import { Option, type Command } from 'commander';
import { BACKENDS, type BackendName } from '../cluster/port.ts';
import { say, text, type Lang, type Text } from '../model/text.ts';
import { makeIo, type GlobalOptions, type Io } from './io.ts';

/** The cluster that is used when none is named. */
export const DEFAULT_BACKEND: BackendName = 'embedded';

/** The name of a cluster that is given none. */
export const DEFAULT_NAME = 'podlab';

/** What a command does; it returns its exit code (0 when it returns nothing). */
export type Work<O, A extends readonly unknown[]> = (
  io: Io,
  options: O & GlobalOptions,
  ...args: A
) => Promise<number | void>;

export interface Frame {
  readonly lang: Lang;
  t(words: Text): string;
  /** Makes a command's action: its exit code becomes the process's. */
  action<O, A extends readonly unknown[]>(work: Work<O, A>): (...words: unknown[]) => Promise<void>;
  /** Lines for the end of a command's help. */
  examples(...lines: readonly (readonly [string, Text])[]): string;
}

/** Adds one command to the program. */
export type AddCommand = (program: Command, frame: Frame) => void;

export function makeFrame(lang: Lang): Frame {
  const t = (words: Text) => say(words, lang);
  return {
    lang,
    t,
    action:
      (work) =>
      async (...words) => {
        const command = words.pop() as Command;
        words.pop(); // The options alone; those of the program belong to them.
        const options = command.optsWithGlobals();
        process.exitCode = (await work(makeIo(options), options as never, ...(words as never))) ?? 0;
      },
    examples(...lines) {
      const wide = Math.max(...lines.map(([command]) => command.length));
      const rows = lines.map(([command, what]) =>
        wide + 5 + t(what).length > 80
          ? `  # ${t(what)}\n  ${command}`
          : `  ${command.padEnd(wide)}  # ${t(what)}`,
      );
      return `\n${t(text('Examples:', '示例：'))}\n${rows.join('\n')}`;
    },
  };
}

/** `--cluster`, the same everywhere. */
export const clusterOption = (frame: Frame) =>
  new Option('--cluster <backend>', frame.t(text('where the cluster comes from', '集群的来源')))
    .choices(BACKENDS)
    .default(DEFAULT_BACKEND);

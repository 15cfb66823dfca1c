/** Where a command speaks: language, paper, and whether somebody sits at the terminal. */
import { styleText } from 'node:util';
import { say, type Lang, type Text } from '../model/text.ts';

/** The options that every command has. */
export interface GlobalOptions {
  readonly lang?: string;
  /** true, or `-` where the option takes a file. */
  readonly json?: boolean | string;
  readonly quiet?: boolean;
}

type Style = Parameters<typeof styleText>[0];
/** Colours a text, or leaves it as it is. Colour never carries a meaning of its own. */
export type Paint = (style: Style, words: string) => string;

export interface Io {
  readonly lang: Lang;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Columns of the terminal; 100 where there is none. */
  readonly width: number;
  /** A person sits there and can be asked. */
  readonly interactive: boolean;
  /** Progress may overwrite its own line. */
  readonly live: boolean;
  readonly paint: Paint;
  readonly paintError: Paint;
  say(words: Text): string;
  /** A line of the answer, to stdout. */
  out(line: string): void;
  /** A line about the work, to stderr; not with --quiet. */
  tell(line: string): void;
}

const painter =
  (stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Paint =>
  (style, words) =>
    // https://no-color.org: any value but the empty one.
    !env['NO_COLOR'] &&
    (env['FORCE_COLOR'] ? env['FORCE_COLOR'] !== '0' : stream.isTTY && env['TERM'] !== 'dumb')
      ? styleText(style, words, { validateStream: false })
      : words;

/** The language of a locale by POSIX order (LC_ALL, LC_MESSAGES, LANG). */
export function localeLang(env: NodeJS.ProcessEnv): Lang {
  return (env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '').startsWith('zh') ? 'zh' : 'en';
}

/** What the words say about the language, before they are parsed: errors of parsing are told in it too. */
export function earlyLang(words: readonly string[], env: NodeJS.ProcessEnv): Lang {
  const at = words.indexOf('--lang');
  const said =
    at >= 0 ? words[at + 1] : words.find((word) => word.startsWith('--lang='))?.slice('--lang='.length);
  return said === 'zh' || said === 'en' ? said : localeLang(env);
}

/** Makes the place where commands speak. */
export function makeIo(options: GlobalOptions, env: NodeJS.ProcessEnv = process.env): Io {
  const lang = options.lang === 'zh' || options.lang === 'en' ? options.lang : localeLang(env);
  const quiet = options.quiet ?? false;
  return {
    lang,
    quiet,
    json: options.json === true || options.json === '-',
    width: process.stdout.columns || Number(env['COLUMNS']) || 100,
    interactive: Boolean(process.stdin.isTTY && process.stderr.isTTY) && !env['CI'],
    live: Boolean(process.stderr.isTTY) && env['TERM'] !== 'dumb' && !quiet,
    paint: painter(process.stdout, env),
    paintError: painter(process.stderr, env),
    // Commands in our texts are written as from a clone; they are shown as podlab was called.
    say: (words) => say(words, lang).replaceAll('./podlab', () => env['PODLAB_AS'] ?? './podlab'),
    out: (line) => void process.stdout.write(`${line}\n`),
    tell: (line) => void (quiet || process.stderr.write(`${line}\n`)),
  };
}

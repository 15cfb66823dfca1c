/** podlab's entry: parses, runs, and ends with one of the exit codes of src/model/errors.ts. */
import { CommanderError } from 'commander';
import { EXIT } from '../model/errors.ts';
import { asPodlabError, fromParser, printError } from './errors.ts';
import { interrupted } from './interrupt.ts';
import { earlyLang, makeIo } from './io.ts';
import { makeProgram } from './program.ts';

const words = process.argv.slice(2);
const lang = earlyLang(words, process.env);

// A reader who has seen enough (`podlab list | head -1`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

const program = makeProgram(lang);
/** The innermost command that was named, to point at its help. */
function named(): string {
  let command = program;
  const path = ['podlab'];
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (!next) continue;
    command = next;
    path.push(word);
  }
  return path.join(' ');
}

/** Whether the answer was asked for as JSON on stdout: `--json`, and for `verify`, where it takes a file, `--json -`. */
function wantsJson(): boolean {
  const at = words.indexOf('--json');
  return at >= 0 && (words[at + 1] === '-' || !words.includes('verify'));
}

try {
  if (words.length === 0) {
    program.outputHelp();
    process.exitCode = EXIT.usage;
  } else await program.parseAsync(words, { from: 'user' });
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exitCode = EXIT.ok;
  else if (error instanceof CommanderError && error.code === 'commander.help') {
    program.outputHelp();
    process.exitCode = EXIT.usage;
  } else {
    const told =
      error instanceof CommanderError
        ? fromParser(error, named())
        : interrupted()
          ? undefined
          : asPodlabError(error);
    if (told) printError(told, makeIo({ lang, json: wantsJson() }));
    process.exitCode = told?.exitCode ?? EXIT.interrupted;
  }
}
if (interrupted()) process.exitCode = EXIT.interrupted;
// Nothing that a command leaves open (a watch, a pool of connections) may hold the process: it has said what it had to say.
if (process.stdout.writableLength > 0) await new Promise((resolve) => process.stdout.once('drain', resolve));
process.exit();

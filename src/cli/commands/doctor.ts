/** `podlab doctor`: what this machine can do, in one screen, and the command that mends each lack. */
import stringWidth from 'string-width';
import { EXIT } from '../../model/errors.ts';
import { text } from '../../model/text.ts';
import type { AddCommand } from '../frame.ts';
import { pad, wrap } from '../render/columns.ts';

/** A mark and a word for each state; the colour only repeats them. */
const STATES = {
  ok: { mark: '✓', words: text('ok', '正常'), style: 'green' },
  note: { mark: '·', words: text('note', '提示'), style: 'yellow' },
  lack: { mark: '✗', words: text('lack', '缺少'), style: 'red' },
} as const;

export const addDoctor: AddCommand = (program, frame) => {
  program
    .command('doctor')
    .description(
      frame.t(text('what this machine can do, and what mends each lack', '检查本机能力，并给出补救命令')),
    )
    .action(
      frame.action(async (io) => {
        const { doctor, backendsHere } = await import('../../doctor/index.ts');
        const facts = await doctor();
        const backends = backendsHere(facts);
        // One backend that works is enough to learn with.
        const code = backends.some(({ lacks }) => lacks.length === 0) ? EXIT.ok : EXIT.machine;
        if (io.json) {
          io.out(JSON.stringify(facts, undefined, 2));
          return code;
        }
        const wide = Math.max(...facts.map(({ title }) => stringWidth(io.say(title))));
        for (const { title, state, detail, mend } of facts) {
          const { mark, words, style } = STATES[state];
          const head = `${io.paint(style, `${mark} ${pad(io.say(words), 4)}`)} ${pad(io.say(title), wide)} `;
          const indent = ' '.repeat(wide + 8);
          const [first = '', ...more] = wrap(io.say(detail), Math.max(30, io.width - wide - 8));
          io.out(head + first);
          for (const line of more) io.out(indent + line);
          if (mend) io.out(`${indent}$ ${mend}`);
        }
        io.out('');
        for (const { backend, lacks } of backends) {
          const names = (lang: 'en' | 'zh') =>
            lacks.map(({ title }) => title[lang]).join(lang === 'en' ? ', ' : '、');
          const words =
            lacks.length === 0
              ? text(`--cluster ${backend}: works here`, `--cluster ${backend}：本机可用`)
              : text(
                  `--cluster ${backend}: lacks ${names('en')}`,
                  `--cluster ${backend}：缺少 ${names('zh')}`,
                );
          io.out(`${lacks.length === 0 ? STATES.ok.mark : STATES.lack.mark} ${io.say(words)}`);
        }
        return code;
      }),
    );
};

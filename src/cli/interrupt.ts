/** Ctrl-C: the first lets the command put things back, the second ends it at once. */
import { EXIT, PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import type { Io } from './io.ts';

let controller: AbortController | undefined;

/** Whether somebody has asked us to stop. */
export const interrupted = (): boolean => controller?.signal.aborted ?? false;

/**
 * A signal that ends at the first Ctrl-C (SIGTERM and SIGHUP too). Only commands that have something to put back ask for it;
 * the others simply end.
 */
export function interruptSignal(io: Io): AbortSignal {
  if (controller) return controller.signal;
  const mine = (controller = new AbortController());
  const stop = () => {
    if (mine.signal.aborted) process.exit(EXIT.interrupted);
    io.tell(
      io.say(
        text(
          'Interrupted: putting things back. Ctrl-C again ends at once (the next `./podlab down --all` cleans up).',
          '已中断：正在清理。再按一次 Ctrl-C 立即结束（之后 `./podlab down --all` 可以清理）。',
        ),
      ),
    );
    mine.abort(
      new PodlabError({
        code: 'interrupted',
        fault: 'user',
        message: text('it was interrupted', '运行被中断'),
      }),
    );
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  return mine.signal;
}

import type { CommandAnswer } from '../../checks/experiment.ts';
import { asked, notAsked, type Observation, type Probe } from '../model/observation.ts';
import { text } from '../model/text.ts';

/** Exit codes by which a shell says that a program could not be started (POSIX 2.8.2). */
const NOT_STARTED = new Set([126, 127]);

/**
 * A command's end as an observation: an exit code is an answer, unless it says that the program was never started.
 * `broken` is the reason why there is no answer.
 */
export function observe(probe: Probe, broken: string | undefined): Observation<CommandAnswer> {
  const { where, code, stdout, stderr } = probe;
  if (broken !== undefined || code === undefined) {
    const why = broken ?? 'no exit code';
    return notAsked(text(`${where}: ${why}`, `${where}：${why}`), probe);
  }
  if (NOT_STARTED.has(code)) {
    const why = stderr.trim() || `exit code ${code}`;
    return notAsked(
      text(`${where}: the program could not be started: ${why}`, `${where}：程序无法启动：${why}`),
      probe,
    );
  }
  return asked({ code, stdout, stderr }, probe);
}

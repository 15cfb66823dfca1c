/** Long work, phase by phase with its time, on stderr. */
import type { OnPhase } from '../../cluster/port.ts';
import type { PhaseEvent } from '../../model/events.ts';
import type { Io } from '../io.ts';
import { clip, duration, pad } from './columns.ts';

type Shown = Omit<PhaseEvent, 'type'>;

/** Shows phases: a line each when it is done; on a terminal also those under way, on the last line. */
export class PhaseLines {
  readonly #io: Io;
  readonly #open = new Map<string, { shown: Shown; since: number }>();
  #timer: NodeJS.Timeout | undefined;
  #drawn = false;

  constructor(io: Io) {
    this.#io = io;
  }

  show(phase: Shown): void {
    const key = `${phase.of} ${phase.id}`;
    const { paintError: paint, say } = this.#io;
    this.#wipe();
    if (phase.ms === undefined) {
      const since = this.#open.get(key)?.since ?? performance.now();
      this.#open.set(key, { shown: phase, since });
    } else {
      this.#open.delete(key);
      const note = phase.note ? ` ${paint('dim', say(phase.note))}` : '';
      this.#io.tell(
        `${paint('green', '✓')} ${pad(`${phase.of}: ${say(phase.title)}`, 48)} ${duration(phase.ms).padStart(11)}${note}`,
      );
    }
    this.#draw();
  }

  /** A line of something else, kept apart from the line that is overwritten. */
  line(words: string): void {
    this.#wipe();
    this.#io.tell(words);
    this.#draw();
  }

  /** What belongs to this is not under way any more. */
  close(of: string): void {
    for (const key of [...this.#open.keys()])
      if (this.#open.get(key)!.shown.of === of) this.#open.delete(key);
  }

  /** Nothing is under way any more. */
  end(): void {
    this.#wipe();
    this.#open.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #draw(): void {
    if (!this.#io.live || this.#open.size === 0) return;
    const now = performance.now();
    const words = [...this.#open.values()].map(({ shown, since }) => {
      const note = shown.note ? ` (${this.#io.say(shown.note)})` : '';
      return `${shown.of}: ${this.#io.say(shown.title)}${note} ${duration(Math.floor((now - since) / 1000) * 1000)}`;
    });
    process.stderr.write(`… ${clip(words.join(' · '), (process.stderr.columns || 80) - 3)}`);
    this.#drawn = true;
    this.#timer ??= setInterval(() => {
      this.#wipe();
      this.#draw();
    }, 1000).unref();
  }

  #wipe(): void {
    if (this.#drawn) process.stderr.write('\r\u001b[2K');
    this.#drawn = false;
  }
}

/** Shows the phases of one thing, and keeps their times for `--json`. */
export function phaseListener(
  io: Io,
  of: string,
): {
  onPhase: OnPhase;
  times: Record<string, number>;
  end(): void;
} {
  const lines = new PhaseLines(io);
  const times: Record<string, number> = {};
  return {
    onPhase: (phase) => {
      if (phase.ms !== undefined) times[phase.id] = phase.ms;
      lines.show({ ...phase, of });
    },
    times,
    end: () => lines.end(),
  };
}

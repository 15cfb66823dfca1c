/** A queue of keys to work on: each at most once in it, one at a time, failures again after a growing delay. */
import { ApiError } from '../client/types.ts';

/** First and longest delay after a failure, in ms. */
const BACKOFF = { first: 5, longest: 10_000 };

export class WorkQueue {
  private readonly waiting = new Set<string>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly failures = new Map<string, number>();
  private scheduled = false;
  private working: Promise<void> = Promise.resolve();
  private stopped = false;

  /**
   * @param work brings one object to its wanted state; throws to be called again later
   * @param onError told of failures that are no conflicts
   */
  constructor(
    private readonly work: (key: string) => Promise<void>,
    private readonly onError: (key: string, error: unknown) => void,
  ) {}

  add(key: string): void {
    if (this.stopped) return;
    this.waiting.add(key);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.working = this.drain();
    });
  }

  /** Adds a key after a time, in ms; an earlier time that is set already stands. */
  addAfter(key: string, ms: number): void {
    if (this.stopped) return;
    if (ms <= 0) return this.add(key);
    if (this.timers.has(key)) return;
    const timer = setTimeout(
      () => {
        this.timers.delete(key);
        this.add(key);
      },
      Math.min(ms, 0x7fff_ffff),
    );
    timer.unref();
    this.timers.set(key, timer);
  }

  /** Drops what waits and lets what is being worked on end. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.waiting.clear();
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    await this.working;
  }

  private async drain(): Promise<void> {
    // What is added meanwhile waits for the next turn of the event loop, or others would never get one.
    const batch = [...this.waiting];
    for (const key of batch) {
      if (!this.waiting.delete(key)) continue;
      try {
        await this.work(key);
        this.failures.delete(key);
      } catch (error) {
        if (this.stopped) break;
        const count = this.failures.get(key) ?? 0;
        this.failures.set(key, count + 1);
        // Somebody else wrote in between: the newest state is worked on again, and nobody needs to know.
        if (!(error instanceof ApiError && error.status.code === 409)) this.onError(key, error);
        this.addAfter(key, Math.min(BACKOFF.first * 2 ** count, BACKOFF.longest));
      }
    }
    this.scheduled = false;
    const [more] = this.waiting;
    if (more !== undefined) this.add(more);
  }
}

import { setTimeout as wait } from 'node:timers/promises';

/** Waits between two looks; ends early, by throwing, when `signal` ends. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal });
}

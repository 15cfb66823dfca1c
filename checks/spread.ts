/** Who answers? Many requests over a connection each, and how many every pod answered. */
import { derive, together, type Observation } from '../src/model/observation.ts';
import type { Outcome } from '../src/model/outcome.ts';
import { batch, understand, type Command, type Piece } from './batch.ts';
import type { PodHandle, Stage } from './experiment.ts';

/** The answers to many requests. */
export interface Spread {
  /** Requests that were sent. One that failed ends its row of requests, so it can be fewer than wanted. */
  readonly sent: number;
  /** By the name of the pod that answered, sorted. */
  readonly answered: Readonly<Record<string, number>>;
  /** Requests without an answer, by curl's exit code in words. */
  readonly failed: Readonly<Record<string, number>>;
}

/** Rows of requests that run side by side. */
const ROWS = 6;
const LIMIT = 2;

/** curl's exit codes (curl manual, EXIT CODES). */
const FAILURES: Readonly<Record<number, Outcome | 'NOT CONNECTED' | 'CLOSED'>> = {
  6: 'DNS',
  7: 'NOT CONNECTED',
  28: 'TIMEOUT',
  52: 'CLOSED',
  56: 'CLOSED',
};

/** One row: `count` requests in one curl, a connection for each because the server is told to close it. */
function row(url: string, count: number): Command {
  const words = ['-sS', '--fail-early', '--connect-timeout', String(LIMIT), '--max-time', String(2 * LIMIT)];
  return {
    argv: [
      'curl',
      ...words,
      '-H',
      'Connection: close',
      '-w',
      '\\n@@ %{http_code} %{exitcode}\\n',
      `${url}?[1-${count}]`,
    ],
  };
}

/** Reads one row's answers. @returns undefined when it cannot be made sense of */
export function readSpread({ output }: Piece): Spread | undefined {
  const answered: Record<string, number> = {};
  const failed: Record<string, number> = {};
  let sent = 0;
  for (const [, body, status, exit] of output.matchAll(/([^\n]*)\n@@ (\d+) (\d+)(?:\n|$)/g)) {
    sent++;
    const name = body!.trim();
    if (status === '200' && name) answered[name] = (answered[name] ?? 0) + 1;
    else {
      const why = FAILURES[Number(exit)] ?? `HTTP ${status}, curl ${exit}`;
      failed[why] = (failed[why] ?? 0) + 1;
    }
  }
  return sent === 0 ? undefined : { sent, answered, failed };
}

/** Adds rows up. */
export function addUp(rows: readonly Spread[]): Spread {
  const sum = (maps: readonly Readonly<Record<string, number>>[]) => {
    const total: Record<string, number> = {};
    for (const map of maps) for (const [key, n] of Object.entries(map)) total[key] = (total[key] ?? 0) + n;
    return Object.fromEntries(Object.entries(total).sort(([a], [b]) => a.localeCompare(b)));
  };
  return {
    sent: rows.reduce((n, one) => n + one.sent, 0),
    answered: sum(rows.map((one) => one.answered)),
    failed: sum(rows.map((one) => one.failed)),
  };
}

/** Sends `count` requests to netexec's `/hostname` at an address or name. */
export async function spread(
  stage: Stage,
  from: PodHandle,
  to: string,
  count: number,
  port = 80,
): Promise<Observation<Spread>> {
  const url = `http://${to.includes(':') ? `[${to}]` : to}:${port}/hostname`;
  const rows = Math.min(ROWS, count);
  const share = (index: number) => Math.floor(count / rows) + (index < count % rows ? 1 : 0);
  const commands = Array.from({ length: rows }, (_, index) => row(url, share(index)));
  const pieces = await batch(stage, from, commands, { each: 10_000 });
  return derive(together(pieces.map((piece) => understand(piece, readSpread))), addUp);
}

/** The pods that answered, sorted and in one string: `a b c`; with what failed, if anything did. */
export const whoAnswered = ({ answered, failed }: Spread): string =>
  [...Object.keys(answered), ...Object.entries(failed).map(([why, n]) => `(${why} x${n})`)].join(' ');

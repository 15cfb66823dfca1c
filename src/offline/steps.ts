/**
 * A graph of steps that can be killed at any moment and goes on where it stopped.
 *
 * Each step fills a folder. It works in `NAME.part` and renames that to `NAME` when it is complete (rename(2) is
 * atomic), with a stamp inside that holds the step's key: a hash of what the step is made from. A folder
 * whose stamp holds another key is stale and made anew; without a stamp there is no folder.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Text } from '../model/text.ts';
import { text } from '../model/text.ts';
import { confined, mustFit } from './confined.ts';
import { fitting, needRoom } from './disk.ts';
import type { OnPhase } from './progress.ts';

const STAMP = '.stamp.json';
const PART = '.part';

/** What a step is given when it runs. */
export interface StepContext {
  readonly key: string;
  /** Empty folder that the step fills. */
  readonly folder: string;
  /** Folder of a step that this one needs. */
  of(step: string): string;
  readonly signal: AbortSignal;
  /** One line of what goes on. */
  note(detail: Text): void;
}

export interface Step {
  readonly name: string;
  readonly title: Text;
  /** Names of steps whose folders are read. */
  readonly needs: readonly string[];
  /** Files and folders of the checkout that are read; their contents are part of the key. */
  readonly sources: readonly string[];
  /** Everything else that decides the outcome, as JSON: versions, package lists, flags. */
  readonly recipe: unknown;
  /** Steps of one lane run one after another; lanes run beside each other. */
  readonly lane: string;
  /** Disk space that it adds to what is there while the steps run, in bytes. */
  readonly room: number;
  run(context: StepContext): Promise<void>;
}

/** Keys of all steps, from what they are made of. A step's key covers those of the steps it needs. */
export function keysOf(steps: readonly Step[]): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  for (const step of steps) {
    const hash = createHash('sha256').update(JSON.stringify([step.name, step.recipe]));
    for (const need of step.needs) {
      const key = keys.get(need);
      if (key === undefined) throw new TypeError(`step ${step.name} needs ${need}, which is not before it`);
      hash.update(key);
    }
    for (const source of step.sources) hashTree(source, source, hash.update('\n'));
    keys.set(step.name, hash.digest('hex').slice(0, 16));
  }
  return keys;
}

/** Adds a file's, or a folder's files' paths and contents to a hash. */
function hashTree(root: string, path: string, hash: ReturnType<typeof createHash>): void {
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path).sort()) hashTree(root, join(path, name), hash);
    return;
  }
  const content = readFileSync(path);
  hash.update(`${relative(root, path)} ${content.length}\n`).update(content);
}

const stampOf = (folder: string): string | undefined => {
  try {
    return (JSON.parse(readFileSync(join(folder, STAMP), 'utf8')) as { key?: string }).key;
  } catch {
    return undefined;
  }
};

/** Whether a step's folder is complete and fits. */
export const isDone = (work: string, step: string, key: string | undefined): boolean =>
  key !== undefined && stampOf(join(work, step)) === key;

/** Removes a folder. When we are not root it may hold files of subordinate users, which only their namespace may remove. */
export async function removeTree(folder: string, work: string): Promise<void> {
  const gone = await rm(folder, { recursive: true, force: true }).then(
    () => true,
    () => false,
  );
  if (!gone) await mustFit(confined(['rm', '-rf', '--one-file-system', '--', folder]), work);
}

export interface RunSteps {
  /** Folder of all steps' folders. */
  readonly work: string;
  readonly onPhase?: OnPhase;
  readonly signal?: AbortSignal;
}

/**
 * Brings every step up to date. Steps that are done cost nothing.
 * The first failure stops the rest; what is complete stays.
 */
export async function runSteps(steps: readonly Step[], options: RunSteps): Promise<void> {
  const { work } = options;
  mkdirSync(work, { recursive: true, mode: 0o700 });
  const keys = keysOf(steps);
  const todo = steps.filter((step) => !isDone(work, step.name, keys.get(step.name)));
  needRoom(
    work,
    todo.reduce((sum, { room }) => sum + room, 0),
  );
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const running = new Map<string, Promise<void>>();
  const lanes = new Map<string, Promise<void>>();
  for (const step of steps) {
    const key = keys.get(step.name) ?? '';
    if (isDone(work, step.name, key)) {
      options.onPhase?.({ phase: step.title, state: 'end', ms: 0, detail: text('cached', '已缓存') });
      continue;
    }
    const before = [lanes.get(step.lane), ...step.needs.map((need) => running.get(need))];
    const done = Promise.all(before).then(() => {
      signal.throwIfAborted();
      return runStep(step, key, { ...options, signal });
    });
    done.catch((error: unknown) => stop.abort(error));
    running.set(step.name, done);
    lanes.set(step.lane, done);
  }
  // All have to end before we return, or they would write after us; the first failure is the one to tell.
  await Promise.allSettled(running.values());
  options.signal?.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
}

async function runStep(
  step: Step,
  key: string,
  options: RunSteps & { readonly signal: AbortSignal },
): Promise<void> {
  const { work, onPhase, signal } = options;
  const folder = join(work, step.name);
  const part = `${folder}${PART}`;
  const began = performance.now();
  onPhase?.({ phase: step.title, state: 'begin' });
  await fitting(work, async () => {
    await removeTree(part, work);
    mkdirSync(part);
    await step.run({
      key,
      folder: part,
      of: (name) => join(work, name),
      signal,
      note: (detail) => onPhase?.({ phase: step.title, state: 'note', detail }),
    });
    const ms = Math.round(performance.now() - began);
    writeFileSync(join(part, STAMP), JSON.stringify({ key, ms }));
    await removeTree(folder, work);
    renameSync(part, folder);
  });
  onPhase?.({ phase: step.title, state: 'end', ms: Math.round(performance.now() - began) });
}

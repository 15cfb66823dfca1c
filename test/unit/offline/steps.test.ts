import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { same } from '../../../src/model/text.ts';
import { keysOf, runSteps, type Step } from '../../../src/offline/steps.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'podlab-steps-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A step that writes its name, and tells that it ran. */
function step(name: string, more: Partial<Step> = {}, ran: string[] = []): Step {
  return {
    name,
    title: same(name),
    needs: [],
    sources: [],
    recipe: 1,
    lane: 'a',
    room: 0,
    run: ({ folder: own }) => {
      ran.push(name);
      writeFileSync(join(own, 'out'), name);
      return Promise.resolve();
    },
    ...more,
  };
}

describe('keys', () => {
  it('follow the recipe, the sources and the steps before', () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'one');
    const graph = (recipe: unknown) => [
      step('first', { recipe, sources: [source] }),
      step('second', { needs: ['first'] }),
      step('apart'),
    ];
    const before = keysOf(graph(1));
    const otherRecipe = keysOf(graph(2));
    writeFileSync(join(source, 'file'), 'two');
    const otherSource = keysOf(graph(1));
    for (const after of [otherRecipe, otherSource]) {
      expect(after.get('first')).not.toBe(before.get('first'));
      expect(after.get('second')).not.toBe(before.get('second'));
      expect(after.get('apart')).toBe(before.get('apart'));
    }
  });

  it('refuse a step that stands before what it needs', () => {
    expect(() => keysOf([step('b', { needs: ['a'] }), step('a')])).toThrow(/needs a/);
  });
});

describe('a run', () => {
  it('does each step once, then only what changed and what needs it', async () => {
    const ran: string[] = [];
    const graph = (recipe: number) => [
      step('a', { recipe }, ran),
      step('b', { needs: ['a'], lane: 'b' }, ran),
      step('c', {}, ran),
    ];
    await runSteps(graph(1), { work: folder });
    expect([...ran].sort()).toEqual(['a', 'b', 'c']);
    expect(ran.indexOf('a')).toBeLessThan(ran.indexOf('b'));
    await runSteps(graph(1), { work: folder });
    expect(ran).toHaveLength(3);
    await runSteps(graph(2), { work: folder });
    expect(ran.slice(3)).toEqual(['a', 'b']);
  });

  it('keeps what was done when a later step fails, and leaves nothing half-made under a finished name', async () => {
    const ran: string[] = [];
    const broken = step('b', {
      needs: ['a'],
      run: ({ folder: own }) => {
        writeFileSync(join(own, 'half'), '');
        return Promise.reject(new Error('on purpose'));
      },
    });
    await expect(
      runSteps([step('a', {}, ran), broken, step('c', { needs: ['b'] }, ran)], { work: folder }),
    ).rejects.toThrow('on purpose');
    expect(ran).toEqual(['a']);
    expect(existsSync(join(folder, 'b'))).toBe(false);
    await runSteps([step('a', {}, ran), step('b', { needs: ['a'] }, ran)], { work: folder });
    expect(ran).toEqual(['a', 'b']);
    expect(readFileSync(join(folder, 'b/out'), 'utf8')).toBe('b');
    expect(existsSync(join(folder, 'b/half'))).toBe(false);
  });

  it('says how much room is missing before it begins', async () => {
    const ran: string[] = [];
    const greedy = [step('a', {}, ran), step('b', { room: 1e18 }, ran)];
    await expect(runSteps(greedy, { work: folder })).rejects.toMatchObject({
      code: 'OFFLINE_DISK_FULL',
      exitCode: 3,
      text: { zh: expect.stringContaining('空间不足') as string },
    });
    expect(ran).toEqual([]);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const first = step('a', {
      run: () => {
        stop.abort(new Error('stopped'));
        return Promise.resolve();
      },
    });
    const ran: string[] = [];
    await expect(
      runSteps([first, step('b', {}, ran)], { work: folder, signal: stop.signal }),
    ).rejects.toThrow('stopped');
    expect(ran).toEqual([]);
  });
});

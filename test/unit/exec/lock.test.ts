import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { alive, ownName, withLock } from '../../../src/exec/lock.ts';

const file = () => join(mkdtempSync(join(tmpdir(), 'lock-')), 'l');

it('lets one in at a time', async () => {
  const lock = file();
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((done) => setTimeout(done, 5));
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(lock, work)));
  expect(most).toBe(1);
});

it('takes over from a holder that is dead, and from one whose id was used again', async () => {
  const lock = file();
  writeFileSync(lock, JSON.stringify({ pid: process.pid, start: '1' }));
  expect(await withLock(lock, () => Promise.resolve('in'))).toBe('in');
});

it('gives up when told to stop', async () => {
  const lock = file();
  writeFileSync(lock, JSON.stringify(ownName()));
  await expect(withLock(lock, () => Promise.resolve(), AbortSignal.timeout(50))).rejects.toThrow();
});

it('knows a process by id and start time', () => {
  expect(alive(ownName())).toBe(true);
  expect(alive({ ...ownName(), start: '1' })).toBe(false);
  expect(alive(undefined)).toBe(false);
});

import { mkdtempSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Stage } from '../../../checks/experiment.ts';
import { changeNode } from '../../../checks/node-state.ts';
import { run } from '../../../src/exec/run.ts';
import { observe } from '../../../src/run/observe.ts';

const folder = mkdtempSync(join(tmpdir(), 'podlab-node-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A stage whose node is this machine; changes touch files of a folder only. */
const undo: (() => Promise<unknown>)[] = [];
const stage = {
  undo: (action: () => Promise<unknown>) => undo.push(action),
  onNode: async (node: string, argv: readonly string[]) => {
    const { stdout, stderr, code, ms, broken } = await run(argv);
    return observe({ where: node, command: argv.join(' '), stdout, stderr, code, ms, at: '' }, broken);
  },
} as unknown as Stage;
const change = (name: string) => {
  const file = join(folder, name);
  return { file, apply: `touch ${file}`, revert: `rm -f ${file}` };
};
const until = async (holds: () => boolean) => {
  for (let look = 0; look < 200 && !holds(); look++) await new Promise((resolve) => setTimeout(resolve, 50));
};

it('a change lasts until it is reverted, and may be reverted twice', async () => {
  const { file, ...scripts } = change('a');
  const made = await changeNode(stage, 'here', scripts);
  expect(existsSync(file)).toBe(true);
  await made.revert();
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, '');
  await Promise.all(undo.map((action) => action()));
  expect(existsSync(file)).toBe(true);
});

it('a change is put back by the node when nobody does', async () => {
  const { file, ...scripts } = change('b');
  await changeNode(stage, 'here', { ...scripts, within: 1 });
  expect(existsSync(file)).toBe(true);
  await until(() => !existsSync(file));
  expect(existsSync(file)).toBe(false);
});

it('a change that fails half-way is put back and said', async () => {
  const { file, apply, revert } = change('c');
  await expect(changeNode(stage, 'here', { apply: `${apply}\nfalse`, revert })).rejects.toMatchObject({
    code: 'node-change-failed',
  });
  expect(existsSync(file)).toBe(false);
});

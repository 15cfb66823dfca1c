/** The entry before there is any Node to speak for it. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { run } from '../../../src/exec/run.ts';

const entry = fileURLToPath(new URL('../../../podlab', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'podlab-entry-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A PATH with the shell's tools and, if said, a `node` that claims a version. */
function path(node?: string): string {
  const bin = mkdtempSync(join(folder, 'bin-'));
  for (const tool of ['bash', 'env', 'dirname', 'readlink', 'cksum', 'uname', 'npm'])
    symlinkSync(`/usr/bin/${tool}`, join(bin, tool));
  if (node) {
    writeFileSync(join(bin, 'node'), `#!/bin/sh\necho ${node}\n`);
    chmodSync(join(bin, 'node'), 0o755);
  }
  return bin;
}

it.each([
  [undefined, 'en_US.UTF-8', 'there is no `node` on the PATH'],
  ['v18.20.4', 'en_US.UTF-8', 'is v18.20.4'],
  ['v20.18.3', 'zh_CN.UTF-8', '需要 Node.js 20.19'],
])('node %s, %s', async (node, lang, says) => {
  const { code, stdout, stderr } = await run(['/bin/bash', entry, 'list'], {
    env: { PATH: path(node), LANG: lang },
  });
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toContain(says);
  expect(stderr).toMatch(/next:|下一步：/);
});

it('is found through links, as npm makes them, and from any folder', async () => {
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  symlinkSync(entry, join(folder, 'a/real'));
  symlinkSync('../real', join(folder, 'a/b/podlab'));
  const { code, stdout } = await run([join(folder, 'a/b/podlab'), '--version'], { cwd: '/' });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

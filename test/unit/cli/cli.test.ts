/** The command line as a person meets it: the real entry, run as a program. */
import { fileURLToPath } from 'node:url';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { run } from '../../../src/exec/run.ts';
import { asPodlabError } from '../../../src/cli/errors.ts';
import { CommandFailed } from '../../../src/exec/run.ts';
import { near } from '../../../src/model/near.ts';

const entry = fileURLToPath(new URL('../../../podlab', import.meta.url));

/** Runs podlab with a locale, no terminal and no colour asked for. */
function podlab(words: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = '/') {
  const { NO_COLOR: _n, FORCE_COLOR: _f, LC_ALL: _a, NODE_OPTIONS: _o, ...rest } = process.env;
  return run([entry, ...words], { env: { ...rest, LANG: 'C.UTF-8', ...env }, cwd });
}

const COMMANDS = [
  'up',
  'down',
  'list',
  'status',
  'kubeconfig',
  'verify',
  'claims',
  'doctor',
  'offline',
  'test',
];

describe('help', () => {
  it('names every command in both languages, in 80 columns, without colour', async () => {
    for (const lang of ['en', 'zh']) {
      const { code, stdout, stderr } = await podlab(['--help', '--lang', lang]);
      expect([code, stderr]).toEqual([0, '']);
      for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name}[ |]`, 'm'));
      expect(stdout.split('\n').filter((line) => stringWidth(line) > 80)).toEqual([]);
      expect(stdout).not.toContain('\u001b');
      expect(stdout).toContain(lang === 'zh' ? '用法：' : 'Usage:');
    }
  });

  it('has examples for the commands, in 80 columns, in the language of the locale', async () => {
    const pages = await Promise.all(
      ['up', 'verify'].map((name) => podlab([name, '--help'], { LANG: 'zh_CN.UTF-8' })),
    );
    for (const { code, stdout } of pages) {
      expect(code).toBe(0);
      expect(stdout).toContain('示例：');
      expect(stdout.split('\n').filter((line) => stringWidth(line) > 80)).toEqual([]);
    }
  });

  it('without a command it is shown, and the exit code says that nothing was asked', async () => {
    const { code, stdout } = await podlab([]);
    expect(code).toBe(2);
    expect(stdout).toContain('Usage:');
  });
});

describe('errors', () => {
  it.each([
    [['upp'], 'There is no command "upp".', 'Did you mean up?'],
    [['up', '--cni', 'flanel'], '"flanel" is no value', 'flannel-host-gw'],
    [['up', '--workers', 'many'], '"many" is no number', '--workers 2'],
    [['verify', '--claim', '2.7x'], 'There is no claim 2.7x.', '2.7a'],
    [['verify', '--cni', 'clico', '--claim', '1.1'], 'no pod network "clico"', 'calico'],
    [['test', 'untt'], 'no test suite untt', 'unit'],
  ])('%j', async (words, what, next) => {
    const { code, stdout, stderr } = await podlab(words);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(what);
    expect(stderr).toMatch(new RegExp(`next:.*${next}`));
  });

  it('speak Chinese', async () => {
    const { code, stderr } = await podlab(['verify', '--lang', 'zh', '--claim', '9.9']);
    expect(code).toBe(2);
    expect(stderr).toContain('没有论断 9.9');
    expect(stderr).toContain('下一步：');
  });

  it('are JSON for those who asked for JSON', async () => {
    const { code, stdout, stderr } = await podlab(['claims', 'show', '--json', '2.7x']);
    expect([code, stderr]).toEqual([2, '']);
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'unknown-claim', fault: 'user', exitCode: 2 });
  });

  it('colour only when asked, and then no word depends on it', async () => {
    const plain = await podlab(['upp']);
    const colour = await podlab(['upp'], { FORCE_COLOR: '1' });
    expect(colour.stderr).toContain('\u001b[');
    // eslint-disable-next-line no-control-regex
    expect(colour.stderr.replace(/\u001b\[\d+m/g, '')).toBe(plain.stderr);
    expect((await podlab(['upp'], { FORCE_COLOR: '1', NO_COLOR: '1' })).stderr).toBe(plain.stderr);
  });

  it.each([
    [Object.assign(new Error('write'), { code: 'ENOSPC' }), 'disk-full', 3],
    [new CommandFailed({ argv: ['x'], code: 1, stderr: 'no' } as never), 'command-failed', 3],
    [new TypeError('undefined is not a function'), 'bug', 70],
  ])('%s', (error, code, exitCode) => {
    expect(asPodlabError(error)).toMatchObject({ code, exitCode });
  });
});

it('claims can be read: the quote, the expected verdict, the control, the experiment', async () => {
  const { stdout } = await podlab(['claims', 'show', '2.7a', '--json']);
  expect(JSON.parse(stdout)[0]).toMatchObject({
    id: '2.7a',
    expected: 'REFUTED',
    quote: expect.stringContaining('lo'),
  });
});

it('near names are near', () => {
  expect(near('calcio', ['calico', 'flannel'])).toEqual(['calico']);
  expect(near('zzz', ['calico', 'flannel'])).toEqual([]);
});

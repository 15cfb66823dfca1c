import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readFileSync } from 'node:fs';
import { isGoEnough } from '../../../src/offline/needs.ts';
import { aptSources } from '../../../src/offline/recipe/debian.ts';
import { recipe, SET_FILES, setKey } from '../../../src/offline/recipe/recipe.ts';
import { configFolder, readVersions } from '../../../src/offline/versions.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'podlab-recipe-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('versions.yaml', () => {
  it.each([
    ['kubernetes', 'kubernetes', 'k8s.io/kubernetes'],
    ['kind', 'kind', 'sigs.k8s.io/kind'],
    ['etcd', 'etcd', 'go.etcd.io/etcd/server/v3'],
    ['coredns', 'coredns', 'github.com/coredns/coredns'],
    ['criTools', 'cri-tools', 'sigs.k8s.io/cri-tools'],
    ['flannel', 'flannel', 'github.com/flannel-io/flannel'],
    ['flannelCni', 'flannel-cni', 'github.com/containernetworking/plugins'],
  ] as const)('says of %s what go.mod of modules/%s requires', (name, module, path) => {
    const mod = readFileSync(join(configFolder(), 'modules', module, 'go.mod'), 'utf8');
    expect(mod).toMatch(new RegExp(`${path} ${readVersions()[name].replaceAll('.', '\\.')}(\\s|$)`));
  });

  it('is the one place: every name is a string', () => {
    const raw = parse(readFileSync(join(configFolder(), 'versions.yaml'), 'utf8')) as object;
    expect(Object.keys(raw).sort()).toEqual(Object.keys(readVersions()).sort());
  });
});

describe('the recipe', () => {
  const v = readVersions();
  it('has every file of the set in a step that the key covers', () => {
    const steps = new Map(recipe(v, folder).map((step) => [step.name, step]));
    const covered = new Set<string>();
    const cover = (name: string): void => {
      if (covered.has(name)) return;
      covered.add(name);
      steps.get(name)?.needs.forEach(cover);
    };
    cover('node');
    for (const [step] of Object.values(SET_FILES)) expect(covered).toContain(step);
    expect([...steps.keys()].filter((name) => !covered.has(name))).toEqual([]);
  });

  it('has another key for another version', () => {
    expect(setKey(v)).toMatch(/^[0-9a-f]{16}$/);
    expect(setKey({ ...v, kubernetes: 'v1.34.5' })).not.toBe(setKey(v));
    expect(setKey({ ...v, debian: 'trixie' })).not.toBe(setKey(v));
  });
});

describe("the machine's package sources", () => {
  const put = (name: string, content: string) => {
    mkdirSync(join(folder, 'etc/apt/sources.list.d'), { recursive: true });
    writeFileSync(join(folder, 'etc/apt', name), content);
  };

  it('are those of the release itself, in both styles', () => {
    put('sources.list', '# deb http://mirror.example/debian bookworm main\n');
    put(
      'sources.list.d/debian.sources',
      'URIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n',
    );
    put('sources.list.d/old.list', 'deb [signed-by=/k] http://mirror.example/debian bookworm main contrib\n');
    put('sources.list.d/third.list', 'deb http://third.example/apt third-bookworm main\n');
    put('sources.list.d/stable.list', 'deb http://third.example/apt bookworm stable\n');
    put('sources.list.d/notes.txt', 'deb http://mirror.example/debian bookworm main\n');
    expect(aptSources('bookworm', folder)).toEqual(
      ['debian.sources', 'old.list'].map((name) => join(folder, 'etc/apt/sources.list.d', name)),
    );
    expect(aptSources('trixie', folder)).toEqual([]);
  });

  it('are none on a machine without apt', () => {
    expect(aptSources('bookworm', folder)).toEqual([]);
  });
});

describe('Go', () => {
  it.each([
    ['go1.26.8', true],
    ['go1.27.0', true],
    ['go2.0', true],
    ['go1.25.9', false],
    ['go1.3', false],
    ['', false],
  ])('%s is new enough: %s', (told, enough) => {
    expect(isGoEnough(told, '1.26')).toBe(enough);
  });
});

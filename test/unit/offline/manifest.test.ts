import { mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findImageSet, needImageSet } from '../../../src/offline/image-set.ts';
import { damage, readManifest, writeManifest } from '../../../src/offline/manifest.ts';
import { imageNames } from '../../../src/offline/recipe/image-names.ts';
import { SET_FILES, setKey } from '../../../src/offline/recipe/recipe.ts';
import { offlineStatus } from '../../../src/offline/status.ts';
import { readVersions } from '../../../src/offline/versions.ts';

let cache: string;
let folder: string;
const before = process.env['PODLAB_CACHE'];
const versions = readVersions();
const key = setKey(versions);

/** A set of this checkout with small files. */
beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), 'podlab-manifest-'));
  process.env['PODLAB_CACHE'] = cache;
  folder = join(cache, 'offline', key);
  for (const path of Object.keys(SET_FILES)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), path);
  }
  await writeManifest(folder, { key, versions, images: imageNames(versions, key) }, Object.keys(SET_FILES));
});
afterEach(() => {
  if (before === undefined) delete process.env['PODLAB_CACHE'];
  else process.env['PODLAB_CACHE'] = before;
  rmSync(cache, { recursive: true });
});

const damageNow = () => damage(folder, readManifest(folder) ?? expect.fail('no manifest'));

describe('a set', () => {
  it('is found with absolute paths and the names that manifests ask for', async () => {
    const set = await needImageSet();
    expect(set.binaries.kind).toBe(join(folder, 'bin/kind'));
    expect(set.nodeImage.name).toContain(key.slice(0, 8));
    expect(set.images.agnhost).toBe('registry.k8s.io/e2e-test-images/agnhost:2.47');
    expect(set.kubeadm.etcdTag).toBe('3.6.5-0');
  });

  it('is none without a manifest: the hint is the command that makes one', async () => {
    unlinkSync(join(folder, 'manifest.json'));
    expect(await findImageSet()).toBeUndefined();
    await expect(needImageSet()).rejects.toMatchObject({
      code: 'OFFLINE_SET_MISSING',
      hint: { en: expect.stringContaining('./podlab offline build') as string },
    });
  });

  it('is damaged when a file has other contents of the same size', async () => {
    expect(await damageNow()).toBeUndefined();
    writeFileSync(join(folder, 'bin/kind'), 'bin/dnik');
    expect(await damageNow()).toBe('bin/kind');
    await expect(findImageSet()).rejects.toMatchObject({ code: 'OFFLINE_SET_DAMAGED', exitCode: 3 });
    expect((await offlineStatus()).damaged?.text.en).toContain('bin/kind');
  });

  it('is damaged when a file is missing or cut short', async () => {
    writeFileSync(join(folder, 'images/node.tar'), 'x');
    expect(await damageNow()).toBe('images/node.tar');
    unlinkSync(join(folder, 'images/node.tar'));
    expect(await damageNow()).toBe('images/node.tar');
  });

  it('tells what a build has still to do', async () => {
    const status = await offlineStatus();
    expect(status.set?.key).toBe(key);
    expect(status.todo).toContain('node');
    expect(status.bytes).toBe(Object.keys(SET_FILES).join('').length);
    expect(readFileSync(join(folder, 'manifest.json'), 'utf8')).toContain(key);
  });
});

/** What a build needs of the machine: some Debian packages, which root installs, and a Go that is new enough. */
import { existsSync } from 'node:fs';
import { run, which } from '../exec/run.ts';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import type { Versions } from './versions.ts';

/** A program, or a file, and the Debian package that brings it. */
const NEEDED: readonly (readonly [what: string, debian: string])[] = [
  ['mmdebstrap', 'mmdebstrap'],
  ['/usr/share/keyrings/debian-archive-keyring.gpg', 'debian-archive-keyring'],
  ['unshare', 'util-linux'],
  ['setpriv', 'util-linux'],
  ['tar', 'tar'],
  ['bash', 'bash'],
];
/** Subordinate ids are for those who are not root. */
const NEEDED_BY_USERS: typeof NEEDED = [['newuidmap', 'uidmap']];
const APT_MS = 600_000;

const isRoot = (): boolean => process.getuid?.() === 0;

async function missing(): Promise<readonly string[]> {
  const packages = new Set<string>();
  for (const [what, debian] of isRoot() ? NEEDED : [...NEEDED, ...NEEDED_BY_USERS])
    if (!(what.startsWith('/') ? existsSync(what) : await which(what))) packages.add(debian);
  return [...packages];
}

/**
 * Sees to everything that a build needs.
 * @throws PodlabError OFFLINE_NEEDS_LINUX, OFFLINE_NEEDS_PACKAGES or OFFLINE_NEEDS_GO, each with the way out
 */
export async function needTools(v: Versions, signal?: AbortSignal): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new PodlabError({
      code: 'OFFLINE_NEEDS_LINUX',
      fault: 'machine',
      message: text(
        'The offline image set is built on Linux on x86-64.',
        '离线镜像集只能在 x86-64 的 Linux 上构建。',
      ),
      hint: text(
        'Build it there (`./podlab offline save FILE`) and bring it: ./podlab offline load FILE',
        '请在那里构建并保存（`./podlab offline save FILE`），再载入：./podlab offline load FILE',
      ),
    });
  await needPackages(signal);
  await needGo(v);
}

async function needPackages(signal?: AbortSignal): Promise<void> {
  let lacking = await missing();
  if (lacking.length === 0) return;
  let evidence: string | undefined;
  if (isRoot() && (await which('apt-get'))) {
    const options = {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: APT_MS,
      ...(signal ? { signal } : {}),
    };
    // A list that cannot be renewed is told by the installation.
    await run(['apt-get', 'update', '-q'], options);
    const install = ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...lacking];
    const ran = await run(install, options);
    evidence = ran.ok ? undefined : ran.stderr.slice(-1000);
    lacking = await missing();
  }
  if (lacking.length === 0) return;
  const line = `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${lacking.join(' ')}`;
  throw new PodlabError({
    code: 'OFFLINE_NEEDS_PACKAGES',
    fault: 'machine',
    message: text(
      `Building the offline image set needs: ${lacking.join(', ')}`,
      `构建离线镜像集需要：${lacking.join('、')}`,
    ),
    hint: text(`Install them: ${line}`, `请安装：${line}`),
    ...(evidence ? { evidence } : {}),
  });
}

/** Whether a Go version such as `go1.26.3` is at least `1.26`. */
export function isGoEnough(told: string, least: string): boolean {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(told) ?? [];
  const [wantedMajor, wantedMinor] = least.split('.').map(Number) as [number, number];
  const [haveMajor, haveMinor] = [Number(major), Number(minor)];
  return haveMajor > wantedMajor || (haveMajor === wantedMajor && haveMinor >= wantedMinor);
}

async function needGo(v: Versions): Promise<void> {
  const told = await run(['go', 'env', 'GOVERSION', 'GOTOOLCHAIN']);
  const [version = '', toolchain = ''] = told.stdout.split('\n');
  // With GOTOOLCHAIN=auto an older Go fetches the one that a module asks for.
  if (told.ok && (isGoEnough(version, v.go) || (toolchain.includes('auto') && isGoEnough(version, '1.21'))))
    return;
  throw new PodlabError({
    code: 'OFFLINE_NEEDS_GO',
    fault: 'machine',
    message: told.ok
      ? text(
          `Go ${v.go} or later is needed; this is ${version}.`,
          `需要 Go ${v.go} 或更高版本；当前是 ${version}。`,
        )
      : text(
          `Go ${v.go} or later is needed, and there is no \`go\` on the PATH.`,
          `需要 Go ${v.go} 或更高版本，而 PATH 中没有 \`go\`。`,
        ),
    hint: text(
      'Install it as https://go.dev/doc/install says and put it on the PATH, or bring a finished set: ./podlab offline load FILE',
      '请按 https://go.dev/doc/install 安装并加入 PATH，或载入现成的镜像集：./podlab offline load FILE',
    ),
  });
}

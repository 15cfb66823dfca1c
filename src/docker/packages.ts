/** Debian packages that an engine of our own is made of. */
import { must, run, which } from '../exec/run.ts';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';

/** Programs and the packages that bring them. */
const NEEDED: readonly (readonly [program: string, debian: string])[] = [
  ['dockerd', 'docker.io'],
  ['docker', 'docker.io'],
  ['runc', 'runc'],
  ['iptables', 'iptables'],
  ['ip', 'iproute2'],
  ['nsenter', 'util-linux'],
];
const INSTALL_MS = 600_000;

/** Debian packages that are missing here. */
export async function missingPackages(): Promise<readonly string[]> {
  const missing = new Set<string>();
  for (const [program, debian] of NEEDED) if (!(await which(program))) missing.add(debian);
  return [...missing];
}

/** The line that installs packages. */
export const installLine = (packages: readonly string[]): string =>
  `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`;

/**
 * Installs what is missing when we may.
 * @throws PodlabError `engine-packages` with the line to paste
 */
export async function needPackages(signal?: AbortSignal): Promise<void> {
  let missing = await missingPackages();
  if (missing.length === 0) return;
  let evidence: string | undefined;
  if (process.getuid?.() === 0 && (await which('apt-get'))) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // A stale or absent package list is told by the installation itself.
    await run(['apt-get', 'update', '-q'], { env, timeout: INSTALL_MS, signal });
    const install = await run(['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...missing], {
      env,
      timeout: INSTALL_MS,
      signal,
    });
    evidence = install.ok ? undefined : install.stderr.slice(-1000);
    missing = await missingPackages();
  }
  if (missing.length > 0)
    throw new PodlabError({
      code: 'engine-packages',
      fault: 'machine',
      message: text(
        `Programs of these packages are missing: ${missing.join(', ')}`,
        `缺少以下软件包：${missing.join('、')}`,
      ),
      hint: text(`Install them: ${installLine(missing)}`, `请安装：${installLine(missing)}`),
      evidence,
    });
}

/** `--version` of a program, first line; undefined when it is not there. */
export async function versionOf(program: string): Promise<string | undefined> {
  if (!(await which(program))) return undefined;
  const told = await must([program, '--version']).catch(() => undefined);
  return told?.stdout.split('\n')[0];
}

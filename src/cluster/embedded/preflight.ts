/** What the engine needs of the machine, looked at before anything is made. */
import { join } from 'node:path';
import { FILES } from '../../engine/config.ts';
import { embeddedPackagesFact } from '../../doctor/host.ts';
import { PodlabError } from '../../model/errors.ts';
import { same, text } from '../../model/text.ts';

/** The longest path of a unix socket below the run folder (BIRD's on a node), and what unix(7) allows. */
const LONGEST = join(FILES.sandbox, 'n99/root/run/calico/bird.ctl');
const MOST = 107;

/** @throws PodlabError `no-linux`, `packages-missing` or `run-folder-too-long` */
export async function preflight(folder: string): Promise<void> {
  if (process.platform !== 'linux')
    throw new PodlabError({
      code: 'no-linux',
      fault: 'machine',
      message: text('The embedded cluster needs a Linux kernel.', '内嵌集群需要 Linux 内核。'),
      hint: text(
        'Use WSL2 on Windows, or a kind cluster: ./podlab up --cluster kind',
        '在 Windows 上请使用 WSL2，或使用 kind 集群：./podlab up --cluster kind',
      ),
    });
  const packages = await embeddedPackagesFact();
  if (packages.state === 'lack')
    throw new PodlabError({
      code: 'packages-missing',
      fault: 'machine',
      message: text(
        `The embedded cluster is made of Linux packages: ${packages.detail.en}.`,
        `内嵌集群由 Linux 软件包构成：${packages.detail.zh}。`,
      ),
      hint: same(packages.mend ?? './podlab doctor'),
    });
  if (Buffer.byteLength(join(folder, LONGEST)) > MOST)
    throw new PodlabError({
      code: 'run-folder-too-long',
      fault: 'user',
      message: text(`The path ${folder} is too long for sockets.`, `路径 ${folder} 过长，无法放置套接字。`),
      hint: text(
        'Choose a shorter one: export PODLAB_RUN=/tmp/pl',
        '请使用更短的路径：export PODLAB_RUN=/tmp/pl',
      ),
    });
}

/** Docker, kind, kubectl and the image set: what makes a kind cluster possible here. */
import { findDocker } from '../docker/docker.ts';
import { installLine, missingPackages } from '../docker/packages.ts';
import { run, which } from '../exec/run.ts';
import { text } from '../model/text.ts';
import { findImageSet } from '../offline/image-set.ts';
import type { Fact } from './fact.ts';

const ASK_MS = 10_000;

export async function dockerFact(): Promise<Fact> {
  const title = text('Docker', 'Docker');
  const docker = await findDocker();
  if (docker) {
    const told = await docker.run(['version', '--format', '{{.Server.Version}}'], { timeout: ASK_MS });
    const version = told.ok ? told.stdout.trim() : '';
    const whose = docker.engine
      ? text('our own engine, running', '自带引擎，运行中')
      : text('yours', '您自己的');
    const detail = text(
      `${docker.kind} ${version} (${whose.en})`,
      `${docker.kind} ${version}（${whose.zh}）`,
    );
    return { id: 'docker', title, state: 'ok', detail };
  }
  const missing = await missingPackages();
  if (process.platform === 'linux' && process.getuid?.() === 0)
    return {
      id: 'docker',
      title,
      state: missing.length === 0 ? 'ok' : 'note',
      detail:
        missing.length === 0
          ? text('none runs; `up` starts an engine of our own', '未运行；`up` 会启动自带引擎')
          : text(
              `missing: ${missing.join(' ')}; \`up\` installs them`,
              `缺少：${missing.join(' ')}；\`up\` 会安装`,
            ),
      mend: missing.length === 0 ? undefined : installLine(missing),
    };
  return {
    id: 'docker',
    title,
    state: 'lack',
    detail: text('none answers, and only root can start one', '没有可用的引擎，且只有 root 能启动'),
    mend: missing.length === 0 ? 'sudo ./podlab up --cluster kind' : installLine(missing),
  };
}

export async function imageSetFact(): Promise<Fact> {
  const title = text('offline image set', '离线镜像集');
  const set = await findImageSet();
  if (set) {
    const { kubernetes, kind, flannel, calico } = set.versions;
    const detail = `Kubernetes ${kubernetes}, kind ${kind}, flannel ${flannel}, calico ${calico}`;
    return { id: 'image-set', title, state: 'ok', detail: text(detail, detail) };
  }
  const kind = await which('kind');
  return {
    id: 'image-set',
    title,
    state: kind ? 'note' : 'lack',
    detail: kind
      ? text('not built; kind is installed and can use a registry', '未构建；已安装 kind，可使用镜像仓库')
      : text('not built, and kind is not installed', '未构建，也未安装 kind'),
    mend: './podlab offline build',
  };
}

export async function kubectlFact(): Promise<Fact> {
  const title = text('kubectl', 'kubectl');
  const path = await which('kubectl');
  const told = path ? await run([path, 'version', '--client'], { timeout: ASK_MS }) : undefined;
  const version = told?.ok ? /v\d+\.\d+\.\d+/.exec(told.stdout)?.[0] : undefined;
  if (version)
    return {
      id: 'kubectl',
      title,
      state: 'ok',
      detail: text(`${version} (${path})`, `${version}（${path}）`),
    };
  const set = await findImageSet();
  if (set)
    return {
      id: 'kubectl',
      title,
      state: 'note',
      detail: text(
        `not on the PATH; the offline set has one: ${set.binaries.kubectl}`,
        `不在 PATH 中；离线镜像集自带：${set.binaries.kubectl}`,
      ),
      mend: `sudo ln -s ${set.binaries.kubectl} /usr/local/bin/kubectl`,
    };
  return {
    id: 'kubectl',
    title,
    state: 'note',
    detail: text('not found; lessons show commands for it', '未找到；课程中的命令会用到它'),
    mend: 'https://kubernetes.io/docs/tasks/tools/',
  };
}

/**
 * One Docker (or Podman) that answers: the user's own when there is one, ours otherwise.
 * What is common to both; how ours is started stands in `engine.ts`.
 */
import { must, run, which, type Ran, type RunOptions } from '../exec/run.ts';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';
import { runningEngine, startEngine, type Engine, type StartOptions } from './engine.ts';
import { needPackages } from './packages.ts';

/** How long `docker info` may take before we say that it does not answer, in milliseconds. */
const ANSWER_MS = 10_000;

export interface Docker {
  readonly kind: 'own-engine' | 'docker' | 'podman';
  /** Our engine, when it is ours. */
  readonly engine: Engine | undefined;
  /** Environment for docker, podman and kind. */
  readonly env: NodeJS.ProcessEnv;
  /** Whether its containers' processes can be entered from here as root (`nsenter`). */
  readonly enterable: boolean;
  /** argv of a docker command, to run or to show. */
  argv(...args: readonly string[]): readonly string[];
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Like `run`, for what has to succeed. */
  must(args: readonly string[], options?: RunOptions): Promise<Ran>;
}

function handle(kind: Docker['kind'], engine: Engine | undefined): Docker {
  const program = kind === 'podman' ? 'podman' : 'docker';
  const env = { ...process.env };
  if (engine) {
    env['DOCKER_HOST'] = `unix://${engine.socket}`;
    delete env['DOCKER_CONTEXT'];
  }
  if (kind === 'podman') env['KIND_EXPERIMENTAL_PROVIDER'] = 'podman';
  const argv = (...args: readonly string[]) =>
    engine ? [program, '--host', `unix://${engine.socket}`, ...args] : [program, ...args];
  return {
    kind,
    engine,
    env,
    enterable: engine !== undefined,
    argv,
    run: (args, options) => run(argv(...args), { env, ...options }),
    must: (args, options) => must(argv(...args), { env, ...options }),
  };
}

/** Docker that answers now, without starting anything. */
export async function findDocker(): Promise<Docker | undefined> {
  const engine = runningEngine();
  if (engine) return handle('own-engine', engine);
  if (process.env['PODLAB_DOCKER'] === 'own') return undefined;
  for (const kind of ['docker', 'podman'] as const) {
    if ((await which(kind)) && (await run([kind, 'info'], { timeout: ANSWER_MS })).ok)
      return handle(kind, undefined);
  }
  return undefined;
}

/**
 * Docker that answers, started by us when nobody else's does.
 * `PODLAB_DOCKER=own` asks for ours even beside the user's.
 * @throws PodlabError `no-docker`, `engine-packages`, `engine-failed`, each with the way out
 */
export async function needDocker(options: StartOptions = {}): Promise<Docker> {
  const found = await findDocker();
  if (found) return found;
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new PodlabError({
      code: 'no-docker',
      fault: 'machine',
      message: text(
        'No Docker or Podman answers, and only root on Linux can start one of our own.',
        '没有可用的 Docker 或 Podman；只有 Linux 的 root 用户才能启动自带的引擎。',
      ),
      hint: text(
        'Start Docker, or run the same command with sudo, or use the embedded cluster: --cluster embedded',
        '请启动 Docker，或用 sudo 执行同一条命令，或使用内嵌集群：--cluster embedded',
      ),
    });
  await needPackages(options.signal);
  // Where there is an init system, the package has started an engine: it is the machine's, and as good.
  return (await findDocker()) ?? handle('own-engine', await startEngine(options));
}

/** Commands on a kind node: by nsenter(1) on an engine of our own, which costs a millisecond or two, else docker exec. */
import { startTime } from '../../exec/daemon.ts';
import { run, type Ran } from '../../exec/run.ts';
import { alive, type ProcessName } from '../../exec/lock.ts';
import type { Docker } from '../../docker/docker.ts';
import type { NodeRunOptions } from '../port.ts';

export const NODE_COMMAND_MS = 30_000;

/** What a login on a node would have. */
const ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  container: 'docker',
  KUBECONFIG: '/etc/kubernetes/admin.conf',
};

/** Runs commands on the nodes of one cluster. */
export class NodeDoor {
  private readonly docker: Docker;
  private readonly label: string;
  /** First process of each node. */
  private readonly first = new Map<string, ProcessName>();

  /** @param label `io.x-k8s.kind.cluster` of the cluster; a container without it is not a node of ours */
  constructor(docker: Docker, label: string) {
    this.docker = docker;
    this.label = label;
  }

  async run(node: string, argv: readonly string[], options: NodeRunOptions = {}): Promise<Ran> {
    const limits = { timeout: NODE_COMMAND_MS, ...options };
    const entered = await this.firstProcess(node);
    if (typeof entered === 'string') return broken(argv, entered);
    if (!this.docker.enterable) return this.byDockerExec(node, argv, limits);
    const target = ['nsenter', '--target', String(entered.pid)];
    const spaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--'];
    // Its own group: nsenter forks for a PID namespace, and a time limit has to end the child too.
    const ran = await run([...target, ...spaces, ...argv], { ...limits, env: ENV, ownGroup: true });
    if (ran.code === 127 && ran.stderr.startsWith('nsenter: failed to execute'))
      return broken(argv, `${argv[0]}: not found on ${node}`, ran);
    // The node went away between the look and the entry.
    if (!alive(entered) && !ran.ok) return broken(argv, `node ${node} stopped`, ran);
    return { ...ran, argv };
  }

  private async byDockerExec(node: string, argv: readonly string[], options: NodeRunOptions): Promise<Ran> {
    const input = options.input === undefined ? [] : ['-i'];
    const ran = await this.docker.run(['exec', ...input, node, ...argv], { ...options, ownGroup: true });
    // docker tells a command that it could not start by codes 125 to 127 and these words, on either stream.
    const words = /^(OCI runtime exec failed|Error response from daemon|Error: ).*/m.exec(
      ran.stderr + ran.stdout,
    );
    const notRun = (ran.code ?? 0) >= 125 && (ran.code ?? 0) <= 127 && words !== null;
    return notRun ? broken(argv, words[0], ran) : { ...ran, argv };
  }

  /** The node's first process, or why there is none. */
  private async firstProcess(node: string): Promise<ProcessName | string> {
    const known = this.first.get(node);
    if (known && alive(known)) return known;
    const format = '{{.State.Pid}} {{index .Config.Labels "io.x-k8s.kind.cluster"}}';
    const told = await this.docker.run(['container', 'inspect', '--format', format, node], {
      timeout: NODE_COMMAND_MS,
    });
    if (!told.ok) return told.broken ?? (told.stderr.trim() || `no node ${node}`);
    const [pid = '0', label] = told.stdout.trim().split(' ');
    if (label !== this.label) return `${node} is no node of this cluster`;
    if (pid === '0') return `node ${node} is stopped`;
    const found = { pid: Number(pid), start: startTime(Number(pid)) ?? '' };
    this.first.set(node, found);
    return found;
  }
}

function broken(argv: readonly string[], why: string, ran?: Ran): Ran {
  return {
    argv,
    code: undefined,
    signal: undefined,
    stdout: ran?.stdout ?? '',
    stderr: ran?.stderr ?? '',
    ms: ran?.ms ?? 0,
    ok: false,
    broken: why,
    truncated: false,
  };
}

/** Starts one container of a pod: image, environment, volumes, then bubblewrap. */
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findImage, unknownImage } from '../images/catalogue.ts';
import type { Image } from '../images/image.ts';
import { removeRoot } from '../linux/rootfs.ts';
import { capabilitiesOf, type SecurityContext } from './capabilities.ts';
import { type Bind, Container, type ContainerSpec } from './container.ts';
import { environment, expand, type Place, serviceVariables } from './env.ts';
import { hostsFile, newId, type PodSandbox, resolvConf } from './pod-sandbox.ts';
import { type ContainerDef, hostnameOf, type Pod } from './pod-types.ts';
import { PartContainer, type Running } from './running.ts';
import type { NodeContext } from './node-context.ts';

/** Why a container does not run, in the words of its waiting state. */
export class StartError extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The runtime could make no process of it: the container counts as ended with code 128. */
export class RunError extends Error {}

export interface Started {
  readonly id: string;
  readonly running: Running;
  /** Reads and forgets what the container left as its last words. */
  readonly lastWords: () => string;
}

export function imageOf(def: ContainerDef): Image {
  const name = def.image ?? '';
  if (!/^[\w][\w.:/@-]*$/.test(name))
    throw new StartError(
      'InvalidImageName',
      `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format`,
    );
  const image = findImage(name);
  if (image === undefined) {
    if (def.imagePullPolicy === 'Never')
      throw new StartError(
        'ErrImageNeverPull',
        `Container image "${name}" is not present with pull policy of Never`,
      );
    throw new StartError('ErrImagePull', unknownImage(name));
  }
  return image;
}

/**
 * @throws StartError when it must wait, RunError when the runtime refuses
 * @throws ConfigError of env.ts when a ConfigMap or Secret is missing
 */
export async function startContainer(
  pod: Pod,
  def: ContainerDef,
  sandbox: PodSandbox,
  volumes: ReadonlyMap<string, string>,
  place: Place,
  context: NodeContext,
  joinPid: number | undefined,
): Promise<Started> {
  const image = imageOf(def);
  const id = newId();
  const { machine } = context;
  if (image.component !== undefined) {
    const factory = context.parts.get(image.component);
    if (factory === undefined) throw new StartError('ErrImagePull', unknownImage(def.image ?? ''));
    const running = new PartContainer(factory, { pod, machine, net: sandbox.net, podIp: sandbox.ip });
    return { id, running, lastWords: () => '' };
  }
  const services = serviceVariables(context.services.list(), pod);
  const env = await environment(pod, def, image.env ?? {}, services, place, context.client);
  const security: SecurityContext = { ...pod.spec?.securityContext, ...def.securityContext };
  const folder = join(context.sandboxFolder, 'containers', id.slice(0, 16));
  mkdirSync(folder, { recursive: true });
  const words = join(folder, 'termination-log');
  writeFileSync(words, '');
  const argv = [...(def.command ?? image.entrypoint ?? [])];
  argv.push(...(def.args ?? (def.command === undefined ? (image.cmd ?? []) : [])));
  const spec: ContainerSpec = {
    id,
    folder,
    layers: context.layers.of(image),
    net: sandbox.net,
    hostname: pod.spec?.hostNetwork ? machine.name : hostnameOf(pod),
    argv: argv.map((word) => expand(word, env)),
    env: { ...(def.tty ? { TERM: 'xterm' } : {}), HOME: '/root', ...env },
    cwd: def.workingDir ?? image.workdir ?? '/',
    binds: [
      ...mounts(def, volumes, env),
      {
        source: words,
        target: def.terminationMessagePath ?? '/dev/termination-log',
        readOnly: false,
      },
    ],
    files: {
      '/etc/hosts': hostsFile(pod, sandbox.ip, machine, context.clusterDomain),
      '/etc/resolv.conf': resolvConf(pod, context.clusterDns, context.clusterDomain),
      '/etc/hostname': `${pod.spec?.hostNetwork ? machine.name : hostnameOf(pod)}\n`,
    },
    user: { uid: security.runAsUser ?? 0, gid: security.runAsGroup ?? security.runAsUser ?? 0 },
    capabilities: capabilitiesOf(security),
    readOnlyRoot: security.readOnlyRootFilesystem ?? false,
    stdin: def.stdin ?? false,
    tty: def.tty ?? false,
    joinPid,
    sysfs: sandbox.sysfs,
    ptmx: join(context.sandboxFolder, 'dev/pts/ptmx'),
  };
  const root = Container.prepareRoot(spec);
  const complaint = unstartable(spec, root);
  if (complaint !== undefined) {
    removeRoot(folder);
    throw new RunError(complaint);
  }
  const running = new Container(spec, root);
  return { id, running, lastWords: () => readWords(words) };
}

const RUNC =
  'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process';

/** Says in runc's words why a program cannot be started, as far as that can be seen from outside. */
function unstartable(spec: ContainerSpec, root: string): string | undefined {
  const [program] = spec.argv;
  if (program === undefined) return `${RUNC}: no command specified`;
  // What a volume or the system's libraries bring is not visible from here.
  const hidden = [...spec.binds.map((bind) => bind.target), ...spec.layers.binds];
  const candidates = program.includes('/')
    ? [program.startsWith('/') ? program : join(spec.cwd, program)]
    : (spec.env['PATH'] ?? '').split(':').map((folder) => join(folder, program));
  const seen = candidates.some(
    (path) =>
      hidden.some((target) => path.startsWith(`${target.replace(/\/$/, '')}/`) || path === target) ||
      inRoot(root, path),
  );
  if (seen) return undefined;
  const what = program.includes('/')
    ? `stat ${program}: no such file or directory`
    : 'executable file not found in $PATH';
  return `${RUNC}: exec: "${program}": ${what}: unknown`;
}

/** Whether a path is there in a root; a link counts, for where it leads is meant inside of the root. */
const inRoot = (root: string, path: string): boolean =>
  lstatSync(join(root, path), { throwIfNoEntry: false }) !== undefined;

function mounts(
  def: ContainerDef,
  volumes: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string>>,
): Bind[] {
  return (def.volumeMounts ?? []).map((mount) => {
    const volume = volumes.get(mount.name);
    if (volume === undefined)
      throw new StartError('CreateContainerConfigError', `volume "${mount.name}" not found`);
    const sub = mount.subPathExpr === undefined ? mount.subPath : expand(mount.subPathExpr, env);
    const source = sub ? join(volume, join('/', sub)) : volume;
    if (!existsSync(source)) mkdirSync(source, { recursive: true });
    return { source, target: mount.mountPath, readOnly: mount.readOnly ?? false };
  });
}

function readWords(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(0, 4096);
  } catch {
    return '';
  }
}

/** The container that holds the processes of a pod with shareProcessNamespace. */
export async function startPause(pod: Pod, sandbox: PodSandbox, context: NodeContext): Promise<Container> {
  const place = { nodeName: '', hostIp: '', podIp: sandbox.ip, capacity: context.capacity };
  const def: ContainerDef = { name: 'POD', image: 'registry.k8s.io/pause:3.10' };
  const { running } = await startContainer(pod, def, sandbox, new Map(), place, context, undefined);
  return running as Container;
}

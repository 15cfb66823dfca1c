/** All images but the node's: a static program, alone or on the shared Debian layer. One archive holds them all. */
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from '../../model/text.ts';
import { followed, mustFit } from '../confined.ts';
import type { Step, StepContext } from '../steps.ts';
import { configFolder, type Versions } from '../versions.ts';
import {
  layerOf,
  packLayer,
  writeArchive,
  type ArchiveImage,
  type ImageConfig,
  type Layer,
} from './archive.ts';
import { layCalicoNode } from './calico-node.ts';
import { imageNames, type ImageNames } from './image-names.ts';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What is new in one image, above `on`. */
interface Component {
  readonly image: keyof ImageNames;
  readonly on: 'nothing' | 'base' | 'busybox';
  /** Files: path in the image to `step/file`. */
  readonly files?: Readonly<Record<string, string>>;
  /** Folder of the checkout, under `images/`, laid over. */
  readonly tree?: string;
  /** Empty folders that everyone may write. */
  readonly open?: readonly string[];
  readonly config?: ImageConfig;
}

const kube = (image: keyof ImageNames, name: string, on: Component['on']): Component => ({
  image,
  on,
  files: { [`usr/local/bin/${name}`]: `go-kubernetes/bin/${name}` },
});

const COMPONENTS: readonly Component[] = [
  kube('kubeApiserver', 'kube-apiserver', 'nothing'),
  kube('kubeControllerManager', 'kube-controller-manager', 'nothing'),
  kube('kubeScheduler', 'kube-scheduler', 'nothing'),
  kube('kubeProxy', 'kube-proxy', 'base'),
  { image: 'etcd', on: 'nothing', files: { 'usr/local/bin/etcd': 'go-etcd/bin/etcd' } },
  {
    image: 'coredns',
    on: 'nothing',
    files: { coredns: 'go-coredns/bin/coredns' },
    config: { Entrypoint: ['/coredns'], WorkingDir: '/' },
  },
  {
    image: 'pause',
    on: 'nothing',
    files: { pause: 'go-pause/bin/pause' },
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
  },
  {
    image: 'agnhost',
    on: 'base',
    files: { agnhost: 'go-kubernetes/bin/agnhost' },
    config: { Entrypoint: ['/agnhost'], Cmd: ['pause'] },
  },
  { image: 'tools', on: 'base', config: { Cmd: ['sleep', 'infinity'] } },
  {
    image: 'nginx',
    on: 'base',
    tree: 'nginx',
    config: { Cmd: ['nginx', '-g', 'daemon off;'], StopSignal: 'SIGQUIT' },
  },
  { image: 'busybox', on: 'busybox', config: { Cmd: ['sh'] } },
  {
    image: 'flannel',
    on: 'base',
    files: { 'opt/bin/flanneld': 'go-flannel/bin/flanneld' },
    config: { Entrypoint: ['/opt/bin/flanneld'] },
  },
  { image: 'flannelCni', on: 'busybox', files: { flannel: 'go-flannel-cni/bin/flannel' } },
  {
    image: 'calicoNode',
    on: 'base',
    // Without SVDIR confd's reload fails silently and bird goes on with its start-up configuration.
    config: { Cmd: ['start_runit'], Env: ['SVDIR=/etc/service/enabled'] },
  },
  {
    image: 'calicoCni',
    on: 'nothing',
    files: {
      'opt/cni/bin/calico': 'go-calico/bin/calico',
      'opt/cni/bin/calico-ipam': 'go-calico/bin/calico',
      'opt/cni/bin/install': 'go-calico/bin/install',
    },
    config: { Cmd: ['/opt/cni/bin/install'], WorkingDir: '/opt/cni/bin', Env: ['PATH=/opt/cni/bin'] },
  },
  {
    image: 'calicoControllers',
    on: 'nothing',
    files: {
      'usr/bin/kube-controllers': 'go-calico/bin/kube-controllers',
      'usr/bin/check-status': 'go-calico/bin/check-status',
    },
    open: ['status', 'profiles'],
    config: { Entrypoint: ['/usr/bin/kube-controllers'], User: '999' },
  },
];

/** Names of iptables' programs that follow the node's flavour. */
const FLAVOURED = ['iptables', 'ip6tables'].flatMap((name) => [name, `${name}-save`, `${name}-restore`]);

/** The step that makes `images.tar`. */
export function componentStep(v: Versions, work: string): Step {
  return {
    name: 'images',
    title: text('Container images', '容器镜像'),
    needs: [
      ...['go-kubernetes', 'go-etcd', 'go-coredns', 'go-pause', 'go-flannel', 'go-flannel-cni', 'go-calico'],
      'rootfs-base',
    ],
    sources: [join(configFolder(), 'images')],
    recipe: { components: COMPONENTS, names: imageNames(v, ''), version: 1 },
    lane: 'images',
    room: 2.5e9,
    run: (context) => makeImages(imageNames(v, ''), context, work),
  };
}

async function makeImages(names: ImageNames, context: StepContext, work: string): Promise<void> {
  const trees = join(context.folder, 'trees');
  const layer = async (name: string, fill: (folder: string) => void | Promise<void>): Promise<Layer> => {
    const folder = join(trees, name);
    mkdirSync(folder, { recursive: true });
    await fill(folder);
    const packed = await packLayer(folder, join(trees, `${name}.tar`), work);
    await rm(folder, { recursive: true });
    return packed;
  };
  const below: Record<Component['on'], readonly Layer[]> = {
    nothing: [],
    base: [await layerOf(join(context.of('rootfs-base'), 'rootfs.tar')), await layer('base', layBase)],
    busybox: [await layer('busybox', (folder) => layBusybox(context.of('rootfs-base'), folder, work))],
  };
  const images: ArchiveImage[] = [];
  for (const component of COMPONENTS) {
    context.note(text(names[component.image], names[component.image]));
    const own = layerless(component)
      ? []
      : [await layer(component.image, (to) => lay(component, to, context))];
    const env = [PATH, ...(component.config?.Env ?? [])];
    images.push({
      names: [names[component.image]],
      layers: [...below[component.on], ...own],
      config: {
        ...component.config,
        Env: component.config?.Env?.some((e) => e.startsWith('PATH=')) ? component.config.Env : env,
      },
    });
  }
  await writeArchive(images, join(context.folder, 'images.tar'), join(context.folder, 'archive'), work);
  await rm(trees, { recursive: true });
}

const layerless = ({ files, tree, image }: Component): boolean => !files && !tree && image !== 'calicoNode';

function lay(component: Component, folder: string, context: StepContext): void {
  const laid = new Map<string, string>();
  for (const [to, from] of Object.entries(component.files ?? {})) {
    const path = join(folder, to);
    mkdirSync(dirname(path), { recursive: true });
    const [step = '', ...rest] = from.split('/');
    const twin = laid.get(from);
    // One program under two names is stored once.
    if (twin) linkSync(twin, path);
    else cpSync(join(context.of(step), ...rest), path);
    chmodSync(path, 0o755);
    laid.set(from, path);
  }
  if (component.tree) cpSync(join(configFolder(), 'images', component.tree), folder, { recursive: true });
  for (const open of component.open ?? []) {
    mkdirSync(join(folder, open));
    chmodSync(join(folder, open), 0o777);
  }
  if (component.image === 'calicoNode') layCalicoNode(context.of('go-calico'), folder);
}

function layBase(folder: string): void {
  cpSync(join(configFolder(), 'images/base'), folder, { recursive: true });
  const sbin = join(folder, 'usr/local/sbin');
  chmodSync(join(sbin, 'iptables-flavour'), 0o755);
  for (const name of FLAVOURED) symlinkSync('iptables-flavour', join(sbin, name));
}

/** Debian's static busybox with a link for each of its programs. */
async function layBusybox(rootfs: string, folder: string, work: string): Promise<void> {
  for (const path of ['bin', 'etc', 'tmp', 'root', 'var/www'])
    mkdirSync(join(folder, path), { recursive: true });
  chmodSync(join(folder, 'tmp'), 0o1777);
  const busybox = join(folder, 'bin/busybox');
  const inside = './usr/bin/busybox';
  await mustFit(followed(['tar', '-C', folder, '-xf', join(rootfs, 'rootfs.tar'), inside]), work);
  renameSync(join(folder, inside), busybox);
  rmdirSync(join(folder, 'usr/bin'));
  rmdirSync(join(folder, 'usr'));
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  cpSync(join(configFolder(), 'images/busybox'), folder, { recursive: true });
  for (const name of readdirSync(join(folder, 'bin'))) chmodSync(join(folder, 'bin', name), 0o755);
  const { stdout } = await mustFit(followed([busybox, '--list']), work);
  for (const name of stdout.split('\n'))
    if (name && !existsSync(join(folder, 'bin', name))) symlinkSync('busybox', join(folder, 'bin', name));
}

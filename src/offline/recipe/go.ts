/**
 * Programs built by the ordinary Go client from the modules in `cluster-config/offline/modules`.
 *
 * Module and build caches lie under the work folder, never in the user's, and are removed after the build.
 * The proxy, the checksum database and the toolchain are the user's own settings (`go env`).
 */
import { chmodSync, cpSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { followed, mustFit } from '../confined.ts';
import type { Step, StepContext } from '../steps.ts';
import { text } from '../../model/text.ts';
import { configFolder, type Versions } from '../versions.ts';

const MB = 1e6;

/** One program of a module: a package path and the name that its file gets. */
interface Program {
  readonly path: string;
  readonly name?: string;
}

interface GoModule {
  /** Folder under `modules/`; the step is `go-NAME`. */
  readonly name: string;
  readonly programs: readonly Program[];
  /** Variables set by the linker, `path.name` to value. */
  readonly set?: Readonly<Record<string, string>>;
  /**
   * A module whose sources are copied beside ours and get files of ours added: path in the module to path in
   * our folder. (Go refuses `-overlay` below its module cache.)
   */
  readonly patch?: { readonly module: string; readonly add: Readonly<Record<string, string>> };
  /** Folders of a module's sources that an image needs: name of the copy to `[module, folder]`. */
  readonly keep?: Readonly<Record<string, readonly [string, string]>>;
  /** What it adds to module and build cache and to the results, measured, in bytes. */
  readonly room: number;
}

function modules(v: Versions): readonly GoModule[] {
  const [major = '', minor = ''] = v.kubernetes.slice(1).split('.');
  const kubernetes = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
    [`${path}.gitVersion`, v.kubernetes],
    [`${path}.gitMajor`, major],
    [`${path}.gitMinor`, minor],
    [`${path}.gitTreeState`, 'archive'],
  ]);
  const calico = 'github.com/projectcalico/calico';
  return [
    { name: 'podlab-runc', programs: [{ path: '.', name: 'podlab-runc' }], room: 50 * MB },
    { name: 'pause', programs: [{ path: '.', name: 'pause' }], room: 50 * MB },
    {
      name: 'kubernetes',
      programs: [
        ...['kubeadm', 'kubelet', 'kubectl', 'kube-apiserver', 'kube-controller-manager'],
        ...['kube-scheduler', 'kube-proxy'],
      ]
        .map((name): Program => ({ path: `k8s.io/kubernetes/cmd/${name}` }))
        .concat({ path: 'k8s.io/kubernetes/test/images/agnhost' }),
      // Without a version kubeadm sees v0.0.0 and refuses.
      set: Object.fromEntries(kubernetes) as Record<string, string>,
      room: 3200 * MB,
    },
    {
      name: 'cri-tools',
      programs: [{ path: 'sigs.k8s.io/cri-tools/cmd/crictl' }],
      set: { 'sigs.k8s.io/cri-tools/pkg/version.Version': v.criTools },
      room: 300 * MB,
    },
    {
      name: 'kind',
      programs: [{ path: 'sigs.k8s.io/kind' }],
      // The node's entrypoint and units, which kind's own node images are made of.
      keep: { node: ['sigs.k8s.io/kind', 'images/base/files'] },
      room: 300 * MB,
    },
    { name: 'etcd', programs: [{ path: '.', name: 'etcd' }], room: 500 * MB },
    { name: 'coredns', programs: [{ path: 'github.com/coredns/coredns' }], room: 1800 * MB },
    {
      name: 'flannel-cni',
      programs: [{ path: 'github.com/containernetworking/plugins/plugins/meta/flannel' }],
      set: {
        'github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion': v.flannelCni,
      },
      room: 100 * MB,
    },
    {
      name: 'flannel',
      programs: [{ path: 'github.com/flannel-io/flannel', name: 'flanneld' }],
      set: { 'github.com/flannel-io/flannel/pkg/version.Version': v.flannel },
      patch: {
        module: 'github.com/flannel-io/flannel',
        add: { 'pkg/backend/udp/podlab_no_cgo.go': 'overlay/udp_no_cgo.go' },
      },
      room: 800 * MB,
    },
    {
      name: 'calico',
      programs: [
        { path: `${calico}/node/cmd/calico-node` },
        { path: `${calico}/cni-plugin/cmd/calico` },
        { path: `${calico}/cni-plugin/cmd/install` },
        { path: `${calico}/kube-controllers/cmd/kube-controllers` },
        { path: `${calico}/kube-controllers/cmd/check-status` },
        { path: `${calico}/calicoctl/calicoctl` },
      ],
      set: {
        [`${calico}/node/pkg/lifecycle/startup.VERSION`]: v.calico,
        [`${calico}/node/buildinfo.GitVersion`]: v.calico,
        [`${calico}/felix/buildinfo.GitVersion`]: v.calico,
        [`${calico}/calicoctl/calicoctl/commands.VERSION`]: v.calico,
        [`${calico}/calicoctl/calicoctl/commands/common.VERSION`]: v.calico,
        'main.VERSION': v.calico,
      },
      keep: { filesystem: [calico, 'node/filesystem'], confd: [calico, 'confd/etc/calico/confd'] },
      room: 2200 * MB,
    },
  ];
}

/** Name of a program's file. */
const fileOf = (program: Program): string => program.name ?? basename(program.path);

/** The steps that build programs; each fills `bin/` and the folders that it keeps. */
export function goSteps(v: Versions, work: string): readonly Step[] {
  return modules(v).map((module): Step => {
    const source = join(configFolder(), 'modules', module.name);
    const { programs, set, patch, keep } = module;
    return {
      name: `go-${module.name}`,
      title: text(`Go: ${module.name}`, `Go 构建：${module.name}`),
      needs: [],
      sources: [source],
      recipe: { programs, set, patch, keep },
      lane: 'go',
      room: module.room,
      run: (context) => build(module, source, work, context),
    };
  });
}

/** Where Go keeps things while we build. */
export const goCaches = (work: string): string => join(work, 'go-caches');

function goEnv(work: string): NodeJS.ProcessEnv {
  const caches = goCaches(work);
  return {
    ...process.env,
    GOPATH: join(caches, 'path'),
    GOMODCACHE: join(caches, 'path/pkg/mod'),
    GOCACHE: join(caches, 'build'),
    // -mod=mod: our go.mod names direct requirements only; go.sum still pins what is downloaded.
    GOFLAGS: '-buildvcs=false -mod=mod -modcacherw',
    CGO_ENABLED: '0',
    GOWORK: 'off',
  };
}

async function build(module: GoModule, source: string, work: string, context: StepContext): Promise<void> {
  const env = goEnv(work);
  // Go may complete go.mod; it does so in a copy that nobody moves away during the build.
  const cwd = join(context.folder, 'src');
  cpSync(source, cwd, { recursive: true });
  const go = (args: readonly string[]) =>
    mustFit(followed(['go', ...args]), work, { cwd, env, signal: context.signal });
  const folderOf = async (name: string) =>
    (await go(['mod', 'download', '-json', await required(name, go)])).stdout;

  for (const [copy, [name, folder]] of Object.entries(module.keep ?? {}))
    copyTree(join(dirOf(await folderOf(name)), folder), join(context.folder, copy));
  if (module.patch) {
    copyTree(dirOf(await folderOf(module.patch.module)), join(cwd, 'patched'));
    for (const [to, from] of Object.entries(module.patch.add))
      cpSync(join(source, from), join(cwd, 'patched', to));
    await go(['mod', 'edit', `-replace=${module.patch.module}=./patched`]);
  }
  context.note(text('modules', '下载模块'));
  const paths = module.programs.map(({ path }) => path);
  await go(['list', '-deps', '-f', '{{.ImportPath}}', ...paths]);
  context.note(text('compile', '编译'));
  const flags = Object.entries(module.set ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const bin = join(context.folder, 'bin');
  mkdirSync(bin);
  const common = ['build', '-trimpath', `-ldflags=-s -w ${flags.join(' ')}`];
  const single = module.programs.length === 1 ? module.programs[0] : undefined;
  await go([...common, '-o', single ? join(bin, fileOf(single)) : `${bin}/`, ...paths]);
  await mustFit(followed(['rm', '-rf', '--', cwd]), work);
}

/** `module@version` as our go.mod requires it. */
async function required(
  name: string,
  go: (args: readonly string[]) => Promise<{ stdout: string }>,
): Promise<string> {
  const read = JSON.parse((await go(['mod', 'edit', '-json'])).stdout) as {
    Require: readonly { Path: string; Version: string }[];
  };
  const found = read.Require.find(({ Path }) => Path === name);
  if (!found) throw new TypeError(`go.mod does not require ${name}`);
  return `${name}@${found.Version}`;
}

const dirOf = (download: string): string => (JSON.parse(download) as { Dir: string }).Dir;

/** Copies a folder of the module cache, whose files are read-only there. */
function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) copyTree(join(from, entry.name), join(to, entry.name));
    else {
      cpSync(join(from, entry.name), join(to, entry.name));
      chmodSync(join(to, entry.name), 0o644);
    }
  }
}

/**
 * The node image: Debian with systemd and containerd, kind's own node files from kind's module, Kubernetes'
 * programs, and every image of the set in containerd's store, so that no `kind load` is needed.
 */
import { chmodSync, cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from '../../model/text.ts';
import { confined, mustFit } from '../confined.ts';
import { removeTree, type Step, type StepContext } from '../steps.ts';
import { configFolder, type Versions } from '../versions.ts';
import { layerOf, writeArchive } from './archive.ts';
import { imageNames } from './image-names.ts';

/** The step that makes `node.tar`. */
export function nodeStep(v: Versions, work: string): Step {
  const config = join(configFolder(), 'node');
  return {
    name: 'node',
    title: text('Node image', '节点镜像'),
    needs: ['go-kind', 'go-kubernetes', 'go-cri-tools', 'go-podlab-runc', 'rootfs-node', 'images'],
    sources: [config],
    recipe: { kubernetes: v.kubernetes, pause: imageNames(v, '').pause, version: 2 },
    lane: 'images',
    room: 4.5e9,
    run: async (context) => {
      const files = join(context.folder, 'files');
      stage(files, v, context);
      const layer = join(context.folder, 'layer.tar');
      const scratch = join(context.folder, 'scratch');
      const argv = [
        ...['bash', join(config, 'make-rootfs.sh'), join(context.of('rootfs-node'), 'rootfs.tar'), files],
        ...[join(context.of('images'), 'images.tar'), layer, scratch],
      ];
      await mustFit(confined(argv), work, { signal: context.signal });
      await removeTree(scratch, work);
      await removeTree(files, work);
      context.note(text('pack', '打包'));
      const image = {
        names: [imageNames(v, context.key).node],
        layers: [await layerOf(layer)],
        config: {
          Env: ['container=docker', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
          Entrypoint: ['/usr/local/bin/podlab-entrypoint', '/usr/local/bin/entrypoint', '/sbin/init'],
          // systemd stops on this signal, not on SIGTERM (systemd(1)).
          StopSignal: 'SIGRTMIN+3',
        },
      };
      await writeArchive([image], join(context.folder, 'node.tar'), join(context.folder, 'archive'), work);
      await removeTree(layer, work);
    },
  };
}

/** kind's files that ours replace: Debian packages bring containerd and its unit, and there is no FUSE. */
const LEFT_OUT = ['containerd.service', 'containerd-fuse-overlayfs.service', 'README.txt'];

/** Gathers what is laid over Debian's root filesystem. */
function stage(files: string, v: Versions, context: StepContext): void {
  mkdirSync(files, { recursive: true });
  const kind = join(context.of('go-kind'), 'node');
  const wanted = (path: string) => !LEFT_OUT.some((name) => path.endsWith(`/${name}`));
  for (const folder of ['etc', 'kind', 'usr'])
    cpSync(join(kind, folder), join(files, folder), { recursive: true, filter: wanted });
  cpSync(join(configFolder(), 'node/files'), files, { recursive: true });
  configureContainerd(join(files, 'etc/containerd/config.toml'), imageNames(v, '').pause);
  const put = (from: string, to: string) => {
    mkdirSync(join(files, to, '..'), { recursive: true });
    cpSync(from, join(files, to));
    chmodSync(join(files, to), 0o755);
  };
  for (const name of ['kubeadm', 'kubelet', 'kubectl'])
    put(join(context.of('go-kubernetes'), 'bin', name), `usr/bin/${name}`);
  put(join(context.of('go-cri-tools'), 'bin/crictl'), 'usr/local/bin/crictl');
  put(join(context.of('go-podlab-runc'), 'bin/podlab-runc'), 'usr/local/sbin/podlab-runc');
  // Executable bits are lost in a module archive.
  for (const folder of ['usr/local/bin', 'kind/bin'])
    for (const name of readdirSync(join(files, folder))) chmodSync(join(files, folder, name), 0o755);
  writeFileSync(join(files, 'kind/version'), v.kubernetes);
}

/** Fits kind's containerd configuration to Debian's containerd and to a root without CAP_SYS_RESOURCE. */
export function configureContainerd(file: string, pause: string): void {
  const change = (from: string, what: RegExp, to: string): string => {
    if (!what.test(from)) throw new TypeError(`containerd's config.toml of kind has changed: no ${what}`);
    return from.replace(what, to);
  };
  let config = readFileSync(file, 'utf8');
  config = change(config, /\[proxy_plugins\][^]*?(?=\n\[plugins)/, '');
  config = change(config, /sandbox_image = ".*"/, `sandbox_image = "${pause}"`);
  // Both handlers go through podlab-runc, which is runc itself where all capabilities are there.
  config = change(
    config,
    /SystemdCgroup = true/g,
    'SystemdCgroup = true\n    BinaryName = "/usr/local/sbin/podlab-runc"',
  );
  writeFileSync(file, config);
}

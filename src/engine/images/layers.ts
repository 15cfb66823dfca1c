/**
 * Images as folders: an overlay's lower layers, made at first use and shared by all containers of the image.
 *
 * A root has two overlays, one for `/` and one for `/usr`, because an overlay does not look into mounts below
 * its lower folder. Folders of the skeleton belong to us and are therefore writable; in the sandbox an ordinary
 * user's system files belong to `nobody`, and nothing can be written into their folders.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Image, ImageFile } from './image.ts';

/** Folders of lower layers, topmost first. */
export interface Layers {
  readonly root: readonly string[];
  /** Of the overlay on /usr; empty when the root has all. */
  readonly usr: readonly string[];
  /** Folders of the system that are bound read-only at the same place. */
  readonly binds: readonly string[];
}

/** Of the host's /etc only what programs need to work; nothing that tells about its users. */
const ETC_FILES = [
  'ld.so.cache', 'ld.so.conf', 'protocols', 'services', 'ethertypes', 'rpc', 'mime.types', 'ssl/openssl.cnf',
]; // prettier-ignore
const ETC_FOLDERS = ['alternatives', 'iproute2', 'ld.so.conf.d'];

/** One user is mapped in the sandbox, so the user that tcpdump turns into is root under another name. */
const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nginx:x:101:101:nginx:/nonexistent:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
tcpdump:x:0:0:tcpdump:/nonexistent:/usr/sbin/nologin
`;
const GROUP = 'root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\nnginx:x:101:\nnogroup:x:65534:\n';

const SKELETON: Readonly<Record<string, ImageFile>> = {
  '/etc/passwd': PASSWD,
  '/etc/group': GROUP,
  '/etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  '/etc/hosts': '',
  '/etc/resolv.conf': '',
  '/etc/hostname': '',
  // Relative: bwrap makes mount points while these roots are not `/` yet.
  '/var/run': { link: '../run' },
  '/var/lock': { link: '../run/lock' },
};
const FOLDERS = [
  'dev', 'proc', 'sys', 'run/lock', 'tmp', 'root', 'home', 'mnt', 'opt', 'srv', 'media', 'etc', 'usr',
  'var/log', 'var/cache', 'var/lib', 'var/tmp', 'var/spool',
]; // prettier-ignore
const USR_FOLDERS = [
  'bin', 'sbin', 'lib', 'share', 'local/bin', 'local/sbin', 'local/lib', 'local/share', 'local/etc', 'src',
]; // prettier-ignore

function put(folder: string, path: string, file: ImageFile): void {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  if (typeof file === 'string') writeFileSync(target, file);
  else if ('link' in file) symlinkSync(file.link, target);
  else {
    writeFileSync(target, file.program);
    chmodSync(target, 0o755);
  }
}

function copyFolder(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else if (entry.isFile()) copyFileSync(source, target);
  }
}

/** Makes the layers of images below a folder of the sandbox. */
export class LayerStore {
  readonly #folder: string;
  readonly #made = new Map<Image | Image['base'], Layers>();
  #applets: readonly string[] = [];

  /** @param busybox the applets of the system's busybox (`busybox --list`), empty when there is none */
  constructor(folder: string, busybox: readonly string[]) {
    this.#folder = folder;
    this.#applets = busybox;
  }

  of(image: Image): Layers {
    const known = this.#made.get(image);
    if (known !== undefined) return known;
    const base = this.base(image.base);
    const files = Object.entries(image.files?.() ?? {});
    const name = (image.names[0] ?? 'image').replaceAll('/', '_');
    const layer = (part: 'root' | 'usr', wanted: (path: string) => string | undefined) => {
      const folder = join(this.#folder, name, part);
      let used = false;
      for (const [path, file] of files) {
        const inside = wanted(path);
        if (inside === undefined) continue;
        put(folder, inside, file);
        used = true;
      }
      return used ? [folder] : [];
    };
    const inUsr = (path: string) => (path.startsWith('/usr/') ? path.slice(4) : undefined);
    const layers = {
      root: [...layer('root', (path) => (inUsr(path) === undefined ? path : undefined)), ...base.root],
      usr: base.usr.length === 0 ? [] : [...layer('usr', inUsr), ...base.usr],
      binds: base.binds,
    };
    this.#made.set(image, layers);
    return layers;
  }

  base(kind: Image['base']): Layers {
    const known = this.#made.get(kind);
    if (known !== undefined) return known;
    const root = join(this.#folder, kind, 'base');
    const usr = join(this.#folder, kind, 'base-usr');
    for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true });
    chmodSync(join(root, 'tmp'), 0o1777);
    chmodSync(join(root, 'var/tmp'), 0o1777);
    for (const [path, file] of Object.entries(SKELETON)) put(root, path, file);
    const layers = kind === 'debian' ? this.#debian(root, usr) : this.#busybox(root);
    this.#made.set(kind, layers);
    return layers;
  }

  #debian(root: string, usr: string): Layers {
    for (const folder of USR_FOLDERS) mkdirSync(join(usr, folder), { recursive: true });
    const binds: string[] = [];
    for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
      // Links on a system with merged /usr, folders on another.
      const path = `/${name}`;
      if (!existsSync(path)) continue;
      if (lstatSync(path).isSymbolicLink()) symlinkSync(readlinkSync(path), join(root, name));
      else binds.push(path);
    }
    for (const file of ETC_FILES) {
      const path = `/etc/${file}`;
      if (!existsSync(path)) continue;
      mkdirSync(dirname(join(root, path)), { recursive: true });
      copyFileSync(path, join(root, path));
    }
    for (const folder of ETC_FOLDERS) {
      if (existsSync(`/etc/${folder}`)) copyFolder(`/etc/${folder}`, join(root, 'etc', folder));
    }
    return { root: [root], usr: [usr, '/usr'], binds };
  }

  /** Only busybox, under the name of each of its applets, and the libraries that it is linked with. */
  #busybox(root: string): Layers {
    for (const folder of USR_FOLDERS) mkdirSync(join(root, 'usr', folder), { recursive: true });
    mkdirSync(join(root, 'bin'), { recursive: true });
    copyFileSync('/usr/bin/busybox', join(root, 'bin/busybox'));
    chmodSync(join(root, 'bin/busybox'), 0o755);
    for (const applet of this.#applets) {
      if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
    }
    symlinkSync('bin', join(root, 'sbin'));
    symlinkSync('/bin/busybox', join(root, 'usr/bin/env'));
    symlinkSync('usr/lib', join(root, 'lib'));
    const binds = ['/usr/lib'];
    if (existsSync('/usr/lib64')) {
      symlinkSync('usr/lib64', join(root, 'lib64'));
      mkdirSync(join(root, 'usr/lib64'));
      binds.push('/usr/lib64');
    }
    return { root: [root], usr: [], binds };
  }
}

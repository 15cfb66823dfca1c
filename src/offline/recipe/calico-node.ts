/**
 * The layer of calico/node: calico's own start-up files from its module, with Debian's BIRD 1.6.8 in place of
 * calico's fork of it (which is C and no Go module).
 */
import { chmodSync, cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A text that must occur, and what stands in its place. */
interface Change {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

const CHANGES: readonly Change[] = [
  // `krt_tunnel` is a route attribute of calico's fork only, and the template always sets it: make it a local variable.
  // IPIP cannot work then; pools must say `ipipMode: Never`. (Declarations stand before the body: BIRD 1.6 manual, filters.)
  ...['bird_ipam', 'bird6_ipam'].map((name) => ({
    file: `${name}.cfg.template`,
    find: 'filter calico_kernel_programming {',
    put: 'filter calico_kernel_programming\nstring krt_tunnel;\n{',
  })),
  // BIRD's default hold time of 240 s (RFC 4271 suggests 90 s) hides a lost session for minutes; a lesson has seconds.
  ...['bird', 'bird6'].map((name) => ({
    file: `${name}.cfg.template`,
    find: 'template bgp bgp_template {',
    put: 'template bgp bgp_template {\n  hold time 9; keepalive time 3;',
  })),
];

/** Applies a change. @throws TypeError when the text is not there: upstream has moved, and so must we */
function apply({ file, find, put }: Change, folder: string): void {
  const path = join(folder, file);
  const content = readFileSync(path, 'utf8');
  if (!content.includes(find)) throw new TypeError(`${file} does not contain: ${find}`);
  writeFileSync(path, content.replace(find, put));
}

/** Marks every file as executable: those bits are lost in a module archive. */
function executable(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) executable(path);
    else chmodSync(path, 0o755);
  }
}

/** Lays the files of calico/node under `layer`; `built` is the folder of the step `go-calico`. */
export function layCalicoNode(built: string, layer: string): void {
  cpSync(join(built, 'filesystem/etc'), join(layer, 'etc'), { recursive: true });
  cpSync(join(built, 'filesystem/sbin'), join(layer, 'usr/sbin'), { recursive: true });
  cpSync(join(built, 'confd'), join(layer, 'etc/calico/confd'), { recursive: true });
  for (const folder of ['etc/service', 'usr/sbin']) executable(join(layer, folder));
  chmodSync(join(layer, 'etc/rc.local'), 0o755);
  for (const change of CHANGES) apply(change, join(layer, 'etc/calico/confd/templates'));
  mkdirSync(join(layer, 'etc/calico/confd/config'), { recursive: true });
  mkdirSync(join(layer, 'usr/bin'), { recursive: true });
  cpSync(join(built, 'bin/calico-node'), join(layer, 'usr/bin/calico-node'));
  // The probes call `birdcl` (BIRD's client without readline); Debian 12 packages `birdc` alone.
  for (const name of ['birdcl', 'birdcl6'])
    symlinkSync(`/usr/sbin/${name.replace('cl', 'c')}`, join(layer, 'usr/bin', name));
}

/**
 * Root filesystems made of Debian packages by mmdebstrap, from the machine's own package sources.
 * `rootfs-node` is a node's; `rootfs-base` is the one layer that all images with a shell share.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text, type Text } from '../../model/text.ts';
import { confined, followed, mustFit } from '../confined.ts';
import type { Step } from '../steps.ts';
import type { Versions } from '../versions.ts';

const NETWORK = [
  ...['iproute2', 'iptables', 'nftables', 'ipset', 'conntrack', 'ethtool', 'tcpdump', 'socat', 'kmod'],
  ...[
    'curl',
    'dnsutils',
    'iputils-ping',
    'iputils-arping',
    'netcat-openbsd',
    'procps',
    'ca-certificates',
    'jq',
  ],
];

const PACKAGES = {
  node: [
    ...NETWORK,
    ...['systemd', 'systemd-sysv', 'dbus', 'containerd', 'runc', 'containernetworking-plugins'],
    ...['bridge-utils', 'less', 'mount', 'util-linux'],
  ],
  base: [
    ...NETWORK,
    // nginx and busybox for the pods of those names, bird and runit for calico/node.
    ...[
      'nginx-light',
      'busybox-static',
      'bird',
      'runit',
      'openssl',
      'traceroute',
      'mtr-tiny',
      'iperf3',
      'telnet',
      'wget',
    ],
  ],
} as const;

/** Nobody reads manuals in a pod; this halves the images. */
const LEFT_OUT = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** Where apt keeps its sources, one-line and deb822 style (sources.list(5)). */
const SOURCES = '/etc/apt/sources.list';

/**
 * The machine's own package sources that serve Debian's release, as mmdebstrap takes them.
 * @returns paths of files; empty when only Debian's default can be asked
 */
export function aptSources(release: string, root = ''): readonly string[] {
  const files = [`${root}${SOURCES}`];
  try {
    const folder = `${root}${SOURCES}.d`;
    for (const name of readdirSync(folder).sort())
      if (/\.(list|sources)$/.test(name)) files.push(join(folder, name));
  } catch {
    // A machine without that folder, or without apt.
  }
  return files.filter((file) => {
    try {
      return servesRelease(readFileSync(file, 'utf8'), release);
    } catch {
      return false;
    }
  });
}

/** Whether sources offer the release's own `main`: third parties name other suites or components. */
function servesRelease(sources: string, release: string): boolean {
  const lines = sources.split('\n').filter((line) => !line.startsWith('#'));
  const suite = new RegExp(`\\s${release}(\\s|$)`);
  const main = /\smain(\s|$)/;
  const oneLine = lines.some((line) => /^deb\s/.test(line) && suite.test(line) && main.test(line));
  const field = (name: string, value: RegExp) =>
    lines.some((line) => line.startsWith(`${name}:`) && value.test(line));
  return oneLine || (field('Suites', suite) && field('Components', main));
}

/** The steps that make `rootfs.tar` each. */
export function debianSteps(v: Versions, work: string): readonly Step[] {
  const step = (name: keyof typeof PACKAGES, title: Text): Step => ({
    name: `rootfs-${name}`,
    title,
    needs: [],
    sources: [],
    recipe: { packages: PACKAGES[name], release: v.debian, leftOut: LEFT_OUT },
    lane: 'debian',
    room: 1e9,
    run: async ({ folder, signal }) => {
      const asRoot = process.getuid?.() === 0;
      const argv = [
        'mmdebstrap',
        // As an ordinary user mmdebstrap makes namespaces of its own, which end with it.
        ...[
          `--mode=${asRoot ? 'root' : 'unshare'}`,
          '--variant=essential',
          `--include=${PACKAGES[name].join(',')}`,
        ],
        '--aptopt=APT::Install-Recommends "false"',
        ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
        v.debian,
        join(folder, 'rootfs.tar'),
        ...aptSources(v.debian),
      ];
      // mmdebstrap works in TMPDIR: here, so that a killed build leaves nothing in /tmp.
      const env = { ...process.env, TMPDIR: folder };
      await mustFit((asRoot ? confined : followed)(argv), work, { env, signal });
    },
  });
  return [
    step('node', text('Debian root of a node', '节点的 Debian 根文件系统')),
    step('base', text('Debian root of the images', '镜像的 Debian 根文件系统')),
  ];
}

/** Capabilities of containers (capabilities(7)): containerd's defaults, and what securityContext adds or drops. */

const NAMES = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP',
  'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER',
  'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE',
  'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP',
  'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF',
  'CHECKPOINT_RESTORE',
] as const; // prettier-ignore

const DEFAULTS = [
  'CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP',
  'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE',
]; // prettier-ignore

/** `all`, or names without CAP_. */
export type Capabilities = 'all' | readonly string[];

export interface SecurityContext {
  privileged?: boolean;
  capabilities?: { add?: string[]; drop?: string[] };
  runAsUser?: number;
  runAsGroup?: number;
  readOnlyRootFilesystem?: boolean;
}

export function capabilitiesOf(context: SecurityContext | undefined): Capabilities {
  if (context?.privileged) return 'all';
  const plain = (names: readonly string[] | undefined) =>
    (names ?? []).map((name) => name.toUpperCase().replace(/^CAP_/, ''));
  const add = plain(context?.capabilities?.add);
  const drop = plain(context?.capabilities?.drop);
  if (add.includes('ALL')) return 'all';
  const base = drop.includes('ALL') ? [] : DEFAULTS.filter((name) => !drop.includes(name));
  return [...new Set([...base, ...add])].filter((name) => (NAMES as readonly string[]).includes(name));
}

/** For bwrap. */
export const bwrapArguments = (capabilities: Capabilities): string[] =>
  capabilities === 'all'
    ? ['--cap-add', 'ALL']
    : ['--cap-drop', 'ALL', ...capabilities.flatMap((name) => ['--cap-add', `CAP_${name}`])];

/** By number, for enter.pl. */
export const capabilityNumbers = (capabilities: Capabilities): string =>
  capabilities === 'all'
    ? 'all'
    : capabilities.map((name) => (NAMES as readonly string[]).indexOf(name)).join(',');

/**
 * The system calls that Node does not offer, called synchronously on the main thread.
 *
 * Linux namespaces belong to threads: setns(2) on the main thread changes neither libuv's pool nor anybody
 * else, and what is created before the way back (a socket, a child process) stays in the namespace.
 * Numbers are those of the kernel's UAPI headers on all architectures that Node supports on Linux, unless said.
 */
import { requireHere } from '../source.ts';

interface Koffi {
  load(path: null): { func(signature: string): (...args: unknown[]) => number };
  struct(name: string, fields: Record<string, string>): unknown;
  errno(): number;
  os: { errno: Record<string, number> };
}
const koffi = requireHere('koffi') as Koffi;
const libc = koffi.load(null);

koffi.struct('sock_fprog', { length: 'unsigned short', filter: 'const void *' });

const natives = {
  prctl: libc.func(
    'int prctl(int option, unsigned long mode, const sock_fprog *program, unsigned long a, unsigned long b)',
  ),
  setns: libc.func('int setns(int fd, int kind)'),
  unshare: libc.func('int unshare(int flags)'),
  sethostname: libc.func('int sethostname(const char *name, size_t length)'),
  mount: libc.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  ),
  umount2: libc.func('int umount2(const char *target, int flags)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const void *address, unsigned int length)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  setsockopt: libc.func(
    'int setsockopt(int fd, int level, int option, const void *value, unsigned int length)',
  ),
  close: libc.func('int close(int fd)'),
  pipe2: libc.func('int pipe2(void *fds, int flags)'),
  ioctl: libc.func('int ioctl(int fd, unsigned long request, void *argument)'),
  mkfifo: libc.func('int mkfifo(const char *path, unsigned int mode)'),
} as const;

/** The name of an error number: `ENOENT`. */
function errorName(errno: number): string {
  for (const [name, number] of Object.entries(koffi.os.errno)) if (number === errno) return name;
  return `errno ${errno}`;
}

/** A system call that failed; `code` as Node's own errors have it. */
export class SystemError extends Error {
  readonly code: string;
  constructor(call: string, errno: number, about: string) {
    const code = errorName(errno);
    super(`${call} ${about}: ${code}`);
    this.name = 'SystemError';
    this.code = code;
  }
}

/** Calls it and throws {@link SystemError} for -1. `about` is what the message names. */
export function call(name: keyof typeof natives, about: string, ...args: unknown[]): number {
  const result = natives[name](...args);
  if (result < 0) throw new SystemError(name, koffi.errno(), about);
  return result;
}

/** clone(2) flags of the namespaces that we enter. */
export const CLONE = { NEWNET: 0x40000000, NEWUTS: 0x04000000 } as const;
/** open(2) and pipe2(2) flags. */
export const O = { CLOEXEC: 0o2000000, NONBLOCK: 0o4000 } as const;

/** A pipe whose ends close on exec: [read, write]. Node's own 'pipe' is a socket pair, which /dev/stdout cannot open. */
export function pipe(): [number, number] {
  const fds = Buffer.alloc(8);
  call('pipe2', 'pipe', fds, O.CLOEXEC);
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

/** Closes a descriptor; one that is closed already is left alone. */
export function close(fd: number): void {
  natives.close(fd);
}

/** PR_SET_SECCOMP with SECCOMP_MODE_FILTER (prctl(2)); `program` holds sock_filter instructions of 8 bytes. */
export function prctlFilter(program: Buffer): void {
  call('prctl', 'seccomp filter', 22, 2, { length: program.length / 8, filter: program }, 0, 0);
}

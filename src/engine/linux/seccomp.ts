/**
 * A system call filter for everything that runs in the sandbox (seccomp(2), BPF filter mode).
 *
 * An unprivileged user namespace has one group and setgroups(2) is forbidden for good (user_namespaces(7)), so
 * programs that give up rights the careful way (tcpdump, nginx) would fail. The call is answered with success
 * and does nothing: there is no other group that a process could be in.
 */
import { prctlFilter } from './libc.ts';

/** Number of setgroups(2) by architecture. */
const SETGROUPS: Partial<Record<NodeJS.Architecture, number>> = {
  x64: 116,
  arm64: 159,
  riscv64: 159,
  ppc64: 81,
  s390x: 206,
};

/** struct sock_filter: code, jump if true, jump if false, constant. */
function instruction(code: number, yes: number, no: number, constant: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(yes, 2);
  bytes.writeUInt8(no, 3);
  bytes.writeUInt32LE(constant, 4);
  return bytes;
}

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const EQUALS = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K
const ALLOW = 0x7fff0000; // SECCOMP_RET_ALLOW
const SUCCESS = 0x00050000; // SECCOMP_RET_ERRNO with errno 0

/** From now on, for this thread and all that it starts. */
export function ignoreSetgroups(): void {
  const number = SETGROUPS[process.arch];
  if (number === undefined) return;
  const program = [
    instruction(LOAD, 0, 0, 0), // seccomp_data.nr
    instruction(EQUALS, 0, 1, number),
    instruction(RETURN, 0, 0, SUCCESS),
    instruction(RETURN, 0, 0, ALLOW),
  ];
  prctlFilter(program.length, Buffer.concat(program));
}

/**
 * Makes setgroups(2) do nothing and succeed, for us and all that we start.
 *
 * An unprivileged user namespace forbids the call (user_namespaces(7), /proc/PID/setgroups), and programs that give up
 * their privileges at their start, as tcpdump does, end there with "Operation not permitted". They have no other groups
 * to give up: one user is all that there is. So a seccomp filter (seccomp(2), classic BPF) answers 0 in the kernel's place.
 */
import { arch } from 'node:os';
import { prctlFilter } from './libc.ts';

/** Architecture as audit(7) numbers it, and the number of setgroups there (the kernel's syscall tables). */
const MACHINES: Readonly<Record<string, { audit: number; setgroups: number }>> = {
  x64: { audit: 0xc000003e, setgroups: 116 },
  arm64: { audit: 0xc00000b7, setgroups: 159 },
};

/** BPF instructions: load a word of seccomp_data, jump if equal, return (linux/bpf_common.h). */
const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
/** SECCOMP_RET_ERRNO with error 0: the call is not made and returns 0. */
const ANSWER_0 = 0x00050000;

/** One sock_filter: code, jump if true, jump if false, operand. */
function instruction(code: number, yes: number, no: number, operand: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(yes, 2);
  bytes.writeUInt8(no, 3);
  bytes.writeUInt32LE(operand, 4);
  return bytes;
}

/** Installs the filter; an architecture that is not known goes without. Children inherit it. */
export function answerSetgroups(): void {
  const machine = MACHINES[arch()];
  if (!machine) return;
  prctlFilter(
    Buffer.concat([
      instruction(LOAD, 0, 0, 4), // seccomp_data.arch
      instruction(JUMP_IF_EQUAL, 0, 3, machine.audit),
      instruction(LOAD, 0, 0, 0), // seccomp_data.nr
      instruction(JUMP_IF_EQUAL, 0, 1, machine.setgroups),
      instruction(RETURN, 0, 0, ANSWER_0),
      instruction(RETURN, 0, 0, ALLOW),
    ]),
  );
}

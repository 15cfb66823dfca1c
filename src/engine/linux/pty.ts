/** Pseudoterminals (pty(7), ioctl_tty(2)): the master is ours, the slave goes to a program. */
import { openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { call, close, O } from './libc.ts';

const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TIOCSWINSZ = 0x5414;
const O_RDWR_NOCTTY = 0o2 | 0o400;

export interface Pty {
  /** Reads what the program writes, takes what it is to read. Its end shows as 'end' or as the error EIO. */
  readonly master: ReadStream;
  /** Descriptor for the program; close it after the start. */
  readonly slave: number;
  resize(columns: number, rows: number): void;
}

/** @param ptmx the multiplexer of the devpts that the terminal is to appear in: a container's /dev/pts/ptmx */
export function openPty(ptmx: string): Pty {
  const fd = openSync(ptmx, O_RDWR_NOCTTY | O.CLOEXEC);
  const unlock = Buffer.alloc(4);
  call('ioctl', 'unlock pty', fd, TIOCSPTLCK, unlock);
  // TIOCGPTPEER takes flags in place of a pointer (Linux 4.13): koffi passes a bigint as the address.
  const slave = call('ioctl', 'pty peer', fd, TIOCGPTPEER, BigInt(O_RDWR_NOCTTY | O.CLOEXEC));
  const master = new ReadStream(fd);
  return {
    master,
    slave,
    resize(columns, rows) {
      if (master.destroyed) return;
      const size = Buffer.alloc(8);
      size.writeUInt16LE(rows, 0);
      size.writeUInt16LE(columns, 2);
      call('ioctl', 'window size', fd, TIOCSWINSZ, size);
    },
  };
}

/** Closes the slave after it has been handed on. */
export const closeSlave = (pty: Pty): void => close(pty.slave);

/** A disk that is full, or too small for what is to come: one error for both. */
import { statfsSync } from 'node:fs';
import { PodlabError } from '../model/errors.ts';
import { text } from '../model/text.ts';

const GB = 1e9;
const gb = (bytes: number): string => (bytes / GB).toFixed(1);

/** Free space for us in a folder's file system, in bytes. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Whether a program's output tells that the disk is full (ENOSPC, EDQUOT as the C library words them). */
export const saysDiskFull = (output: string): boolean =>
  /No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/.test(output);

const isDiskFull = (error: unknown): boolean =>
  error instanceof Error && ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

/** The error for a full disk; what was finished before stays. */
export function diskFull(folder: string, more: { needed?: number; cause?: unknown } = {}): PodlabError {
  const free = gb(freeBytes(folder));
  const needed = more.needed === undefined ? undefined : gb(more.needed);
  return new PodlabError({
    code: 'OFFLINE_DISK_FULL',
    fault: 'machine',
    message: needed
      ? text(
          `Not enough room in ${folder}: ${needed} GB are needed, ${free} GB are free.`,
          `${folder} 空间不足：需要 ${needed} GB，可用 ${free} GB。`,
        )
      : text(
          `The disk under ${folder} is full (${free} GB free). What was finished is kept.`,
          `${folder} 所在磁盘已满（剩余 ${free} GB）。已完成的部分会保留。`,
        ),
    hint: text(
      'Free some space, or choose another folder: export PODLAB_CACHE=/path/on/a/bigger/disk - then run the same command again; it goes on where it stopped.',
      '请清理磁盘，或换一个目录：export PODLAB_CACHE=/更大的磁盘上的目录，然后再次运行同一条命令，会从中断处继续。',
    ),
    cause: more.cause,
  });
}

/** Runs work that writes files and gives a full disk its own error. */
export async function fitting<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isDiskFull(error) ? diskFull(folder, { cause: error }) : error;
  }
}

/** @throws PodlabError OFFLINE_DISK_FULL when fewer than `needed` bytes are free */
export function needRoom(folder: string, needed: number): void {
  if (freeBytes(folder) < needed) throw diskFull(folder, { needed });
}

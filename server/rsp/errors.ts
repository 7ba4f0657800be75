/** Error numbers on the wire: `Enn` for packets, File-I/O numbers for vFile (gdb manual, "Errno Values"). */
import { ENAMETOOLONG, ENOSYS } from '../../linux/abi/errno.ts';

/** A packet that makes no sense. */
export const E_SYNTAX = 'E01';
/** Memory that cannot be reached (EFAULT, as gdbserver says). */
export const E_MEMORY = 'E0e';
/** No such thread or process (ESRCH). */
export const E_THREAD = 'E03';
/** The machine refuses (EIO). */
export const E_REFUSED = 'E05';

/** File-I/O has these of Linux's numbers, and all the rest is EUNKNOWN. */
const SAME: ReadonlySet<number> = new Set([1, 2, 4, 9, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24, 27, 28, 29, 30]);
const EUNKNOWN = 9999;

/** @param error a negative error number of Linux */
export function fileioErrno(error: number): number {
  if (SAME.has(-error)) return -error;
  if (-error === ENOSYS) return 88;
  return -error === ENAMETOOLONG ? 91 : EUNKNOWN;
}

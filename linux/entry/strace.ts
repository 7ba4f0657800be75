/** The lines of --strace: one per system call, from the rows. */
import { SIGNAL_NAMES, signalName } from '../abi/signal.ts';
import { strncpy_from_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { type ArgKind, argument, type SyscallRow } from './syscall-row.ts';

/** The names of errno, by number. */
const ERRNO_NAMES: readonly string[] = (
  '0 EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST ' +
  'EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE ' +
  'EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP'
).split(' ');
const RESTARTS: Readonly<Record<number, string>> = {
  512: 'ERESTARTSYS',
  513: 'ERESTARTNOINTR',
  514: 'ERESTARTNOHAND',
  516: 'ERESTART_RESTARTBLOCK',
};

/** `result` undefined: the call does not return. */
export function straceLine(task: Task, row: SyscallRow | undefined, result: number | bigint | undefined): string {
  const compat = task.entry !== 'syscall64';
  const name = row?.name ?? `syscall_${task.sysNr}`;
  const w = task.sysArgWords;
  const args = (row?.args ?? []).map((kind, i) => printArgument(task, kind, w[i * 2]!, w[i * 2 + 1]!, compat));
  const via = compat ? `${task.entry}:` : '';
  return `${task.pid} ${via}${name}(${args.join(', ')}) = ${printResult(result)}`;
}

function printArgument(task: Task, kind: ArgKind, low: number, high: number, compat: boolean): string {
  const value = argument(kind, low, high, compat);
  switch (kind) {
    case 'str':
      return printString(task, value);
    case 'ptr':
      return value === 0 ? 'NULL' : `0x${value.toString(16)}`;
    case 'flags':
      return `0x${value.toString(16)}`;
    case 'mode':
      return `0${value.toString(8)}`;
    case 'sig':
      return SIGNAL_NAMES[value] ? signalName(value) : String(value);
    default:
      return String(value);
  }
}

const LONGEST = 64;

function printString(task: Task, at: number): string {
  if (at === 0) return 'NULL';
  const text = strncpy_from_user(task.mm, at, 4096);
  if (typeof text === 'number') return `0x${at.toString(16)}`;
  return text.length > LONGEST ? `${JSON.stringify(text.slice(0, LONGEST))}...` : JSON.stringify(text);
}

function printResult(result: number | bigint | undefined): string {
  if (result === undefined) return '?';
  const n = BigInt.asIntN(64, BigInt(result));
  if (n < 0n && n >= -4095n) {
    const code = Number(-n);
    const name = ERRNO_NAMES[code] ?? RESTARTS[code];
    return name ? `-${name}` : `-${code}`;
  }
  return n >= 65536n || n < 0n ? `0x${BigInt.asUintN(64, n).toString(16)}` : n.toString();
}

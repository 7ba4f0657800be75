/** signalfd(2): fs/signalfd.c. `struct signalfd_siginfo` is the same in both ABIs. */
import { EAGAIN, EBADF, EFAULT, EINVAL } from '../abi/errno.ts';
import { O_CLOEXEC, O_NONBLOCK } from '../abi/fcntl.ts';
import { POLLIN } from '../abi/poll.ts';
import type { SigInfo } from '../abi/signal.ts';
import type { File } from '../fs/file.ts';
import { Inode } from '../fs/inode.ts';
import type { SuperBlock } from '../fs/super-block.ts';
import type { Kernel } from '../kernel.ts';
import { get_user_u64 } from '../mm/uaccess.ts';
import { dequeue_signal } from '../signal/queue.ts';
import type { Task } from '../task/task.ts';
import { anonInodeFd } from './eventfd.ts';
import { fdget, vfsOf, viewOf } from './fs-args.ts';

const SIGNALFD_SIGINFO_SIZE = 128;
const KILL_AND_STOP = (1n << 8n) | (1n << 18n);

/** `struct signalfd_ctx`: whoever reads it takes his own signals. */
export class SignalfdInode extends Inode {
  mask: bigint;

  constructor(sb: SuperBlock, mask: bigint) {
    super(sb, 0o600);
    this.mask = mask;
  }

  private reader(): Task | undefined {
    return (this.sb.kernel as Kernel).current;
  }

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    const task = this.reader();
    if (count < SIGNALFD_SIGINFO_SIZE || task === undefined) return -EINVAL;
    const records: Uint8Array[] = [];
    while ((records.length + 1) * SIGNALFD_SIGINFO_SIZE <= count) {
      const info = dequeue_signal(task, ~this.mask);
      if (info === undefined) break;
      records.push(signalfd_copyinfo(info));
    }
    return records.length === 0 ? -EAGAIN : Uint8Array.from(Buffer.concat(records));
  }
  override poll(): number {
    const task = this.reader();
    if (task === undefined) return 0;
    return ((task.pending.set | task.group.sharedPending.set) & this.mask) !== 0n ? POLLIN : 0;
  }
  override channels(): readonly string[] {
    return [`signalfd:${this.reader()?.tgid ?? 0}`];
  }
  override fdinfo(): string {
    return `sigmask:\t${this.mask.toString(16).padStart(16, '0')}\n`;
  }
}

/** signalfd_copyinfo() */
function signalfd_copyinfo(info: SigInfo): Uint8Array {
  const bytes = new Uint8Array(SIGNALFD_SIGINFO_SIZE);
  const view = viewOf(bytes);
  view.setUint32(0, info.signo, true);
  view.setInt32(4, info.errno, true);
  view.setInt32(8, info.code, true);
  view.setUint32(12, info.pid ?? 0, true);
  view.setUint32(16, info.uid ?? 0, true);
  view.setInt32(20, info.fd ?? 0, true);
  view.setUint32(24, info.tid ?? 0, true);
  view.setUint32(28, info.band ?? 0, true);
  view.setUint32(32, info.overrun ?? 0, true);
  view.setInt32(40, info.status ?? 0, true);
  view.setInt32(44, Number(BigInt.asIntN(32, info.value ?? 0n)), true);
  view.setBigUint64(48, BigInt.asUintN(64, info.value ?? 0n), true);
  view.setBigUint64(56, BigInt(info.utime ?? 0), true);
  view.setBigUint64(64, BigInt(info.stime ?? 0), true);
  view.setBigUint64(72, BigInt.asUintN(64, info.addr ?? 0n), true);
  return bytes;
}

export function sys_signalfd4(task: Task, fd: number, mask: number, size: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0 || size !== 8) return -EINVAL;
  const set = get_user_u64(task.mm, mask);
  if (set === undefined) return -EFAULT;
  const wanted = set & ~KILL_AND_STOP;
  if (fd === -1) return anonInodeFd(task, '[signalfd]', new SignalfdInode(vfsOf(task).anon, wanted), flags);
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  if (!(file.inode instanceof SignalfdInode)) return -EINVAL;
  file.inode.mask = wanted;
  return fd;
}
export const sys_signalfd = (task: Task, fd: number, mask: number, size: number): number =>
  sys_signalfd4(task, fd, mask, size, 0);

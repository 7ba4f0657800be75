/** do_coredump(), fs/coredump.c: whether a process leaves a core file, where, and who dies with it. */
import { O_CREAT, O_EXCL, O_LARGEFILE, O_NOFOLLOW, O_RDWR } from '../abi/fcntl.ts';
import type { SigInfo } from '../abi/signal.ts';
import { PAGE_SIZE } from '../addr.ts';
import { do_unlinkat } from '../fs/dir-ops.ts';
import { type File, fput } from '../fs/file.ts';
import type { LookupContext } from '../fs/namei.ts';
import { kill_thread } from '../signal/queue.ts';
import { SIGNAL_GROUP_COREDUMP, SIGNAL_GROUP_EXIT, type ThreadGroup } from '../task/group.ts';
import type { Task } from '../task/task.ts';
import { startCorePipe } from './core-pipe.ts';
import { format_corename, PIPE } from './corename.ts';
import { CORE_DUMPED, type CoreChunk, elf_core_dump } from './elf-core.ts';

const RLIMIT_CORE = 4;
/** SUID_DUMP_ROOT: only root may read the file. */
const SUID_DUMP_ROOT = 2;
/** elf_format.min_coredump */
const MIN_COREDUMP = PAGE_SIZE;

/** @returns whether something was dumped: then the wait status of the process has 0x80. 'piped': a helper reads it now. */
export function do_coredump(task: Task, info: SigInfo): boolean | 'piped' {
  const { kernel, mm, group } = task;
  if (mm.dumpable === 0) return false;
  coredump_wait(task, info.signo);
  const limit = group.rlimits[RLIMIT_CORE]?.cur ?? 0n;
  if (kernel.coreState.pattern.startsWith(PIPE)) return startCorePipe(task, info, limit) && 'piped';
  if (limit < BigInt(MIN_COREDUMP)) return false;
  const file = openCore(task, format_corename(task, info));
  if (file === undefined) return false;
  const written = writeCore(file, elf_core_dump(task, info), limit);
  kernel.log.info({ pid: task.tgid, signo: info.signo, file: file.path, written }, 'core dumped');
  kernel.vfs.flush(file);
  fput(file);
  group.groupExitCode |= CORE_DUMPED;
  return true;
}

/** zap_process(): SIGKILL for all threads but the one that dumps. */
function zap_process(group: ThreadGroup, current: Task, status: number, flags: number): void {
  group.flags = flags;
  group.groupExitCode = status;
  group.groupStopCount = 0;
  for (const thread of group.threads) if (thread !== current) kill_thread(thread);
}

/**
 * coredump_wait() and zap_threads(): all who use the memory have to die. Their system calls end, which their registers
 * show.
 * Unlike Linux: the dump does not wait for them; they are at their last instruction already.
 */
function coredump_wait(task: Task, status: number): void {
  const { kernel, group, mm } = task;
  zap_process(group, task, status, SIGNAL_GROUP_EXIT | SIGNAL_GROUP_COREDUMP);
  for (const other of kernel.tasks.values()) {
    if (other.mm !== mm || other.exitState !== undefined || !other.isLeader || other.group === group) continue;
    zap_process(other.group, task, status, SIGNAL_GROUP_EXIT);
  }
  for (const thread of group.threads) if (thread !== task) kernel.interruptSyscall(thread);
}

/** filp_open() and the checks behind it: a regular file of the task's own, made anew. */
function openCore(task: Task, name: string): File | undefined {
  const { vfs } = task.kernel;
  const suid = task.mm.dumpable === SUID_DUMP_ROOT;
  // "Can only dump core to fully qualified path".
  if (suid && !name.startsWith('/')) return undefined;
  const own = vfs.context(task);
  const ctx: LookupContext = suid ? { ...own, cred: { ...task.cred, fsuid: 0 } } : own;
  if (!suid) do_unlinkat(ctx, ctx.cwd, name);
  const file = vfs.open(ctx, name, O_CREAT | O_RDWR | O_NOFOLLOW | O_LARGEFILE | O_EXCL, 0o600);
  if (typeof file === 'number') return undefined;
  const { inode } = file;
  if (inode.nlink <= 1 && inode.isReg() && inode.uid === (ctx.cred?.fsuid ?? 0)) return file;
  fput(file);
  return undefined;
}

/** dump_emit() and dump_skip(): up to RLIMIT_CORE, and a hole at the end does not count. @returns bytes written */
function writeCore(file: File, chunks: Iterable<CoreChunk>, limit: bigint): number {
  let pos = 0;
  let written = 0;
  for (const chunk of chunks) {
    if (typeof chunk === 'number') {
      pos += chunk;
      continue;
    }
    if (BigInt(written + chunk.length) > limit) break;
    const done = file.inode.write(file, pos, chunk);
    if (done !== chunk.length) break;
    pos += done;
    written += done;
  }
  return written;
}

import { SIG_IGN } from '../abi/signal.ts';
import { mmput } from '../mm/dup.ts';
import { type Abi, Mm } from '../mm/mm.ts';
import { READ_IMPLIES_EXEC } from '../mm/mmap.ts';
import { flush_ptrace_hw_breakpoint } from '../ptrace/debugreg.ts';
import { copySighand } from '../signal/sighand.ts';
import { commit_creds } from '../task/cred.ts';
import { de_thread, mm_release } from '../task/exit.ts';
import { exit_itimers } from '../task/posix-timers.ts';
import type { Task } from '../task/task.ts';
import { TIF_ADDR32, TIF_IA32, TIF_X32 } from '../task/thread-info.ts';
import type { BinPrm } from './binprm.ts';
import { cap_bprm_set_creds } from './creds.ts';

const ADDR_COMPAT_LAYOUT = 0x020_0000;
/** READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE, ADDR_COMPAT_LAYOUT, MMAP_PAGE_ZERO. */
const PER_CLEAR_ON_SETID = 0x074_0000;
const PER_MASK = 0xff;
const PER_LINUX32 = 8;

/** set_personality_64bit(), set_personality_ia32(), arch/x86/kernel/process_64.c. */
function set_personality(task: Task, abi: Abi): void {
  const info = task.threadInfo;
  info.flags &= ~(TIF_IA32 | TIF_X32 | TIF_ADDR32);
  if (abi !== '64') info.flags |= TIF_ADDR32 | (abi === 'ia32' ? TIF_IA32 : TIF_X32);
  task.kernel.ops.set_personality(task, abi);
  if ((task.personality & PER_MASK) !== PER_LINUX32) task.personality &= ~PER_MASK;
  task.personality &= ~READ_IMPLIES_EXEC;
}

/** flush_signal_handlers(), kernel/signal.c, on a table of the task's own. */
function flush_signal_handlers(task: Task): void {
  const sighand = copySighand(task.sighand);
  for (const action of sighand.actions) {
    if (action.handler !== BigInt(SIG_IGN)) action.handler = 0n;
    action.flags = 0;
    action.restorer = 0n;
    action.mask = 0n;
  }
  task.sighand = sighand;
}

/**
 * flush_old_exec() and setup_new_exec(), fs/exec.c: the point of no return. The task has a new, empty mm of the right
 * layout, one thread, default handlers, and no descriptors marked close-on-exec.
 * @returns 0, or what de_thread() says: nothing has been done then
 */
export function flush_old_exec(bprm: BinPrm, abi: Abi): number {
  const { task } = bprm;
  const { kernel } = task;
  const creds = cap_bprm_set_creds(task, bprm.file.inode);
  const error = de_thread(task);
  if (error !== 0) return error;
  mm_release(task);
  const old = task.mm;
  const mm = new Mm(kernel, task.group.rlimits);
  set_personality(task, abi);
  if (creds.setsId) task.personality &= ~PER_CLEAR_ON_SETID;
  mm.arch_pick_mmap_layout(abi, (task.personality & ADDR_COMPAT_LAYOUT) !== 0);
  mm.dumpFilter = task.mm.dumpFilter;
  const { cred } = task;
  mm.dumpable = cred.euid === cred.uid && cred.egid === cred.gid ? 1 : kernel.coreState.suidDumpable;
  task.mm = mm;
  kernel.activateMm(task);
  mmput(old);
  if (task.files.count > 1) {
    const files = task.files.clone();
    task.files.release();
    task.files = files;
  }
  task.files.closeOnExec();
  flush_ptrace_hw_breakpoint(task);
  flush_signal_handlers(task);
  // setup_new_exec() leaves the flags.
  task.sas = { sp: 0n, size: 0n, flags: task.sas.flags };
  exit_itimers(task.group);
  task.exitSignal = 17;
  task.didExec = true;
  task.keepCaps = false;
  // install_exec_creds().
  commit_creds(task, creds.cred);
  bprm.secure = creds.secure;
  task.comm = Buffer.from(bprm.filename.slice(bprm.filename.lastIndexOf('/') + 1))
    .subarray(0, 15)
    .toString('utf8');
  return 0;
}

import { SA_IA32_ABI, SA_X32_ABI } from '../abi/signal.ts';
import type { KernelOps } from '../kernel-ops.ts';
import type { KSigaction } from '../signal/sighand.ts';
import { user_64bit_mode } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';
import { in_ia32_syscall, in_x32_syscall } from '../task/thread-info.ts';
import type { Patch } from './patch.ts';

const hide = (act: KSigaction): void => {
  act.flags = (act.flags & ~(SA_IA32_ABI | SA_X32_ABI)) >>> 0;
};

/** The entry that set the handler says what it is. A flag that the caller gave does not count. */
function mark(task: Task, act: KSigaction): void {
  hide(act);
  if (in_ia32_syscall(task)) act.flags |= SA_IA32_ABI;
  if (in_x32_syscall(task)) act.flags |= SA_X32_ABI;
  act.flags >>>= 0;
}

/** A handler that 64-bit code sets has a 64-bit frame, even when it is set by int 0x80, or by an x32 program. */
function markByCs(task: Task, act: KSigaction): void {
  if (user_64bit_mode(task)) hide(act);
  else mark(task, act);
}

/** is_ia32_compat_frame(), is_x32_frame() and copy_siginfo_to_user32() as they are then. */
const byFlags: Partial<KernelOps> = {
  is_ia32_compat_frame: (ka) => (ka.flags & SA_IA32_ABI) !== 0,
  is_x32_frame: (ka) => (ka.flags & SA_X32_ABI) !== 0,
  siginfo_has_x32_times: in_x32_syscall,
};

/** As posted in June 2016 the flags are those of the user's header: sigaction(2) gives them back. */
export const sigactionAbi: Patch = {
  id: '0006',
  subject: 'x86/signal: add SA_{X32,IA32}_ABI sa_flags',
  requires: [],
  about:
    'The signal frame followed the program that was executed: a restored 32-bit task, a 64-bit program for good, got 64-bit ' +
    'frames. The patch writes down with each handler how it was set, and makes the frame that fits. Neither CS nor the ' +
    'stack at the time of the signal matter.',
  apply: () => ({ ...byFlags, sigaction_compat_abi: (task, act) => markByCs(task, act) }),
};

/** As merged (v4.9): the flags are the kernel's own, and hidden from the user. */
export const sigactionAbiMerged: Patch = {
  ...sigactionAbi,
  apply: () => ({
    ...byFlags,
    sigaction_compat_abi: (task, act, oact) => {
      if (oact !== undefined) hide(oact);
      markByCs(task, act);
    },
  }),
};

export const sigactionWithoutCs: Patch = {
  id: 'sigaction',
  subject: 'the ABI of a handler without a look at CS (v4.10)',
  requires: [{ id: '0006', why: 'it changes sigaction_compat_abi(), which comes with that' }],
  about:
    'x32 programs run with CS 0x33, so the look at CS in sigaction_compat_abi() kept SA_X32_ABI from ever being set: they ' +
    'got 64-bit frames. Now the entry alone says what a handler is; a handler that 64-bit code sets by int 0x80 is a ' +
    '32-bit one.',
  apply: () => ({
    sigaction_compat_abi: (task, act, oact) => {
      if (oact !== undefined) hide(oact);
      mark(task, act);
    },
  }),
};

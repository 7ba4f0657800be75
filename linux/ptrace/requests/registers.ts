/** Whole register sets: PTRACE_GETREGS ... PTRACE_SETREGSET; arch/x86/kernel/ptrace.c, ptrace_regset() of kernel/ptrace.c. */
import { EFAULT, EINVAL, EOPNOTSUPP } from '../../abi/errno.ts';
import {
  NT_PRFPREG,
  NT_PRSTATUS,
  NT_PRXFPREG,
  PTRACE_GETFPREGS,
  PTRACE_GETFPXREGS,
  PTRACE_GETREGS,
  PTRACE_GETREGSET,
  PTRACE_SETFPREGS,
  PTRACE_SETFPXREGS,
  PTRACE_SETREGS,
  PTRACE_SETREGSET,
  user_regs_struct,
} from '../../abi/ptrace.ts';
import { access_ok, copy_from_user, copy_to_user } from '../../mm/uaccess.ts';
import type { Task } from '../../task/task.ts';
import { find_regset, type UserRegset, type UserRegsetView } from '../regset.ts';
import { task_user_regset_view, user_x86_32_view } from '../regset-views.ts';
import { datap, type PtraceCall, type PtraceRequest, type RequestTable } from './call.ts';

/** copy_regset_to_user(): the first `size` bytes. */
function copy_regset_to_user(tracer: Task, child: Task, set: UserRegset, size: number, at: number): number {
  if (!access_ok(at, size)) return -EFAULT;
  const bytes = set.get(child);
  if (typeof bytes === 'number') return bytes;
  if (bytes.length >= size) return copy_to_user(tracer.mm, at, bytes.subarray(0, size));
  const padded = new Uint8Array(size);
  padded.set(bytes);
  return copy_to_user(tracer.mm, at, padded);
}

/** copy_regset_from_user(). */
function copy_regset_from_user(tracer: Task, child: Task, set: UserRegset, size: number, at: number): number {
  if (!set.set) return -EOPNOTSUPP;
  const bytes = copy_from_user(tracer.mm, at, size);
  if (typeof bytes === 'number') return -EFAULT;
  return set.set(child, bytes.subarray(0, set.size));
}

/** A fixed set in the layout of a view; `size` of the 64-bit structure is copied even when the view is that of i386. */
const fixed = (
  viewOf: (call: PtraceCall) => UserRegsetView,
  noteType: number,
  copy: typeof copy_regset_to_user,
  size?: number,
): PtraceRequest => {
  return (call) => {
    const set = find_regset(viewOf(call), noteType)!;
    return copy(call.tracer, call.child, set, size ?? set.size, datap(call));
  };
};

/** The 64-bit call has the view of the caller, task_user_regset_view(current). */
const callersView = (call: PtraceCall): UserRegsetView => task_user_regset_view(call.tracer);
const ia32View = (): UserRegsetView => user_x86_32_view;
const USER_I387_SIZE = 512;

export const registers64: RequestTable = new Map([
  [PTRACE_GETREGS, fixed(callersView, NT_PRSTATUS, copy_regset_to_user, user_regs_struct.size)],
  [PTRACE_SETREGS, fixed(callersView, NT_PRSTATUS, copy_regset_from_user, user_regs_struct.size)],
  [PTRACE_GETFPREGS, fixed(callersView, NT_PRFPREG, copy_regset_to_user, USER_I387_SIZE)],
  [PTRACE_SETFPREGS, fixed(callersView, NT_PRFPREG, copy_regset_from_user, USER_I387_SIZE)],
]);

export const registers32: RequestTable = new Map([
  [PTRACE_GETREGS, fixed(ia32View, NT_PRSTATUS, copy_regset_to_user)],
  [PTRACE_SETREGS, fixed(ia32View, NT_PRSTATUS, copy_regset_from_user)],
  [PTRACE_GETFPREGS, fixed(ia32View, NT_PRFPREG, copy_regset_to_user)],
  [PTRACE_SETFPREGS, fixed(ia32View, NT_PRFPREG, copy_regset_from_user)],
  [PTRACE_GETFPXREGS, fixed(ia32View, NT_PRXFPREG, copy_regset_to_user)],
  [PTRACE_SETFPXREGS, fixed(ia32View, NT_PRXFPREG, copy_regset_from_user)],
]);

/** ptrace_regset(): the view is the tracee's. The length that was copied goes back into the iovec, but not after an error. */
const regset =
  (copy: typeof copy_regset_to_user, word: 4 | 8): PtraceRequest =>
  (call) => {
    const { tracer, child } = call;
    const at = datap(call);
    const iov = copy_from_user(tracer.mm, at, 2 * word);
    if (typeof iov === 'number') return -EFAULT;
    const view = new DataView(iov.buffer, iov.byteOffset);
    const [base, length] =
      word === 8
        ? [Number(view.getBigUint64(0, true)), Number(view.getBigUint64(8, true))]
        : [view.getUint32(0, true), view.getUint32(4, true)];
    const set = find_regset(task_user_regset_view(child), Number(call.addr & 0xffff_ffffn));
    if (!set || length % set.elementSize !== 0) return -EINVAL;
    const size = Math.min(length, set.size);
    const error = copy(tracer, child, set, size, base);
    if (error !== 0) return error;
    const back = new Uint8Array(word);
    new DataView(back.buffer).setUint32(0, size, true);
    return copy_to_user(tracer.mm, at + word, back);
  };

const regsets = (word: 4 | 8): RequestTable =>
  new Map([
    [PTRACE_GETREGSET, regset(copy_regset_to_user, word)],
    [PTRACE_SETREGSET, regset(copy_regset_from_user, word)],
  ]);

export const regsets64 = regsets(8);
export const regsets32 = regsets(4);

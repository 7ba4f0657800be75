/** The siginfo of a stop, the queues, the mask: PTRACE_GETSIGINFO ... PTRACE_SETSIGMASK, kernel/ptrace.c. */
import { EFAULT, EINVAL } from '../../abi/errno.ts';
import {
  PTRACE_GETSIGINFO,
  PTRACE_GETSIGMASK,
  PTRACE_PEEKSIGINFO,
  PTRACE_PEEKSIGINFO_SHARED,
  PTRACE_SETSIGINFO,
  PTRACE_SETSIGMASK,
  ptrace_peeksiginfo_args,
} from '../../abi/ptrace.ts';
import { SIG_KERNEL_ONLY, SIGINFO_SIZE, type SigInfo } from '../../abi/signal.ts';
import { copy_from_user, copy_to_user, put_user_u32, put_user_u64 } from '../../mm/uaccess.ts';
import { internalCode, siginfoFromUser32, siginfoFromUser64, siginfoTo32, siginfoTo64 } from '../../signal/siginfo.ts';
import type { Task } from '../../task/task.ts';
import { isCompatCall } from '../../task/thread-info.ts';
import { datap, type PtraceCall, type PtraceRequest, type RequestTable } from './call.ts';

const SIGSET_SIZE = 8n;
const SI_CODE_OFFSET = 8;

type ToUser = (tracer: Task, info: SigInfo) => Uint8Array;
const toUser64: ToUser = (_tracer, info) => siginfoTo64(info);
const toUser32: ToUser = (tracer, info) => siginfoTo32(info, tracer.kernel.ops.siginfo_has_x32_times(tracer));

const getsiginfo =
  (toUser: ToUser): PtraceRequest =>
  ({ tracer, child, data }) => {
    const info = child.lastSiginfo;
    return info ? copy_to_user(tracer.mm, Number(data), toUser(tracer, info)) : -EINVAL;
  };

const setsiginfo =
  (fromUser: (bytes: Uint8Array) => SigInfo): PtraceRequest =>
  ({ tracer, child, data }) => {
    const bytes = copy_from_user(tracer.mm, Number(data), SIGINFO_SIZE);
    if (typeof bytes === 'number') return -EFAULT;
    if (!child.lastSiginfo) return -EINVAL;
    child.lastSiginfo = fromUser(bytes);
    return 0;
  };

/** ptrace_peek_siginfo(): with the upper half of si_code, which says how the siginfo is laid out. */
function ptrace_peek_siginfo({ tracer, child, addr, data }: PtraceCall): number {
  const bytes = copy_from_user(tracer.mm, Number(addr), ptrace_peeksiginfo_args.size);
  if (typeof bytes === 'number') return -EFAULT;
  const arg = ptrace_peeksiginfo_args.read(bytes);
  if ((arg.flags & ~PTRACE_PEEKSIGINFO_SHARED) !== 0 || arg.nr < 0) return -EINVAL;
  const shared = (arg.flags & PTRACE_PEEKSIGINFO_SHARED) !== 0;
  const { list } = shared ? child.group.sharedPending : child.pending;
  // The offset is cut to 32 bits; a negative one is beyond every list.
  const from = Number(BigInt.asIntN(32, arg.off));
  const toUser = isCompatCall(tracer) ? toUser32 : toUser64;
  for (let i = 0; i < arg.nr; i++) {
    const info = from + i < 0 ? undefined : list[from + i];
    if (!info) return i;
    const image = toUser(tracer, info);
    new DataView(image.buffer, image.byteOffset).setInt32(SI_CODE_OFFSET, internalCode(info), true);
    if (copy_to_user(tracer.mm, Number(data) + i * SIGINFO_SIZE, image) !== 0) return i > 0 ? i : -EFAULT;
  }
  return arg.nr;
}

const getsigmask: PtraceRequest = (call) =>
  call.addr === SIGSET_SIZE ? put_user_u64(call.tracer.mm, datap(call), call.child.blocked) : -EINVAL;

const setsigmask: PtraceRequest = (call) => {
  if (call.addr !== SIGSET_SIZE) return -EINVAL;
  const bytes = copy_from_user(call.tracer.mm, datap(call), Number(SIGSET_SIZE));
  if (typeof bytes === 'number') return -EFAULT;
  call.child.blocked = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) & ~SIG_KERNEL_ONLY;
  return 0;
};

/** The requests that have no layout of their own. */
export const signals: RequestTable = new Map([
  [PTRACE_PEEKSIGINFO, ptrace_peek_siginfo],
  [PTRACE_GETSIGMASK, getsigmask],
  [PTRACE_SETSIGMASK, setsigmask],
]);
export const siginfo64: RequestTable = new Map([
  [PTRACE_GETSIGINFO, getsiginfo(toUser64)],
  [PTRACE_SETSIGINFO, setsiginfo(siginfoFromUser64)],
]);
export const siginfo32: RequestTable = new Map([
  [PTRACE_GETSIGINFO, getsiginfo(toUser32)],
  [PTRACE_SETSIGINFO, setsiginfo(siginfoFromUser32)],
]);

/** PTRACE_GETEVENTMSG: a word of the caller. */
export const geteventmsg64: PtraceRequest = (call) =>
  put_user_u64(call.tracer.mm, datap(call), call.child.ptraceMessage);
export const geteventmsg32: PtraceRequest = (call) =>
  put_user_u32(call.tracer.mm, datap(call), call.child.ptraceMessage);

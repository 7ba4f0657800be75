/** PTRACE_GET_THREAD_AREA, PTRACE_SET_THREAD_AREA, PTRACE_ARCH_PRCTL: arch_ptrace(), arch/x86/kernel/ptrace.c. */
import { EINVAL, EIO } from '../../abi/errno.ts';
import { user_desc } from '../../abi/process.ts';
import { PTRACE_ARCH_PRCTL, PTRACE_GET_THREAD_AREA, PTRACE_SET_THREAD_AREA } from '../../abi/ptrace.ts';
import { copy_to_user } from '../../mm/uaccess.ts';
import { do_set_thread_area, fill_user_desc, GDT_ENTRY_TLS_MAX, GDT_ENTRY_TLS_MIN } from '../../task/tls.ts';
import { datap, type PtraceCall, type PtraceRequest, type RequestTable } from './call.ts';

/** The entry number, or undefined for one that is negative as an int. */
function entryOf({ addr }: PtraceCall): number | undefined {
  const entry = Number(BigInt.asIntN(32, addr));
  return entry < 0 ? undefined : entry;
}

const getThreadArea: PtraceRequest = (call) => {
  const entry = entryOf(call);
  if (entry === undefined) return -EIO;
  if (entry < GDT_ENTRY_TLS_MIN || entry > GDT_ENTRY_TLS_MAX) return -EINVAL;
  const desc = fill_user_desc(entry, call.child.tls[entry - GDT_ENTRY_TLS_MIN]!);
  return copy_to_user(call.tracer.mm, datap(call), user_desc.write(desc));
};

const setThreadArea: PtraceRequest = (call) => {
  const entry = entryOf(call);
  if (entry === undefined) return -EIO;
  return do_set_thread_area(call.child, call.tracer, datap(call), { index: entry, canAllocate: false });
};

export const threadAreas: RequestTable = new Map([
  [PTRACE_GET_THREAD_AREA, getThreadArea],
  [PTRACE_SET_THREAD_AREA, setThreadArea],
]);

/** The arguments come the other way round. What reads or maps memory does it in the tracer. */
const archPrctl: PtraceRequest = ({ tracer, child, addr, data }) => {
  const row = child.kernel.ops.arch_prctl.find((r) => BigInt(r.code) === data);
  return row === undefined ? -EINVAL : row.run(child, Number(addr), tracer);
};

export const archPrctls: RequestTable = new Map([[PTRACE_ARCH_PRCTL, archPrctl]]);

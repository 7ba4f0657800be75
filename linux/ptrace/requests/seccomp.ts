/** seccomp_get_filter(), kernel/seccomp.c: PTRACE_SECCOMP_GET_FILTER of CONFIG_CHECKPOINT_RESTORE. */
import { EACCES, EFAULT, EINVAL, ENOENT } from '../../abi/errno.ts';
import { PTRACE_SECCOMP_GET_FILTER } from '../../abi/ptrace.ts';
import { SECCOMP_MODE_DISABLED, SECCOMP_MODE_FILTER, sock_filter } from '../../abi/seccomp.ts';
import { copy_to_user } from '../../mm/uaccess.ts';
import { CAP_SYS_ADMIN, capable } from '../../task/cred.ts';
import { datap, type PtraceRequest, type RequestTable } from './call.ts';

/** `addr` counts from the filter that was attached first. @returns its length in instructions */
const seccomp_get_filter: PtraceRequest = (call) => {
  const { tracer, child } = call;
  if (!capable(tracer.cred, CAP_SYS_ADMIN) || tracer.seccomp.mode !== SECCOMP_MODE_DISABLED) return -EACCES;
  if (child.seccomp.mode !== SECCOMP_MODE_FILTER) return -EINVAL;
  const filters = [];
  for (let f = child.seccomp.filter; f; f = f.prev) filters.unshift(f);
  const filter = filters[Number(call.addr)];
  if (filter === undefined) return -ENOENT;
  const { program } = filter;
  if (datap(call) === 0) return program.length;
  const bytes = new Uint8Array(program.length * sock_filter.size);
  program.forEach((insn, i) => {
    sock_filter.writeTo(bytes, insn, i * sock_filter.size);
  });
  return copy_to_user(tracer.mm, datap(call), bytes) < 0 ? -EFAULT : program.length;
};

export const seccompRequests: RequestTable = new Map([[PTRACE_SECCOMP_GET_FILTER, seccomp_get_filter]]);

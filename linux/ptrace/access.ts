/** Who may look into, or trace, whom: __ptrace_may_access() of kernel/ptrace.c and security/commoncap.c; there is no Yama. */
import { EPERM } from '../abi/errno.ts';
import { CAP_SYS_PTRACE, type Cred, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';

const SUID_DUMP_USER = 1;

/** PTRACE_MODE_FSCREDS or PTRACE_MODE_REALCREDS: by which ids the caller is judged. */
export type AccessCreds = 'fs' | 'real';

const isSubset = (a: bigint, b: bigint): boolean => (a & ~b) === 0n;

/** ptrace_may_access(). @returns 0 or -EPERM */
export function ptrace_may_access(caller: Task, task: Task, creds: AccessCreds): number {
  if (caller.group === task.group) return 0;
  const { cred } = caller;
  const uid = creds === 'fs' ? cred.fsuid : cred.uid;
  const gid = creds === 'fs' ? cred.fsgid : cred.gid;
  const t = task.cred;
  const same = uid === t.euid && uid === t.suid && uid === t.uid && gid === t.egid && gid === t.sgid && gid === t.gid;
  if (!same && !capable(cred, CAP_SYS_PTRACE)) return -EPERM;
  if (task.mm.dumpable !== SUID_DUMP_USER && !capable(cred, CAP_SYS_PTRACE)) return -EPERM;
  return cap_ptrace_access_check(cred, t, creds === 'fs' ? cred.capEffective : cred.capPermitted);
}

/** cap_ptrace_access_check(): nobody who can do more. */
function cap_ptrace_access_check(cred: Cred, child: Cred, caps: bigint): number {
  return isSubset(child.capPermitted, caps) || capable(cred, CAP_SYS_PTRACE) ? 0 : -EPERM;
}

/** cap_ptrace_traceme(): a parent that can do less may not trace. */
export function cap_ptrace_traceme(parent: Task, child: Task): number {
  return isSubset(child.cred.capPermitted, parent.cred.capPermitted) || capable(parent.cred, CAP_SYS_PTRACE)
    ? 0
    : -EPERM;
}

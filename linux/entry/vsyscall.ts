/** emulate_vsyscall(), arch/x86/entry/vsyscall/vsyscall_64.c: calls into the page at 0xffffffffff600000. */
import { PF_INSTR } from '../../cpu/mmu.ts';
import { EFAULT, ENOSYS } from '../abi/errno.ts';
import { SECCOMP_MODE_DISABLED } from '../abi/seccomp.ts';
import { SIGSEGV } from '../abi/signal.ts';
import { get_user_u64 } from '../mm/uaccess.ts';
import { seccomp_phase1 } from '../seccomp/seccomp.ts';
import { force_sig } from '../signal/queue.ts';
import { sys_getcpu } from '../syscalls/sched.ts';
import { sys_gettimeofday, sys_time } from '../syscalls/time.ts';
import { user_64bit_mode } from '../task/pt-regs.ts';
import { NO_CALL, type Task } from '../task/task.ts';
import { VSYSCALL_NRS } from '../vdso/vvar.ts';

const VSYSCALL_ADDR = 0xffff_ffff_ff60_0000n;

/** addr_to_vsyscall_nr(): the three places where a call may begin. */
const CALLS = [sys_gettimeofday, sys_time, sys_getcpu] as const;

/** @returns whether the fault was such a call */
export function emulate_vsyscall(task: Task, address: bigint, errorCode: number): boolean {
  if (address < VSYSCALL_ADDR || address >= VSYSCALL_ADDR + 0x1000n) return false;
  if ((errorCode & PF_INSTR) === 0 || !user_64bit_mode(task) || task.mm.abi !== '64') return false;
  const { regs } = task;
  const offset = Number(address - VSYSCALL_ADDR);
  const call = offset % 0x400 === 0 ? CALLS[offset / 0x400] : undefined;
  if (call === undefined) return false;
  const caller = get_user_u64(task.mm, Number(regs.rsp));
  if (caller === undefined) {
    force_sig(task, SIGSEGV);
    return true;
  }
  const verdict = allowedBySeccomp(task, VSYSCALL_NRS[offset / 0x400]!);
  if (verdict === 'ended') return true;
  if (verdict === 'ok') {
    const result = call(task, Number(regs.rdi), Number(regs.rsi), Number(regs.rdx));
    if (result === -EFAULT) {
      force_sig(task, SIGSEGV);
      return true;
    }
    regs.rax = BigInt.asUintN(64, BigInt(result));
  }
  regs.rip = caller;
  regs.rsp += 8n;
  return true;
}

/** secure_computing() with the number of the call; orig_ax goes back to -1. */
function allowedBySeccomp(task: Task, nr: number): 'ok' | 'skip' | 'ended' {
  if (task.seccomp.mode === SECCOMP_MODE_DISABLED) return 'ok';
  task.origAx = BigInt(nr);
  task.sysNr = nr;
  task.entry = 'syscall64';
  task.sysArgWords.set(new Uint32Array(new BigUint64Array([task.regs.rdi, task.regs.rsi, task.regs.rdx]).buffer));
  task.regs.rax = BigInt.asUintN(64, BigInt(-ENOSYS));
  const verdict = seccomp_phase1(task);
  task.origAx = NO_CALL;
  // Not modelled: SECCOMP_RET_TRACE of a call into this page; it counts as one without a tracer.
  return typeof verdict === 'number' ? 'skip' : verdict;
}

/** emulate_vsyscall(), arch/x86/entry/vsyscall/vsyscall_64.c: calls into the page at 0xffffffffff600000. */
import { PF_INSTR } from '../../cpu/mmu.ts';
import { SIGSEGV } from '../abi/signal.ts';
import { get_user_u64 } from '../mm/uaccess.ts';
import { force_sig } from '../signal/queue.ts';
import { sys_getcpu } from '../syscalls/sched.ts';
import { sys_gettimeofday, sys_time } from '../syscalls/time.ts';
import { user_64bit_mode } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';

const VSYSCALL_ADDR = 0xffff_ffff_ff60_0000n;

/** @returns whether the fault was such a call */
export function emulate_vsyscall(task: Task, address: bigint, errorCode: number): boolean {
  if (address < VSYSCALL_ADDR || address >= VSYSCALL_ADDR + 0x1000n) return false;
  if ((errorCode & PF_INSTR) === 0 || !user_64bit_mode(task) || task.mm.abi !== '64') return false;
  const { regs } = task;
  const args = [Number(regs.rdi), Number(regs.rsi), Number(regs.rdx)] as const;
  let result: number;
  switch (address - VSYSCALL_ADDR) {
    case 0n:
      result = sys_gettimeofday(task, args[0], args[1]);
      break;
    case 0x400n:
      result = sys_time(task, args[0]);
      break;
    case 0x800n:
      result = sys_getcpu(task, args[0], args[1], args[2]);
      break;
    default:
      return false;
  }
  const caller = get_user_u64(task.mm, Number(regs.rsp));
  if (caller === undefined || result === -14) {
    force_sig(task, SIGSEGV);
    return true;
  }
  regs.rax = BigInt.asUintN(64, BigInt(result));
  regs.rip = caller;
  regs.rsp += 8n;
  return true;
}

import { initFpu } from '../../cpu/xsave.ts';
import type { Task } from '../task/task.ts';

const __USER32_CS = 0x23,
  __USER_DS = 0x2b,
  __USER_CS = 0x33;
const X86_EFLAGS_IF = 0x202n;

/**
 * start_thread() and compat_start_thread(), arch/x86/kernel/process_64.c, with ELF_PLAT_INIT: the registers of a program
 * that has just been loaded.
 */
export function start_thread(task: Task, ip: number, sp: number): void {
  const { kernel, mm } = task;
  kernel.switchTo(task);
  const { cpu } = kernel;
  const { regs } = task;
  const compat = mm.abi !== '64';
  regs.gpr.fill(0n);
  task.tls.fill(0n);
  kernel.loadTls(task);
  for (const segment of ['fs', 'gs'] as const) cpu.loadSegment(segment, 0);
  regs.fsBase = 0n;
  regs.gsBase = 0n;
  const data = compat ? __USER_DS : 0;
  cpu.loadSegment('ds', data);
  cpu.loadSegment('es', data);
  cpu.loadSegment('cs', mm.abi === 'ia32' ? __USER32_CS : __USER_CS);
  cpu.loadSegment('ss', __USER_DS);
  task.badSelectors = undefined;
  regs.rip = BigInt(ip);
  regs.rsp = BigInt(sp);
  regs.rflags = X86_EFLAGS_IF;
  initFpu(regs);
}

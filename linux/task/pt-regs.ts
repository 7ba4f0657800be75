/** `struct pt_regs` over the CPU's registers: selectors, IRET's checks, the mode of a task. */
import { Vector } from '../../cpu/exit.ts';
import type { Task } from './task.ts';

/** Selectors of arch/x86/include/asm/segment.h. */
export const __USER32_CS = 0x23,
  __USER_DS = 0x2b,
  __USER_CS = 0x33;

export const X86_EFLAGS_CF = 0x1,
  X86_EFLAGS_PF = 0x4,
  X86_EFLAGS_AF = 0x10,
  X86_EFLAGS_ZF = 0x40;
export const X86_EFLAGS_SF = 0x80,
  X86_EFLAGS_TF = 0x100,
  X86_EFLAGS_IF = 0x200,
  X86_EFLAGS_DF = 0x400;
export const X86_EFLAGS_OF = 0x800,
  X86_EFLAGS_NT = 0x4000,
  X86_EFLAGS_RF = 0x1_0000,
  X86_EFLAGS_AC = 0x4_0000;

/** pt_regs.cs: what IRET would load, or refused to load. */
export const csOf = (task: Task): number => task.badSelectors?.cs ?? task.regs.cs;
export const ssOf = (task: Task): number => task.badSelectors?.ss ?? task.regs.ss;

/** user_64bit_mode(), arch/x86/include/asm/ptrace.h: CS is __USER_CS exactly; a code segment of the LDT is not. */
export const user_64bit_mode = (task: Task): boolean => csOf(task) === __USER_CS;

/** A descriptor as the CPU reads it, or undefined beyond the table. */
function descriptor(task: Task, selector: number): bigint | undefined {
  const table = (selector & 4) !== 0 ? task.mm.ldt : task.kernel.cpu.gdt;
  const index = selector >> 3;
  if ((selector & 4) === 0 && index >= 12 && index <= 14) return task.tls[index - 12];
  return table?.[index];
}

interface SegmentFault {
  readonly vector: number;
  readonly errorCode: number;
}

const access = (d: bigint): number => Number((d >> 40n) & 0xffn);
/** Table indicator of a selector: LDT. */
const SELECTOR_TI = 4;
const PRESENT = 0x80,
  DPL3 = 0x60,
  NOT_SYSTEM = 0x10,
  CODE = 0x08,
  CONFORMING = 0x04,
  WRITABLE = 0x02;

/** What IRET to user mode says of these selectors: Intel SDM vol. 2, IRET, "RETURN-TO-OUTER-PRIVILEGE-LEVEL". */
export function checkIret(task: Task, cs: number, ss: number, ip: bigint): SegmentFault | undefined {
  const fault = (vector: number, selector: number): SegmentFault => ({ vector, errorCode: selector & 0xfffc });
  if ((cs & 0xfffc) === 0) return fault(Vector.GP, 0);
  const code = descriptor(task, cs);
  if (code === undefined) return fault(Vector.GP, cs);
  const codeAccess = access(code);
  if ((codeAccess & (NOT_SYSTEM | CODE)) !== (NOT_SYSTEM | CODE)) return fault(Vector.GP, cs);
  if ((codeAccess & CONFORMING) === 0 && (codeAccess & DPL3) !== DPL3) return fault(Vector.GP, cs);
  if ((codeAccess & PRESENT) === 0) return fault(Vector.NP, cs);
  if ((ss & 0xfffc) === 0) return fault(Vector.GP, 0);
  const stack = descriptor(task, ss);
  if (stack === undefined) return fault(Vector.GP, ss);
  const stackAccess = access(stack);
  if ((stackAccess & (NOT_SYSTEM | CODE | WRITABLE)) !== (NOT_SYSTEM | WRITABLE)) return fault(Vector.GP, ss);
  if ((stackAccess & DPL3) !== DPL3 || (ss & 3) !== 3) return fault(Vector.GP, ss);
  if ((stackAccess & PRESENT) === 0) return fault(Vector.SS, ss);
  const long = ((code >> 53n) & 1n) === 1n;
  if (long ? BigInt.asIntN(48, ip) !== BigInt.asIntN(64, ip) : ip > segmentLimit(code)) return fault(Vector.GP, 0);
  return undefined;
}

/** The limit in bytes. */
function segmentLimit(d: bigint): bigint {
  const raw = (d & 0xffffn) | ((d >> 32n) & 0xf0000n);
  return ((d >> 55n) & 1n) === 1n ? (raw << 12n) | 0xfffn : raw;
}

/**
 * Gives a task its CS, SS and IP as IRET would at the next return to user mode. Refused selectors stay in pt_regs and the
 * fault is returned: native_irq_return_iret and fixup_bad_iret of arch/x86/entry/entry_64.S.
 */
export function setUserEntry(task: Task, cs: number, ss: number, ip: bigint): SegmentFault | undefined {
  const { kernel } = task;
  kernel.switchTo(task);
  task.regs.rip = ip;
  task.iretDue = true;
  if (sameEntry(task, cs, ss) && ip < USER_ADDRESSES) return undefined;
  const refused = checkIret(task, cs, ss, ip);
  // To a stack of the LDT IRET goes by way of espfix64, whose faults come as #DF: do_double_fault() makes #GP(0) of it.
  const fault = refused && (ss & SELECTOR_TI) !== 0 ? { vector: Vector.GP, errorCode: 0 } : refused;
  if (fault) {
    task.badSelectors = { cs, ss };
    return fault;
  }
  loadCodeAndStack(task, cs, ss);
  // AMD's IRET to compatibility mode clears the upper half.
  if (!task.regs.long) task.regs.rsp &= 0xffff_ffffn;
  return undefined;
}

const USER_ADDRESSES = 1n << 47n;

/** CS and SS are the flat 64-bit segments already, whose descriptors nobody can change. */
function sameEntry(task: Task, cs: number, ss: number): boolean {
  if (cs !== __USER_CS || ss !== __USER_DS || task.badSelectors !== undefined) return false;
  return task.regs.cs === cs && task.regs.ss === ss;
}

/**
 * What else IRET to user mode does, Intel SDM vol. 2, "RETURN-TO-OUTER-PRIVILEGE-LEVEL": a null selector with an RPL comes out
 * as 0. SYSRET and SYSEXIT leave it. Not modelled: the IRET behind an interrupt of the timer.
 */
export function iretNullSelectors(task: Task): void {
  const { regs, kernel } = task;
  for (const segment of ['es', 'ds', 'fs', 'gs'] as const) {
    const selector = regs[segment];
    if (selector !== 0 && selector <= 3) kernel.cpu.loadSegment(segment, 0);
  }
}

/** Good selectors of CS and SS, without IRET's look at RIP: SYSRET has none. */
export function loadCodeAndStack(task: Task, cs: number, ss: number): void {
  task.badSelectors = undefined;
  task.kernel.cpu.loadSegment('cs', cs);
  task.kernel.cpu.loadSegment('ss', ss);
}

/** force_valid_ss(), arch/x86/kernel/signal.c: an SS that cannot be a stack becomes __USER_DS. */
export function force_valid_ss(task: Task, ss: number): number {
  const d = (ss & 0xfffc) === 0 ? undefined : descriptor(task, ss);
  if (d === undefined) return __USER_DS;
  const a = access(d);
  const good = (a & (PRESENT | DPL3 | NOT_SYSTEM | CODE | WRITABLE)) === (PRESENT | DPL3 | NOT_SYSTEM | WRITABLE);
  return good ? ss : __USER_DS;
}

/** loadsegment() with its fixup: a selector that cannot be loaded becomes 0. */
export function loadDataSegment(task: Task, segment: 'ds' | 'es' | 'fs' | 'gs', selector: number): void {
  const { kernel } = task;
  kernel.switchTo(task);
  if (!kernel.cpu.loadSegment(segment, selector)) kernel.cpu.loadSegment(segment, 0);
}

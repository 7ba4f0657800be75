/** A task's registers as the block of registers/state.ts, and back. What may be written follows arch/x86/kernel/ptrace.c. */
import { COMPONENTS, xrstor, xsave } from '../../cpu/xsave.ts';
import { csOf, loadDataSegment, setUserEntry, ssOf } from '../../linux/task/pt-regs.ts';
import type { Task } from '../../linux/task/task.ts';
import { getUserReg, STATE_SIZE, setUserReg, type UserReg, XSAVE_OFFSET, XSAVE_SIZE } from '../registers/state.ts';

const GENERAL = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const satisfies readonly UserReg[];

const DATA_SEGMENTS = ['ds', 'es', 'fs', 'gs'] as const;

/** FLAG_MASK of ptrace.c: what a debugger may change in EFLAGS. */
const FLAG_MASK = 0x54dd5n;

/** The registers of a task as `registers/` lays them out. */
export function readTaskState(task: Task): Uint8Array {
  const state = new Uint8Array(STATE_SIZE);
  const { regs } = task;
  const set = (name: UserReg, value: bigint | number): void =>
    setUserReg(state, name, BigInt.asUintN(64, BigInt(value)));
  for (const name of GENERAL) set(name, regs[name]);
  set('rip', regs.rip);
  set('eflags', regs.rflags);
  set('cs', csOf(task));
  set('ss', ssOf(task));
  for (const name of DATA_SEGMENTS) set(name, regs[name]);
  set('fs_base', regs.fsBase);
  set('gs_base', regs.gsBase);
  set('orig_rax', task.origAx);
  state.set(xsave(regs, task.kernel.cpu.xcr0), XSAVE_OFFSET);
  return state;
}

const isUserSelector = (selector: number): boolean => selector > 0 && selector <= 0xffff && (selector & 3) === 3;
const isDataSelector = (selector: number): boolean => selector === 0 || (selector <= 0xffff && (selector & 3) === 3);

/** @returns false if a selector, a base or MXCSR is none that Linux would take; nothing is changed then */
export function writeTaskState(task: Task, state: Uint8Array): boolean {
  const old = readTaskState(task);
  const changed = (name: UserReg): bigint | undefined => {
    const value = getUserReg(state, name);
    return value === getUserReg(old, name) ? undefined : value;
  };
  for (const name of ['cs', 'ss'] as const) if (!isUserSelector(Number(getUserReg(state, name)))) return false;
  for (const name of DATA_SEGMENTS) if (!isDataSelector(Number(getUserReg(state, name)))) return false;
  for (const name of ['fs_base', 'gs_base'] as const) if (getUserReg(state, name) >= 0x7fff_ffff_f000n) return false;

  const fpu = state.subarray(XSAVE_OFFSET, XSAVE_OFFSET + XSAVE_SIZE);
  if (!Buffer.from(fpu).equals(old.subarray(XSAVE_OFFSET)) && !writeFpu(task, fpu)) return false;

  const { regs } = task;
  for (const name of GENERAL) {
    const value = changed(name);
    if (value !== undefined) regs[name] = value;
  }
  const flags = changed('eflags');
  if (flags !== undefined) regs.rflags = (regs.rflags & ~FLAG_MASK) | (flags & FLAG_MASK);
  writeSegments(task, state, changed);
  const origAx = changed('orig_rax');
  if (origAx !== undefined) {
    task.origAx = BigInt.asIntN(64, origAx);
    // An interrupted call that the debugger puts back is restarted on the way to user mode, as after a ptrace stop.
    if (task.origAx >= 0n) task.sigPending = true;
  }
  return true;
}

function writeSegments(task: Task, state: Uint8Array, changed: (name: UserReg) => bigint | undefined): void {
  const { regs } = task;
  const rip = getUserReg(state, 'rip');
  if (changed('cs') !== undefined || changed('ss') !== undefined) {
    setUserEntry(task, Number(getUserReg(state, 'cs')), Number(getUserReg(state, 'ss')), rip);
  } else if (changed('rip') !== undefined) {
    regs.rip = rip;
  }
  for (const name of DATA_SEGMENTS) {
    const selector = changed(name);
    if (selector !== undefined) loadDataSegment(task, name, Number(selector));
  }
  const fsBase = changed('fs_base');
  if (fsBase !== undefined) regs.fsBase = fsBase;
  const gsBase = changed('gs_base');
  if (gsBase !== undefined) regs.gsBase = gsBase;
}

/** The components that a debugger gave count from now on, even if they were in their initial state. */
function writeFpu(task: Task, area: Uint8Array): boolean {
  const image = Uint8Array.from(area);
  const view = new DataView(image.buffer);
  if ((view.getUint32(24, true) & 0xffff_0000) !== 0) return false;
  const { xcr0 } = task.kernel.cpu;
  const given = COMPONENTS.filter(
    ({ feature, offset, size }) =>
      (xcr0 & feature) !== 0 && image.subarray(offset, offset + size).some((byte) => byte !== 0),
  );
  image.fill(0, 512, 576);
  view.setUint32(
    512,
    given.reduce((bv, { feature }) => bv | feature, 3),
    true,
  );
  return xrstor(task.regs, image, xcr0);
}

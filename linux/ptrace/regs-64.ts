/** The general registers in the 64-bit layout: getreg() and putreg() of arch/x86/kernel/ptrace.c. */
import { EIO } from '../abi/errno.ts';
import { FLAG_MASK, user_regs_struct } from '../abi/ptrace.ts';
import { csOf, loadDataSegment, ssOf, X86_EFLAGS_TF } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';
import { TIF_FORCED_TF } from '../task/thread-info.ts';

type Word = keyof typeof user_regs_struct.offset;

/** The members in order; a word's number is its offset / 8. */
const WORDS = Object.keys(user_regs_struct.offset) as readonly Word[];

/** Members that are plain 64-bit registers of the CPU. */
const GENERAL = {
  r15: 'r15',
  r14: 'r14',
  r13: 'r13',
  r12: 'r12',
  bp: 'rbp',
  bx: 'rbx',
  r11: 'r11',
  r10: 'r10',
  r9: 'r9',
  r8: 'r8',
  ax: 'rax',
  cx: 'rcx',
  dx: 'rdx',
  si: 'rsi',
  di: 'rdi',
  ip: 'rip',
  sp: 'rsp',
} as const satisfies Partial<Record<Word, keyof Task['regs']>>;

const isGeneral = (word: Word): word is keyof typeof GENERAL => word in GENERAL;

/** get_flags(): a TF that the debugger forced is hidden. */
export function get_flags(task: Task): bigint {
  const { rflags } = task.regs;
  return (task.threadInfo.flags & TIF_FORCED_TF) !== 0 ? rflags & ~BigInt(X86_EFLAGS_TF) : rflags;
}

/** set_flags(): a TF in the value is the program's own from now on. */
export function set_flags(task: Task, value: bigint): void {
  const TF = BigInt(X86_EFLAGS_TF);
  let flags = value;
  if ((flags & TF) !== 0n) task.threadInfo.flags &= ~TIF_FORCED_TF;
  else if ((task.threadInfo.flags & TIF_FORCED_TF) !== 0) flags |= TF;
  task.regs.rflags = (task.regs.rflags & ~FLAG_MASK) | (flags & FLAG_MASK);
}

/** thread.fsbase, thread.gsbase: __switch_to() of v4.7 keeps no base beside a selector that is not null. */
const baseOf = (task: Task, segment: 'fs' | 'gs'): bigint => {
  if (task.regs[segment] !== 0) return 0n;
  return segment === 'fs' ? task.regs.fsBase : task.regs.gsBase;
};

/** getreg(): one word of user_regs_struct. */
export function getreg(task: Task, offset: number): bigint {
  const word = WORDS[offset / 8]!;
  if (isGeneral(word)) return task.regs[GENERAL[word]];
  switch (word) {
    case 'orig_ax':
      return BigInt.asUintN(64, task.origAx);
    case 'cs':
      return BigInt(csOf(task));
    case 'ss':
      return BigInt(ssOf(task));
    case 'flags':
      return get_flags(task);
    case 'fs_base':
      return baseOf(task, 'fs');
    case 'gs_base':
      return baseOf(task, 'gs');
    default:
      return BigInt(task.regs[word]);
  }
}

/** putreg(). @returns 0, or -EIO for what no user register can hold */
export function putreg(task: Task, offset: number, value: bigint): number {
  const word = WORDS[offset / 8]!;
  if (isGeneral(word)) {
    task.regs[GENERAL[word]] = value;
    return 0;
  }
  switch (word) {
    case 'orig_ax':
      task.origAx = BigInt.asIntN(64, value);
      return 0;
    case 'flags':
      set_flags(task, value);
      return 0;
    case 'fs_base':
      return putBase(task, 'fs', value);
    case 'gs_base':
      return putBase(task, 'gs', value);
    default:
      return set_segment_reg(task, word, Number(value & 0xffffn));
  }
}

/** Through do_arch_prctl(): the base goes with a null selector. */
function putBase(task: Task, segment: 'fs' | 'gs', value: bigint): number {
  // TASK_SIZE_OF(): of an i386 program, below 4 GiB.
  if (value >= BigInt(task.mm.taskSize)) return -EIO;
  if (value === baseOf(task, segment)) return 0;
  loadDataSegment(task, segment, 0);
  if (segment === 'fs') task.regs.fsBase = value;
  else task.regs.gsBase = value;
  return 0;
}

/**
 * set_segment_reg(): any selector of RPL 3, null for data segments only. CS and SS are loaded, or refused, by the IRET of
 * the next return to user mode; data segments at the next turn of the task, where a bad selector becomes null.
 */
export function set_segment_reg(
  task: Task,
  segment: 'cs' | 'ss' | 'ds' | 'es' | 'fs' | 'gs',
  selector: number,
): number {
  if (selector !== 0 && (selector & 3) !== 3) return -EIO;
  switch (segment) {
    case 'cs':
    case 'ss':
      if (selector === 0) return -EIO;
      task.badSelectors = { cs: csOf(task), ss: ssOf(task), [segment]: selector };
      return 0;
    default:
      pokeDataSegment(task, segment, selector);
      return 0;
  }
}

function pokeDataSegment(task: Task, segment: 'ds' | 'es' | 'fs' | 'gs', selector: number): void {
  const { regs } = task;
  if (regs[segment] === selector) return;
  const { fsBase, gsBase } = regs;
  loadDataSegment(task, segment, selector);
  // What cannot be loaded is shown until then.
  if (regs[segment] !== selector) regs.setSelector(segment, selector);
  // A null selector leaves the base alone.
  if (selector === 0 && segment === 'fs') regs.fsBase = fsBase;
  if (selector === 0 && segment === 'gs') regs.gsBase = gsBase;
}

/** genregs_get(). */
export function genregs_get(task: Task): Uint8Array {
  const bytes = new Uint8Array(user_regs_struct.size);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 8) view.setBigUint64(at, getreg(task, at), true);
  return bytes;
}

/** genregs_set(): word by word up to the first that is refused. */
export function genregs_set(task: Task, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let error = 0;
  for (let at = 0; at + 8 <= bytes.length && error === 0; at += 8) {
    error = putreg(task, at, view.getBigUint64(at, true));
  }
  return error;
}

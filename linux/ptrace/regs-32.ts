/** The general registers in the i386 layout: getreg32() and putreg32() of arch/x86/kernel/ptrace.c. */
import { user_regs_struct32 } from '../abi/ptrace.ts';
import { csOf, ssOf } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';
import { TS_COMPAT } from '../task/thread-info.ts';
import { get_flags, set_flags, set_segment_reg } from './regs-64.ts';

type Word = keyof typeof user_regs_struct32.offset;

/** The members in order; a word's number is its offset / 4. */
const WORDS = Object.keys(user_regs_struct32.offset) as readonly Word[];

const GENERAL = {
  ebx: 'rbx',
  ecx: 'rcx',
  edx: 'rdx',
  esi: 'rsi',
  edi: 'rdi',
  ebp: 'rbp',
  eax: 'rax',
  eip: 'rip',
  esp: 'rsp',
} as const satisfies Partial<Record<Word, keyof Task['regs']>>;

const isGeneral = (word: Word): word is keyof typeof GENERAL => word in GENERAL;
const low = (value: bigint): number => Number(value & 0xffff_ffffn);

/** getreg32() of a register: the low half. */
export function getreg32(task: Task, offset: number): number {
  const word = WORDS[offset / 4]!;
  if (isGeneral(word)) return low(task.regs[GENERAL[word]]);
  switch (word) {
    case 'orig_eax':
      return low(task.origAx);
    case 'cs':
      return csOf(task);
    case 'ss':
      return ssOf(task);
    case 'eflags':
      return low(get_flags(task));
    default:
      return task.regs[word];
  }
}

/**
 * putreg32() of a register: zero-extended. An orig_eax that is a number marks the task as being in a 32-bit call in this
 * kernel, so that a restart code in EAX is taken for one.
 */
export function putreg32(task: Task, offset: number, value: number): number {
  const word = WORDS[offset / 4]!;
  if (isGeneral(word)) {
    task.regs[GENERAL[word]] = BigInt(value);
    return 0;
  }
  switch (word) {
    case 'orig_eax':
      task.origAx = BigInt(value);
      if ((value | 0) >= 0) task.threadInfo.status |= TS_COMPAT;
      return 0;
    case 'eflags':
      set_flags(task, BigInt(value));
      return 0;
    default:
      return set_segment_reg(task, word, value & 0xffff);
  }
}

/** genregs32_get(). */
export function genregs32_get(task: Task): Uint8Array {
  const bytes = new Uint8Array(user_regs_struct32.size);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 4) view.setUint32(at, getreg32(task, at), true);
  return bytes;
}

/** genregs32_set(): word by word up to the first that is refused. */
export function genregs32_set(task: Task, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let error = 0;
  for (let at = 0; at + 4 <= bytes.length && error === 0; at += 4) {
    error = putreg32(task, at, view.getUint32(at, true));
  }
  return error;
}

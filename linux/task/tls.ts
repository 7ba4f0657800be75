/** Thread-local storage in the GDT: arch/x86/kernel/tls.c and fill_ldt() of arch/x86/include/asm/desc.h. */
import { EFAULT, EINVAL, ESRCH } from '../abi/errno.ts';
import {
  UD_CONTENTS,
  UD_CONTENTS_SHIFT,
  UD_LIMIT_IN_PAGES,
  UD_LM,
  UD_READ_EXEC_ONLY,
  UD_SEG_32BIT,
  UD_SEG_NOT_PRESENT,
  UD_USEABLE,
  user_desc,
} from '../abi/process.ts';
import type { ValueOfStruct } from '../abi/struct.ts';
import { copy_from_user, put_user_u32 } from '../mm/uaccess.ts';
import { loadDataSegment } from './pt-regs.ts';
import type { Task } from './task.ts';

export type UserDesc = ValueOfStruct<typeof user_desc>;

export const GDT_ENTRY_TLS_MIN = 12,
  GDT_ENTRY_TLS_MAX = 14;

/** LDT_empty(): what clears a slot. */
export function LDT_empty(d: UserDesc): boolean {
  const f = d.flags & ~UD_USEABLE & ~UD_LM;
  return d.base_addr === 0 && d.limit === 0 && f === (UD_READ_EXEC_ONLY | UD_SEG_NOT_PRESENT);
}

/** LDT_zero(): all zeros also clears. */
export const LDT_zero = (d: UserDesc): boolean => d.base_addr === 0 && d.limit === 0 && (d.flags & 0x7f) === 0;

/** fill_ldt(): a raw descriptor. */
export function fill_ldt(d: UserDesc): bigint {
  const f = d.flags;
  const bit = (mask: number): bigint => ((f & mask) !== 0 ? 1n : 0n);
  const base = BigInt(d.base_addr);
  const limit = BigInt(d.limit);
  const readable = (f & UD_READ_EXEC_ONLY) === 0 ? 1n : 0n;
  const type = (readable << 1n) | (BigInt((f & UD_CONTENTS) >> UD_CONTENTS_SHIFT) << 2n) | 1n;
  const present = (f & UD_SEG_NOT_PRESENT) === 0 ? 1n : 0n;
  const low = (limit & 0xffffn) | ((base & 0xffffn) << 16n);
  const access = type | (1n << 4n) | (3n << 5n) | (present << 7n);
  const flags = bit(UD_USEABLE) | (bit(UD_SEG_32BIT) << 2n) | (bit(UD_LIMIT_IN_PAGES) << 3n);
  const high =
    ((base >> 16n) & 0xffn) |
    (access << 8n) |
    (((limit >> 16n) & 0xfn) << 16n) |
    (flags << 20n) |
    (((base >> 24n) & 0xffn) << 24n);
  return (high << 32n) | low;
}

/** fill_user_desc(): the other way; an empty slot reads as read_exec_only and seg_not_present. */
export function fill_user_desc(index: number, raw: bigint): UserDesc {
  const bit = (n: bigint): number => Number((raw >> n) & 1n);
  const type = Number((raw >> 40n) & 0xfn);
  const flags =
    (bit(54n) ? UD_SEG_32BIT : 0) |
    ((type >> 2) << UD_CONTENTS_SHIFT) |
    ((type & 2) === 0 ? UD_READ_EXEC_ONLY : 0) |
    (bit(55n) ? UD_LIMIT_IN_PAGES : 0) |
    (bit(47n) ? 0 : UD_SEG_NOT_PRESENT) |
    (bit(52n) ? UD_USEABLE : 0);
  return {
    entry_number: index,
    base_addr: Number(((raw >> 16n) & 0xff_ffffn) | ((raw >> 32n) & 0xff00_0000n)),
    limit: Number((raw & 0xffffn) | ((raw >> 32n) & 0xf_0000n)),
    flags,
  };
}

/** tls_desc_okay(): 32-bit data segments, or a clearing. */
export function tls_desc_okay(d: UserDesc): boolean {
  if (LDT_empty(d) || LDT_zero(d)) return true;
  if ((d.flags & UD_SEG_32BIT) === 0) return false;
  if ((d.flags & UD_CONTENTS) >> UD_CONTENTS_SHIFT > 1) return false;
  if ((d.flags & UD_SEG_NOT_PRESENT) !== 0) return false;
  return true;
}

/** do_set_thread_area(). `task` may be another than `caller`: the child of a clone(). */
export function do_set_thread_area(
  task: Task,
  caller: Task,
  at: number,
  options: { readonly index?: number; readonly canAllocate: boolean },
): number {
  const bytes = copy_from_user(caller.mm, at, user_desc.size);
  if (typeof bytes === 'number') return -EFAULT;
  const info = user_desc.read(bytes);
  if (!tls_desc_okay(info)) return -EINVAL;
  let index = options.index ?? info.entry_number | 0;
  if (index === -1 && options.canAllocate) {
    index = get_free_idx(task);
    if (index < 0) return index;
    if (put_user_u32(caller.mm, at, index)) return -EFAULT;
  }
  if (index < GDT_ENTRY_TLS_MIN || index > GDT_ENTRY_TLS_MAX) return -EINVAL;
  task.tls[index - GDT_ENTRY_TLS_MIN] = LDT_empty(info) || LDT_zero(info) ? 0n : fill_ldt(info);
  task.kernel.loadTls(task);
  // Live selectors of the segment are loaded again; those of another task are at its next turn.
  const modified = index * 8 + 3;
  if (task === task.kernel.current) {
    for (const segment of ['ds', 'es', 'fs', 'gs'] as const) {
      if (task.regs[segment] === modified) loadDataSegment(task, segment, modified);
    }
  }
  return 0;
}

/** get_free_idx(). */
function get_free_idx(task: Task): number {
  for (let i = 0; i < 3; i++) if (task.tls[i] === 0n) return GDT_ENTRY_TLS_MIN + i;
  return -ESRCH;
}

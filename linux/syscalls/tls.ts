/** set_thread_area(2), get_thread_area(2), modify_ldt(2): arch/x86/kernel/tls.c, arch/x86/kernel/ldt.c. */
import { EFAULT, EINVAL, ENOSYS } from '../abi/errno.ts';
import { UD_CONTENTS, UD_CONTENTS_SHIFT, UD_SEG_NOT_PRESENT, UD_USEABLE, user_desc } from '../abi/process.ts';
import { copy_from_user, copy_to_user, get_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import {
  do_set_thread_area,
  fill_ldt,
  fill_user_desc,
  GDT_ENTRY_TLS_MAX,
  GDT_ENTRY_TLS_MIN,
  LDT_empty,
} from '../task/tls.ts';

/** set_thread_area(2), i386 number 243. */
export const sys_set_thread_area = (task: Task, at: number): number =>
  do_set_thread_area(task, task, at, { canAllocate: true });

/** get_thread_area(2), i386 number 244. */
export function sys_get_thread_area(task: Task, at: number): number {
  const index = get_user_u32(task.mm, at);
  if (index === undefined) return -EFAULT;
  if (index < GDT_ENTRY_TLS_MIN || index > GDT_ENTRY_TLS_MAX) return -EINVAL;
  const desc = fill_user_desc(index, task.tls[index - GDT_ENTRY_TLS_MIN]!);
  return copy_to_user(task.mm, at, user_desc.write(desc));
}

const LDT_ENTRIES = 8192;
const LDT_ENTRY_SIZE = 8;

/** modify_ldt(2). The result is an int: a negative one does not reach the upper half of RAX. */
export function sys_modify_ldt(task: Task, func: number, at: number, size: number): number {
  const result = modify_ldt(task, func, at, size);
  return result < 0 ? result + 0x1_0000_0000 : result;
}

function modify_ldt(task: Task, func: number, at: number, size: number): number {
  switch (func) {
    case 0:
      return read_ldt(task, at, size);
    case 1:
      return write_ldt(task, at, size, true);
    case 2: {
      // read_default_ldt(): five empty entries on i386, 16 bytes each long ago.
      const n = Math.min(size, 128);
      return copy_to_user(task.mm, at, new Uint8Array(n)) || n;
    }
    case 0x11:
      return write_ldt(task, at, size, false);
    default:
      return -ENOSYS;
  }
}

/** read_ldt(): the rest of the buffer is cleared. */
function read_ldt(task: Task, at: number, size: number): number {
  const { ldt } = task.mm;
  if (ldt.length === 0) return 0;
  const wanted = Math.min(size, LDT_ENTRIES * LDT_ENTRY_SIZE);
  const bytes = new Uint8Array(wanted);
  bytes.set(new Uint8Array(ldt.buffer, ldt.byteOffset, Math.min(wanted, ldt.byteLength)));
  return copy_to_user(task.mm, at, bytes) || wanted;
}

/** write_ldt(). */
function write_ldt(task: Task, at: number, size: number, oldmode: boolean): number {
  if (size !== user_desc.size) return -EINVAL;
  const bytes = copy_from_user(task.mm, at, size);
  if (typeof bytes === 'number') return -EFAULT;
  const info = user_desc.read(bytes);
  if (info.entry_number >= LDT_ENTRIES) return -EINVAL;
  const contents = (info.flags & UD_CONTENTS) >> UD_CONTENTS_SHIFT;
  if (contents === 3 && (oldmode || (info.flags & UD_SEG_NOT_PRESENT) === 0)) return -EINVAL;
  let raw = 0n;
  if ((oldmode && info.base_addr === 0 && info.limit === 0) || LDT_empty(info)) raw = 0n;
  else {
    // The lm bit is never taken: there is no 64-bit code segment in an LDT. 16-bit ones need CONFIG_X86_16BIT, which is on.
    raw = fill_ldt(oldmode ? { ...info, flags: info.flags & ~UD_USEABLE } : info);
  }
  const { mm, kernel } = task;
  if (info.entry_number >= mm.ldt.length) {
    const grown = new BigUint64Array(info.entry_number + 1);
    grown.set(mm.ldt);
    mm.ldt = grown;
  }
  mm.ldt[info.entry_number] = raw;
  kernel.activateMm(kernel.current ?? task);
  return 0;
}

/** The TLS descriptors as a register set: regset_tls_get() and regset_tls_set() of arch/x86/kernel/tls.c. */
import { EINVAL } from '../abi/errno.ts';
import { user_desc } from '../abi/process.ts';
import type { Task } from '../task/task.ts';
import { fill_ldt, fill_user_desc, GDT_ENTRY_TLS_MIN, LDT_empty, LDT_zero, tls_desc_okay } from '../task/tls.ts';

/** regset_tls_active(): up to the last slot in use. */
export function regset_tls_active(task: Task): number {
  let n = task.tls.length;
  while (n > 0 && task.tls[n - 1] === 0n) n--;
  return n;
}

/** regset_tls_get(), arch/x86/kernel/tls.c: three `struct user_desc`. */
export function regset_tls_get(task: Task): Uint8Array {
  const bytes = new Uint8Array(task.tls.length * user_desc.size);
  task.tls.forEach((raw, i) => {
    user_desc.writeTo(bytes, fill_user_desc(GDT_ENTRY_TLS_MIN + i, raw), i * user_desc.size);
  });
  return bytes;
}

/** regset_tls_set(), arch/x86/kernel/tls.c. */
export function regset_tls_set(task: Task, bytes: Uint8Array): number {
  const given = Array.from({ length: bytes.length / user_desc.size }, (_, i) =>
    user_desc.read(bytes, i * user_desc.size),
  );
  if (!given.every(tls_desc_okay)) return -EINVAL;
  given.forEach((d, i) => {
    task.tls[i] = LDT_empty(d) || LDT_zero(d) ? 0n : fill_ldt(d);
  });
  task.kernel.loadTls(task);
  return 0;
}

import { EFAULT } from '../abi/errno.ts';
import { access_ok, copy_to_user, get_user_u64 } from '../mm/uaccess.ts';
import { force_sig } from '../signal/queue.ts';
import type { Task } from '../task/task.ts';

export const VSYSCALL_ADDR = 0xffff_ffff_ff60_0000n;
const SIGSEGV = 11;

/** The three entries: what they write, given their first two arguments. A negative number is an errno. */
const ENTRIES: readonly ((task: Task, a: number, b: number) => number)[] = [
  (task, tv, tz) => {
    const now = task.kernel.realtimeNs();
    if (tv !== 0 && put64(task, tv, [now / 1_000_000_000n, (now / 1000n) % 1_000_000n]) < 0) return -EFAULT;
    return tz !== 0 ? copy_to_user(task.mm, tz, new Uint8Array(8)) : 0;
  },
  (task, t) => {
    const seconds = task.kernel.realtimeNs() / 1_000_000_000n;
    if (t !== 0 && put64(task, t, [seconds]) < 0) return -EFAULT;
    return Number(seconds);
  },
  (task, cpu, node) => {
    if (cpu !== 0 && copy_to_user(task.mm, cpu, new Uint8Array(4)) < 0) return -EFAULT;
    return node !== 0 ? copy_to_user(task.mm, node, new Uint8Array(4)) : 0;
  },
];

function put64(task: Task, address: number, words: readonly bigint[]): number {
  const bytes = new DataView(new ArrayBuffer(words.length * 8));
  words.forEach((word, i) => {
    bytes.setBigUint64(i * 8, word, true);
  });
  return copy_to_user(task.mm, address, new Uint8Array(bytes.buffer));
}

/**
 * emulate_vsyscall(), arch/x86/entry/vsyscall/vsyscall_64.c: a 64-bit task fetched an instruction from the vsyscall page.
 * The call is made and returns to its caller at once.
 * Not modelled: seccomp looks at these calls.
 * @returns false when the address is none of the entries: an ordinary page fault
 */
export function emulate_vsyscall(task: Task): boolean {
  const { regs, mm } = task;
  if (mm.abi !== '64') return false;
  const offset = regs.rip - VSYSCALL_ADDR;
  if (offset % 0x400n !== 0n || offset < 0n || offset >= 0xc00n) return false;
  const caller = get_user_u64(mm, Number(regs.rsp));
  if (caller === undefined || !access_ok(Number(regs.rsp), 8)) {
    force_sig(task, SIGSEGV);
    return true;
  }
  const result = ENTRIES[Number(offset / 0x400n)]!(task, Number(regs.rdi), Number(regs.rsi));
  if (result === -EFAULT) {
    force_sig(task, SIGSEGV);
    return true;
  }
  regs.rax = BigInt(result);
  regs.rip = caller;
  regs.rsp += 8n;
  return true;
}

import { E2BIG, EFAULT, ENOMEM } from '../abi/errno.ts';
import { RLIMIT_STACK } from '../abi/mman.ts';
import { encodeName } from '../abi/names.ts';
import { asAddr, PAGE_SIZE, pageOf } from '../addr.ts';
import { expand_downwards } from '../mm/fault.ts';
import type { Mm } from '../mm/mm.ts';
import { READ_IMPLIES_EXEC } from '../mm/mmap.ts';
import { copy_to_user } from '../mm/uaccess.ts';
import { VM_ACCOUNT, VM_EXEC, VM_GROWSDOWN, VM_MAYRWX, VM_READ, VM_WRITE, Vma } from '../mm/vma.ts';
import { insertVma } from '../mm/vma-list.ts';
import type { BinPrm } from './binprm.ts';

/** EXSTACK_*: what PT_GNU_STACK says, if there is one. */
export type ExecStack = 'default' | 'exec' | 'noexec';

/** MAX_ARG_STRLEN, include/uapi/linux/binfmts.h. */
const MAX_ARG_STRLEN = 131072;

/** The checks of copy_strings() and get_arg_page(), fs/exec.c: before the old program goes. */
export function checkArguments(bprm: BinPrm): number {
  const { task, argv, envp } = bprm;
  let total = Buffer.byteLength(bprm.filename) + 1;
  for (const s of [...argv, ...envp]) {
    if (s.length + 1 > MAX_ARG_STRLEN) return -E2BIG;
    total += s.length + 1;
  }
  const limit = task.mm.rlimit(RLIMIT_STACK) / 4;
  return total > Math.max(limit, 32 * PAGE_SIZE) ? -E2BIG : 0;
}

export interface ArgPages {
  /** bprm->p: where the argument strings start. */
  readonly p: number;
  /** bprm->exec: where the file's name stands. */
  readonly exec: number;
  readonly envStart: number;
}

/** setup_arg_pages(), fs/exec.c: the stack at the top of the address space, with the strings of the program in it. */
export function setup_arg_pages(bprm: BinPrm, mm: Mm, stack: ExecStack): ArgPages | number {
  const top = mm.taskSize;
  const name = Buffer.from(encodeName(`${bprm.filename}\0`));
  const strings = (list: readonly Uint8Array[]): Buffer =>
    Buffer.concat(list.map((s) => Buffer.concat([s, Buffer.of(0)])));
  const env = strings(bprm.envp);
  const arg = strings(bprm.argv);
  const exec = top - 8 - name.length;
  const envStart = exec - env.length;
  const p = envStart - arg.length;

  const readExec = (bprm.task.personality & READ_IMPLIES_EXEC) !== 0;
  const execFlag = stack === 'exec' || (stack === 'default' && readExec) ? VM_EXEC : 0;
  const flags = VM_READ | VM_WRITE | VM_MAYRWX | VM_GROWSDOWN | VM_ACCOUNT | execFlag | mm.defFlags;
  const start = pageOf(p);
  const vma = new Vma(start, asAddr(top), flags, start / PAGE_SIZE);
  insertVma(mm, vma);
  if (copy_to_user(mm, p, Buffer.concat([arg, env, name])) < 0) return -EFAULT;
  // 128 KiB of room, as far as the limit goes.
  const limit = mm.rlimit(RLIMIT_STACK) - (mm.rlimit(RLIMIT_STACK) % PAGE_SIZE);
  const size = vma.end - vma.start;
  const wanted = size + 131072 > limit ? vma.end - limit : vma.start - 131072;
  if (wanted < vma.start && expand_downwards(mm, vma, wanted) < 0) return -ENOMEM;
  return { p, exec, envStart };
}

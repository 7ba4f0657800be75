import { cpuid } from '../../cpu/cpuid.ts';
import * as at from '../abi/auxv.ts';
import { EFAULT } from '../abi/errno.ts';
import { PAGE_SIZE } from '../addr.ts';
import { copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import type { BinPrm } from './binprm.ts';
import type { ArgPages } from './stack.ts';

export interface ElfAddresses {
  readonly phdr: number;
  readonly phent: number;
  readonly phnum: number;
  readonly base: number;
  readonly entry: number;
}

/** ELF_HWCAP, arch/x86/include/asm/elf.h: boot_cpu_data.x86_capability[0], which is CPUID leaf 1, EDX. */
const hwcap = (task: Task): number => cpuid(task.kernel.cpu, 1, 0)[3] >>> 0;

/** create_elf_tables(), fs/binfmt_elf.c: argc, argv, envp and the auxiliary vector. @returns the stack pointer */
export function create_elf_tables(bprm: BinPrm, args: ArgPages, elf: ElfAddresses): number {
  const { task } = bprm;
  const { mm, cred } = task;
  const word = mm.abi === '64' ? 8 : 4;
  const platform = Buffer.from(mm.abi === 'ia32' ? 'i686\0' : 'x86_64\0');
  let p = args.p - (args.p % 16);
  p -= platform.length;
  const platformAt = p;
  if (copy_to_user(mm, platformAt, platform) < 0) return -EFAULT;
  p -= 16;
  const randomAt = p;
  if (copy_to_user(mm, randomAt, task.kernel.vfs.random.bytes(16)) < 0) return -EFAULT;

  const { vdso, vdsoImage } = mm;
  const vsyscall = vdsoImage?.symbols.__kernel_vsyscall;
  const auxv: [number, number][] = [
    ...(mm.abi === 'ia32' && vdso !== undefined && vsyscall !== undefined
      ? [[at.AT_SYSINFO, vdso + vsyscall] as [number, number]]
      : []),
    ...(vdso !== undefined ? [[at.AT_SYSINFO_EHDR, vdso] as [number, number]] : []),
    [at.AT_HWCAP, hwcap(task)],
    [at.AT_PAGESZ, PAGE_SIZE],
    [at.AT_CLKTCK, 100],
    [at.AT_PHDR, elf.phdr],
    [at.AT_PHENT, elf.phent],
    [at.AT_PHNUM, elf.phnum],
    [at.AT_BASE, elf.base],
    [at.AT_FLAGS, 0],
    [at.AT_ENTRY, elf.entry],
    [at.AT_UID, cred.uid],
    [at.AT_EUID, cred.euid],
    [at.AT_GID, cred.gid],
    [at.AT_EGID, cred.egid],
    [at.AT_SECURE, bprm.secure ? 1 : 0],
    [at.AT_RANDOM, randomAt],
    [at.AT_EXECFN, args.exec],
    [at.AT_PLATFORM, platformAt],
    [at.AT_NULL, 0],
  ];
  mm.savedAuxv = words(auxv.flat(), word);

  const { argv, envp } = bprm;
  const items = argv.length + 1 + envp.length + 1 + 1;
  // STACK_ADD() divides, so what was aligned to nothing stays so until STACK_ROUND().
  let sp = p - (p % word) - mm.savedAuxv.length - items * word;
  sp -= sp % 16;
  const pointers: number[] = [argv.length];
  let string = args.p;
  for (const list of [argv, envp]) {
    for (const s of list) {
      pointers.push(string);
      string += s.length + 1;
    }
    pointers.push(0);
  }
  mm.argStart = args.p;
  mm.argEnd = args.envStart;
  mm.envStart = args.envStart;
  mm.envEnd = string;
  const table = Buffer.concat([words(pointers, word), mm.savedAuxv]);
  if (copy_to_user(mm, sp, table) < 0) return -EFAULT;
  mm.startStack = sp;
  return sp;
}

function words(values: readonly number[], word: number): Uint8Array {
  const out = new DataView(new ArrayBuffer(values.length * word));
  values.forEach((value, i) => {
    if (word === 8) out.setBigUint64(i * 8, BigInt(value), true);
    else out.setUint32(i * 4, value, true);
  });
  return new Uint8Array(out.buffer);
}

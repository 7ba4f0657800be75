import {
  ELFCLASS32,
  ELFCLASS64,
  type ElfHeader,
  EM_386,
  EM_486,
  EM_X86_64,
  ET_DYN,
  ET_EXEC,
  PF_R,
  PF_W,
  PF_X,
  type ProgramHeader,
  PT_GNU_STACK,
  PT_INTERP,
  PT_LOAD,
  phentsizeOf,
  readElfHeader,
  readProgramHeader,
} from '../abi/elf.ts';
import { EFAULT, EINVAL, EIO, ENOEXEC, ENOMEM } from '../abi/errno.ts';
import {
  MAP_DENYWRITE,
  MAP_EXECUTABLE,
  MAP_FIXED,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../abi/mman.ts';
import { decodeName } from '../abi/names.ts';
import { PAGE_SIZE, pageAlign, pageOf } from '../addr.ts';
import { type File, fput, get_file } from '../fs/file.ts';
import { inode_permission, MAY_READ } from '../fs/inode.ts';
import type { Abi, Mm } from '../mm/mm.ts';
import { do_mmap, do_munmap, READ_IMPLIES_EXEC, vm_brk } from '../mm/mmap.ts';
import { clear_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { arch_setup_additional_pages } from '../vdso/map.ts';
import { type BinPrm, do_open_execat, kernel_read } from './binprm.ts';
import { create_elf_tables } from './elf-tables.ts';
import { flush_old_exec } from './flush.ts';
import { type ExecStack, setup_arg_pages } from './stack.ts';
import { start_thread } from './start-thread.ts';

const ELIBBAD = 80;
const PATH_MAX = 4096;

interface ElfFile {
  readonly file: File;
  readonly header: ElfHeader;
  readonly phdrs: readonly ProgramHeader[];
}

/** elf_check_arch() of the native and the compat loader. */
function abiOf(task: Task, header: ElfHeader): Abi | undefined {
  if (header.class === ELFCLASS64) return header.machine === EM_X86_64 ? '64' : undefined;
  if (header.class !== ELFCLASS32) return undefined;
  if (header.machine === EM_386 || header.machine === EM_486) return 'ia32';
  return header.machine === EM_X86_64 && task.kernel.vdso.imageX32 !== undefined ? 'x32' : undefined;
}

/** load_elf_phdrs(), fs/binfmt_elf.c. */
function load_elf_phdrs(file: File, header: ElfHeader): ProgramHeader[] | undefined {
  const size = phentsizeOf(header.class);
  if (header.phentsize !== size || header.phnum < 1 || header.phnum > 65536 / size) return undefined;
  const bytes = kernel_read(file, header.phoff, header.phnum * size);
  if (bytes.length < header.phnum * size) return undefined;
  return Array.from({ length: header.phnum }, (_, i) => readProgramHeader(bytes, header.class, i * size));
}

function readElf(file: File, buf: Uint8Array): ElfFile | undefined {
  const header = readElfHeader(buf);
  if (header === undefined || (header.type !== ET_EXEC && header.type !== ET_DYN)) return undefined;
  const phdrs = load_elf_phdrs(file, header);
  return phdrs && { file, header, phdrs };
}

/** The dynamic loader that PT_INTERP names, opened and checked; undefined when there is none. */
function openInterpreter(task: Task, elf: ElfFile, abi: Abi): ElfFile | undefined | number {
  const phdr = elf.phdrs.find((p) => p.type === PT_INTERP);
  if (phdr === undefined) return undefined;
  if (phdr.filesz > PATH_MAX || phdr.filesz < 2) return -ENOEXEC;
  const bytes = kernel_read(elf.file, phdr.offset, phdr.filesz);
  if (bytes.length < phdr.filesz) return -EIO;
  if (bytes[bytes.length - 1] !== 0) return -ENOEXEC;
  const file = do_open_execat(task, decodeName(bytes.subarray(0, bytes.indexOf(0))));
  if (typeof file === 'number') return file;
  const interpreter = readElf(file, kernel_read(file, 0, 64));
  if (interpreter === undefined || abiOf(task, interpreter.header) !== abi) {
    fput(file);
    return -ELIBBAD;
  }
  return interpreter;
}

const protOf = (p: ProgramHeader): number =>
  ((p.flags & PF_R) !== 0 ? PROT_READ : 0) |
  ((p.flags & PF_W) !== 0 ? PROT_WRITE : 0) |
  ((p.flags & PF_X) !== 0 ? PROT_EXEC : 0);

/** elf_map(), fs/binfmt_elf.c: one segment; the first one of a file reserves the room of all (`total`). */
function elf_map(task: Task, file: File, p: ProgramHeader, address: number, fixed: boolean, total: number): number {
  const offset = p.vaddr % PAGE_SIZE;
  const size = pageAlign(p.filesz + offset);
  const at = pageOf(address);
  if (size === 0) return at;
  const flags = MAP_PRIVATE | MAP_DENYWRITE | MAP_EXECUTABLE | (fixed ? MAP_FIXED : 0);
  if (total === 0) return do_mmap(task, at, size, protOf(p), flags, file, p.offset - offset);
  const room = pageAlign(total);
  const place = do_mmap(task, at, room, protOf(p), flags, file, p.offset - offset);
  if (place >= 0 && room > size) do_munmap(task.mm, place + size, room - size);
  return place;
}

/** total_mapping_size(), fs/binfmt_elf.c. */
function total_mapping_size(phdrs: readonly ProgramHeader[]): number {
  const loads = phdrs.filter((p) => p.type === PT_LOAD);
  const last = loads.at(-1);
  return last === undefined ? 0 : last.vaddr + last.memsz - pageOf(loads[0]!.vaddr);
}

/** padzero(): the rest of the page in which the file's bytes end. */
function padzero(mm: Mm, bss: number): number {
  const offset = bss % PAGE_SIZE;
  return offset === 0 ? 0 : clear_user(mm, bss, PAGE_SIZE - offset);
}

/** set_brk(): the pages of bss that lie beyond the file's. */
function set_brk(task: Task, start: number, end: number): number {
  const from = pageAlign(start);
  const to = pageAlign(end);
  return to > from ? vm_brk(task, from, to - from) : 0;
}

/** load_elf_interp(), fs/binfmt_elf.c. @returns where its address 0 lies, or a negative errno */
function load_elf_interp(task: Task, elf: ElfFile): number {
  const { mm } = task;
  let bias = 0;
  let placed = false;
  let bss = 0;
  let lastBss = 0;
  let total = total_mapping_size(elf.phdrs);
  if (total === 0) return -EINVAL;
  for (const p of elf.phdrs) {
    if (p.type !== PT_LOAD) continue;
    const fixed = elf.header.type === ET_EXEC || placed;
    const at = elf_map(task, elf.file, p, placed || fixed ? bias + p.vaddr : 0, fixed, total);
    total = 0;
    if (at < 0) return at;
    if (!placed && elf.header.type === ET_DYN) {
      bias = at - pageOf(p.vaddr);
      placed = true;
    }
    const start = bias + p.vaddr;
    if (start >= mm.taskSize || p.filesz > p.memsz || p.memsz > mm.taskSize || mm.taskSize - p.memsz < start)
      return -ENOMEM;
    bss = Math.max(bss, start + p.filesz);
    lastBss = Math.max(lastBss, start + p.memsz);
  }
  if (padzero(mm, bss) < 0) return -EFAULT;
  if (lastBss > bss) {
    const from = pageAlign(bss);
    const error = pageAlign(lastBss) > from ? vm_brk(task, from, lastBss - from) : 0;
    if (error < 0) return error;
  }
  return bias;
}

/** ELF_ET_DYN_BASE and COMPAT_ELF_ET_DYN_BASE, arch/x86/include/asm/elf.h. */
const etDynBase = (mm: Mm): number =>
  mm.abi === '64' ? Math.floor(mm.taskSize / 3) * 2 : Math.ceil(mm.taskSize / 3 / PAGE_SIZE) * PAGE_SIZE + 0x100_0000;

/** The loop of load_elf_binary() over PT_LOAD: maps the program and notes where its parts lie. @returns load_bias */
function mapProgram(task: Task, elf: ElfFile): { bias: number; loadAddress: number } | number {
  const { mm } = task;
  let bias = 0;
  let loadAddress: number | undefined;
  let bss = 0;
  let brk = 0;
  mm.startCode = Number.MAX_SAFE_INTEGER;
  for (const p of elf.phdrs) {
    if (p.type !== PT_LOAD) continue;
    if (brk > bss) {
      // A segment after bss: rare, and bss has to be there before it.
      const error = set_brk(task, bss + bias, brk + bias);
      if (error < 0) return error;
      padzero(mm, bss + bias);
    }
    let total = 0;
    const first = loadAddress === undefined;
    if (first && elf.header.type === ET_DYN) {
      bias = pageOf(etDynBase(mm) - p.vaddr);
      total = total_mapping_size(elf.phdrs);
      if (total === 0) return -EINVAL;
    }
    const fixed = elf.header.type === ET_EXEC || !first;
    const at = elf_map(task, elf.file, p, bias + p.vaddr, fixed, total);
    if (at < 0) return at;
    if (loadAddress === undefined) {
      loadAddress = p.vaddr - p.offset;
      if (elf.header.type === ET_DYN) {
        bias += at - pageOf(bias + p.vaddr);
        loadAddress += bias;
      }
    }
    const start = p.vaddr;
    mm.startCode = Math.min(mm.startCode, start);
    mm.startData = Math.max(mm.startData, start);
    if (start >= mm.taskSize || p.filesz > p.memsz || p.memsz > mm.taskSize || mm.taskSize - p.memsz < start)
      return -EINVAL;
    const fileEnd = start + p.filesz;
    bss = Math.max(bss, fileEnd);
    if ((p.flags & PF_X) !== 0) mm.endCode = Math.max(mm.endCode, fileEnd);
    mm.endData = Math.max(mm.endData, fileEnd);
    brk = Math.max(brk, start + p.memsz);
  }
  if (loadAddress === undefined) {
    loadAddress = 0;
    mm.startCode = 0;
  }
  mm.startCode += bias;
  mm.endCode += bias;
  mm.startData += bias;
  mm.endData += bias;
  const error = set_brk(task, bss + bias, brk + bias);
  if (error < 0) return error;
  if (bss !== brk && padzero(mm, bss + bias) < 0) return -EFAULT;
  mm.brk = mm.startBrk = pageAlign(brk + bias);
  return { bias, loadAddress };
}

/**
 * load_elf_binary(), fs/binfmt_elf.c, for ELF64 and, through fs/compat_binfmt_elf.c, for i386 and x32.
 * @returns 0, or an errno; `committed` in `bprm` tells whether the old program is gone
 */
export function load_elf_binary(bprm: BinPrm & { committed: boolean }): number {
  const { task } = bprm;
  const elf = readElf(bprm.file, bprm.buf);
  const abi = elf && abiOf(task, elf.header);
  if (elf === undefined || abi === undefined || !bprm.file.inode.mmapable()) return -ENOEXEC;
  const interpreter = openInterpreter(task, elf, abi);
  if (typeof interpreter === 'number') return interpreter;

  const gnuStack = elf.phdrs.filter((p) => p.type === PT_GNU_STACK).at(-1);
  const stack: ExecStack = gnuStack === undefined ? 'default' : (gnuStack.flags & PF_X) !== 0 ? 'exec' : 'noexec';
  const waits = flush_old_exec(bprm, abi);
  if (waits !== 0) {
    if (interpreter) fput(interpreter.file);
    return waits;
  }
  bprm.committed = true;
  const { mm } = task;
  // would_dump(): a program that its user may not read leaves no core.
  if (inode_permission(task.cred, bprm.file.inode, MAY_READ) < 0) mm.dumpable = task.kernel.coreState.suidDumpable;
  mm.binfmt = abi === '64' ? 'elf64' : 'elf32';
  mm.exeFile = get_file(bprm.file);
  if (stack !== 'noexec') task.personality |= READ_IMPLIES_EXEC;

  const argPages = setup_arg_pages(bprm, mm, stack);
  if (typeof argPages === 'number') return argPages;
  const program = mapProgram(task, elf);
  if (typeof program === 'number') return program;
  let entry = elf.header.entry + program.bias;
  let base = 0;
  if (interpreter !== undefined) {
    base = load_elf_interp(task, interpreter);
    if (base < 0) return base;
    entry = base + interpreter.header.entry;
    fput(interpreter.file);
  }
  mm.startStack = argPages.p;
  const error = arch_setup_additional_pages(task);
  if (error < 0) return error;
  const sp = create_elf_tables(bprm, argPages, {
    phdr: program.loadAddress + elf.header.phoff,
    phent: elf.header.phentsize,
    phnum: elf.header.phnum,
    base,
    entry: elf.header.entry + program.bias,
  });
  if (sp < 0) return sp;
  start_thread(task, entry, sp);
  return 0;
}

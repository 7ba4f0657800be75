/** The core file itself: elf_core_dump(), fs/binfmt_elf.c. */
import { PF_R, PF_W, PF_X, PT_LOAD, PT_NOTE } from '../abi/elf.ts';
import { ET_CORE, elf32_hdr, elf32_phdr, elf64_hdr, elf64_phdr } from '../abi/elfcore.ts';
import type { SigInfo } from '../abi/signal.ts';
import { PAGE_SIZE } from '../addr.ts';
import { VSYSCALL_VPN } from '../mm/fault.ts';
import type { Mm } from '../mm/mm.ts';
import { VM_EXEC, VM_READ, VM_WRITE, type Vma } from '../mm/vma.ts';
import { task_user_regset_view } from '../ptrace/regset-views.ts';
import type { Task } from '../task/task.ts';
import { get_dump_page, vma_dump_size } from './filter.ts';
import { notesOf } from './notes.ts';

/** Bytes of the file, or that many bytes that nothing is written for. */
export type CoreChunk = Uint8Array | number;

interface Segment {
  readonly vaddr: bigint;
  readonly memsz: number;
  readonly filesz: number;
  readonly flags: number;
  page(offset: number): Uint8Array | undefined;
}

const rights = (vma: Vma): number =>
  ((vma.flags & VM_READ) !== 0 ? PF_R : 0) |
  ((vma.flags & VM_WRITE) !== 0 ? PF_W : 0) |
  ((vma.flags & VM_EXEC) !== 0 ? PF_X : 0);

/** The mappings, and behind those of a 64-bit program the vsyscall page: next_vma() with get_gate_vma(). */
function segmentsOf(mm: Mm): Segment[] {
  const segments: Segment[] = mm.vmas.map((vma) => ({
    vaddr: BigInt(vma.start),
    memsz: vma.end - vma.start,
    filesz: vma_dump_size(mm, vma),
    flags: rights(vma),
    page: (offset) => get_dump_page(mm, vma, vma.start + offset),
  }));
  const frame = mm.kernel.mmState.vsyscallFrame;
  if (mm.abi !== '64' || frame < 0) return segments;
  const gate = mm.frames.memory.bytes.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
  const vaddr = BigInt(VSYSCALL_VPN) * BigInt(PAGE_SIZE);
  segments.push({ vaddr, memsz: PAGE_SIZE, filesz: PAGE_SIZE, flags: PF_R | PF_X, page: () => gate });
  return segments;
}

/**
 * The core file of a process, piece by piece. The class follows the format that was executed, machine and registers
 * follow the view of the thread that dumps.
 */
export function* elf_core_dump(task: Task, info: SigInfo): Generator<CoreChunk> {
  const { mm, group } = task;
  const compat = mm.binfmt === 'elf32';
  const view = task_user_regset_view(task);
  const threads = [task, ...group.threads.filter((t) => t !== task && t.exitState === undefined)];
  const notes = notesOf({ task, threads, view, info, compat });
  const segments = segmentsOf(mm);
  const ehsize = compat ? elf32_hdr.size : elf64_hdr.size;
  const phentsize = compat ? elf32_phdr.size : elf64_phdr.size;
  const phnum = segments.length + 1;
  // Not modelled: PN_XNUM; max_map_count keeps the number of mappings below it.
  const notesAt = ehsize + phnum * phentsize;
  const notesSize = notes.reduce((sum, note) => sum + note.length, 0);
  const dataAt = Math.ceil((notesAt + notesSize) / PAGE_SIZE) * PAGE_SIZE;

  yield elfHeader(compat, view.machine, ehsize, phentsize, phnum);
  yield programHeader(compat, { type: PT_NOTE, offset: notesAt, filesz: notesSize });
  let offset = dataAt;
  for (const { vaddr, memsz, filesz, flags } of segments) {
    yield programHeader(compat, { type: PT_LOAD, offset, vaddr, memsz, filesz, flags, align: PAGE_SIZE });
    offset += filesz;
  }
  yield* notes;
  yield dataAt - notesAt - notesSize;
  for (const segment of segments) {
    for (let at = 0; at < segment.filesz; at += PAGE_SIZE) yield segment.page(at) ?? PAGE_SIZE;
  }
}

/** fill_elf_header(). */
function elfHeader(compat: boolean, machine: number, ehsize: number, phentsize: number, phnum: number): Uint8Array {
  const common = {
    e_ident: Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, compat ? 1 : 2, 1, 1),
    e_type: ET_CORE,
    e_machine: machine,
    e_version: 1,
    e_ehsize: ehsize,
    e_phentsize: phentsize,
    e_phnum: phnum,
  };
  return compat
    ? elf32_hdr.write({ ...common, e_phoff: ehsize })
    : elf64_hdr.write({ ...common, e_phoff: BigInt(ehsize) });
}

interface Phdr {
  readonly type: number;
  readonly offset: number;
  readonly filesz: number;
  readonly vaddr?: bigint;
  readonly memsz?: number;
  readonly flags?: number;
  readonly align?: number;
}

function programHeader(compat: boolean, p: Phdr): Uint8Array {
  const { vaddr = 0n, memsz = 0, flags = 0, align = 0 } = p;
  if (compat) {
    return elf32_phdr.write({
      p_type: p.type,
      p_offset: p.offset,
      p_vaddr: Number(vaddr),
      p_filesz: p.filesz,
      p_memsz: memsz,
      p_flags: flags,
      p_align: align,
    });
  }
  return elf64_phdr.write({
    p_type: p.type,
    p_flags: flags,
    p_offset: BigInt(p.offset),
    p_vaddr: vaddr,
    p_filesz: BigInt(p.filesz),
    p_memsz: BigInt(memsz),
    p_align: BigInt(align),
  });
}

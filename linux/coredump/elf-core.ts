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

/** Of the wait status. */
export const CORE_DUMPED = 0x80;

/** Bytes of the file, or that many bytes that nothing is written for. */
export type CoreChunk = Uint8Array | number;

/** A mapping, and how much of it the file has. */
export interface Segment {
  readonly vaddr: bigint;
  readonly memsz: number;
  readonly filesz: number;
  readonly flags: number;
}

const rights = (vma: Vma): number =>
  ((vma.flags & VM_READ) !== 0 ? PF_R : 0) |
  ((vma.flags & VM_WRITE) !== 0 ? PF_W : 0) |
  ((vma.flags & VM_EXEC) !== 0 ? PF_X : 0);

const GATE = BigInt(VSYSCALL_VPN) * BigInt(PAGE_SIZE);

/** The mappings, and behind those of a 64-bit program the vsyscall page: next_vma() with get_gate_vma(). */
function segmentsOf(mm: Mm): Segment[] {
  const segments: Segment[] = mm.vmas.map((vma) => ({
    vaddr: BigInt(vma.start),
    memsz: vma.end - vma.start,
    filesz: vma_dump_size(mm, vma),
    flags: rights(vma),
  }));
  if (mm.abi !== '64' || mm.kernel.mmState.vsyscallFrame < 0) return segments;
  segments.push({ vaddr: GATE, memsz: PAGE_SIZE, filesz: PAGE_SIZE, flags: PF_R | PF_X });
  return segments;
}

/** A page of a segment; undefined: a hole. */
export function segmentPage(mm: Mm, { vaddr }: Segment, offset: number): Uint8Array | undefined {
  if (vaddr === GATE) {
    const frame = mm.kernel.mmState.vsyscallFrame;
    return mm.frames.memory.bytes.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
  }
  const address = Number(vaddr) + offset;
  const vma = mm.findVma(address);
  return vma && vma.start <= address ? get_dump_page(mm, vma, address) : undefined;
}

/** What stands before the memory, and what of the memory follows. */
export interface CoreLayout {
  /** Headers and notes, without the gap up to the next page. */
  readonly head: readonly Uint8Array[];
  readonly gap: number;
  readonly segments: readonly Segment[];
}

/**
 * elf_core_dump() up to the memory. The class follows the format that was executed, machine and registers follow the view of
 * the thread that dumps.
 */
export function coreLayout(task: Task, info: SigInfo): CoreLayout {
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

  const head = [
    elfHeader(compat, view.machine, ehsize, phentsize, phnum),
    programHeader(compat, { type: PT_NOTE, offset: notesAt, filesz: notesSize }),
  ];
  let offset = dataAt;
  for (const { vaddr, memsz, filesz, flags } of segments) {
    head.push(programHeader(compat, { type: PT_LOAD, offset, vaddr, memsz, filesz, flags, align: PAGE_SIZE }));
    offset += filesz;
  }
  head.push(...notes);
  return { head, gap: dataAt - notesAt - notesSize, segments };
}

/** The core file of a process, piece by piece. */
export function* elf_core_dump(task: Task, info: SigInfo): Generator<CoreChunk> {
  const { head, gap, segments } = coreLayout(task, info);
  yield* head;
  yield gap;
  for (const segment of segments) {
    for (let at = 0; at < segment.filesz; at += PAGE_SIZE) yield segmentPage(task.mm, segment, at) ?? PAGE_SIZE;
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

import { major, minor } from '../../abi/stat.ts';
import type { Mm } from '../../mm/mm.ts';
import { PTE_FILE } from '../../mm/page-table.ts';
import {
  shownStart,
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_IO,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MERGEABLE,
  VM_MIXEDMAP,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WRITE,
  type Vma,
} from '../../mm/vma.ts';
import type { Task } from '../../task/task.ts';
import { File } from '../file.ts';

/** seq_setwidth() of show_map_vma: 25 + 6 * sizeof(void *) - 1. */
const NAME_COLUMN = 72;
const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');

/** The fourth column's name: a file, a special mapping, the heap or the stack; empty for other memory. */
export function vmaName(mm: Mm, vma: Vma): string {
  if (vma.file !== undefined) return vma.file.path.replaceAll('\n', '\\012');
  if (vma.special !== undefined) return vma.special.name;
  if (vma.start <= mm.brk && vma.end >= mm.startBrk) return '[heap]';
  if (vma.start <= mm.startStack && vma.end >= mm.startStack) return '[stack]';
  return '';
}

/** show_map_vma(), fs/proc/task_mmu.c. */
export function mapsLine(mm: Mm, vma: Vma): string {
  const { flags } = vma;
  const rights =
    ((flags & VM_READ) !== 0 ? 'r' : '-') +
    ((flags & VM_WRITE) !== 0 ? 'w' : '-') +
    ((flags & VM_EXEC) !== 0 ? 'x' : '-') +
    ((flags & VM_MAYSHARE) !== 0 ? 's' : 'p');
  const stat = vma.file instanceof File ? vma.file.inode.stat() : undefined;
  const dev = stat?.dev ?? 0n;
  const offset = vma.file === undefined ? 0 : vma.pgoff * 4096;
  const start = shownStart(vma, mm.vmas[mm.vmaIndex(vma.start) - 1]);
  const line =
    `${hex(start, 8)}-${hex(vma.end, 8)} ${rights} ${hex(offset, 8)} ` +
    `${hex(major(dev), 2)}:${hex(minor(dev), 2)} ${stat?.ino ?? 0} `;
  const name = vmaName(mm, vma);
  return name === '' ? `${line}\n` : `${line.padEnd(NAME_COLUMN)} ${name}\n`;
}

/** get_gate_vma(), arch/x86/entry/vsyscall: every address space of a 64-bit program ends with it. */
const GATE = `${'ffffffffff600000-ffffffffff601000 r-xp 00000000 00:00 0 '.padEnd(NAME_COLUMN)} [vsyscall]\n`;

/** /proc/PID/maps: show_map_vma(), fs/proc/task_mmu.c. */
export function proc_pid_maps(task: Task): string {
  const { mm } = task;
  if (task.exitState !== undefined || mm === undefined) return '';
  return mm.vmas.map((vma) => mapsLine(mm, vma)).join('') + (mm.abi === '64' ? GATE : '');
}

/** show_smap_vma_flags(), in the order of the bits. */
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [VM_READ, 'rd'],
  [VM_WRITE, 'wr'],
  [VM_EXEC, 'ex'],
  [VM_SHARED, 'sh'],
  [VM_MAYREAD, 'mr'],
  [VM_MAYWRITE, 'mw'],
  [VM_MAYEXEC, 'me'],
  [VM_MAYSHARE, 'ms'],
  [VM_GROWSDOWN, 'gd'],
  [VM_PFNMAP, 'pf'],
  [VM_LOCKED, 'lo'],
  [VM_IO, 'io'],
  [VM_SEQ_READ, 'sr'],
  [VM_RAND_READ, 'rr'],
  [VM_DONTCOPY, 'dc'],
  [VM_DONTEXPAND, 'de'],
  [VM_ACCOUNT, 'ac'],
  [VM_NORESERVE, 'nr'],
  [VM_DONTDUMP, 'dd'],
  [VM_MIXEDMAP, 'mm'],
  [VM_HUGEPAGE, 'hg'],
  [VM_NOHUGEPAGE, 'nh'],
  [VM_MERGEABLE, 'mg'],
];

/**
 * show_smap(), fs/proc/task_mmu.c.
 * Unlike Linux: every resident page counts as used by this mapping alone.
 */
export function proc_pid_smaps(task: Task): string {
  const { mm } = task;
  if (task.exitState !== undefined || mm === undefined) return '';
  const row = (name: string, kb: number): string => `${`${name}:`.padEnd(16)}${String(kb).padStart(8)} kB\n`;
  let out = '';
  for (const vma of mm.vmas) {
    let rss = 0;
    let anonymous = 0;
    mm.pages.forRange(vma.start / 4096, vma.end / 4096, (_vpn, pte) => {
      rss += 4;
      if ((pte & PTE_FILE) === 0) anonymous += 4;
    });
    const dirty = (vma.flags & (VM_SHARED | VM_WRITE)) === (VM_SHARED | VM_WRITE) ? rss : anonymous;
    const names = FLAG_NAMES.filter(([bit]) => (vma.flags & bit) !== 0).map(([, name]) => `${name} `);
    out +=
      mapsLine(mm, vma) +
      row('Size', (vma.end - vma.start) / 1024) +
      row('Rss', rss) +
      row('Pss', rss) +
      row('Shared_Clean', 0) +
      row('Shared_Dirty', 0) +
      row('Private_Clean', rss - dirty) +
      row('Private_Dirty', dirty) +
      row('Referenced', rss) +
      row('Anonymous', anonymous) +
      row('AnonHugePages', 0) +
      row('Shared_Hugetlb', 0) +
      row('Private_Hugetlb', 0) +
      row('Swap', 0) +
      row('SwapPss', 0) +
      row('KernelPageSize', 4) +
      row('MMUPageSize', 4) +
      row('Locked', (vma.flags & VM_LOCKED) !== 0 ? rss : 0) +
      `VmFlags: ${names.join('')}\n`;
  }
  return out;
}

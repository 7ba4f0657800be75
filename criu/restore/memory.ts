import { MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN, MAP_PRIVATE, MAP_SHARED } from '../../linux/abi/mman.ts';
import type { File } from '../../linux/fs/file.ts';
import type { ImageDir, MmEntry, VmaEntry } from '../image-dir.ts';
import {
  flagText,
  mmapStatus,
  VMA_ANON_PRIVATE,
  VMA_AREA_REGULAR,
  VMA_AREA_VSYSCALL,
  VMA_FILE_PRIVATE,
  VMA_FILE_SHARED,
} from '../proto/show.ts';
import type { RestoredFiles } from './files.ts';

/** One row of the restorer's list of mappings; `file` is what its descriptor is to be. */
export interface PlannedVma {
  readonly start: bigint;
  readonly end: bigint;
  readonly pgoff: bigint;
  readonly madv: bigint;
  readonly prot: number;
  readonly flags: number;
  readonly file: File | undefined;
}

const PASSED_ON = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN;

/** What the blob is to map for this address space. A mapping that cannot be made again is an ImageError. */
export function planVmas(dir: ImageDir, pid: number, mm: MmEntry, files: RestoredFiles): PlannedVma[] {
  let last: { key: string; file: File } | undefined;
  const planned: PlannedVma[] = [];
  for (const vma of mm.vmas) {
    if ((vma.status & VMA_AREA_VSYSCALL) !== 0) {
      continue;
    }
    checkVma(dir, pid, vma);
    let file: File | undefined;
    if ((vma.status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED)) !== 0) {
      const key = `${vma.shmid}:${vma.fdflags ?? 0}`;
      file = last?.key === key ? last.file : files.openAnew(Number(vma.shmid), vma.fdflags ?? 0);
      last = { key, file };
    }
    planned.push({
      start: vma.start,
      end: vma.end,
      pgoff: file === undefined ? 0n : vma.pgoff,
      madv: vma.madv ?? 0n,
      prot: vma.prot,
      flags: (vma.flags & PASSED_ON) | MAP_FIXED,
      file,
    });
  }
  return planned;
}

function checkVma(dir: ImageDir, pid: number, vma: VmaEntry): void {
  const kinds = VMA_FILE_PRIVATE | VMA_FILE_SHARED | VMA_ANON_PRIVATE;
  if ((vma.status & VMA_AREA_REGULAR) === 0 || (vma.status & kinds) === 0) {
    const range = `${vma.start.toString(16)}-${vma.end.toString(16)}`;
    dir.fail(
      `mm-${pid}.img`,
      `mapping ${range}: memory of the kind ${flagText(mmapStatus, vma.status)} is not restored`,
    );
  }
}

/** Where the restorer lies: text, signal frames, arguments and stacks follow each other, then comes room for the vDSO. */
export interface Layout {
  readonly text: number;
  readonly frames: number;
  readonly args: number;
  readonly stacks: number;
  readonly end: number;
  readonly park: number;
}

const PAGE = 4096;
/** /proc/sys/vm/mmap_min_addr */
const MMAP_MIN_ADDR = 0x10000;
const pages = (size: number): number => Math.ceil(size / PAGE) * PAGE;

/** restorer_get_vma_hint() of criu/mem.c: the lowest hole of both the old and the new address space that is large enough. */
export function findLayout(
  sizes: { text: number; frames: number; args: number; stacks: number; park: number },
  taken: readonly { readonly start: number; readonly end: number }[],
  limit: number,
): Layout | undefined {
  const total = pages(sizes.text) + pages(sizes.frames) + pages(sizes.args) + pages(sizes.stacks) + pages(sizes.park);
  let text = MMAP_MIN_ADDR;
  for (const { start, end } of [...taken].sort((a, b) => a.start - b.start)) {
    if (text + total <= start) {
      break;
    }
    text = Math.max(text, end);
  }
  if (text + total > limit) {
    return undefined;
  }
  const frames = text + pages(sizes.text);
  const args = frames + pages(sizes.frames);
  const stacks = args + pages(sizes.args);
  const end = stacks + pages(sizes.stacks);
  return { text, frames, args, stacks, end, park: end };
}

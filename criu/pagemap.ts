import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { ImageDir } from './image-dir.ts';
import { ImageError } from './image-error.ts';
import type { Decoded } from './proto/message.ts';
import type { pagemap_entry, pagemap_head } from './proto/mm.ts';
import { PE_LAZY, PE_PARENT, PE_PRESENT } from './proto/show.ts';

const PAGE_SIZE = 4096;

/** Pages that follow each other in memory and in the pages file. */
export interface PageRun {
  readonly address: number;
  readonly pages: number;
  /** In the pages file, in bytes. */
  readonly offset: number;
}

/** pagemap-*.img: where in pages-N.img the pages of an address space are; the pages of all entries follow each other. */
export function readPagemap(dir: ImageDir, name: string): { file: string; runs: PageRun[] } {
  const [head, ...entries] = dir.entries(name);
  if (head === undefined) {
    throw new ImageError(dir.file(name), undefined, 'empty');
  }
  const { pages_id } = head.message as unknown as Decoded<typeof pagemap_head>;
  const file = dir.file(`pages-${pages_id}.img`);
  const runs: PageRun[] = [];
  let offset = 0;
  for (const each of entries) {
    const entry = each.message as unknown as Decoded<typeof pagemap_entry>;
    const fail = (message: string): never => {
      throw new ImageError(dir.file(name), each.offset, message);
    };
    const flags = entry.flags ?? (entry.in_parent === true ? PE_PARENT : PE_PRESENT);
    if ((flags & PE_PARENT) !== 0) {
      fail('these pages are in a parent directory of images, which this restore does not read');
    }
    if ((flags & PE_PRESENT) === 0) {
      fail((flags & PE_LAZY) === 0 ? `flags ${flags} of a page entry` : 'lazy pages, which only a page server has');
    }
    const pages = Number(entry.nr_pages ?? BigInt(entry.compat_nr_pages));
    const end = entry.vaddr + BigInt(pages * PAGE_SIZE);
    if (entry.vaddr % BigInt(PAGE_SIZE) !== 0n || pages <= 0 || end > 1n << 47n) {
      fail(`${pages} pages at 0x${entry.vaddr.toString(16)}`);
    }
    runs.push({ address: Number(entry.vaddr), pages, offset });
    offset += pages * PAGE_SIZE;
  }
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) {
    throw new ImageError(file, undefined, 'missing');
  }
  if (size !== offset) {
    const what = size < offset ? 'too short' : 'trailing bytes';
    throw new ImageError(file, Math.min(size, offset), `${what}: ${size} bytes, expected ${offset} by ${name}`);
  }
  return { file, runs };
}

/** The bytes at `address` as far as the pages file has them; what it lacks is zero. */
export function readPages(
  source: { file: string; runs: readonly PageRun[] },
  address: number,
  size: number,
): Uint8Array {
  const bytes = new Uint8Array(size);
  const fd = openSync(source.file, 'r');
  try {
    for (const run of source.runs) {
      const start = Math.max(address, run.address);
      const end = Math.min(address + size, run.address + run.pages * PAGE_SIZE);
      if (start < end) {
        readSync(fd, bytes, start - address, end - start, run.offset + start - run.address);
      }
    }
  } finally {
    closeSync(fd);
  }
  return bytes;
}

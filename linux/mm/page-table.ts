/** Bits of an entry; the frame number stands above them. */
export const PTE_PRESENT = 1;
/** The page may be written without another fault: it is shared, or private and ours alone. */
export const PTE_WRITE = 2;
/** The frame belongs to the page cache, the vDSO or the vvar page: not ours to free or to write privately. */
export const PTE_FILE = 4;
const SHIFT = 8;

export const pteOf = (frame: number, flags: number): number => frame * SHIFT + flags;
export const pteFrame = (pte: number): number => Math.floor(pte / SHIFT);

/** Leaves of all page tables: guests cannot make the server keep more than half a GiB of them. */
export interface TableBudget {
  leaves: number;
}
export const MAX_LEAVES = 1 << 18;

/** The page table of an mm: leaves of 512 entries by the upper bits of the page number, as the hardware's last level. */
export class PageTable {
  readonly leaves: Map<number, Int32Array> = new Map();
  readonly budget: TableBudget;
  /** The leaf that was asked for last: the next question is mostly for the same. */
  private top = -1;
  private leaf: Int32Array | undefined;

  constructor(budget: TableBudget) {
    this.budget = budget;
  }

  /** Whether the entry's leaf is there, or the machine may have one more. */
  roomFor(vpn: number): boolean {
    return this.budget.leaves < MAX_LEAVES || this.leafOf(Math.floor(vpn / 512)) !== undefined;
  }

  /** The entry of a page, 0 when there is none. */
  get(vpn: number): number {
    const top = Math.floor(vpn / 512);
    const leaf = this.leafOf(top);
    return leaf === undefined ? 0 : leaf[vpn - top * 512]!;
  }

  private leafOf(top: number): Int32Array | undefined {
    if (top !== this.top) {
      this.leaf = this.leaves.get(top);
      this.top = top;
    }
    return this.leaf;
  }

  set(vpn: number, pte: number): void {
    const top = Math.floor(vpn / 512);
    let leaf = this.leafOf(top);
    if (leaf === undefined) {
      leaf = new Int32Array(512);
      this.leaves.set(top, leaf);
      this.leaf = leaf;
      this.budget.leaves++;
    }
    leaf[vpn - top * 512] = pte;
  }

  /** Calls `visit` for each present page of [start, end), in order. The visitor may change the entry it is at. */
  forRange(start: number, end: number, visit: (vpn: number, pte: number) => void): void {
    const first = Math.floor(start / 512);
    const last = Math.floor((end - 1) / 512);
    const tops =
      last - first < this.leaves.size
        ? Array.from({ length: last - first + 1 }, (_, i) => first + i)
        : [...this.leaves.keys()].filter((t) => t >= first && t <= last).sort((a, b) => a - b);
    for (const top of tops) {
      const leaf = this.leaves.get(top);
      if (leaf === undefined) continue;
      const from = Math.max(start - top * 512, 0);
      const to = Math.min(end - top * 512, 512);
      for (let i = from; i < to; i++) {
        const pte = leaf[i]!;
        if (pte !== 0) visit(top * 512 + i, pte);
      }
    }
  }

  /** Forgets the entries of [start, end) whose leaf lies wholly inside, so that an mm does not keep dead leaves. */
  dropLeaves(start: number, end: number): void {
    this.top = -1;
    for (const [top] of this.leaves)
      if (top * 512 >= start && (top + 1) * 512 <= end && this.leaves.delete(top)) this.budget.leaves--;
  }
}

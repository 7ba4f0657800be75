/** Data watchpoints of one address space. */
import { PAGE_SIZE } from './state.ts';

export type WatchKind = 'write' | 'read' | 'access';

export interface Watchpoint {
  readonly address: number;
  readonly length: number;
  readonly kind: WatchKind;
}

export class Watchpoints {
  readonly list: Watchpoint[] = [];
  /** The instruction runs by itself: hits are noted and do not stop it. */
  recording = false;
  hit: { readonly address: bigint; readonly access: 'read' | 'write' } | undefined;
  private readonly pages = new Set<number>();

  add(w: Watchpoint): void {
    this.list.push(w);
    this.recount();
  }

  remove(w: Watchpoint): void {
    const at = this.list.findIndex((o) => o.address === w.address && o.length === w.length && o.kind === w.kind);
    if (at >= 0) this.list.splice(at, 1);
    this.recount();
  }

  watchesPage(address: number): boolean {
    return this.pages.has(Math.floor(address / PAGE_SIZE));
  }

  touches(address: number, size: number, write: boolean): boolean {
    return this.find(address, size, write) !== undefined;
  }

  /** Notes a hit; false when the instruction has to be run again by itself for that. */
  note(address: number, size: number, write: boolean): boolean {
    if (!this.recording) return false;
    const found = this.find(address, size, write)!;
    this.hit ??= { address: BigInt(Math.max(address, found.address)), access: write ? 'write' : 'read' };
    return true;
  }

  private find(address: number, size: number, write: boolean): Watchpoint | undefined {
    return this.list.find(
      (w) =>
        address < w.address + w.length &&
        w.address < address + size &&
        (w.kind === 'access' || w.kind === (write ? 'write' : 'read')),
    );
  }

  private recount(): void {
    this.pages.clear();
    for (const w of this.list) {
      const last = Math.floor((w.address + w.length - 1) / PAGE_SIZE);
      for (let p = Math.floor(w.address / PAGE_SIZE); p <= last; p++) this.pages.add(p);
    }
  }
}

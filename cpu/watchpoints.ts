/** Data watchpoints of one address space, and the data breakpoints of the running context. */
import { PAGE_SIZE } from './state.ts';

export type WatchKind = 'write' | 'read' | 'access';

export interface Watchpoint {
  readonly address: number;
  readonly length: number;
  readonly kind: WatchKind;
  /** The bit in DR6 of a breakpoint that the debug registers ask for; 0 for the debugger's. */
  readonly bit?: number;
}

export interface WatchHit {
  readonly address: bigint;
  readonly access: 'read' | 'write';
}

const matches = (w: Watchpoint, address: number, size: number, write: boolean): boolean =>
  address < w.address + w.length &&
  w.address < address + size &&
  (w.kind === 'access' || w.kind === (write ? 'write' : 'read'));

export class Watchpoints {
  readonly list: Watchpoint[] = [];
  /** The instruction runs by itself: hits are noted and do not stop it. */
  recording = false;
  hit: WatchHit | undefined;
  /** Bits of DR6. */
  bits = 0;
  private readonly pages = new Set<number>();

  add(w: Watchpoint): void {
    this.list.push(w);
    this.recount();
  }

  remove(w: Watchpoint): void {
    const at = this.list.findIndex(
      (o) => !o.bit && o.address === w.address && o.length === w.length && o.kind === w.kind,
    );
    if (at >= 0) this.list.splice(at, 1);
    this.recount();
  }

  watchesPage(address: number): boolean {
    return this.pages.has(Math.floor(address / PAGE_SIZE));
  }

  touches(address: number, size: number, write: boolean): boolean {
    return this.list.some((w) => matches(w, address, size, write));
  }

  /** Notes a hit; false when the instruction has to be run again by itself for that. */
  note(address: number, size: number, write: boolean): boolean {
    if (!this.recording) return false;
    for (const found of this.list) {
      if (!matches(found, address, size, write)) continue;
      if (found.bit) this.bits |= found.bit;
      else this.hit ??= { address: BigInt(Math.max(address, found.address)), access: write ? 'write' : 'read' };
    }
    return true;
  }

  /** Replaces those of the debug registers. */
  setHardware(list: readonly Watchpoint[]): void {
    const kept = this.list.filter((w) => !w.bit);
    this.list.splice(0, this.list.length, ...kept, ...list);
    this.recount();
  }

  private recount(): void {
    this.pages.clear();
    for (const w of this.list) {
      const last = Math.floor((w.address + w.length - 1) / PAGE_SIZE);
      for (let p = Math.floor(w.address / PAGE_SIZE); p <= last; p++) this.pages.add(p);
    }
  }
}

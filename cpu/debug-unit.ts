/** Breakpoints and watchpoints: the debugger's, and those of the running context's debug registers. */
import type { Blocks } from './blocks.ts';
import type { CpuContext } from './context.ts';
import { activeBreakpoints, type HardwareBreakpoint } from './debug-registers.ts';
import type { MemoryAccess } from './memory-access.ts';
import type { Mmu } from './mmu.ts';
import type { Tlb } from './tlb.ts';
import type { Translator } from './translate/translator.ts';
import { type WatchKind, Watchpoints } from './watchpoints.ts';

export interface DebugParts {
  readonly blocks: Blocks;
  readonly access: MemoryAccess;
  readonly tlb: Tlb;
  readonly translator: Translator | undefined;
}

export class DebugUnit {
  private readonly parts: DebugParts;
  private readonly watchpoints = new Map<Mmu, Watchpoints>();
  /** The debug registers as they are applied, and the address space in which. */
  private hardware: readonly HardwareBreakpoint[] = [];
  private hardwareMmu: Mmu | undefined;
  private hardwareKey = '';

  constructor(parts: DebugParts) {
    this.parts = parts;
  }

  addBreakpoint(mmu: Mmu, address: number): void {
    this.parts.blocks.addBreakpoint(mmu, address);
    this.parts.translator?.table.spaceChanged();
  }

  removeBreakpoint(mmu: Mmu, address: number): void {
    this.parts.blocks.removeBreakpoint(mmu, address);
    this.parts.translator?.table.spaceChanged();
  }

  addWatchpoint(mmu: Mmu, address: number, length: number, kind: WatchKind): void {
    const list = this.watchpoints.get(mmu) ?? new Watchpoints();
    this.watchpoints.set(mmu, list);
    list.add({ address, length, kind });
    this.watchesChanged(mmu);
  }

  removeWatchpoint(mmu: Mmu, address: number, length: number, kind: WatchKind): void {
    const list = this.watchpoints.get(mmu);
    if (!list) return;
    list.remove({ address, length, kind });
    if (list.list.length === 0) this.watchpoints.delete(mmu);
    this.watchesChanged(mmu);
  }

  /** The address space that runs from now on. */
  enterSpace(mmu: Mmu): void {
    this.parts.access.watchpoints = this.watchpoints.get(mmu);
  }

  dropSpace(mmu: Mmu): void {
    this.parts.blocks.dropSpace(mmu);
    this.watchpoints.delete(mmu);
    if (this.hardwareMmu !== mmu) return;
    this.hardware = [];
    this.hardwareMmu = undefined;
    this.hardwareKey = '';
  }

  /** Is a debug register switched on in the running context? */
  get active(): boolean {
    return this.hardware.length > 0;
  }

  /** Does a breakpoint of the debugger stand there? */
  debuggersBreakpointAt(at: bigint): boolean {
    const all = this.parts.blocks.breakpointCount(at);
    return all > 0 && all > this.hardware.filter((h) => h.kind === 'execute' && BigInt(h.address) === at).length;
  }

  /** The instruction breakpoints of the debug registers there, as bits of DR6. */
  instructionBreakpointsAt(at: bigint): number {
    let bits = 0;
    for (const h of this.hardware) if (h.kind === 'execute' && BigInt(h.address) === at) bits |= h.bit;
    return bits;
  }

  /** Makes the breakpoints of the running context, and no others, hold. */
  apply({ debugRegisters: d }: CpuContext): void {
    if ((d.dr7 & 0xff) === 0 && !this.active) return;
    const { mmu } = this.parts.access;
    const key = (d.dr7 & 0xff) === 0 ? '' : `${d.dr0} ${d.dr1} ${d.dr2} ${d.dr3} ${d.dr7}`;
    if (key === this.hardwareKey && mmu === this.hardwareMmu) return;
    const old = this.hardwareMmu;
    if (old) {
      for (const h of this.hardware) if (h.kind === 'execute') this.parts.blocks.removeBreakpoint(old, h.address);
      this.setDataBreakpoints(old, []);
    }
    this.hardware = mmu ? activeBreakpoints(d) : [];
    this.hardwareMmu = mmu;
    this.hardwareKey = key;
    if (!mmu) return;
    for (const h of this.hardware) if (h.kind === 'execute') this.parts.blocks.addBreakpoint(mmu, h.address);
    this.setDataBreakpoints(
      mmu,
      this.hardware.filter((h) => h.kind !== 'execute'),
    );
  }

  private setDataBreakpoints(mmu: Mmu, list: readonly HardwareBreakpoint[]): void {
    const watchpoints = this.watchpoints.get(mmu) ?? new Watchpoints();
    watchpoints.setHardware(list as readonly (HardwareBreakpoint & { kind: WatchKind })[]);
    if (watchpoints.list.length > 0) this.watchpoints.set(mmu, watchpoints);
    else this.watchpoints.delete(mmu);
    this.watchesChanged(mmu);
  }

  private watchesChanged(mmu: Mmu): void {
    const { access, tlb, translator } = this.parts;
    translator?.table.mappingsChanged();
    if (access.mmu !== mmu) return;
    access.watchpoints = this.watchpoints.get(mmu);
    tlb.flush();
  }
}

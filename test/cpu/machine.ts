/** A CPU with a few pages of memory, for tests of single programs. */
import { Cpu, type CpuOptions } from '../../cpu/cpu.ts';
import type { Exit } from '../../cpu/exit.ts';
import { type Access, type Mmu, PERM_R, PERM_W, PERM_X } from '../../cpu/mmu.ts';

/** User segments as Linux sets them up: 0x23, 0x2b, 0x33. */
export const GDT_CODE32 = 0x00cffb000000ffffn;
export const GDT_DATA = 0x00cff3000000ffffn;
export const GDT_CODE64 = 0x00affb000000ffffn;

/** A flat map of pages to frames. */
export class PageMap implements Mmu {
  readonly pages = new Map<number, { frame: number; perms: number }>();
  translate(vpn: number, access: Access): number {
    const p = this.pages.get(vpn);
    const wanted = [PERM_R, PERM_W, PERM_X][access]!;
    const code = (access === 1 ? 2 : access === 2 ? 16 : 0) | 4;
    if (!p) return -1 - code;
    if (!(p.perms & wanted)) return -1 - (code | 1);
    return p.frame * 8 + p.perms;
  }
  peek(vpn: number): number {
    const p = this.pages.get(vpn);
    return p ? p.frame * 8 + p.perms : -1;
  }
}

export const CODE = 0x10000;
export const DATA = 0x20000;
export const STACK_TOP = 0x40000;

export class Machine {
  readonly cpu: Cpu;
  readonly map = new PageMap();

  constructor(options: CpuOptions = {}) {
    this.cpu = new Cpu({ memoryLimit: 64 << 20, ...options });
    this.cpu.gdt[4] = GDT_CODE32;
    this.cpu.gdt[5] = GDT_DATA;
    this.cpu.gdt[6] = GDT_CODE64;
    for (let a = CODE; a < STACK_TOP; a += 4096) this.mapPage(a);
    this.cpu.setMmu(this.map);
    this.reset(64);
  }

  mapPage(address: number, perms: number = PERM_R | PERM_W | PERM_X): number {
    const frame = this.cpu.memory.allocFrame();
    this.map.pages.set(Math.floor(address / 4096), { frame, perms });
    return frame;
  }

  /** User state of 64-bit or compatibility mode with zeroed registers. */
  reset(bits: 32 | 64): void {
    const { cpu } = this;
    cpu.regs.gpr.fill(0n);
    cpu.regs.rflags = 0x202n;
    cpu.loadSegment('cs', bits === 64 ? 0x33 : 0x23);
    cpu.loadSegment('ss', 0x2b);
    for (const s of ['ds', 'es'] as const) cpu.loadSegment(s, bits === 64 ? 0 : 0x2b);
    for (const s of ['fs', 'gs'] as const) cpu.loadSegment(s, 0);
    cpu.regs.rsp = BigInt(STACK_TOP - 0x1000);
    cpu.regs.rip = BigInt(CODE);
  }

  write(address: number, bytes: Uint8Array | readonly number[]): void {
    bytes.forEach((b: number, i: number) => {
      const at = address + i;
      const { frame } = this.map.pages.get(Math.floor(at / 4096))!;
      this.cpu.memory.frame(frame)[at % 4096] = b;
      this.cpu.memory.noteWrite(frame);
    });
  }

  read(address: number, n: number): Uint8Array {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      const { frame } = this.map.pages.get(Math.floor((address + i) / 4096))!;
      out[i] = this.cpu.memory.frame(frame)[(address + i) % 4096]!;
    }
    return out;
  }

  /** Puts code, written as hex, at CODE and runs it to the first Exit. */
  run(hex: string, budget = 100000): Exit {
    this.load(hex);
    return this.cpu.run(budget);
  }

  load(hex: string): void {
    this.write(CODE, Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex')));
    this.cpu.regs.rip = BigInt(CODE);
  }
}

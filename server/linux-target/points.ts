/** Breakpoints and watchpoints by process. They live in the CPU, by address and address space; guest memory is never patched. */
import type { Cpu } from '../../cpu/cpu.ts';
import type { Mmu } from '../../cpu/mmu.ts';
import type { Point, ThreadRef, WatchKind } from '../target.ts';

interface Entry {
  readonly pid: number;
  readonly mmu: Mmu;
  readonly point: Point;
}

const isBreak = (point: Point): boolean => point.kind === 'software' || point.kind === 'hardware';
const isSame = (a: Point, b: Point): boolean => a.kind === b.kind && a.address === b.address && a.length === b.length;

/** Beyond it no user address can lie, and the CPU's tables need not know. */
const USER_END = 0x8000_0000_0000n;
const VSYSCALL = 0xffff_ffff_ff60_0000n;
const canHit = (address: bigint): boolean => address < USER_END || (address >= VSYSCALL && address < VSYSCALL + 4096n);

export class Points {
  readonly #cpu: Cpu;
  #entries: Entry[] = [];

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  /** Two points of one kind at one address are one, with the conditions of the later. */
  insert(pid: number, mmu: Mmu, point: Point): boolean {
    if (!isBreak(point) && (point.length < 1 || point.length > 1 << 20)) return false;
    this.remove(pid, point);
    if (!this.#isArmed(mmu, point)) this.#arm(mmu, point);
    this.#entries.push({ pid, mmu, point });
    return true;
  }

  remove(pid: number, point: Point): boolean {
    const found = this.#entries.find((e) => e.pid === pid && isSame(e.point, point));
    if (!found) return false;
    this.#entries = this.#entries.filter((e) => e !== found);
    this.#disarm(found);
    return true;
  }

  removeAll(pid: number | undefined): void {
    const gone = this.#entries.filter((e) => pid === undefined || e.pid === pid);
    this.#entries = this.#entries.filter((e) => !gone.includes(e));
    for (const entry of gone) this.#disarm(entry);
  }

  #isArmed(mmu: Mmu, point: Point): boolean {
    return this.#entries.some(
      (e) =>
        e.mmu === mmu &&
        e.point.address === point.address &&
        (isBreak(point) ? isBreak(e.point) : e.point.kind === point.kind && e.point.length === point.length),
    );
  }

  #arm(mmu: Mmu, { kind, address, length }: Point): void {
    if (!canHit(address)) return;
    if (kind === 'software' || kind === 'hardware') this.#cpu.addBreakpoint(mmu, Number(address));
    else this.#cpu.addWatchpoint(mmu, Number(address), length, kind);
  }

  #disarm({ mmu, point }: Entry): void {
    if (this.#isArmed(mmu, point) || !canHit(point.address)) return;
    const { kind, address, length } = point;
    if (kind === 'software' || kind === 'hardware') this.#cpu.removeBreakpoint(mmu, Number(address));
    else this.#cpu.removeWatchpoint(mmu, Number(address), length, kind);
  }

  /** The breakpoint that stops a thread here: one without a condition, or whose condition is true. */
  breakpointAt(thread: ThreadRef, address: bigint): Point | undefined {
    const here = this.#entries.filter((e) => e.pid === thread.pid && isBreak(e.point) && e.point.address === address);
    return here.find((e) => e.point.condition?.(thread) ?? true)?.point;
  }

  /** The watchpoint of a process that an access touches: what to call it, and an address within it. */
  watchpointAt(
    pid: number,
    address: number,
    access: 'read' | 'write',
  ): { kind: WatchKind; address: bigint } | undefined {
    const at = BigInt(address);
    const near = this.#entries.filter(({ pid: owner, point }) => {
      if (owner !== pid || isBreak(point)) return false;
      return at + 64n > point.address && at < point.address + BigInt(point.length);
    });
    const exact = near.filter(({ point }) => at >= point.address);
    const all = [...exact, ...near].map((e) => e.point);
    const point = all.find((p) => p.kind === access) ?? all.find((p) => p.kind === 'access');
    if (!point) return undefined;
    const kind = point.kind === 'write' ? 'watch' : point.kind === 'read' ? 'rwatch' : 'awatch';
    return { kind, address: at >= point.address ? at : point.address };
  }
}

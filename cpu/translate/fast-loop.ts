/**
 * A block that repeats itself: as often as its addresses stay inside the windows, and the budget lasts, a copy without checks
 * runs. Not tried again at once where it did not come to much.
 */
import { type I32, type Int, i32, i64, select, word as wordOf } from '../ir/expr.ts';
import { notDenormal32, notDenormal64 } from '../isa/sse-fp-fast.ts';
import { ByteWriter } from '../wasm/writer.ts';
import { type Host, NotFast, type Unchecked } from './addresses.ts';
import type { RegionExits } from './exits.ts';
import type { BlockNode } from './graph.ts';
import { Local, local, type RegionCode, VOID } from './region-code.ts';
import type { RegionOps } from './region-ops.ts';
import type { Site, Walk } from './sites.ts';
import { rounds, type TripCount, tripCount } from './trip-count.ts';

/** Fewer rounds without checks are not worth their preparation, which is not tried again for so many rounds. */
const MIN_ROUNDS = 8;
const WAIT = 16;
/** So many instructions are put in line before the loop is repeated, and so many rounds. */
const MOST_IN_LINE = 32;
const MOST_ROUNDS = 8;

/** Accesses farther apart are not told by one address. */
const FARTHEST = 2 ** 30;

/** Accesses of the loop a fixed distance apart: their window, and how far they move in a round. */
interface Group {
  /** The lowest of them. */
  readonly site: Site;
  low: number;
  high: number;
  readonly window: number;
  readonly step: number;
  /** Locals: the host address of what is lowest in all rounds in line, and what makes it of the registers. */
  readonly host: number;
  readonly addend: number;
}

/** The parts of the region's builder that the loop is made with. */
export interface LoopParts {
  readonly code: RegionCode;
  readonly ops: RegionOps;
  readonly exits: RegionExits;
  /** What the jump at the end of the loop is called. */
  readonly jump: string;
  windowOf(node: BlockNode, site: Site, write: boolean): number;
  /** Builds the block's instructions; false when the region is left before the last of them. */
  instructions(node: BlockNode): boolean;
}

/** Emits the copy, when there can be one; `goOn` emits what comes after the loop. */
export function fastLoop(parts: LoopParts, node: BlockNode, walked: Walk, goOn: () => void): void {
  new FastLoop(parts, node, walked).build(goOn);
}

class FastLoop implements Unchecked {
  private readonly parts: LoopParts;
  private readonly code: RegionCode;
  private readonly node: BlockNode;
  private readonly walked: Walk;
  private readonly wait: number;
  /** Turns of the loop, of `inLine` rounds each, that are left, and that there are; before that, rounds. */
  private readonly left: number;
  private readonly whole: number;
  private readonly inLine: number;
  /** The round that is being built. */
  private round = 0;
  private readonly groups = new Map<string, Group>();
  private trips: TripCount | undefined;
  /** x87 registers that may hold something else than a normal number or zero after a round. */
  private readonly odd = new Set<number>();

  constructor(parts: LoopParts, node: BlockNode, walked: Walk) {
    const { code } = parts;
    this.parts = parts;
    this.code = code;
    this.node = node;
    this.walked = walked;
    [this.wait, this.left, this.whole] = [code.reserve('i32'), code.reserve('i32'), code.reserve('i32')];
    let inLine = 1;
    while (inLine < MOST_ROUNDS && 2 * inLine * node.block.count <= MOST_IN_LINE) inLine *= 2;
    this.inLine = inLine;
  }

  build(goOn: () => void): void {
    const { code, wait, left, whole, inLine } = this;
    if (!this.plan()) return;
    const exits = this.parts.exits.list.length;
    let body = this.body(new Set());
    // Only now it is known which scalars there are.
    const scalars = new Set(this.code.vectors.scalarLocals);
    if (body && scalars.size > 0) {
      this.parts.exits.list.length = exits;
      body = this.body(scalars);
    }
    if (!body) return;
    // if (--wait < 0)
    code.emit(i32.sub(local('i32', wait), 1));
    code.op(0x22);
    code.w.uleb(wait);
    code.constant(0);
    code.op(0x48, 0x04, VOID);
    code.depth++;
    code.emit(i32.div_s(local('i32', Local.budget), this.node.block.count));
    code.set(whole);
    if (this.trips) this.atMost(rounds(this.trips));
    for (const group of this.groups.values()) this.limitRounds(group);
    for (const n of this.parts.ops.floatFacts.relied) this.noDenormal(n);
    code.emit(select(i32.const(0), local('i32', whole), this.parts.ops.fpu.unfit));
    code.set(whole);
    code.emit(i32.lt_s(local('i32', whole), MIN_ROUNDS));
    code.op(0x04, VOID);
    code.constant(WAIT);
    code.set(wait);
    code.op(0x05);
    // What is left of the loop is for the copy with checks.
    code.constant(this.trips ? inLine : 0);
    code.set(wait);
    code.emit(i32.shr_u(local('i32', whole), Math.log2(inLine)));
    code.set(whole);
    code.get(whole);
    code.set(left);
    for (const group of this.groups.values()) this.prepare(group);
    code.depth++;
    // Out of the inner block when the program's loop is done, out of the outer one when the rounds are.
    code.op(0x02, VOID, 0x02, VOID, 0x03, VOID);
    code.w.appendCode(body);
    code.emit(i32.sub(local('i32', left), 1));
    code.op(0x22);
    code.w.uleb(left);
    code.op(0x0d, 0, 0x0b);
    code.op(0x0c, 1, 0x0b);
    code.depth++;
    this.pay();
    if (this.trips) code.op(0x00);
    else goOn();
    code.depth--;
    code.op(0x0b);
    this.pay();
    code.depth -= 2;
    code.op(0x0b, 0x0b);
  }

  /** Takes the turns that are done from the budget. */
  private pay(): void {
    const { code, whole, left } = this;
    const turns = i32.sub(local('i32', whole), local('i32', left));
    code.emit(i32.sub(local('i32', Local.budget), i32.mul(turns, this.inLine * this.node.block.count)));
    code.set(Local.budget);
  }

  /** Takes the rounds of this turn from the budget, with the one that is being built. */
  private payRounds(): void {
    this.code.emit(i32.sub(local('i32', Local.budget), (this.round + 1) * this.node.block.count));
    this.code.set(Local.budget);
  }

  /** No rounds at all where a scalar is a denormal. */
  private noDenormal(n: number): void {
    const { code, whole } = this;
    const denormal =
      code.types[n] === 'f64' ? i32.eqz(notDenormal64(local('f64', n))) : i32.eqz(notDenormal32(local('f32', n)));
    code.emit(select(i32.const(0), local('i32', whole), denormal));
    code.set(whole);
  }

  /**
   * The block without checks, as many rounds as are put in line; undefined when something in it does not go that way.
   * @param assumed locals that hold no denormals at the start of every round, which is seen to here but for the first
   */
  private body(assumed: Set<number>): ByteWriter | undefined {
    const { code, walked } = this;
    const { ops, exits } = this.parts;
    const outer = code.w;
    const [depth, count] = [code.depth, exits.list.length];
    code.w = new ByteWriter();
    code.depth += 5;
    ops.begin({ kind: 'unknown' }, walked.sites);
    ops.addresses.unchecked = this;
    ops.floatFacts.assume(assumed);
    ops.fpu.assume(this.odd);
    // An exit gives back the instructions that did not run: the rounds of this turn are to be paid too.
    exits.before = () => {
      this.pay();
      this.payRounds();
    };
    for (const group of this.groups.values()) this.point(group);
    try {
      for (this.round = 0; this.round < this.inLine; this.round++) this.oneRound();
      ops.flags.keep();
      const { broken } = ops.floatFacts;
      const odd = ops.fpu.broken;
      if (broken.length + odd.length === 0) return code.w;
      exits.list.length = count;
      for (const n of broken) assumed.delete(n);
      for (const n of odd) this.odd.add(n);
    } catch (e) {
      if (!(e instanceof NotFast)) throw e;
      exits.list.length = count;
      return undefined;
    } finally {
      code.w = outer;
      code.depth = depth;
      ops.addresses.unchecked = undefined;
      exits.before = undefined;
    }
    return this.body(assumed);
  }

  private oneRound(): void {
    const { code, node, round } = this;
    const { ops, jump } = this.parts;
    const { steps, sites } = this.walked;
    if (!this.parts.instructions(node)) throw new NotFast();
    const { end } = ops;
    if (end?.kind !== 'branch' || end.condition === undefined || !ops.fpu.unmoved) throw new NotFast();
    const used = sites.flatMap((s) => [s.base, s.index]).filter((r) => r >= 0);
    if (used.some((r) => steps[r] === undefined || ops.values.moved(r) !== steps[r]! * (round + 1)))
      throw new NotFast();
    const repeats = node.taken === node.rip;
    if (round === 0) this.trips = tripCount(ops.values, ops.flags.now, jump, repeats);
    if (!this.trips) {
      ops.flags.keep();
      code.emit(repeats ? i32.eqz(end.condition) : end.condition);
      code.w.hint(false);
      code.op(0x04, VOID);
      this.payRounds();
      code.op(0x0c, 2, 0x0b);
    }
    ops.nextRound();
  }

  // Accesses.

  moved(site: Site): number | undefined {
    const step = this.stepOf(site);
    return step === undefined ? undefined : step * this.round;
  }

  host(site: Site, moved: number): Host | undefined {
    const group = this.groups.get(this.keyOf(site));
    if (!group || site.index === -2) return undefined;
    return { base: local('i32', group.host), offset: site.delta + moved - this.lowest(group), steady: true };
  }

  private lowest({ low, step }: Group): number {
    return low + Math.min(0, step * (this.inLine - 1));
  }

  private keyOf(site: Site): string {
    return `${site.key} ${this.parts.windowOf(this.node, site, site.write)}`;
  }

  /** How far an access moves in a round; undefined when that is not to be said. */
  private stepOf(site: Site): number | undefined {
    const moves = (register: number): number | undefined => (register === -1 ? 0 : this.walked.steps[register]);
    const base = moves(site.base);
    const index = this.isBounded(site) ? 0 : moves(site.index);
    if (base === undefined || index === undefined) return undefined;
    return base + index * 2 ** site.scale;
  }

  private isBounded(site: Site): boolean {
    return site.index === -2 && site.bound >= 0 && site.bound * 2 ** site.scale < 65536;
  }

  /** Finds what limits the number of rounds; false when that is not to be said. */
  private plan(): boolean {
    for (const site of this.walked.sites) {
      const window = this.parts.windowOf(this.node, site, site.write);
      const step = this.stepOf(site);
      if (window < 0 || step === undefined || Math.abs(step) > 65536) return false;
      const key = this.keyOf(site);
      const high = site.delta + (this.isBounded(site) ? site.bound * 2 ** site.scale : 0);
      const known = this.groups.get(key);
      if (known) {
        known.low = Math.min(known.low, site.delta);
        known.high = Math.max(known.high, high);
        if (known.high - known.low > FARTHEST) return false;
      } else {
        const { code } = this;
        const locals = { host: code.reserve('i32'), addend: code.reserve('i32') };
        this.groups.set(key, { site, low: site.delta, high, window, step, ...locals });
      }
    }
    return true;
  }

  /** Before the loop: what takes the group's registers to its host address. */
  private prepare(group: Group): void {
    const { addend } = this.code.window(group.window);
    this.code.emit(i32.add(local('i32', addend), this.lowest(group) | 0));
    this.code.set(group.addend);
  }

  /** At the start of a turn: the group's host address. */
  private point(group: Group): void {
    const { code } = this;
    const { base, index, scale } = group.site;
    let at: I32 = local('i32', group.addend);
    if (base >= 0) at = i32.add(i32.wrap(code.register(base)), at);
    if (index >= 0) at = i32.add(at, i32.shl(i32.wrap(code.register(index)), scale));
    code.emit(at);
    code.set(group.host);
    code.release([]);
  }

  private atMost(most: Int): void {
    const { code, whole } = this;
    const now = local('i32', whole);
    const fits = most.type === 'i64' ? i64.lt_u(most, i64.extend_u(now)) : i32.lt_u(most, now);
    const narrow = most.type === 'i64' ? i32.wrap(most) : most;
    code.emit(select(narrow, now, fits));
    code.set(whole);
  }

  /** Lowers the number of rounds to those in which a group stays in its window. */
  private limitRounds({ site, low: first, high: last, window, step }: Group): void {
    const { code, whole } = this;
    const { long } = code;
    const { low, length } = code.window(window);
    const type = long ? 'i64' : 'i32';
    const number = (n: number): Int => (long ? i64.const(n) : i32.const(n | 0));
    const register = (r: number): Int => {
      const value = code.register(r);
      return long ? value : i32.wrap(value);
    };
    const w = wordOf(long ? 64 : 32);
    let address: Int = number(first);
    if (site.base >= 0) address = w.add(register(site.base), address);
    if (site.index >= 0) address = w.add(address, w.shl(register(site.index), site.scale));
    const lowest = code.let(w.sub(address, local(type, low))) as Int;
    const highest = code.let(w.add(lowest, number(last - first))) as Int;
    const outside = w.ge_u(highest, local(type, length));
    code.emit(last === first ? outside : i32.or(w.ge_u(lowest, local(type, length)), outside));
    code.op(0x04, VOID);
    code.constant(0);
    code.set(whole);
    if (step !== 0) {
      code.op(0x05);
      const room = step > 0 ? w.sub(w.sub(local(type, length), number(1)), highest) : lowest;
      this.atMost(code.let(w.add(w.div_u(room, number(Math.abs(step))), number(1))) as Int);
    }
    code.op(0x0b);
  }
}

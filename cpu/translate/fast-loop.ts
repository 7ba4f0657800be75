/**
 * A block that repeats itself: as often as its addresses stay inside the windows, and the budget lasts, a copy without checks
 * runs. Not tried again at once where it did not come to much.
 */
import { type I32, type I64, type Int, i32, i64, select, word as wordOf } from '../ir/expr.ts';
import { notDenormal32, notDenormal64 } from '../isa/sse-fp-fast.ts';
import { ByteWriter } from '../wasm/writer.ts';
import { NotFast } from './addresses.ts';
import type { RegionExits } from './exits.ts';
import type { BlockNode } from './graph.ts';
import { Local, local, type RegionCode, VOID } from './region-code.ts';
import type { RegionOps } from './region-ops.ts';
import type { Site, Walk } from './sites.ts';

/** Fewer rounds without checks are not worth their preparation, which is not tried again for so many rounds. */
const MIN_ROUNDS = 8;
const WAIT = 16;

/** An access of the loop: the window that it is to stay in, and how far it moves in a round. */
interface Part {
  readonly site: Site;
  readonly window: number;
  readonly step: number;
}

/** The parts of the region's builder that the loop is made with. */
export interface LoopParts {
  readonly code: RegionCode;
  readonly ops: RegionOps;
  readonly exits: RegionExits;
  windowOf(node: BlockNode, site: Site, write: boolean): number;
  /** Builds the block's instructions; false when the region is left before the last of them. */
  instructions(node: BlockNode): boolean;
  /** Counts the block's instructions. */
  count(node: BlockNode): void;
}

/** Emits the copy, when there can be one; `goOn` emits what comes after the loop. */
export function fastLoop(parts: LoopParts, node: BlockNode, walked: Walk, goOn: () => void): void {
  new FastLoop(parts, node, walked).build(goOn);
}

class FastLoop {
  private readonly parts: LoopParts;
  private readonly code: RegionCode;
  private readonly node: BlockNode;
  private readonly walked: Walk;
  private readonly wait: number;
  private readonly left: number;
  private readonly whole: number;

  constructor(parts: LoopParts, node: BlockNode, walked: Walk) {
    const { code } = parts;
    this.parts = parts;
    this.code = code;
    this.node = node;
    this.walked = walked;
    [this.wait, this.left, this.whole] = [code.reserve('i32'), code.reserve('i32'), code.reserve('i32')];
  }

  build(goOn: () => void): void {
    const { code, wait, left, whole } = this;
    const plan = this.plan();
    if (!plan) return;
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
    for (const part of plan) this.limitRounds(part);
    for (const n of this.parts.ops.floatFacts.relied) this.noDenormal(n);
    code.emit(i32.lt_s(local('i32', whole), MIN_ROUNDS));
    code.op(0x04, VOID);
    code.constant(WAIT);
    code.set(wait);
    code.op(0x05);
    code.constant(0);
    code.set(wait);
    code.get(whole);
    code.set(left);
    code.depth++;
    // Out of the inner block when the program's loop is done, out of the outer one when the rounds are.
    code.op(0x02, VOID, 0x02, VOID, 0x03, VOID);
    // It leaves on the stack whether the program's loop is done.
    code.w.appendCode(body);
    code.emit(i32.sub(local('i32', left), 1));
    code.set(left);
    code.op(0x0d, 1);
    code.get(left);
    code.op(0x0d, 0, 0x0b);
    code.op(0x0c, 1, 0x0b);
    code.depth++;
    this.pay();
    goOn();
    code.depth--;
    code.op(0x0b);
    this.pay();
    code.depth -= 2;
    code.op(0x0b, 0x0b);
  }

  /** Takes the rounds that are done from the budget. */
  private pay(): void {
    const { code, whole, left } = this;
    const rounds = i32.sub(local('i32', whole), local('i32', left));
    code.emit(i32.sub(local('i32', Local.budget), i32.mul(rounds, this.node.block.count)));
    code.set(Local.budget);
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
   * The block without checks; undefined when something in it does not go that way.
   * @param assumed locals that hold no denormals at the start of every round, which is seen to here but for the first
   */
  private body(assumed: Set<number>): ByteWriter | undefined {
    const { code, node, walked } = this;
    const { ops, exits } = this.parts;
    const outer = code.w;
    const [depth, count] = [code.depth, exits.list.length];
    code.w = new ByteWriter();
    code.depth += 5;
    ops.begin({ kind: 'unknown' }, walked.sites);
    ops.addresses.unchecked = true;
    ops.floatFacts.assume(assumed);
    // An exit gives back the instructions that did not run: this round's are to be paid too.
    exits.before = () => {
      this.pay();
      this.parts.count(node);
    };
    try {
      if (!this.parts.instructions(node)) throw new NotFast();
      const { end } = ops;
      if (end?.kind !== 'branch' || end.condition === undefined) throw new NotFast();
      const used = walked.sites.flatMap((s) => [s.base, s.index]).filter((r) => r >= 0);
      if (used.some((r) => ops.values.moved(r) !== walked.steps[r])) throw new NotFast();
      ops.flags.keep();
      code.emit(node.taken === node.rip ? i32.eqz(end.condition) : end.condition);
      const { broken } = ops.floatFacts;
      if (broken.length === 0) return code.w;
      exits.list.length = count;
      for (const n of broken) assumed.delete(n);
    } catch (e) {
      if (!(e instanceof NotFast)) throw e;
      exits.list.length = count;
      return undefined;
    } finally {
      code.w = outer;
      code.depth = depth;
      ops.addresses.unchecked = false;
      exits.before = undefined;
    }
    return this.body(assumed);
  }

  /** What limits the number of rounds; undefined when that is not to be said. */
  private plan(): Part[] | undefined {
    const parts: Part[] = [];
    const { sites, steps } = this.walked;
    for (const site of sites) {
      const window = this.parts.windowOf(this.node, site, site.write);
      const moves = (register: number): number | undefined => (register === -1 ? 0 : steps[register]);
      const bounded = site.index === -2 && site.bound >= 0 && site.bound * 2 ** site.scale < 65536;
      const base = moves(site.base);
      const index = bounded ? 0 : moves(site.index);
      if (window < 0 || base === undefined || index === undefined) return undefined;
      const step = base + index * 2 ** site.scale;
      if (Math.abs(step) > 65536) return undefined;
      parts.push({ site, window, step });
      if (bounded) parts.push({ site: { ...site, delta: site.delta + site.bound * 2 ** site.scale }, window, step });
    }
    return parts;
  }

  /** Lowers the number of rounds to those in which one access stays in its window. */
  private limitRounds({ site, window, step }: Part): void {
    const { code, whole } = this;
    const { long } = code;
    const { low, length } = code.window(window);
    const type = long ? 'i64' : 'i32';
    const register = (r: number): Int => {
      const value = code.register(r);
      return long ? value : i32.wrap(value);
    };
    const w = wordOf(long ? 64 : 32);
    let address: Int = long ? i64.const(site.delta) : i32.const(site.delta | 0);
    if (site.base >= 0) address = w.add(register(site.base), address);
    if (site.index >= 0) address = w.add(address, w.shl(register(site.index), site.scale));
    const relative = code.let(w.sub(address, local(type, low)));
    code.emit(w.ge_u(relative, local(type, length)));
    code.op(0x04, VOID);
    code.constant(0);
    code.set(whole);
    if (step !== 0) {
      code.op(0x05);
      const room = step > 0 ? w.sub(w.sub(local(type, length), 1), relative) : relative;
      const rounds = w.div_u(room, Math.abs(step));
      const narrow = code.let(i32.add(long ? i32.wrap(rounds as I64) : (rounds as I32), 1));
      code.emit(select(narrow, local('i32', whole), i32.lt_u(narrow, local('i32', whole))));
      code.set(whole);
    }
    code.op(0x0b);
  }
}

/** From a graph of blocks to a WebAssembly module with one function. */
import type { Interpreter } from '../interp/interpreter.ts';
import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import { type I32, type I64, type Int, i32, i64, select, word as wordOf } from '../ir/expr.ts';
import type { AnyFunction } from '../ir/function.ts';
import { auxOfFlags, FlagKind, resultOfFlags } from '../runtime/flags.ts';
import { RuntimeImports } from '../runtime/module.ts';
import { gprOffset, MEMORY_PAGES, State, vectorOffset } from '../state.ts';
import { assemble, ByteWriter } from '../wasm/writer.ts';
import type { BlockNode, Graph, Rip } from './graph.ts';
import { Local, local, RegionCode, VOID } from './region-code.ts';
import { type FlagShape, type Knowledge, NotFast, type Region, RegionOps, Untranslatable } from './region-ops.ts';
import { type Site, type Walk, walk } from './sites.ts';
import { DISPATCHER, type Shape, structure } from './structure.ts';

/** A place where the region is left. */
export interface RegionExit {
  /** RIP, or -1 when the region has stored it itself. */
  readonly rip: Rip;
  /** Instructions that were counted and have not run. */
  readonly back: number;
  /** `redo`: the interpreter has to do the next instruction. `leave`: control goes elsewhere. `budget`: it may come back. */
  readonly kind: 'redo' | 'leave' | 'budget';
  /** Of a computed jump: the block that it ends. */
  readonly site: Rip;
  /** How often it was taken. */
  count: number;
}

export interface CompiledRegion {
  readonly run: () => number;
  readonly exits: RegionExit[];
  /** What the budget has to be above. */
  readonly need: number;
}

/** A row turned out to have no translation: the graph is to be formed again without it. */
export class Retry extends Error {}

interface Label {
  readonly node: number;
  readonly depth: number;
}

const RUN_TYPE = { params: [], results: ['i32'] } as const;

export interface CompileOptions {
  readonly memory: WebAssembly.Memory;
  readonly data: DataView;
  readonly interpreter: Interpreter;
  readonly long: boolean;
  readonly untranslatable: Set<number>;
  /** The number of the window that an access is likely to be in, or -1; for stores only of one that may be written. */
  windowOf(node: BlockNode, site: Site, write: boolean): number;
}

/** What is known where a block ends. */
interface Leaving {
  readonly flags: FlagShape;
  readonly knowledge: Knowledge;
}

export function compileRegion(graph: Graph, options: CompileOptions): CompiledRegion {
  return new Compiler(graph, options).compile();
}

class Compiler {
  private readonly graph: Graph;
  private readonly options: CompileOptions;
  private readonly code = new RegionCode();
  private readonly ops: RegionOps;
  private readonly imports = new RuntimeImports(0);
  private readonly exits: RegionExit[] = [];
  private readonly numbers = new Map<BlockNode, number>();
  private readonly byRip = new Map<Rip, number>();
  private readonly shape: Shape;
  private readonly labels: Label[] = [];
  /** In the copy of a loop that does not check: what has to be done before an exit. */
  private fast: (() => void) | undefined;
  /** For the block that is put in line next: it has no other way to it. */
  private leaving: Leaving | undefined;
  private readonly need: number;
  private node!: BlockNode;
  private record = 0;
  /** The exit before the instruction under construction, once there is one. */
  private redo = -1;

  constructor(graph: Graph, options: CompileOptions) {
    this.graph = graph;
    this.options = options;
    graph.nodes.forEach((n, k) => {
      this.numbers.set(n, k);
      this.byRip.set(n.rip, k);
    });
    this.need = graph.nodes.reduce((sum, n) => sum + n.block.count, 0);
    const successors = graph.nodes.map((n) => n.successors.map((to) => this.numbers.get(to)!));
    this.shape = structure(successors, (n) => usesTable(graph.nodes[n]!) || isOwnLoop(graph.nodes[n]!));
    const region: Region = {
      exitIf: () => this.exitIf(),
      exit: () => this.exit(),
      functionIndex: (fn: AnyFunction) => this.imports.index(fn),
      windowOf: (site: Site, write: boolean) => options.windowOf(this.node, site, write),
    };
    this.code.long = options.long;
    this.ops = new RegionOps(this.code, region, options.data, options.long, options.interpreter.vectorBytes / 16);
  }

  compile(): CompiledRegion {
    const { code } = this;
    // The exits' block: their number is its value.
    code.op(0x02, 0x7f);
    code.depth++;
    if (this.shape.dispatched.length > 0) this.dispatcher();
    else this.tree(0);
    code.op(0x00, 0x0b);
    code.depth--;
    const body = code.w;
    code.w = new ByteWriter();
    this.prologue();
    code.w.append(body.take());
    this.epilogue();
    const module = new WebAssembly.Module(
      assemble({
        imports: this.imports.imports,
        functions: [{ type: RUN_TYPE, export: 'run', locals: code.types, code: code.w.take() }],
        memoryPages: MEMORY_PAGES,
      }),
    );
    const env = {
      memory: this.options.memory,
      ...this.options.interpreter.runtime.exports(this.imports.list.map((fn) => fn.name)),
    };
    const { exports } = new WebAssembly.Instance(module, { env });
    return { run: exports['run'] as () => number, exits: this.exits, need: this.need };
  }

  private prologue(): void {
    const { code } = this;
    for (let n = 0; n < 16; n++) {
      if (!(code.used & (1 << n))) continue;
      code.loadState('i64', gprOffset(n));
      code.set(n);
    }
    for (const [key, l] of code.vectors) {
      code.constant(0);
      code.op(0xfd, 0, 0);
      code.w.uleb(vectorOffset(key >> 2) + (key & 3) * 16);
      code.set(l);
    }
    code.loadWindows();
    code.loadState('i64', State.flagResult);
    code.set(Local.flagA);
    code.loadState('i32', State.flagAux);
    code.op(0xad);
    code.set(Local.flagB);
    code.loadState('i32', State.budget);
    code.constant(this.need);
    code.op(0x6b);
    code.set(Local.budget);
  }

  /** Everything that the region may have changed goes back to the state. */
  private epilogue(): void {
    const { code } = this;
    code.set(Local.exit);
    for (let n = 0; n < 16; n++) {
      if (code.written & (1 << n)) code.storeState('i64', gprOffset(n), () => code.get(n));
    }
    for (const key of code.vectorsWritten) {
      code.constant(0);
      code.get(code.vectors.get(key)!);
      code.op(0xfd, 0x0b, 0);
      code.w.uleb(vectorOffset(key >> 2) + (key & 3) * 16);
    }
    this.storeFlags();
    code.storeState('i32', State.budget, () => {
      code.get(Local.budget);
      code.constant(this.need);
      code.op(0x6a);
    });
    code.get(Local.exit);
  }

  private storeFlags(): void {
    const { code } = this;
    const kind = local('i32', Local.flagKind);
    const [a, b] = [local('i64', Local.flagA), local('i64', Local.flagB)];
    code.if(
      i32.eq(kind, FlagKind.Generic),
      () => {
        code.storeState('i64', State.flagResult, () => code.emit(a));
        code.storeState('i32', State.flagAux, () => code.emit(i32.wrap(b)));
      },
      () => {
        const call = (fn: unknown): void => {
          for (const e of [kind, a, b]) code.emit(e);
          code.call(this.imports.index(fn as AnyFunction));
        };
        code.storeState('i64', State.flagResult, () => call(resultOfFlags));
        code.storeState('i32', State.flagAux, () => call(auxOfFlags));
      },
    );
  }

  // Nesting.

  private dispatcher(): void {
    const { code, shape } = this;
    code.op(0x03, VOID);
    code.depth++;
    this.labels.push({ node: DISPATCHER, depth: code.depth });
    this.within(DISPATCHER, this.blocksAfter(DISPATCHER), undefined);
    this.labels.pop();
    code.depth--;
    code.op(0x0b);
    void shape;
  }

  /** A node with everything that it dominates. */
  private tree(n: number, before?: Leaving): void {
    const { code, shape } = this;
    const isLoop = shape.loops.has(n);
    if (isLoop) {
      code.op(0x03, VOID);
      code.depth++;
      this.labels.push({ node: n, depth: code.depth });
    }
    this.within(n, this.blocksAfter(n), isLoop ? undefined : before);
    if (isLoop) {
      this.labels.pop();
      code.depth--;
      code.op(0x0b);
    }
  }

  private blocksAfter(n: number): readonly number[] {
    return this.shape.children.get(n)!.filter((c) => this.shape.merges.has(c));
  }

  private within(n: number, after: readonly number[], before: Leaving | undefined, at = 0): void {
    const { code } = this;
    const next = after[at];
    if (next === undefined) {
      if (n === DISPATCHER) this.dispatch();
      else this.block(n, before);
      return;
    }
    code.op(0x02, VOID);
    code.depth++;
    // Distinguished from the label of a loop of the same node by where it stands: forward edges come to the block.
    this.labels.push({ node: next, depth: code.depth });
    this.within(n, after, before, at + 1);
    this.labels.pop();
    code.depth--;
    code.op(0x0b);
    this.tree(next);
  }

  private dispatch(): void {
    const { code, shape } = this;
    code.get(Local.dispatch);
    code.op(0x0e);
    code.w.uleb(shape.dispatched.length - 1);
    for (const n of shape.dispatched) code.w.uleb(this.distance(n));
  }

  /** Which enclosing construct a jump to `n` leaves or repeats. */
  private distance(n: number): number {
    for (let k = this.labels.length - 1; k >= 0; k--) {
      const label = this.labels[k]!;
      if (label.node === n) return this.code.depth - label.depth;
    }
    throw new Error('a block without a label');
  }

  /** Goes to `to` from `from`: jumps, or puts it here. */
  private go(from: number, rip: Rip): void {
    const { code, shape } = this;
    const to = this.byRip.get(rip);
    if (to === undefined || !this.graph.nodes[from]!.successors.includes(this.graph.nodes[to]!)) {
      this.leave({ rip, back: 0, kind: 'leave', site: -1, count: 0 });
      return;
    }
    const backward = shape.place.get(to)! <= shape.place.get(from)!;
    if (backward && shape.loops.has(to) && this.labels.some((l) => l.node === to)) {
      this.jump(to);
    } else if (backward) {
      code.constant(shape.dispatched.indexOf(to));
      code.set(Local.dispatch);
      this.jump(DISPATCHER);
    } else if (shape.merges.has(to)) {
      this.jump(to);
    } else {
      this.tree(to, this.leaving);
    }
  }

  private jump(to: number): void {
    this.code.op(0x0c);
    this.code.w.uleb(this.distance(to));
  }

  // Blocks.

  private block(n: number, before: Leaving | undefined): void {
    const { ops, shape } = this;
    const node = this.graph.nodes[n]!;
    const { data, interpreter } = this.options;
    this.node = node;
    const walked = walk(data, interpreter, node.first, node.block.end, node.rip);
    if (shape.loops.has(n) || shape.dispatched.includes(n)) this.checkBudget(node);
    if (isOwnLoop(node) && shape.loops.has(n)) this.fastLoop(n, node, walked);
    ops.begin(before?.flags ?? { kind: 'unknown' }, walked.sites, before?.knowledge);
    this.node = node;
    this.count(node);
    if (!this.instructions(node)) return;
    ops.keep();
    this.terminate(n, node);
  }

  /** The block's instructions; false when the region is left before the last of them. */
  private instructions(node: BlockNode): boolean {
    const { ops } = this;
    const { data, interpreter } = this.options;
    const { first, block, cut } = node;
    for (let r = first; r < block.end; r += RECORD_SIZE) {
      if (r === cut) {
        this.record = r;
        this.redo = -1;
        ops.keep();
        this.exit();
        return false;
      }
      const handler = data.getUint16(r + Rec.handler, true);
      if (handler === Pseudo.fallThrough) break;
      const before = data.getUint16(r - RECORD_SIZE + Rec.handler, true);
      if (r === first || before !== Pseudo.ea) {
        this.record = r;
        this.redo = -1;
      }
      if (handler === Pseudo.ea) {
        ops.keep();
        ops.buildEa(r, node.rip);
        continue;
      }
      try {
        ops.build(r, interpreter.variant(handler), node.rip);
      } catch (e) {
        if (!(e instanceof Untranslatable)) throw e;
        this.options.untranslatable.add(handler);
        throw new Retry();
      }
    }
    return true;
  }

  /**
   * A block that repeats itself: as often as its addresses stay inside the windows, and the budget lasts, a copy without
   * checks runs. Not tried again at once where it did not come to much.
   */
  private fastLoop(n: number, node: BlockNode, walked: Walk): void {
    const { code, ops } = this;
    const plan = this.planOf(node, walked);
    if (!plan) return;
    const outer = code.w;
    const [depth, exits] = [code.depth, this.exits.length];
    const [wait, left, whole, again] = [
      code.reserve('i32'),
      code.reserve('i32'),
      code.reserve('i32'),
      code.reserve('i32'),
    ];
    const count = node.block.count;
    const pay = (): void => {
      code.emit(i32.sub(local('i32', Local.budget), i32.mul(i32.sub(local('i32', whole), local('i32', left)), count)));
      code.set(Local.budget);
    };
    code.w = new ByteWriter();
    code.depth += 3;
    ops.begin({ kind: 'unknown' }, walked.sites);
    ops.unchecked = true;
    // An exit gives back the instructions that did not run: this round's are to be paid too.
    this.fast = () => {
      pay();
      this.count(node);
    };
    try {
      this.node = node;
      if (!this.instructions(node)) throw new NotFast();
      const { end } = ops;
      if (end?.kind !== 'branch' || end.condition === undefined) throw new NotFast();
      const used = walked.sites.flatMap((s) => [s.base, s.index]).filter((r) => r >= 0);
      if (used.some((r) => ops.moved(r) !== walked.steps[r])) throw new NotFast();
      ops.keep();
      code.emit(node.taken === node.rip ? end.condition : i32.eqz(end.condition));
      code.set(again);
    } catch (e) {
      if (!(e instanceof NotFast)) throw e;
      code.w = outer;
      code.depth = depth;
      this.exits.length = exits;
      return;
    } finally {
      ops.unchecked = false;
      this.fast = undefined;
    }
    const body = code.w;
    code.w = outer;
    code.depth = depth;
    // if (--wait < 0)
    code.emit(i32.sub(local('i32', wait), 1));
    code.op(0x22);
    code.w.uleb(wait);
    code.constant(0);
    code.op(0x48, 0x04, VOID);
    code.depth++;
    code.emit(i32.div_s(local('i32', Local.budget), count));
    code.set(whole);
    plan(whole);
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
    code.op(0x03, VOID);
    code.w.append(body.take());
    code.emit(i32.sub(local('i32', left), 1));
    code.set(left);
    code.emit(i32.and(local('i32', again), i32.ne(local('i32', left), 0)));
    code.op(0x0d, 0, 0x0b);
    pay();
    code.emit(i32.eqz(local('i32', again)));
    code.op(0x04, VOID);
    code.depth++;
    this.leaving = undefined;
    this.go(n, node.taken === node.rip ? node.next : node.taken);
    code.depth--;
    code.op(0x0b);
    code.depth -= 2;
    code.op(0x0b, 0x0b);
  }

  /** How to find the number of rounds in which all accesses stay in their windows; undefined when that is not to be said. */
  private planOf(node: BlockNode, { sites, steps }: Walk): ((whole: number) => void) | undefined {
    const parts: { site: Site; window: number; step: number }[] = [];
    for (const site of sites) {
      const window = this.options.windowOf(node, site, site.write);
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
    return (whole) => {
      for (const part of parts) this.limitRounds(whole, part.site, part.window, part.step);
    };
  }

  /** Lowers the number of rounds to those in which one access stays in its window. */
  private limitRounds(whole: number, site: Site, window: number, step: number): void {
    const { code } = this;
    const { long } = this.options;
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

  private checkBudget(node: BlockNode): void {
    this.code.get(Local.budget);
    this.code.constant(0);
    this.code.op(0x48, 0x04, VOID);
    this.code.depth++;
    this.leave({ rip: node.rip, back: 0, kind: 'budget', site: -1, count: 0 });
    this.code.depth--;
    this.code.op(0x0b);
  }

  private count(node: BlockNode): void {
    this.code.get(Local.budget);
    this.code.constant(-node.block.count);
    this.code.op(0x6a);
    this.code.set(Local.budget);
  }

  private terminate(n: number, node: BlockNode): void {
    const { code, ops } = this;
    const { end } = ops;
    const leaving: Leaving = { flags: ops.shape, knowledge: ops.knowledge };
    this.leaving = leaving;
    if (end === undefined) {
      this.go(n, node.next);
      return;
    }
    if (end.kind === 'jump') {
      this.computed(n, node, end.rip, leaving);
      return;
    }
    if (end.condition === undefined) {
      this.go(n, node.taken);
      return;
    }
    code.emit(end.condition);
    code.op(0x04, VOID);
    code.depth++;
    this.go(n, node.taken);
    code.depth--;
    code.op(0x0b);
    // Other blocks were built in between.
    this.leaving = leaving;
    this.go(n, node.next);
  }

  /** A jump to an address that is known only now: compared with those seen before. */
  private computed(n: number, node: BlockNode, rip: I64, leaving: Leaving): void {
    const { code } = this;
    const to = code.reserve('i64');
    code.emit(rip);
    code.set(to);
    const value = local('i64', to);
    const known = node.successors;
    if (usesTable(node) && known.every((to) => this.hasLabel(n, this.numbers.get(to)!))) this.table(known, value);
    else {
      for (const target of known) {
        code.emit(i64.eq(value, target.rip));
        code.op(0x04, VOID);
        code.depth++;
        this.leaving = leaving;
        this.go(n, target.rip);
        code.depth--;
        code.op(0x0b);
      }
    }
    code.storeRip(value);
    this.leave({ rip: -1, back: 0, kind: 'leave', site: node.rip, count: 0 });
  }

  /** By a jump table over the range of the targets. */
  private table(targets: readonly BlockNode[], value: I64): void {
    const { code } = this;
    const lowest = Math.min(...targets.map((t) => t.rip));
    const highest = Math.max(...targets.map((t) => t.rip));
    const byPlace = new Map(targets.map((t) => [t.rip - lowest, this.numbers.get(t)!]));
    code.op(0x02, VOID);
    code.depth++;
    const offset = i64.sub(value, lowest);
    code.emit(i64.gt_u(offset, highest - lowest));
    code.op(0x0d, 0);
    code.emit(i32.wrap(offset));
    code.op(0x0e);
    code.w.uleb(highest - lowest + 1);
    for (let k = 0; k <= highest - lowest; k++) {
      const to = byPlace.get(k);
      code.w.uleb(to === undefined ? 0 : this.distance(to));
    }
    code.w.uleb(0);
    code.depth--;
    code.op(0x0b);
  }

  /** Not through the dispatcher? */
  private hasLabel(from: number, to: number): boolean {
    const { place, loops } = this.shape;
    return place.get(to)! > place.get(from)! || (loops.has(to) && this.labels.some((l) => l.node === to));
  }

  // Exits.

  private leave(exit: RegionExit): void {
    this.exits.push(exit);
    this.code.constant(this.exits.length - 1);
    this.code.op(0x0c);
    this.code.w.uleb(this.code.depth - 1);
  }

  private redoExit(): number {
    if (this.redo < 0) {
      const { data } = this.options;
      const { node, record } = this;
      this.exits.push({
        rip: node.rip + data.getUint16(record + Rec.offset, true),
        back: data.getUint16(record + Rec.remaining, true),
        kind: 'redo',
        site: -1,
        count: 0,
      });
      this.redo = this.exits.length - 1;
    }
    return this.redo;
  }

  private exitIf(): void {
    const { code } = this;
    code.op(0x04, VOID);
    code.depth++;
    this.fast?.();
    code.depth--;
    code.constant(this.redoExit());
    code.op(0x0c);
    code.w.uleb(code.depth);
    code.op(0x0b);
  }

  private exit(): void {
    this.fast?.();
    this.code.constant(this.redoExit());
    this.code.op(0x0c);
    this.code.w.uleb(this.code.depth - 1);
  }
}

/** Fewer rounds without checks are not worth their preparation, which is not tried again for so many rounds. */
const MIN_ROUNDS = 8;
const WAIT = 16;

/** Does the block only ever repeat itself or go on? */
const isOwnLoop = (n: BlockNode): boolean =>
  n.kind === 'conditional' && n.cut === 0 && n.taken !== n.next && n.successors.includes(n);

const TABLE_RANGE = 4096;
/** Many targets close to each other are told apart by a jump table. */
function usesTable(n: BlockNode): boolean {
  if (n.kind !== 'computed' || n.successors.length < 4) return false;
  const rips = n.successors.map((s) => s.rip);
  return Math.max(...rips) - Math.min(...rips) < TABLE_RANGE;
}

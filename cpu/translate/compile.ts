/** From a graph of blocks to a WebAssembly module with one function. */
import type { Interpreter } from '../interp/interpreter.ts';
import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import { i64 } from '../ir/expr.ts';
import type { RuntimeImports } from '../runtime/module.ts';
import { MEMORY_PAGES } from '../state.ts';
import { assemble, ByteWriter, type FunctionBody } from '../wasm/writer.ts';
import { hintedModule } from './branch-hints.ts';
import { type RegionExit, RegionExits } from './exits.ts';
import { fastLoop } from './fast-loop.ts';
import type { FlagShape } from './flag-keeper.ts';
import { epilogue, prologue } from './frame.ts';
import type { BlockNode, Graph, Rip } from './graph.ts';
import { MxcsrClass } from './mxcsr.ts';
import { type BlockBuilder, isOwnLoop, Nesting } from './nesting.ts';
import { Local, local, RegionCode, VOID } from './region-code.ts';
import { Untranslatable } from './region-operands.ts';
import { type End, type Knowledge, RegionOps } from './region-ops.ts';
import { scalarsOf } from './scalars.ts';
import { type Site, walk } from './sites.ts';
import { X87_ANY, X87_OTHER } from './x87-locals.ts';

export interface CompiledRegion {
  readonly run: () => number;
  readonly exits: RegionExit[];
  /** What the budget has to be above. */
  readonly need: number;
  /** What MXCSR has to be like, and the x87 (x87-locals.ts). */
  readonly mxcsr: MxcsrClass;
  readonly x87: number;
}

/** A row turned out to have no translation: the graph is to be formed again without it. */
export class Retry extends Error {}

type JumpEnd = Extract<End, { kind: 'jump' }>;

const RSP = 4;
const RUN_TYPE = { params: [], results: ['i32'] } as const;

export interface CompileOptions {
  readonly memory: WebAssembly.Memory;
  readonly data: DataView;
  readonly interpreter: Interpreter;
  readonly long: boolean;
  readonly untranslatable: Set<number>;
  readonly mxcsr: MxcsrClass;
  readonly x87: number;
  /** The number of the window that an access is likely to be in, or -1; for stores only of one that may be written. */
  windowOf(node: BlockNode, site: Site, write: boolean): number;
}

/** What is known where a block ends. */
interface Leaving {
  readonly flags: FlagShape;
  readonly knowledge: Knowledge;
}

/** A region before it stands in a module. */
export interface RegionBody extends Omit<CompiledRegion, 'run'> {
  readonly body: FunctionBody;
}

/** @param imports of the module that it is going to stand in */
export function emitRegion(graph: Graph, options: CompileOptions, imports: RuntimeImports): RegionBody {
  return new Compiler(graph, options, imports).compile();
}

/** One module of all of them. */
export function linkRegions(
  list: readonly RegionBody[],
  imports: RuntimeImports,
  { memory, interpreter }: Pick<CompileOptions, 'memory' | 'interpreter'>,
): CompiledRegion[] {
  const functions = list.map(({ body }, n) => ({ ...body, export: `r${n}` }));
  const module = hintedModule(assemble({ imports: imports.imports, functions, memoryPages: MEMORY_PAGES }));
  const env = { memory, ...interpreter.runtime.exports(imports.list.map((fn) => fn.name)) };
  const { exports } = new WebAssembly.Instance(module, { env });
  return list.map(({ body: _, ...rest }, n) => ({ ...rest, run: exports[`r${n}`] as () => number }));
}

class Compiler implements BlockBuilder<Leaving> {
  leaving: Leaving | undefined;
  private readonly graph: Graph;
  private readonly options: CompileOptions;
  private readonly code: RegionCode;
  private readonly ops: RegionOps;
  private readonly exits: RegionExits;
  private readonly nesting: Nesting<Leaving>;
  private readonly need: number;
  private node!: BlockNode;
  /** The class of MXCSR that the code asks for. */
  private mxcsr: MxcsrClass = MxcsrClass.any;

  constructor(graph: Graph, options: CompileOptions, imports: RuntimeImports) {
    const { data, interpreter } = options;
    this.graph = graph;
    this.options = options;
    this.need = graph.nodes.reduce((sum, n) => sum + n.block.count, 0);
    this.code = new RegionCode(options.long);
    this.code.vectors.scalars = scalarsOf(graph.nodes, data, interpreter);
    this.exits = new RegionExits(this.code, data);
    this.nesting = new Nesting(this.code, graph, this);
    const region = {
      exitIf: () => this.exits.exitIf(),
      exit: () => this.exits.exit(),
      functionIndex: imports.index,
      windowOf: (site: Site, write: boolean) => options.windowOf(this.node, site, write),
      mxcsr: options.mxcsr,
      x87: options.x87,
      usesX87: graph.hasX87,
      asksMxcsr: () => {
        this.mxcsr = options.mxcsr;
        return options.mxcsr;
      },
    };
    this.ops = new RegionOps(this.code, region, data, interpreter.vectorBytes / 16);
  }

  compile(): RegionBody {
    const { code } = this;
    // The exits' block: their number is its value.
    code.op(0x02, 0x7f);
    code.depth++;
    this.nesting.build();
    code.op(0x00, 0x0b);
    code.depth--;
    const body = code.w;
    code.w = new ByteWriter();
    prologue(code, this.need);
    this.ops.fpu.load();
    code.w.appendCode(body);
    epilogue(code, this.need, () => this.ops.fpu.store());
    const { w, types: locals } = code;
    const made: FunctionBody = { type: RUN_TYPE, locals, code: w.take(), hints: w.hints };
    return { body: made, exits: this.exits.list, need: this.need, mxcsr: this.mxcsr, x87: this.x87 };
  }

  /** What the x87 has to be like at the start. */
  private get x87(): number {
    const { graph, options } = this;
    if (graph.hasX87) return options.x87;
    return graph.cutsX87 && options.x87 === X87_OTHER ? X87_OTHER : X87_ANY;
  }

  leave(rip: Rip): void {
    this.exits.leave(rip);
  }

  block(n: number, before: Leaving | undefined): void {
    const { ops, nesting } = this;
    const node = this.graph.nodes[n]!;
    const { data, interpreter } = this.options;
    this.node = node;
    const walked = walk(data, interpreter, node.first, node.block.end, node.rip);
    if (nesting.isHead(n)) this.checkBudget(node);
    ops.fpu.enter(node.rip, n === 0);
    if (isOwnLoop(node) && nesting.isLoop(n)) {
      const parts = {
        code: this.code,
        ops,
        exits: this.exits,
        windowOf: this.options.windowOf,
        instructions: () => this.instructions(node),
        jump: this.jumpOf(node),
      };
      fastLoop(parts, node, walked, () => {
        this.leaving = undefined;
        this.go(n, node.taken === node.rip ? node.next : node.taken);
      });
    }
    this.node = node;
    ops.begin(before?.flags ?? { kind: 'unknown' }, walked.sites, before?.knowledge);
    this.count(node);
    if (!this.instructions(node)) return;
    ops.flags.keep();
    this.terminate(n, node);
  }

  /** The block's instructions; false when the region is left before the last of them. */
  private instructions(node: BlockNode): boolean {
    const { ops, exits } = this;
    const { data, interpreter } = this.options;
    const { first, block, cut } = node;
    for (let r = first; r < block.end; r += RECORD_SIZE) {
      if (r === cut) {
        exits.at(node, r);
        ops.flags.keep();
        exits.exit();
        return false;
      }
      const handler = data.getUint16(r + Rec.handler, true);
      if (handler === Pseudo.fallThrough) break;
      const before = data.getUint16(r - RECORD_SIZE + Rec.handler, true);
      if (r === first || before !== Pseudo.ea) exits.at(node, r);
      if (handler === Pseudo.ea) {
        ops.flags.keep();
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

  /** The name of the block's last instruction. */
  private jumpOf(node: BlockNode): string {
    const { data, interpreter } = this.options;
    return interpreter.variant(data.getUint16(node.block.end - RECORD_SIZE + Rec.handler, true)).row.row.name;
  }

  private checkBudget(node: BlockNode): void {
    this.code.get(Local.budget);
    this.code.constant(0);
    this.code.op(0x48);
    this.code.w.hint(false);
    this.code.op(0x04, VOID);
    this.code.depth++;
    this.exits.leave(node.rip, 'budget');
    this.code.depth--;
    this.code.op(0x0b);
  }

  private count(node: BlockNode): void {
    this.code.get(Local.budget);
    this.code.constant(-node.block.count);
    this.code.op(0x6a);
    this.code.set(Local.budget);
  }

  /** Goes to the block at `rip`, or out of the region. */
  private go(n: number, rip: Rip): void {
    const { fpu } = this.ops;
    const shape = fpu.leaveTo(rip);
    this.nesting.go(n, rip);
    fpu.restore(shape);
  }

  private terminate(n: number, node: BlockNode): void {
    const { code, ops } = this;
    const { end } = ops;
    const leaving: Leaving = { flags: ops.flags.shape, knowledge: ops.knowledge };
    this.leaving = leaving;
    if (end === undefined) {
      this.go(n, node.next);
      return;
    }
    if (end.kind === 'jump') {
      this.computed(n, node, end, leaving);
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
  private computed(n: number, node: BlockNode, { rip, unsure }: JumpEnd, leaving: Leaving): void {
    const { code, nesting, exits } = this;
    const to = code.reserve('i64');
    code.emit(rip);
    code.set(to);
    const value = local('i64', to);
    const sp = code.reserve('i64');
    const redo = unsure && exits.redoExit();
    if (unsure) {
      code.emit(unsure);
      code.set(sp);
    }
    const known = node.successors;
    if (nesting.hasTable(n)) {
      for (const target of known) this.ops.fpu.leaveTo(target.rip);
      nesting.table(known, value);
    } else {
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
    if (redo !== undefined) {
      code.emit(i64.ne(i64.shr_s(i64.shl(value, 16), 16), value));
      code.w.hint(false);
      code.op(0x04, VOID);
      code.depth++;
      code.get(sp);
      code.set(RSP);
      exits.leaveBy(redo);
      code.depth--;
      code.op(0x0b);
    }
    code.storeRip(value);
    exits.leave(-1, 'leave', node.rip);
  }
}

/** The builder of a region's instructions: what they do with their operands, and how they leave. */
import type { HelperContext } from '../interp/helper-context.ts';
import type { Variant } from '../interp/variant.ts';
import { type Expr, type F64, f32, f64, type I32, type I64, type Int, i32, i64, node, type Type } from '../ir/expr.ts';
import type { AnyFunction, Exprs, Results, RuntimeFunction, Variable } from '../ir/function.ts';
import type { KnownX87 } from '../ir/known-x87.ts';
import type { Ops } from '../ir/ops.ts';
import { v128 } from '../ir/vector.ts';
import { shaped } from '../runtime/module.ts';
import type { StateField } from '../state.ts';
import type { CheckExits, Fact } from './addresses.ts';
import type { FlagShape } from './flag-keeper.ts';
import { FloatFacts } from './float-facts.ts';
import { constant32, fold } from './fold.ts';
import { isOfClass, MxcsrClass } from './mxcsr.ts';
import type { RegionCode } from './region-code.ts';
import { RegionOperands, Untranslatable } from './region-operands.ts';
import type { Site } from './sites.ts';
import type { Value } from './values.ts';
import { X87Locals } from './x87-locals.ts';

/** How the block leaves, once its last instruction is built. `unsure`: RSP before it, when RIP may not be canonical. */
export type End =
  | { readonly kind: 'branch'; readonly condition: I32 | undefined }
  | { readonly kind: 'jump'; readonly rip: I64; readonly unsure: I64 | undefined };

/** What the region's builder gives. */
export interface Region extends CheckExits {
  /** Leaves before this instruction in any case. */
  exit(): void;
  functionIndex(fn: AnyFunction): number;
  /** The class of MXCSR that there is now; asking makes the region one for this class only. */
  readonly mxcsr: MxcsrClass;
  asksMxcsr(): MxcsrClass;
  /** TOP and tags at its start, and whether it has x87 instructions. */
  readonly x87: number;
  readonly usesX87: boolean;
}

/** What is known of registers and memory, for the block after this one. */
export interface Knowledge {
  readonly values: readonly Value[];
  readonly facts: readonly Fact[];
  readonly floats: ReadonlyMap<number, number>;
}

export class RegionOps extends RegionOperands implements Ops {
  /** What is checked one by one is left to the interpreter. */
  readonly checked = false;
  end: End | undefined;
  private readonly region: Region;
  private ended = false;
  private unsure: I64 | undefined;
  readonly floatFacts: FloatFacts;
  /** The x87, whether there are instructions of it or not. */
  readonly fpu: X87Locals;

  constructor(code: RegionCode, region: Region, data: DataView, vectorLanes: number) {
    super(code, region, data, vectorLanes);
    this.region = region;
    this.floatFacts = new FloatFacts(
      region.mxcsr,
      this.floatLoads,
      () => this.exit(),
      () => code.conditional,
    );
    code.vectors.facts = this.floatFacts;
    const exits = {
      leave: () => this.exit(),
      refuse: (): never => {
        throw new Untranslatable();
      },
      thisRip: () => this.thisRip(),
    };
    this.fpu = new X87Locals(code, exits, region.x87, region.usesX87);
  }

  get floats(): FloatFacts | undefined {
    return this.region.asksMxcsr() === MxcsrClass.other ? undefined : this.floatFacts;
  }

  get x87(): KnownX87 | undefined {
    return this.fpu.active ? this.fpu : undefined;
  }

  override get(field: StateField): Int {
    if (this.fpu.active && field === 'fsw') return this.let(this.fpu.status);
    return this.fpu.active && field === 'ftw' ? this.fpu.tags : super.get(field);
  }

  override set(field: StateField, v: Int): void {
    // What has no lowering of its own for a known x87.
    if (this.fpu.active && (field === 'fsw' || field === 'ftw' || field === 'fcw' || field === 'fip')) {
      throw new Untranslatable();
    }
    // Only a value of the class that the region is made for may be loaded.
    if (field === 'mxcsr' && this.level === 0) {
      this.flags.keep();
      this.code.emit(i32.eqz(isOfClass(v as I32, this.region.asksMxcsr())));
      this.region.exitIf();
    }
    super.set(field, v);
  }

  /** Builds the instruction of a record. */
  build(record: number, variant: Variant, blockRip: number): void {
    this.beginInstruction(record, blockRip, variant);
    this.ended = false;
    this.unsure = undefined;
    variant.row.row.lower(this);
    if (this.touchesMmx) this.enterMmx();
    this.endInstruction();
    this.floatFacts.endInstruction();
    if (this.end === undefined) this.code.release(this.flags.held);
  }

  /** What is known at this place. */
  get knowledge(): Knowledge {
    return { values: this.values.all, facts: [...this.addresses.facts], floats: this.floatFacts.all };
  }

  /** Starts a block, with its accesses and with what is known from the only block before it. */
  begin(shape: FlagShape, sites: readonly Site[], knowledge?: Knowledge): void {
    this.end = undefined;
    this.values.begin(knowledge?.values);
    this.addresses.begin(sites, knowledge?.facts ?? []);
    this.floatFacts.begin(knowledge?.floats);
    this.fpu.begin();
    this.code.release([]);
    this.flags.begin(shape);
  }

  /** The block's instructions are built once more, as they go on from here. */
  nextRound(): void {
    this.end = undefined;
    this.code.release(this.flags.held);
  }

  // Locals and control.

  private forgetValues(): void {
    this.addresses.facts = [];
    this.floatFacts.begin();
    this.values.forget();
  }

  variable<T extends Type>(init: Expr<T>): Variable<T> {
    return this.code.variable(init);
  }

  if(condition: I32, then: () => void, otherwise?: () => void, likely?: boolean): void {
    const test = fold(condition);
    const known = constant32(test);
    if (known !== undefined) {
      if (known !== 0) then();
      else otherwise?.();
      return;
    }
    const { flags } = this;
    flags.keep();
    const before = flags.now;
    const ends: FlagShape[] = [];
    let changed = false;
    // What leaves the region is not likely.
    let hint = likely;
    const arm = (body: (() => void) | undefined, holds: boolean) => (): void => {
      flags.now = before;
      this.ended = false;
      body?.();
      if (this.ended) hint ??= !holds;
      if (this.ended) return;
      flags.keep();
      ends.push(flags.shape);
      if (flags.now !== before) changed = true;
    };
    const wasEnded = this.ended;
    this.level++;
    this.code.if(test, arm(then, true), otherwise && arm(otherwise, false), () => hint);
    this.level--;
    this.ended = wasEnded;
    flags.now = before;
    if (changed) flags.afterArms(before, ends, otherwise !== undefined);
  }

  loop(body: (again: (condition: I32) => void) => void): void {
    const { flags } = this;
    flags.keep();
    const before = flags.now;
    const start = { kind: 'unknown' } as const;
    flags.now = start;
    this.forgetValues();
    this.level++;
    this.code.loop((again) =>
      body((condition) => {
        const test = this.let(condition);
        flags.keep();
        again(test);
      }),
    );
    this.level--;
    this.forgetValues();
    flags.now = flags.now === start ? before : { kind: 'unknown' };
  }

  // Flags.

  setFlags(result: I64, aux: I32): void {
    this.flags.set(result, aux);
  }

  keepFlags(kind: 'add' | 'sub', bits: number, a: Int, b: Int, r: Int): boolean {
    this.flags.setOperands(kind, bits, a, b, r);
    return true;
  }

  keepOrder(a: F64, b: F64): boolean {
    this.flags.setOrdered(a, b);
    return true;
  }

  keepCarries(cf: I32, of?: I32): boolean {
    this.flags.setCarries(cf, of);
    return true;
  }

  flagResult(): I64 {
    return this.flags.result();
  }

  flagAux(): I32 {
    return this.flags.aux();
  }

  condition(cc: number): I32 | undefined {
    return this.flags.condition(cc);
  }

  // Leaving.

  raise(): void {
    this.exit();
    if (this.level === 0) throw new Untranslatable();
  }

  /** Leaves the instruction to the interpreter. */
  private exit(): void {
    this.flags.keep();
    this.region.exit();
    this.ended = true;
  }

  branch(condition?: I32): void {
    this.end = { kind: 'branch', condition };
  }

  canonicalLater(): boolean {
    this.unsure = this.code.register(4);
    return true;
  }

  jump(rip: I64): void {
    this.end = { kind: 'jump', rip: this.let(rip), unsure: this.unsure };
  }

  leave(): void {
    throw new Untranslatable();
  }

  call<P extends readonly Type[], R extends readonly Type[]>(fn: RuntimeFunction<P, R>, ...args: Exprs<P>): Results<R> {
    const any = fn as unknown as AnyFunction;
    if (this.level === 0) return shaped(this.callFunction(any, args as unknown as readonly Expr[]));
    // What is called under a condition is the rare case, of which nothing has happened yet. With a call in the loop, V8
    // would keep every local of it in memory: the interpreter does it.
    this.exit();
    const nothing = { i32: i32.const(0), i64: i64.const(0), f32: f32.reinterpret(i32.const(0)) } as const;
    const none = (type: Type): Expr =>
      type === 'v128' ? v128.zero() : type === 'f64' ? f64.reinterpret(i64.const(0)) : nothing[type];
    return shaped(fn.results.map(none));
  }

  callFunction(fn: AnyFunction, args: readonly Expr[]): Expr[] {
    const { code } = this;
    this.floatLoads.forget();
    for (const a of args) code.emit(a);
    code.call(this.region.functionIndex(fn));
    const locals = fn.results.map((type) => code.take(type));
    for (const n of [...locals].reverse()) code.set(n);
    return locals.map((n, i) => node(fn.results[i]!, 0x20, [], n));
  }

  /** What TypeScript does is left to the interpreter: nothing of the instruction has happened yet. */
  helper(run: (h: HelperContext) => void): void {
    void run;
    if (this.level === 0) throw new Untranslatable();
    this.exit();
  }
}

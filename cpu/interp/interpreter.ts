/**
 * The interpreter: one WebAssembly function whose `br_table` has a case for each handler that is hot (hot.ts), and one
 * function each for the others, compiled when a program first needs them and called through a table.
 */

import { setFlagsFromString } from 'node:v8';
import type { CompiledRow } from '../decode/encoding.ts';
import { compileRow } from '../decode/encoding.ts';
import type { Instruction } from '../decode/instruction.ts';
import type { Lower } from '../isa/row.ts';
import { Runtime, RuntimeImports } from '../runtime/module.ts';
import { MEMORY_PAGES, State } from '../state.ts';
import type { ModuleStore, StoredModule } from '../wasm/module-store.ts';
import {
  assemble,
  ByteWriter,
  type FunctionBody,
  type FunctionType,
  HANDLER_TYPE,
  type ModuleSpec,
} from '../wasm/writer.ts';
import { EvexOps } from './evex-ops.ts';
import { Locals } from './handler-code.ts';
import type { HelperContext } from './helper-context.ts';
import { isHot } from './hot.ts';
import { RecordOps, type Surroundings } from './lowering.ts';
import { mainFunction } from './main-function.ts';
import { pseudoRows } from './pseudo.ts';
import { Action, Outcome } from './record.ts';
import { evexForm, type Variant, variantKey, variantNumber, variantOf } from './variant.ts';

/** What the generated code calls. */
export interface Port {
  slow(record: number, low: number, high: number, info: number): number;
  commit(): void;
  raise(record: number, vector: number, errorCode: number): void;
  helper(run: (h: HelperContext) => void, record: number): number;
  /** Linear address of an access through a segment; `info` has the bits of AccessInfo. */
  check(record: number, offset: bigint, info: number): bigint;
  /** The block at State.rip, or 0 when the budget is used up. `link`: where to note it for next time, or 0. */
  resolve(link: number): number;
}

const IMPORTS: readonly { readonly name: keyof Port; readonly type: FunctionType }[] = [
  { name: 'slow', type: { params: ['i32', 'i32', 'i32', 'i32'], results: ['i32'] } },
  { name: 'commit', type: { params: [], results: [] } },
  { name: 'raise', type: { params: ['i32', 'i32', 'i32'], results: [] } },
  { name: 'helper', type: { params: ['i32', 'i32'], results: ['i32'] } },
  { name: 'check', type: { params: ['i32', 'i64', 'i32'], results: ['i64'] } },
  { name: 'resolve', type: { params: ['i32'], results: ['i32'] } },
];

const TABLE_SIZE = 16384;

/**
 * To optimise the main function takes V8 as long as it saves in about so many instructions: most programs do not run
 * as many outside of regions.
 */
const OPTIMISE_AFTER = 100_000_000;
/** A custom section without a name. */
const EMPTY_SECTION = [0, 1, 0];

/** WebAssembly functions that are first called in `make` stay as V8's baseline compiler has made them. */
function withoutTierUp<T>(make: () => T): T {
  setFlagsFromString('--wasm-tier-up-filter=1000000');
  try {
    return make();
  } finally {
    setFlagsFromString('--wasm-tier-up-filter=-1');
  }
}

export class Interpreter {
  /** Runs from the record until something needs the caller; returns an Outcome. */
  run: (record: number) => number;
  /** Instructions until V8 may optimise the main function. */
  private untilOptimised = OPTIMISE_AFTER;
  private readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE });
  private readonly environment: Record<string, unknown>;
  readonly runtime: Runtime;
  private readonly variants: Variant[] = [];
  private readonly byKey = new Map<string, number>();
  /** What the handlers are called in the store. */
  private readonly names: string[] = [];
  private readonly meanings = new Map<Lower, number>();
  private readonly port: Port;
  private readonly store: ModuleStore;
  /** The meanings in TypeScript of each handler, as far as known. */
  private readonly helpers: (readonly Helper[])[] = [];
  /** How many handlers are cases of the main function. */
  readonly mainCount: number;
  /** Handlers from the store, by name. */
  private kept: ReadonlyMap<string, unknown> | undefined;
  private pending: number[] = [];

  /** Bytes of a vector register: what VEX encodings clear above their length. */
  readonly vectorBytes: 32 | 64;

  /** @param store has modules that need not be made, and keeps those that are */
  constructor(
    memory: WebAssembly.Memory,
    rows: readonly CompiledRow[],
    port: Port,
    vectorBytes: 32 | 64,
    store: ModuleStore,
  ) {
    this.vectorBytes = vectorBytes;
    this.port = port;
    this.store = store;
    const pseudo = pseudoRows.map(compileRow);
    for (const { row } of [...pseudo, ...rows]) {
      if (!this.meanings.has(row.lower)) this.meanings.set(row.lower, this.meanings.size);
    }
    for (const row of pseudo) this.number(variantOf(row, 64, false, 0, 0));
    for (const row of rows) this.enumerate(row);
    this.runtime = new Runtime(memory, store);
    this.environment = {
      memory,
      table: this.table,
      slow: (r: number, lo: number, hi: number, info: number) => port.slow(r, lo, hi, info),
      commit: () => port.commit(),
      raise: (r: number, v: number, e: number) => port.raise(r, v, e),
      check: (r: number, o: bigint, info: number) => port.check(r, o, info),
      resolve: (link: number) => port.resolve(link),
    };
    this.pending = [];
    this.mainCount = this.variants.length;
    const main = this.store.get('main') ?? this.store.add('main', this.makeMain());
    this.run = withoutTierUp(() => {
      const run = this.instantiate(main, (n) => n)['run'] as (record: number) => number;
      // V8 compiles it when it is first called: with no budget, that is all that happens.
      const budget = new Int32Array(memory.buffer, State.budget, 1);
      budget[0] = -1;
      run(0);
      budget[0] = 0;
      return run;
    });
  }

  /** So many instructions were run since the last call. */
  worked(instructions: number): void {
    if (this.untilOptimised <= 0) return;
    this.untilOptimised -= instructions;
    if (this.untilOptimised > 0) return;
    const main = this.store.get('main')!;
    // V8 knows modules by their bytes: this one is another.
    const bytes = new Uint8Array([...main.bytes, ...EMPTY_SECTION]);
    this.run = this.instantiate({ ...main, bytes }, (n) => n)['run'] as (record: number) => number;
  }

  /** The handler of an instruction; `flush` before running it. */
  handlerFor(i: Instruction, checked: boolean): number {
    const n = variantNumber(i);
    const numbers = checked ? i.row.checkedHandlers : i.row.handlers;
    const known = numbers[n];
    if (known !== undefined) return known;
    const handler = this.number(variantOf(i.row, i.size, i.isMemory, i.vexL, i.w, checked, evexForm(i)));
    numbers[n] = handler;
    return handler;
  }

  variant(handler: number): Variant {
    return this.variants[handler]!;
  }

  get handlerCount(): number {
    return this.variants.length;
  }

  /** Compiles the handlers that `handlerFor` has newly numbered. */
  flush(): void {
    if (this.pending.length === 0) return;
    const numbers = this.pending.filter((n) => !this.takeKept(n));
    this.pending = [];
    if (numbers.length === 0) return;
    const exports = this.instantiate(this.makeFunctions(numbers), (n) => numbers[n]!);
    for (const [i, n] of numbers.entries()) this.setHandler(n, exports[`h${i}`]);
  }

  /** All handlers outside the main function so far, for the store. */
  keepFunctions(): void {
    const numbers = this.variants.map((_, n) => n).slice(this.mainCount);
    this.store.add('functions', this.makeFunctions(numbers));
  }

  /** Takes a handler from the store; false if it is not there. */
  private takeKept(n: number): boolean {
    const stored = this.store.get('functions');
    if (!stored) return false;
    if (!this.kept) {
      const { handlers } = stored;
      const exports = this.instantiate(stored, (at) => this.byKey.get(handlers[at]!)!);
      this.kept = new Map(handlers.map((name, i) => [name, exports[`h${i}`]]));
    }
    const handler = this.kept.get(this.names[n]!);
    if (handler) this.setHandler(n, handler);
    return handler !== undefined;
  }

  private setHandler(n: number, handler: unknown): void {
    if (n >= this.table.length) this.table.grow(TABLE_SIZE);
    this.table.set(n, handler);
  }

  private number(v: Variant): number {
    const { lower } = v.row.row;
    let meaning = this.meanings.get(lower);
    if (meaning === undefined) {
      meaning = this.meanings.size;
      this.meanings.set(lower, meaning);
    }
    const key = `${meaning}:${variantKey(v)}`;
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    const n = this.variants.length;
    this.variants.push(v);
    this.names.push(key);
    this.byKey.set(key, n);
    this.pending.push(n);
    return n;
  }

  /** The hot variants of a row become cases of the main function. */
  private enumerate(row: CompiledRow): void {
    const places = row.operands.map((o) => o.place).join('');
    const forms = /[EWQ]/.test(places) ? [false, true] : [/[MO]/.test(places)];
    const wide = row.row.options.mode !== '32';
    for (const size of [16, 32, 64] as const) {
      if (row.sized && size === 64 && !wide) continue;
      if (row.sized && size === 32 && row.row.options.mode === '64' && row.row.options.osz) continue;
      for (const w of row.operands.some((o) => o.size === 'y') ? ([0, 1] as const) : ([0] as const)) {
        for (const isMemory of forms) {
          if (!isHot(row, size, isMemory)) continue;
          const n = (size === 64 ? 2 : size === 32 ? 1 : 0) + 3 * ((isMemory ? 1 : 0) + 4 * w);
          row.handlers[n] = this.number(variantOf(row, size, isMemory, 0, w));
        }
      }
    }
  }

  /** @param numberOf the number of the handler at a position in the module */
  private instantiate(m: StoredModule, numberOf: (position: number) => number): Record<string, unknown> {
    const byPosition: (readonly Helper[] | undefined)[] = new Array(Math.max(m.handlers.length, this.mainCount));
    const helper = (n: number, record: number): number => {
      const position = n >> HELPER_BITS;
      let known = byPosition[position];
      if (!known) {
        known = this.helpersOf(numberOf(position));
        byPosition[position] = known;
      }
      return this.port.helper(known[n & HELPER_MASK]!, record);
    };
    const env = { ...this.environment, helper, ...this.runtime.exports(m.runtime) };
    return new WebAssembly.Instance(new WebAssembly.Module(m.bytes), { env }).exports;
  }

  /** The meanings in TypeScript that a handler calls, in the order in which its code does. */
  private helpersOf(n: number): readonly Helper[] {
    let found = this.helpers[n];
    if (!found) {
      // The code comes from the store.
      this.emit(n, 0, new ByteWriter(), new Locals(2), functionSurroundings, newCalled());
      found = this.helpers[n]!;
    }
    return found;
  }

  private emit(
    n: number,
    position: number,
    w: ByteWriter,
    locals: Locals,
    around: Surroundings,
    called: RuntimeImports,
  ): void {
    const variant = this.variants[n]!;
    const helpers: Helper[] = [];
    const helperIndex = (run: Helper): number => {
      const known = helpers.indexOf(run);
      const index = known >= 0 ? known : helpers.push(run) - 1;
      if (index > HELPER_MASK) throw new Error(`${variant.row.row.name}: too many meanings in TypeScript`);
      return (position << HELPER_BITS) | index;
    };
    const Builder = variant.evex ? EvexOps : RecordOps;
    new Builder(w, locals, variant, around, helperIndex, called.index, this.vectorBytes).build();
    this.helpers[n] = helpers;
  }

  private makeFunctions(numbers: readonly number[]): StoredModule {
    const called = newCalled();
    const functions = numbers.map((n, position): FunctionBody => {
      const w = new ByteWriter();
      const locals = new Locals(2);
      this.emit(n, position, w, locals, functionSurroundings, called);
      return { type: HANDLER_TYPE, export: `h${position}`, locals: ['i64', ...locals.types], code: w.take() };
    });
    const handlers = numbers.map((n) => this.names[n]!);
    return finish({ functions, memoryPages: MEMORY_PAGES }, called, handlers);
  }

  private makeMain(): StoredModule {
    const called = newCalled();
    const main = mainFunction(this.variants.length, (n, w, locals, around) => {
      this.emit(n, n, w, locals, around, called);
    });
    return finish({ table: true, functions: [main], memoryPages: MEMORY_PAGES }, called, []);
  }
}

type Helper = (h: HelperContext) => void;

/** A meaning in TypeScript is named by the position of its handler in the module and its place among the handler's. */
const HELPER_BITS = 4;
const HELPER_MASK = (1 << HELPER_BITS) - 1;

const newCalled = (): RuntimeImports => new RuntimeImports(IMPORTS.length);

function finish(spec: Omit<ModuleSpec, 'imports'>, called: RuntimeImports, handlers: readonly string[]): StoredModule {
  const bytes = assemble({ ...spec, imports: [...IMPORTS, ...called.imports] });
  return { bytes, runtime: called.list.map((fn) => fn.name), handlers };
}

/** The local of a handler's function that a jump's target passes through. */
const TARGET = 1;

const functionSurroundings: Surroundings = {
  next(w) {
    w.raw(0x41, Action.Continue, 0x0f);
  },
  jump(w) {
    w.raw(0x21, TARGET, 0x41, 0, 0x20, TARGET, 0x37, 0);
    w.uleb(State.rip);
    w.raw(0x41, Action.Jump, 0x0f);
  },
  leave(w, _depth, outcome) {
    w.raw(0x41, outcome === Outcome.Leave ? Action.Leave : Action.Exit, 0x0f);
  },
  act(w) {
    w.u8(0x0f);
  },
};

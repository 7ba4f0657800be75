/** Builds the WebAssembly module of the runtime functions (../ir/function.ts). */
import { HandlerCode, Locals, loadAt } from '../interp/handler-code.ts';
import type { Expr, I32, I64, Int, Type } from '../ir/expr.ts';
import { i32, node } from '../ir/expr.ts';
import type { AnyFunction, Exprs, FunctionOps, Results, RuntimeFunction, Variable } from '../ir/function.ts';
import { fieldSize, MEMORY_PAGES, State, type StateField } from '../state.ts';
import { emitExpr } from '../wasm/emit.ts';
import type { ModuleStore } from '../wasm/module-store.ts';
import { assemble, ByteWriter, type FunctionBody } from '../wasm/writer.ts';
import { runtimeFunctions } from './all.ts';

/** Emits the call of function number `index` and names its results. */
export function emitCall(code: HandlerCode, fn: AnyFunction, index: number, args: readonly Expr[]): Expr[] {
  for (const a of args) emitExpr(code.w, a);
  code.callImport(index);
  const locals = fn.results.map((type) => code.locals.take(type));
  for (const n of [...locals].reverse()) {
    code.w.u8(0x21);
    code.w.uleb(n);
  }
  return locals.map((n, i) => node(fn.results[i]!, 0x20, [], n));
}

/** A list of results in the shape that callers see. */
export function shaped<R extends readonly Type[]>(results: readonly Expr[]): Results<R> {
  return (results.length === 1 ? results[0] : results) as Results<R>;
}

class FunctionCode implements FunctionOps {
  private readonly code: HandlerCode;
  private readonly indexOf: (fn: AnyFunction) => number;

  constructor(code: HandlerCode, indexOf: (fn: AnyFunction) => number) {
    this.code = code;
    this.indexOf = indexOf;
  }

  let<T extends Type>(e: Expr<T>): Expr<T> {
    return this.code.let(e);
  }
  variable<T extends Type>(init: Expr<T>): Variable<T> {
    return this.code.variable(init);
  }
  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.code.if(condition, then, otherwise);
  }
  loop(body: (again: (condition: I32) => void) => void): void {
    this.code.loop(body);
  }
  get(field: StateField): Int {
    return this.let(loadAt(fieldSize(field) * 8, i32.const(0), State[field]));
  }
  set(field: StateField, v: Int): void {
    this.code.storeAt(fieldSize(field) * 8, i32.const(0), v, State[field]);
  }
  call<P extends readonly Type[], R extends readonly Type[]>(fn: RuntimeFunction<P, R>, ...args: Exprs<P>): Results<R> {
    const any = fn as unknown as AnyFunction;
    return shaped(emitCall(this.code, any, this.indexOf(any), args as unknown as readonly Expr[]));
  }
  load(bits: 8 | 16 | 32 | 64, at: I32, offset = 0): Int {
    return this.let(loadAt(bits, at, offset) as I32 | I64);
  }
  store(bits: 8 | 16 | 32 | 64, at: I32, v: Int, offset = 0): void {
    this.code.storeAt(bits, at, v, offset);
  }
  return(...results: Expr[]): void {
    for (const r of results) emitExpr(this.code.w, r);
    this.code.w.u8(0x0f);
  }
}

function buildBody(fn: AnyFunction, indexOf: (fn: AnyFunction) => number): FunctionBody {
  const w = new ByteWriter();
  const locals = new Locals(fn.params.length);
  const ops = new FunctionCode(new HandlerCode(w, locals), indexOf);
  const args = fn.params.map((type, n): Expr => node(type, 0x20, [], n));
  for (const r of fn.body(ops, ...args)) emitExpr(w, r);
  return {
    type: { params: fn.params, results: fn.results },
    export: fn.name,
    locals: locals.types,
    code: w.take(),
  };
}

/** The module's bytes: every listed function and those that they call, exported by name; it imports the memory only. */
export function runtimeModule(functions: readonly AnyFunction[] = runtimeFunctions): Uint8Array<ArrayBuffer> {
  const list = [...functions];
  const numbers = new Map(list.map((fn, n) => [fn, n]));
  const indexOf = (fn: AnyFunction): number => {
    const known = numbers.get(fn);
    if (known !== undefined) return known;
    numbers.set(fn, list.length);
    list.push(fn);
    return list.length - 1;
  };
  const bodies: FunctionBody[] = [];
  // The list grows while its bodies are built.
  for (let n = 0; n < list.length; n++) bodies.push(buildBody(list[n]!, indexOf));
  return assemble({ imports: [], functions: bodies, memoryPages: MEMORY_PAGES });
}

/** The runtime functions of one memory, instantiated when the first of them is needed. */
export class Runtime {
  private readonly memory: WebAssembly.Memory;
  private readonly store: ModuleStore;
  private instance: Record<string, unknown> | undefined;

  constructor(memory: WebAssembly.Memory, store: ModuleStore) {
    this.memory = memory;
    this.store = store;
  }

  /** The exported functions, to be imported by other modules under their names. */
  exports(names: readonly string[]): Record<string, unknown> {
    return Object.fromEntries(names.map((name) => [name, this.export(name)]));
  }

  private export(name: string): unknown {
    this.instance ??= this.instantiate();
    const found = this.instance[name];
    if (found === undefined) throw new Error(`${name} is not in runtime/all.ts`);
    return found;
  }

  private instantiate(): Record<string, unknown> {
    const made = () => ({ bytes: runtimeModule(), runtime: [], handlers: [] });
    const stored = this.store.get('runtime') ?? this.store.add('runtime', made());
    return new WebAssembly.Instance(new WebAssembly.Module(stored.bytes), { env: { memory: this.memory } }).exports;
  }
}

/**
 * The runtime functions that a module under construction calls: numbers them after its other imports, in the order of
 * their first call.
 */
export class RuntimeImports {
  readonly list: AnyFunction[] = [];
  private readonly first: number;

  /** @param first how many imports of functions stand before them */
  constructor(first: number) {
    this.first = first;
  }

  readonly index = (fn: AnyFunction): number => {
    let n = this.list.indexOf(fn);
    if (n < 0) {
      n = this.list.length;
      this.list.push(fn);
    }
    return this.first + n;
  };

  /** What stands in the import section, after the others. */
  get imports(): { readonly name: string; readonly type: { params: readonly Type[]; results: readonly Type[] } }[] {
    return this.list.map(({ name, params, results }) => ({ name, type: { params, results } }));
  }
}

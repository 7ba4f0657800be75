/**
 * Runtime functions: what is too long to stand in every handler is written once with the IR and called with `Ops.call`.
 * They live in one WebAssembly module (runtime/module.ts) that the handlers and the translator's regions import from.
 *
 * A runtime function computes on values and on the CPU state; it neither touches the program's memory nor raises. A row
 * gives it what it has read and looks at what it returns: for what the function does not do, it returns a status without
 * having changed anything, and the row goes on with `Ops.helper`.
 */
import type { StateField } from '../state.ts';
import type { Expr, I32, Int, Type } from './expr.ts';

/** A mutable local. */
export interface Variable<T extends Type> {
  readonly value: Expr<T>;
  set(e: Expr<T>): void;
}

/** Values of the types `T`, in that order. */
export type Exprs<T extends readonly Type[]> = { readonly [K in keyof T]: Expr<T[K]> };
/** What a call gives: nothing, one value, or several. */
export type Results<R extends readonly Type[]> = R extends readonly []
  ? undefined
  : R extends readonly [infer T extends Type]
    ? Expr<T>
    : Exprs<R>;

export interface RuntimeFunction<P extends readonly Type[], R extends readonly Type[]> {
  /** Its name among the exports of the runtime module. */
  readonly name: string;
  readonly params: P;
  readonly results: R;
  /** Builds the code and gives the list of results. The parameters are locals: use them as often as you like. */
  body(f: FunctionOps, ...args: Exprs<P>): Exprs<R>;
}
export type AnyFunction = RuntimeFunction<readonly Type[], readonly Type[]>;

export const define = <const P extends readonly Type[], const R extends readonly Type[]>(
  name: string,
  params: P,
  results: R,
  body: (f: FunctionOps, ...args: Exprs<P>) => Exprs<R>,
): RuntimeFunction<P, R> => ({ name, params, results, body });

/** What rows and runtime functions have in common; code written against it works in both. */
export interface Builder {
  /** Evaluates now and names the value; use it as often as you like. */
  let<T extends Type>(e: Expr<T>): Expr<T>;
  variable<T extends Type>(init: Expr<T>): Variable<T>;
  /** @param likely how the condition goes nearly always */
  if(condition: I32, then: () => void, otherwise?: () => void, likely?: boolean): void;
  /** Repeats `body` as long as it calls `again` at its end. */
  loop(body: (again: (condition: I32) => void) => void): void;
  /** A field of the CPU state other than general registers and flags. */
  get(field: StateField): Int;
  set(field: StateField, v: Int): void;
  /** Calls a runtime function, now. */
  call<P extends readonly Type[], R extends readonly Type[]>(fn: RuntimeFunction<P, R>, ...args: Exprs<P>): Results<R>;
}

export interface FunctionOps extends Builder {
  /** A load from the CPU state: `at` and `offset` are offsets in linear memory. Zero-extended up to 32 bits. */
  load(bits: 8 | 16 | 32 | 64, at: I32, offset?: number): Int;
  store(bits: 8 | 16 | 32 | 64, at: I32, v: Int, offset?: number): void;
  /** Leaves the function with these results. */
  return(...results: Expr[]): void;
}

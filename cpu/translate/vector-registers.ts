/**
 * Vector registers in a region's locals: a local for each 16-byte lane. The lowest element of a register that is mostly used
 * as a scalar has a local of its own, of its own type, so that arithmetic on it neither takes it out nor puts it back. The
 * lane's local holds something stale there.
 */
import type { Expr, Type, V128 } from '../ir/expr.ts';
import { f32x4, f64x2 } from '../ir/vector.ts';
import { vectorOffset } from '../state.ts';
import { Load } from '../wasm/emit.ts';
import type { FloatFacts } from './float-facts.ts';
import { fold } from './fold.ts';
import { split } from './fold-vectors.ts';
import type { RegionCode } from './region-code.ts';

/** What a register's lowest element is kept as. */
export type Scalar = 'f32' | 'f64' | undefined;

export class VectorRegisters {
  /** By number; the others have no scalar. */
  scalars: readonly Scalar[] = [];
  /** To be told what the scalars become. */
  facts: FloatFacts | undefined;
  private readonly code: RegionCode;
  /** Local by `register * 4 + lane`, and those written. */
  private readonly lanes = new Map<number, number>();
  private readonly written = new Set<number>();
  private readonly lows = new Map<number, number>();

  constructor(code: RegionCode) {
    this.code = code;
  }

  get(register: number, lane: number): V128 {
    const { code } = this;
    const whole = code.read(this.lane(register, lane), 'v128');
    const low = lane === 0 ? this.low(register) : undefined;
    if (low === undefined) return whole;
    return this.scalars[register] === 'f64'
      ? f64x2.replace(whole, 0, code.read(low, 'f64'))
      : f32x4.replace(whole, 0, code.read(low, 'f32'));
  }

  set(register: number, lane: number, v: V128): void {
    const { code } = this;
    const local = this.lane(register, lane);
    this.written.add(register * 4 + lane);
    const low = lane === 0 ? this.low(register) : undefined;
    if (low === undefined) {
      code.assign(local, v);
      return;
    }
    const wide = this.scalars[register] === 'f64';
    const value = fold(v);
    let parts = split(value, wide ? 64 : 32);
    if (!parts) {
      const rest = code.let(value);
      parts = { rest, low: wide ? f64x2.extract(rest, 0) : f32x4.extract(rest, 0) };
    }
    const known = this.facts?.of(parts.low as Expr<'f64'>) ?? 0;
    const from = { ...parts.low };
    code.assign(low, parts.low);
    this.facts?.become(low, known, from);
    if (parts.rest.op !== 0x20 || parts.rest.value !== local) code.assign(local, parts.rest);
  }

  /** Locals of scalars in use. */
  get scalarLocals(): Iterable<number> {
    return this.lows.values();
  }

  /** Loads the locals from the state. */
  load(): void {
    const { code } = this;
    for (const [key, local] of this.lanes) {
      code.constant(0);
      code.op(0xfd, 0, 0);
      code.w.uleb(vectorOffset(key >> 2) + (key & 3) * 16);
      code.set(local);
    }
    for (const [register, local] of this.lows) {
      code.constant(0);
      code.op(this.scalars[register] === 'f64' ? Load.f64 : Load.f32, 0);
      code.w.uleb(vectorOffset(register));
      code.set(local);
    }
  }

  /** Stores those that were written. */
  store(): void {
    const { code } = this;
    for (const key of this.written) {
      code.constant(0);
      code.emit(this.get(key >> 2, key & 3));
      code.op(0xfd, 0x0b, 0);
      code.w.uleb(vectorOffset(key >> 2) + (key & 3) * 16);
    }
  }

  private lane(register: number, lane: number): number {
    return this.local(this.lanes, register * 4 + lane, 'v128');
  }

  private low(register: number): number | undefined {
    const type = this.scalars[register];
    if (!type) return undefined;
    const isNew = !this.lows.has(register);
    const local = this.local(this.lows, register, type);
    if (isNew) this.facts?.become(local, 0);
    return local;
  }

  private local(map: Map<number, number>, key: number, type: Type): number {
    let local = map.get(key);
    if (local === undefined) {
      local = this.code.reserve(type);
      map.set(key, local);
    }
    return local;
  }
}

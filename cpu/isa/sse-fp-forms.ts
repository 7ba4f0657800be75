/** What the floating-point instructions of SSE have in common: element widths and the forms ps, pd, ss, sd. */
import type { V128 } from '../ir/expr.ts';
import { f32x4, f64x2 } from '../ir/vector.ts';
import { type Lower, type Row, sse } from './row.ts';
import type { Arithmetic } from './sse-fp-ops.ts';
import { each32, each64, type Slow } from './sse-fp-slow.ts';

/** Bits of an element: single or double precision. */
export type FpWidth = 32 | 64;

/** Elements in 16 bytes. */
export const perLane = (width: FpWidth): number => 128 / width;

/** Element 0 of `from`, the rest of `to`. */
export const mergeLow = (width: FpWidth, to: V128, from: V128): V128 =>
  width === 32 ? f32x4.replace(to, 0, f32x4.extract(from, 0)) : f64x2.replace(to, 0, f64x2.extract(from, 0));

/** Each of `count` elements by soft float; `at` has the arithmetic of element `i`. */
export const elementsBy = (width: FpWidth, count: number, at: (i: number) => Arithmetic): Slow =>
  width === 32
    ? each32(count, (env, s, i) => at(i).f32(env, s.u32(0, i), s.u32(1, i)))
    : each64(count, (env, s, i) => at(i).f64(env, s.u64(0, i), s.u64(1, i)));
/** The same arithmetic for all elements. */
export const elements = (width: FpWidth, count: number, f: Arithmetic): Slow => elementsBy(width, count, () => f);

/** The four forms ps, pd, ss, sd of a two-operand instruction. */
export function fourForms(
  name: string,
  opcode: string,
  packedOf: (w: FpWidth) => Lower,
  scalarOf: (w: FpWidth) => Lower,
  tail = '',
): Row[] {
  return [
    ...sse(`${name}ps`, `NP 0F ${opcode} /r`, `Vx Hx Wx${tail}`, packedOf(32)),
    ...sse(`${name}pd`, `66 0F ${opcode} /r`, `Vx Hx Wx${tail}`, packedOf(64)),
    ...sse(`${name}ss`, `F3 0F ${opcode} /r`, `Vd Hd Wd${tail}`, scalarOf(32), { vex: 'LIG' }),
    ...sse(`${name}sd`, `F2 0F ${opcode} /r`, `Vq Hq Wq${tail}`, scalarOf(64), { vex: 'LIG' }),
  ];
}

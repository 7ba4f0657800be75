/** Approximations: no flags at all (Intel SDM vol. 2, RCPPS, RCPSS, RSQRTPS, RSQRTSS). */
import type { I32, V128 } from '../ir/expr.ts';
import { i32x4 } from '../ir/vector.ts';
import * as order from '../runtime/sse-compare.ts';
import { type Lower, type Row, sse } from './row.ts';
import { lanesOf, writeLanes } from './simd-forms.ts';

const approximate =
  (f: typeof order.reciprocal, packedForm: boolean): Lower =>
  (c) => {
    const at = (v: V128, i: number): I32 => c.call(f, i32x4.extract(v, i));
    if (!packedForm) {
      const base = c.readVector(1);
      c.writeVector(0, i32x4.replace(base, 0, at(c.readVector(2), 0)));
      return;
    }
    writeLanes(
      c,
      0,
      lanesOf(c, 1).map((v) => [0, 1, 2, 3].reduce((r, i) => i32x4.replace(r, i, at(v, i)), v)),
    );
  };
function approximations(name: string, opcode: string, f: typeof order.reciprocal): Row[] {
  return [
    ...sse(`${name}ps`, `NP 0F ${opcode} /r`, 'Vx Wx', approximate(f, true)),
    ...sse(`${name}ss`, `F3 0F ${opcode} /r`, 'Vd Hd Wd', approximate(f, false), { vex: 'LIG' }),
  ];
}

export const approximationRows: readonly Row[] = [
  ...approximations('rsqrt', '52', order.reciprocalRoot),
  ...approximations('rcp', '53', order.reciprocal),
];

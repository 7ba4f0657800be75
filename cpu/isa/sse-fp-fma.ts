/** FMA3: fused multiply-add in all forms and operand orders (Intel SDM vol. 2, VFMADD132PD to VFNMSUB231SS). */

import { type Lower, op, type Row } from './row.ts';
import { lanesOf, writeLanes } from './simd-forms.ts';
import { mergeLow, perLane, type Width } from './sse-fp.ts';
import { fused32, fused64 } from './sse-fp-ops.ts';
import { type Slow, slowly } from './sse-fp-slow.ts';

interface Form {
  readonly name: string;
  /** Low digit of the packed opcode; the scalar one follows it. */
  readonly digit: number;
  readonly negateProduct: boolean;
  /** Whether element `i` subtracts the addend. */
  readonly negateAddend: (i: number) => boolean;
  readonly scalar: boolean;
}

const FORMS: readonly Form[] = [
  { name: 'maddsub', digit: 6, negateProduct: false, negateAddend: (i) => (i & 1) === 0, scalar: false },
  { name: 'msubadd', digit: 7, negateProduct: false, negateAddend: (i) => (i & 1) === 1, scalar: false },
  { name: 'madd', digit: 8, negateProduct: false, negateAddend: () => false, scalar: true },
  { name: 'msub', digit: 10, negateProduct: false, negateAddend: () => true, scalar: true },
  { name: 'nmadd', digit: 12, negateProduct: true, negateAddend: () => false, scalar: true },
  { name: 'nmsub', digit: 14, negateProduct: true, negateAddend: () => true, scalar: true },
];
/** Operand orders by the high digit of the opcode. */
const ORDERS = [
  [9, 132],
  [10, 213],
  [11, 231],
] as const;

function slowFused(form: Form, width: Width, order: number, count: number): Slow {
  return (env, s) => {
    for (let i = 0; i < count; i++) {
      const minus = form.negateAddend(i);
      if (width === 32) {
        s.set32(i, fused32(env, s.u32(0, i), s.u32(1, i), s.u32(2, i), order, form.negateProduct, minus));
      } else {
        s.set64(i, fused64(env, s.u64(0, i), s.u64(1, i), s.u64(2, i), order, form.negateProduct, minus));
      }
    }
  };
}

const packed =
  (form: Form, width: Width, order: number): Lower =>
  (c) => {
    const operands = [lanesOf(c, 0), lanesOf(c, 1), lanesOf(c, 2)];
    const r = slowly(c, operands, slowFused(form, width, order, perLane(width) * c.lanes));
    writeLanes(c, 0, r.slice(0, c.lanes));
  };
const scalar =
  (form: Form, width: Width, order: number): Lower =>
  (c) => {
    const base = c.readVector(0);
    const r = slowly(c, [[base], [c.readVector(1)], [c.readVector(2)]], slowFused(form, width, order, 1));
    c.writeVector(0, mergeLow(width, base, r[0]!));
  };

function rows(form: Form): Row[] {
  return ORDERS.flatMap(([high, order]) =>
    ([32, 64] as const).flatMap((width): Row[] => {
      const opcode = (digit: number): string => (high * 16 + digit).toString(16).toUpperCase();
      const w = width === 64 ? 'W1' : 'W0';
      const letter = width === 64 ? 'd' : 's';
      const name = `vf${form.name}${order}`;
      const lower = packed(form, width, order);
      const rest = form.scalar
        ? [
            op(
              `${name}s${letter}`,
              `VEX.LIG.66.0F38.${w} ${opcode(form.digit + 1)} /r`,
              width === 64 ? 'Vq Hq Wq' : 'Vd Hd Wd',
              scalar(form, width, order),
            ),
          ]
        : [];
      return [
        op(`${name}p${letter}`, `VEX.128.66.0F38.${w} ${opcode(form.digit)} /r`, 'Vx Hx Wx', lower),
        op(`${name}p${letter}`, `VEX.256.66.0F38.${w} ${opcode(form.digit)} /r`, 'Vx Hx Wx', lower),
        ...rest,
      ];
    }),
  );
}

export const fmaRows: readonly Row[] = FORMS.flatMap(rows);

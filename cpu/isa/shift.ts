/** Shifts and rotates: SHL SHR SAR ROL ROR RCL RCR SHLD SHRD; Intel SDM vol. 2. */
import { carry, setCarryOverflow, setResultFlags } from '../flags.ts';
import { type I32, type I64, type Int, i32, i64, select, signExtend, truncate, word, zeroExtend } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { type Lower, op, type Row } from './row.ts';

const bind = (c: Ops, v: Int): Int => c.let<'i32' | 'i64'>(v) as Int;
const narrow = (v: Int): I32 => (v.type === 'i64' ? i32.wrap(v as I64) : (v as I32));
/** A 32-bit count as an integer of the operand's type. */
const like = (bits: number, n: I32): Int => (bits === 64 ? i64.extend_u(n) : n);
/** Bit `at` of v as an i32. */
const bit = (bits: number, v: Int, at: number | I32): I32 => {
  const w = word(bits);
  return i32.and(narrow(w.shr_u(v, typeof at === 'number' ? at : like(bits, at))), 1);
};
const top = (bits: number, v: Int): I32 => bit(bits, v, bits - 1);

/** The count that the processor uses: 5 bits, 6 for 64-bit operands. Bound. */
const countOf = (c: Ops, bits: number, operand: number): I32 =>
  c.let(i32.and(narrow(c.read(operand)), bits === 64 ? 63 : 31));

interface Outcome {
  /** CF after a shift by a count that is not 0. */
  readonly cf: I32;
  readonly of: I32;
}
type Shift = (c: Ops, bits: number, a: Int, n: I32) => Int;
type ShiftFlags = (c: Ops, bits: number, a: Int, n: I32, r: Int) => Outcome;

/** Shifts leave all flags alone when the count is 0. */
const shift =
  (compute: Shift, flags: ShiftFlags): Lower =>
  (c) => {
    const bits = c.bits(0);
    const n = countOf(c, bits, 1);
    let a: Int = n;
    const r = c.modify(0, (old) => {
      a = old;
      return bind(c, truncate(bits, compute(c, bits, old, n)));
    });
    c.if(n, () => {
      const { cf, of } = flags(c, bits, a, n, r);
      setResultFlags(c, bits, r, cf, of);
    });
  };

const shl = shift(
  (_c, bits, a, n) => word(bits).shl(a, like(bits, n)),
  (c, bits, a, n, r) => {
    // A narrow operand shifted within 32 bits leaves CF in bit `bits`.
    const out = bits < 32 ? bit(32, word(32).shl(a, n), bits) : bit(bits, a, i32.sub(bits, n));
    const cf = c.let(out);
    return { cf, of: i32.xor(cf, top(bits, r)) };
  },
);

const shr = shift(
  (_c, bits, a, n) => word(bits).shr_u(a, like(bits, n)),
  (_c, bits, a, n, r) => ({
    cf: bit(bits, a, i32.sub(n, 1)),
    of: i32.xor(top(bits, r), bit(bits, r, bits - 2)),
  }),
);

/** The operand sign-extended to its WebAssembly type. */
const signed = (bits: number, a: Int): Int => (bits === 64 ? a : i32.wrap(signExtend(bits, a)));

const sar = shift(
  (_c, bits, a, n) => word(bits).shr_s(signed(bits, a), like(bits, n)),
  (_c, bits, a, n) => ({
    cf: i32.and(narrow(word(bits).shr_s(signed(bits, a), like(bits, i32.sub(n, 1)))), 1),
    of: i32.const(0),
  }),
);

/** Rotates touch CF and OF only, and those not when the count is 0. */
const rotate =
  (compute: Shift, flags: (bits: number, r: Int) => Outcome): Lower =>
  (c) => {
    const bits = c.bits(0);
    const n = countOf(c, bits, 1);
    const r = c.modify(0, (old) => bind(c, truncate(bits, compute(c, bits, old, n))));
    c.if(n, () => {
      const { cf, of } = flags(bits, r);
      setCarryOverflow(c, cf, of);
    });
  };

/** A narrow value repeated through 32 bits, so that a 32-bit rotate serves it. */
const repeated = (c: Ops, bits: number, a: Int): Int => {
  if (bits >= 32) return a;
  const once = a as I32;
  if (bits === 16) return i32.or(once, i32.shl(once, 16));
  return i32.mul(c.let(once), 0x01010101);
};

const rol = rotate(
  (c, bits, a, n) => word(bits).rotl(repeated(c, bits, a), like(bits, n)),
  (bits, r) => ({ cf: bit(bits, r, 0), of: i32.xor(bit(bits, r, 0), top(bits, r)) }),
);
const ror = rotate(
  (c, bits, a, n) => word(bits).rotr(repeated(c, bits, a), like(bits, n)),
  (bits, r) => ({ cf: top(bits, r), of: i32.xor(top(bits, r), bit(bits, r, bits - 2)) }),
);

/** How far a rotate through carry turns: modulo 9 or 17 for narrow operands. Bound. */
const turns = (c: Ops, bits: number, n: I32): I32 => (bits < 32 ? c.let(i32.rem_u(n, bits + 1)) : n);

/** RCL and RCR of up to 32 bits: CF and the operand as one value of bits + 1 bits. */
function throughCarry(c: Ops, bits: number, a: Int, left: I32): { r: Int; cf: I32 } {
  const width = bits + 1;
  const v = c.let(i64.or(zeroExtend(a), i64.shl(i64.extend_u(carry(c)), bits)));
  const n = i64.extend_u(left);
  const turned = c.let(i64.or(i64.shl(v, n), i64.shr_u(v, i64.sub(width, n))));
  return {
    r: bind(c, truncate(bits, i32.wrap(turned))),
    cf: c.let(i32.and(i32.wrap(i64.shr_u(turned, bits)), 1)),
  };
}

const rotateThroughCarry =
  (direction: 'left' | 'right'): Lower =>
  (c) => {
    const bits = c.bits(0);
    const n = turns(c, bits, countOf(c, bits, 1));
    let cf: I32 = n;
    const r = c.modify(0, (old) => {
      if (bits < 64) {
        const left = direction === 'left' ? n : c.let(i32.sub(bits + 1, n));
        const turned = throughCarry(c, bits, old, left);
        cf = turned.cf;
        return turned.r;
      }
      const a = old as I64;
      const count = c.let(i64.extend_u(n));
      const rest = c.let(i64.sub(64, count));
      const in1 = i64.extend_u(carry(c));
      const turned =
        direction === 'left'
          ? i64.or(i64.or(i64.shl(a, count), i64.shl(in1, i64.sub(count, 1))), i64.shr_u(i64.shr_u(a, 1), rest))
          : i64.or(i64.or(i64.shr_u(a, count), i64.shl(in1, rest)), i64.shl(i64.shl(a, 1), rest));
      cf = c.let(bit(64, a, i32.wrap(direction === 'left' ? rest : i64.sub(count, 1))));
      return c.let(select(turned, a, n));
    });
    c.if(n, () => {
      const of = direction === 'left' ? i32.xor(cf, top(bits, r)) : i32.xor(top(bits, r), bit(bits, r, bits - 2));
      setCarryOverflow(c, cf, of);
    });
  };

/** SHLD and SHRD: `Ev Gv count`. A 16-bit operand shifted by more than 16 takes the first operand again. */
const doubleShift =
  (direction: 'left' | 'right'): Lower =>
  (c) => {
    const bits = c.bits(0);
    const w = word(bits);
    const n = countOf(c, bits, 2);
    const b = c.read(1);
    let a: Int = n;
    let cf: I32 = n;
    const r = c.modify(0, (old) => {
      a = old;
      if (bits === 16) {
        const count = i64.extend_u(n);
        const x = zeroExtend(old);
        const v = c.let(i64.or(i64.or(i64.shl(x, 32), i64.shl(zeroExtend(b), 16)), x));
        const moved = c.let(direction === 'left' ? i64.shl(v, count) : i64.shr_u(v, count));
        cf = c.let(
          direction === 'left'
            ? i32.wrap(i64.and(i64.shr_u(moved, 48), 1))
            : i32.wrap(i64.and(i64.shr_u(v, i64.sub(count, 1)), 1)),
        );
        return bind(c, truncate(16, i32.wrap(direction === 'left' ? i64.shr_u(moved, 32) : moved)));
      }
      const count = like(bits, n);
      const rest = w.sub(bits, count);
      const moved =
        direction === 'left' ? w.or(w.shl(old, count), w.shr_u(b, rest)) : w.or(w.shr_u(old, count), w.shl(b, rest));
      cf = c.let(bit(bits, old, direction === 'left' ? i32.sub(bits, n) : i32.sub(n, 1)));
      return bind(c, select<'i32' | 'i64'>(moved, old, n) as Int);
    });
    c.if(n, () => setResultFlags(c, bits, r, cf, i32.xor(top(bits, r), top(bits, a))));
  };

const group: readonly (readonly [name: string, digit: number, lower: Lower])[] = [
  ['rol', 0, rol],
  ['ror', 1, ror],
  ['rcl', 2, rotateThroughCarry('left')],
  ['rcr', 3, rotateThroughCarry('right')],
  ['shl', 4, shl],
  ['shr', 5, shr],
  ['sal', 6, shl],
  ['sar', 7, sar],
];

export const shiftRows: readonly Row[] = [
  ...group.flatMap(([name, digit, lower]) => [
    op(name, `C0 /${digit}`, 'Eb Ib', lower),
    op(name, `C1 /${digit}`, 'Ev Ib', lower),
    op(name, `D0 /${digit}`, 'Eb 1', lower),
    op(name, `D1 /${digit}`, 'Ev 1', lower),
    op(name, `D2 /${digit}`, 'Eb CL', lower),
    op(name, `D3 /${digit}`, 'Ev CL', lower),
  ]),
  op('shld', '0F A4 /r', 'Ev Gv Ib', doubleShift('left')),
  op('shld', '0F A5 /r', 'Ev Gv CL', doubleShift('left')),
  op('shrd', '0F AC /r', 'Ev Gv Ib', doubleShift('right')),
  op('shrd', '0F AD /r', 'Ev Gv CL', doubleShift('right')),
];

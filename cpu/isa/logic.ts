/** AND OR XOR TEST NOT, shifts, rotates and double shifts; Intel SDM vol. 2. */
import { carry, setCarryOverflow, setLogicFlags, setResultFlags } from '../flags.ts';
import { type I32, type I64, type Int, i32, i64, truncate, word } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { classic } from './arith.ts';
import { type Lower, op, type Row } from './row.ts';

const bitwise =
  (name: 'and' | 'or' | 'xor'): Lower =>
  (c) => {
    const bits = c.bits(0);
    const b = c.read(1);
    const r = c.modify(0, (a) => word(bits)[name](a, b));
    setLogicFlags(c, bits, r);
  };

const test: Lower = (c) => {
  const bits = c.bits(0);
  const a = c.read(0);
  setLogicFlags(c, bits, c.let(word(bits).and(a, c.read(1))));
};

const not: Lower = (c) => {
  c.modify(0, (v) => truncate(c.bits(0), word(c.bits(0)).not(v)));
};

/** As an i32 of 0 or 1: bit `n` of `v`, where n may be an expression. */
const bitAt = (bits: number, v: Int, n: Int | number): I32 => {
  const w = word(bits);
  const shifted = w.and(w.shr_u(v, n), 1);
  return shifted.type === 'i64' ? i32.wrap(shifted as I64) : (shifted as I32);
};

/** An i32 count as wide as the operand. */
const wide = (bits: number, count: I32): Int => (bits === 64 ? i64.extend_u(count) : count);

/** The count: CL or the immediate, of which 5 bits count (6 with 64-bit operands). */
function countOf(c: Ops, operand: number): I32 {
  const raw = c.read(operand);
  const narrow = raw.type === 'i64' ? i32.wrap(raw as I64) : (raw as I32);
  return c.let(i32.and(narrow, c.bits(0) === 64 ? 63 : 31));
}

type Shift = (c: Ops, bits: number, a: Int, n: I32) => { readonly r: Int; flags(): void };

/** A count of zero changes nothing, flags included; the destination is still accessed. */
const shift =
  (f: Shift): Lower =>
  (c) => {
    const bits = c.bits(0);
    const n = countOf(c, 1);
    let flags = (): void => {};
    c.modify(0, (a) => {
      const done = f(c, bits, a, n);
      flags = done.flags;
      return done.r;
    });
    c.if(n, flags);
  };

const shl: Shift = (c, bits, a, n) => {
  const w = word(bits);
  // Narrow operands sit in 32 bits and the count is at most 31: what is shifted out stays visible.
  const whole = c.let(w.shl(a, wide(bits, n)));
  const r = c.let(truncate(bits, whole));
  return {
    r,
    flags() {
      const cf = c.let(bits < 32 ? bitAt(32, whole, bits) : bitAt(bits, a, wide(bits, i32.sub(bits, n))));
      setResultFlags(c, bits, r, cf, i32.xor(cf, bitAt(bits, r, bits - 1)));
    },
  };
};

const shr: Shift = (c, bits, a, n) => {
  const r = c.let(word(bits).shr_u(a, wide(bits, n)));
  return {
    r,
    flags() {
      const cf = c.let(bitAt(bits, a, wide(bits, i32.sub(n, 1))));
      setResultFlags(c, bits, r, cf, bitAt(bits, a, bits - 1));
    },
  };
};

const sar: Shift = (c, bits, a, n) => {
  const w = word(bits);
  const signed = bits === 8 ? i32.extend8_s(a as I32) : bits === 16 ? i32.extend16_s(a as I32) : a;
  const s = c.let(signed);
  const r = c.let(truncate(bits, w.shr_s(s, wide(bits, n))));
  return {
    r,
    flags() {
      const last = w.and(w.shr_s(s, wide(bits, i32.sub(n, 1))), 1);
      const cf = c.let(last.type === 'i64' ? i32.wrap(last as I64) : (last as I32));
      setResultFlags(c, bits, r, cf, i32.const(0));
    },
  };
};

/** Rotation of 8 and 16 bits is that of a value repeated to fill 32. */
function repeated(c: Ops, bits: number, a: Int): Int {
  if (bits >= 32) return a;
  const twice = c.let(bits === 8 ? i32.or(a as I32, i32.shl(a as I32, 8)) : (a as I32));
  return c.let(i32.or(twice as I32, i32.shl(twice as I32, 16)));
}

const rol: Shift = (c, bits, a, n) => {
  const r = c.let(truncate(bits, word(bits).rotl(repeated(c, bits, a), wide(bits, n))));
  return {
    r,
    flags() {
      const cf = c.let(bitAt(bits, r, 0));
      setCarryOverflow(c, cf, i32.xor(cf, bitAt(bits, r, bits - 1)));
    },
  };
};

const ror: Shift = (c, bits, a, n) => {
  const r = c.let(truncate(bits, word(bits).rotr(repeated(c, bits, a), wide(bits, n))));
  return {
    r,
    flags() {
      const top = c.let(bitAt(bits, r, bits - 1));
      setCarryOverflow(c, top, i32.xor(top, bitAt(bits, r, bits - 2)));
    },
  };
};

/**
 * Rotation through CF: of bits + 1 positions. Narrow ones are done in a 64-bit word; with 64 bits the two halves are
 * shifted apart, where a count of zero has to be kept from shifting by 64.
 */
const throughCarry =
  (left: boolean): Shift =>
  (c, bits, a, n) => {
    const cf = c.let(carry(c));
    let r: Int;
    let out: I32;
    if (bits < 64) {
      const period = bits + 1;
      const count = c.let(i64.extend_u(bits === 32 ? n : i32.rem_u(n, period)));
      const both = c.let(i64.or(i64.extend_u(a as I32), i64.shl(i64.extend_u(cf), bits)));
      const back = i64.sub(period, count);
      const turned = left
        ? i64.or(i64.shl(both, count), i64.shr_u(both, back))
        : i64.or(i64.shr_u(both, count), i64.shl(both, back));
      const t = c.let(turned);
      r = c.let(truncate(bits, i32.wrap(t)));
      out = c.let(i32.and(i32.wrap(i64.shr_u(t, bits)), 1));
    } else {
      const count = c.let(i64.extend_u(n));
      const v = a as I64;
      // The far part moves by 65 - n, done as 1 and 64 - n: both below 64 for n > 0.
      const back = c.let(i64.and(i64.sub(64, count), 63));
      const carryIn = i64.extend_u(cf);
      const near = left ? i64.shl(v, count) : i64.shr_u(v, count);
      const far = left ? i64.shr_u(i64.shr_u(v, 1), back) : i64.shl(i64.shl(v, 1), back);
      const inserted = left ? i64.shl(carryIn, i64.sub(count, 1)) : i64.shl(carryIn, back);
      const turned = c.let(i64.or(i64.or(near, far), inserted));
      const result = c.variable(v);
      c.if(n, () => result.set(turned));
      r = c.let(result.value);
      out = c.let(left ? bitAt(64, v, back) : bitAt(64, v, i64.sub(count, 1)));
    }
    return {
      r,
      flags() {
        // A count that is a multiple of the period leaves CF, which `out` then is.
        const of = left
          ? i32.xor(out, bitAt(bits, r, bits - 1))
          : i32.xor(bitAt(bits, r, bits - 1), bitAt(bits, r, bits - 2));
        // A count that is a multiple of the period (9 or 17) moves nothing and leaves the flags.
        if (bits < 32) c.if(i32.rem_u(n, bits + 1), () => setCarryOverflow(c, out, of));
        else setCarryOverflow(c, out, of);
      },
    };
  };

/** SHLD and SHRD. Counts above 16 with 16-bit operands are undefined; we shift in the first operand again, as processors do. */
const double =
  (left: boolean): Lower =>
  (c) => {
    const bits = c.bits(0);
    const n = countOf(c, 2);
    const fill = c.read(1);
    let flags = (): void => {};
    c.modify(0, (a) => {
      const { r, cf } = left ? shiftLeftDouble(c, bits, a, fill, n) : shiftRightDouble(c, bits, a, fill, n);
      flags = () => {
        const carryOut = c.let(cf());
        setResultFlags(c, bits, r, carryOut, i32.xor(bitAt(bits, r, bits - 1), bitAt(bits, a, bits - 1)));
      };
      return r;
    });
    c.if(n, flags);
  };

interface DoubleShift {
  readonly r: Int;
  cf(): I32;
}

function shiftLeftDouble(c: Ops, bits: number, a: Int, fill: Int, n: I32): DoubleShift {
  if (bits === 16) {
    // a : fill : a in 48 bits.
    const all = c.let(
      i64.or(
        i64.or(i64.shl(i64.extend_u(a as I32), 32), i64.shl(i64.extend_u(fill as I32), 16)),
        i64.extend_u(a as I32),
      ),
    );
    const moved = c.let(i64.shl(all, i64.extend_u(n)));
    return {
      r: c.let(i32.and(i32.wrap(i64.shr_u(moved, 32)), 0xffff)),
      cf: () => i32.and(i32.wrap(i64.shr_u(moved, 48)), 1),
    };
  }
  const w = word(bits);
  const count = c.let(wide(bits, n));
  const back = w.and(w.sub(bits, count), bits - 1);
  const result = c.variable(a as I32);
  c.if(n, () => result.set(w.or(w.shl(a, count), w.shr_u(fill, back)) as I32));
  return { r: c.let(result.value), cf: () => bitAt(bits, a, w.sub(bits, count)) };
}

function shiftRightDouble(c: Ops, bits: number, a: Int, fill: Int, n: I32): DoubleShift {
  if (bits === 16) {
    const all = c.let(
      i64.or(
        i64.or(i64.extend_u(a as I32), i64.shl(i64.extend_u(fill as I32), 16)),
        i64.shl(i64.extend_u(a as I32), 32),
      ),
    );
    return {
      r: c.let(i32.and(i32.wrap(i64.shr_u(all, i64.extend_u(n))), 0xffff)),
      cf: () => i32.and(i32.wrap(i64.shr_u(all, i64.extend_u(i32.sub(n, 1)))), 1),
    };
  }
  const w = word(bits);
  const count = c.let(wide(bits, n));
  const back = w.and(w.sub(bits, count), bits - 1);
  const result = c.variable(a as I32);
  c.if(n, () => result.set(w.or(w.shr_u(a, count), w.shl(fill, back)) as I32));
  return { r: c.let(result.value), cf: () => bitAt(bits, a, w.sub(count, 1)) };
}

const SHIFTS: readonly [string, number, Lower][] = [
  ['rol', 0, shift(rol)],
  ['ror', 1, shift(ror)],
  ['rcl', 2, shift(throughCarry(true))],
  ['rcr', 3, shift(throughCarry(false))],
  ['shl', 4, shift(shl)],
  ['shr', 5, shift(shr)],
  ['shl', 6, shift(shl)],
  ['sar', 7, shift(sar)],
];
const shld = double(true);
const shrd = double(false);

export const logicRows: readonly Row[] = [
  ...classic('or', 1, bitwise('or')),
  ...classic('and', 4, bitwise('and')),
  ...classic('xor', 6, bitwise('xor')),
  op('test', '84 /r', 'Eb Gb', test),
  op('test', '85 /r', 'Ev Gv', test),
  op('test', 'A8', 'AL Ib', test),
  op('test', 'A9', 'rAX Iz', test),
  op('test', 'F6 /0', 'Eb Ib', test),
  op('test', 'F6 /1', 'Eb Ib', test),
  op('test', 'F7 /0', 'Ev Iz', test),
  op('test', 'F7 /1', 'Ev Iz', test),
  op('not', 'F6 /2', 'Eb', not, { lock: true }),
  op('not', 'F7 /2', 'Ev', not, { lock: true }),
  ...SHIFTS.flatMap(([name, digit, lower]) => [
    op(name, `C0 /${digit}`, 'Eb Ib', lower),
    op(name, `C1 /${digit}`, 'Ev Ib', lower),
    op(name, `D0 /${digit}`, 'Eb 1', lower),
    op(name, `D1 /${digit}`, 'Ev 1', lower),
    op(name, `D2 /${digit}`, 'Eb CL', lower),
    op(name, `D3 /${digit}`, 'Ev CL', lower),
  ]),
  op('shld', '0F A4 /r', 'Ev Gv Ib', shld),
  op('shld', '0F A5 /r', 'Ev Gv CL', shld),
  op('shrd', '0F AC /r', 'Ev Gv Ib', shrd),
  op('shrd', '0F AD /r', 'Ev Gv CL', shrd),
];

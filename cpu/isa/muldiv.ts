/** MUL IMUL DIV IDIV; Intel SDM vol. 2. */
import { setResultFlags } from '../flags.ts';
import { type I64, type Int, i32, i64, signExtend, truncate, zeroExtend } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { type Lower, op, type Row } from './row.ts';

const DE = 0;
const RAX = 0;
const RDX = 2;

/** High half of an unsigned 64 by 64 bit product, by 32-bit pieces. Bound values. */
export function mulHigh(c: Ops, a: I64, b: I64): I64 {
  const low = (v: I64): I64 => i64.and(v, 0xffffffff);
  const high = (v: I64): I64 => i64.shr_u(v, 32);
  const middle = c.let(i64.add(i64.mul(high(a), low(b)), high(i64.mul(low(a), low(b)))));
  const second = c.let(i64.add(i64.mul(low(a), high(b)), low(middle)));
  return i64.add(i64.add(i64.mul(high(a), high(b)), high(middle)), high(second));
}

/** High half of a signed product. Bound values. */
function mulHighSigned(c: Ops, a: I64, b: I64): I64 {
  const correction = (x: I64, y: I64): I64 => i64.and(i64.shr_s(x, 63), y);
  return i64.sub(i64.sub(mulHigh(c, a, b), correction(a, b)), correction(b, a));
}

/** The product of two operands up to 32 bits wide, in 64 bits. */
const narrowProduct = (bits: number, a: Int, b: Int, signed: boolean): I64 =>
  signed ? i64.mul(signExtend(bits, a), signExtend(bits, b)) : i64.mul(zeroExtend(a), zeroExtend(b));

/** A double-width value, given as one i64, into AX or rDX:rAX. */
function setPair(c: Ops, bits: number, v: I64): void {
  if (bits === 8) {
    c.setRegister(RAX, 16, truncate(16, v));
    return;
  }
  c.setRegister(RAX, bits, truncate(bits, i32.wrap(v)));
  c.setRegister(RDX, bits, truncate(bits, i32.wrap(i64.shr_u(v, bits))));
}

/** rDX:rAX = rAX * operand. CF = OF = the high half matters. */
const multiply =
  (signed: boolean): Lower =>
  (c) => {
    const bits = c.bits(0);
    const b = c.read(0);
    const a = c.let<'i32' | 'i64'>(c.register(RAX, bits)) as Int;
    if (bits === 64) {
      const low = c.let(i64.mul(a as I64, b as I64));
      const high = c.let(signed ? mulHighSigned(c, a as I64, b as I64) : mulHigh(c, a as I64, b as I64));
      c.setRegister(RAX, 64, low);
      c.setRegister(RDX, 64, high);
      const over = c.let(i64.ne(high, signed ? i64.shr_s(low, 63) : 0));
      setResultFlags(c, 64, low, over, over);
      return;
    }
    const product = c.let(narrowProduct(bits, a, b, signed));
    setPair(c, bits, product);
    const low = c.let<'i32' | 'i64'>(truncate(bits, i32.wrap(product))) as Int;
    const over = c.let(i64.ne(product, signed ? signExtend(bits, low) : zeroExtend(low)));
    setResultFlags(c, bits, low, over, over);
  };

/** IMUL with two or three operands: destination 0, factors `i` and `j`. */
const imul =
  (i: number, j: number): Lower =>
  (c) => {
    const bits = c.bits(0);
    const a = c.read(i);
    const b = c.read(j);
    if (bits === 64) {
      const low = c.let(i64.mul(a as I64, b as I64));
      const over = c.let(i64.ne(mulHighSigned(c, a as I64, b as I64), i64.shr_s(low, 63)));
      c.write(0, low);
      setResultFlags(c, 64, low, over, over);
      return;
    }
    const product = c.let(narrowProduct(bits, a, b, true));
    const low = c.let<'i32' | 'i64'>(truncate(bits, i32.wrap(product))) as Int;
    const over = c.let(i64.ne(product, signExtend(bits, low)));
    c.write(0, low);
    setResultFlags(c, bits, low, over, over);
  };

/** The dividend of an 8, 16 or 32-bit division in 64 bits. */
function dividend(c: Ops, bits: number, signed: boolean): I64 {
  if (bits === 8) {
    const ax = c.register(RAX, 16);
    return signed ? signExtend(16, ax) : zeroExtend(ax);
  }
  const pair = i64.or(i64.shl(zeroExtend(c.register(RDX, bits)), bits), zeroExtend(c.register(RAX, bits)));
  return signed && bits === 16 ? i64.extend32_s(pair) : pair;
}

function setQuotient(c: Ops, bits: number, q: I64, r: I64): void {
  if (bits === 8) {
    c.setRegister(RAX, 16, i32.wrap(i64.or(i64.and(q, 0xff), i64.shl(i64.and(r, 0xff), 8))));
    return;
  }
  c.setRegister(RAX, bits, truncate(bits, i32.wrap(q)));
  c.setRegister(RDX, bits, truncate(bits, i32.wrap(r)));
}

/** Unsigned 128 by 64 bit division, bit by bit; `high` is below `d`. */
function divideWide(c: Ops, high: I64, low: I64, d: I64): { q: I64; r: I64 } {
  const r = c.variable<'i64'>(high);
  const q = c.variable<'i64'>(low);
  c.if(
    i64.eqz(high),
    () => {
      r.set(i64.rem_u(low, d));
      q.set(i64.div_u(low, d));
    },
    () => {
      const left = c.variable<'i32'>(i32.const(64));
      c.loop((again) => {
        const carry = c.let(i64.shr_u(r.value, 63));
        r.set(i64.or(i64.shl(r.value, 1), i64.shr_u(q.value, 63)));
        const fits = c.let(i64.extend_u(i32.or(i32.wrap(carry), i64.ge_u(r.value, d))));
        r.set(i64.sub(r.value, i64.and(d, i64.sub(0, fits))));
        q.set(i64.or(i64.shl(q.value, 1), fits));
        left.set(i32.sub(left.value, 1));
        again(left.value);
      });
    },
  );
  return { q: c.let(q.value), r: c.let(r.value) };
}

const div: Lower = (c) => {
  const bits = c.bits(0);
  const source = c.read(0);
  if (bits === 64) {
    const d = source as I64;
    const high = c.let(c.register(RDX, 64)) as I64;
    c.if(i64.ge_u(high, d), () => c.raise(DE));
    const { q, r } = divideWide(c, high, c.let(c.register(RAX, 64)) as I64, d);
    c.setRegister(RAX, 64, q);
    c.setRegister(RDX, 64, r);
    return;
  }
  const d = c.let(zeroExtend(source));
  const n = c.let(dividend(c, bits, false));
  c.if(i64.ge_u(i64.shr_u(n, bits), d), () => c.raise(DE));
  setQuotient(c, bits, c.let(i64.div_u(n, d)), c.let(i64.rem_u(n, d)));
};

const idiv: Lower = (c) => {
  const bits = c.bits(0);
  const source = c.read(0);
  const negateIf = (v: I64, sign: I64): I64 => i64.sub(i64.xor(v, sign), sign);
  if (bits === 64) {
    const d = source as I64;
    const high = c.let(c.register(RDX, 64)) as I64;
    const low = c.let(c.register(RAX, 64)) as I64;
    const sign = c.let(i64.shr_s(high, 63));
    const otherSign = c.let(i64.shr_s(d, 63));
    const absLow = c.let(negateIf(low, sign));
    const borrow = i64.and(i64.extend_u(i64.ne(low, 0)), sign);
    const absHigh = c.let(i64.sub(negateIf(high, sign), borrow));
    const absD = c.let(negateIf(d, otherSign));
    c.if(i64.ge_u(absHigh, absD), () => c.raise(DE));
    const { q, r } = divideWide(c, absHigh, absLow, absD);
    const quotientSign = c.let(i64.xor(sign, otherSign));
    const limit = i64.sub(i64.const(0x7fffffffffffffffn), quotientSign);
    c.if(i64.gt_u(q, limit), () => c.raise(DE));
    c.setRegister(RAX, 64, negateIf(q, quotientSign));
    c.setRegister(RDX, 64, negateIf(r, sign));
    return;
  }
  const d = c.let(signExtend(bits, source));
  const n = c.let(dividend(c, bits, true));
  const trap = i32.and(i64.eq(n, -0x8000000000000000n), i64.eq(d, -1));
  c.if(i32.or(i64.eqz(d), trap), () => c.raise(DE));
  const q = c.let(i64.div_s(n, d));
  const r = c.let(i64.rem_s(n, d));
  const narrow = bits === 8 ? i64.extend8_s(q) : bits === 16 ? i64.extend16_s(q) : i64.extend32_s(q);
  c.if(i64.ne(q, narrow), () => c.raise(DE));
  setQuotient(c, bits, q, r);
};

export const muldivRows: readonly Row[] = [
  op('mul', 'F6 /4', 'Eb', multiply(false)),
  op('mul', 'F7 /4', 'Ev', multiply(false)),
  op('imul', 'F6 /5', 'Eb', multiply(true)),
  op('imul', 'F7 /5', 'Ev', multiply(true)),
  op('imul', '0F AF /r', 'Gv Ev', imul(0, 1)),
  op('imul', '69 /r', 'Gv Ev Iz', imul(1, 2)),
  op('imul', '6B /r', 'Gv Ev Ib', imul(1, 2)),
  op('div', 'F6 /6', 'Eb', div),
  op('div', 'F7 /6', 'Ev', div),
  op('idiv', 'F6 /7', 'Eb', idiv),
  op('idiv', 'F7 /7', 'Ev', idiv),
];

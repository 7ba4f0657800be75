/** BMI1, BMI2, ADX, LZCNT, MOVBE, CRC32; Intel SDM vol. 2. */
import { carry, overflow, setCarryOverflow, setLogicFlags, setResultFlags } from '../flags.ts';
import { type I32, type I64, type Int, i32, i64, select, word } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { mulHigh } from './muldiv.ts';
import { type Lower, op, type Row } from './row.ts';

const NEVER = i32.const(0);
const number = (bits: number, n: number): Int => (bits === 64 ? i64.const(n) : i32.const(n));
const flag = (bits: number, condition: I32): Int => (bits === 64 ? i64.extend_u(condition) : condition);
/** The low 8 bits as an i32. */
const lowByte = (v: Int, shift = 0): I32 => {
  const narrow = v.type === 'i64' ? i32.wrap(v as I64) : (v as I32);
  return i32.and(shift ? i32.shr_u(narrow, shift) : narrow, 255);
};
/** A count as an integer of the operand's type. */
const asCount = (bits: number, n: I32): Int => (bits === 64 ? i64.extend_u(n) : n);
const choose = (a: Int, b: Int, condition: I32): Int => select<'i32' | 'i64'>(a, b, condition) as Int;
const bind = (c: Ops, v: Int): Int => c.let<'i32' | 'i64'>(v) as Int;

const andn: Lower = (c) => {
  const bits = c.bits(0);
  const w = word(bits);
  const a = c.read(1);
  const r = bind(c, w.and(w.not(a), c.read(2)));
  c.write(0, r);
  setLogicFlags(c, bits, r);
};

/** (1 << n) - 1, all ones from the width on. */
function lowMask(bits: number, n: I32): Int {
  const w = word(bits);
  const mask = w.sub(w.shl(number(bits, 1), asCount(bits, n)), number(bits, 1));
  return choose(mask, number(bits, -1), i32.lt_u(n, bits));
}

const bextr: Lower = (c) => {
  const bits = c.bits(0);
  const w = word(bits);
  const source = c.read(1);
  const control = c.read(2);
  const start = c.let(lowByte(control));
  const length = c.let(lowByte(control, 8));
  const moved = choose(w.shr_u(source, asCount(bits, start)), number(bits, 0), i32.lt_u(start, bits));
  const r = bind(c, w.and(moved, lowMask(bits, length)));
  c.write(0, r);
  setLogicFlags(c, bits, r);
};

/** BLSR, BLSMSK, BLSI: `By Ey` */
const lowest =
  (compute: (w: ReturnType<typeof word>, source: Int, minusOne: Int) => Int, carryIfZero: boolean): Lower =>
  (c) => {
    const bits = c.bits(0);
    const w = word(bits);
    const source = c.read(1);
    const r = bind(c, compute(w, source, bind(c, w.sub(source, number(bits, 1)))));
    const cf = c.let(carryIfZero ? w.eqz(source) : w.ne(source, number(bits, 0)));
    c.write(0, r);
    setResultFlags(c, bits, r, cf, NEVER);
  };

const bzhi: Lower = (c) => {
  const bits = c.bits(0);
  const w = word(bits);
  const source = c.read(1);
  const n = c.let(lowByte(c.read(2)));
  const r = bind(c, w.and(source, lowMask(bits, n)));
  c.write(0, r);
  setResultFlags(c, bits, r, i32.gt_u(n, bits - 1), NEVER);
};

/** SARX, SHLX, SHRX: no flags. */
const shiftBy =
  (kind: 'shl' | 'shr_u' | 'shr_s'): Lower =>
  (c) => {
    const source = c.read(1);
    c.write(0, word(c.bits(0))[kind](source, c.read(2)));
  };

const rorx: Lower = (c) => c.write(0, word(c.bits(0)).rotr(c.read(1), c.read(2)));

/** MULX: `Gy By Ey`; the high half wins when both destinations are the same. */
const mulx: Lower = (c) => {
  const bits = c.bits(0);
  const b = c.read(2);
  if (bits === 64) {
    const a = c.let(c.register(2, 64)) as I64;
    const high = c.let(mulHigh(c, a, b as I64));
    c.write(1, i64.mul(a, b as I64));
    c.write(0, high);
    return;
  }
  const product = c.let(i64.mul(i64.extend_u(c.register(2, 32) as I32), i64.extend_u(b as I32)));
  c.write(1, i32.wrap(product));
  c.write(0, i32.wrap(i64.shr_u(product, 32)));
};

/** Goes through the mask's set bits from the lowest; `step` gets the bit and its number. */
function eachBit(c: Ops, bits: number, mask: Int, step: (bit: Int, place: Int) => void): void {
  const w = word(bits);
  const left = c.variable<'i32' | 'i64'>(mask);
  const place = c.variable<'i32' | 'i64'>(number(bits, 1));
  c.if(w.ne(mask, number(bits, 0)), () => {
    c.loop((again) => {
      const rest = left.value as Int;
      const bit = bind(c, w.and(rest, w.sub(number(bits, 0), rest)));
      step(bit, place.value as Int);
      place.set(w.shl(place.value as Int, number(bits, 1)));
      left.set(w.and(rest, w.sub(rest, number(bits, 1))));
      again(w.ne(left.value as Int, number(bits, 0)));
    });
  });
}

/** PDEP: `Gy By Ey`, the mask in E. */
const pdep: Lower = (c) => {
  const bits = c.bits(0);
  const w = word(bits);
  const source = c.read(1);
  const mask = c.read(2);
  const result = c.variable<'i32' | 'i64'>(number(bits, 0));
  eachBit(c, bits, mask, (bit, place) => {
    const set = flag(bits, w.ne(w.and(source, place), number(bits, 0)));
    result.set(w.or(result.value as Int, w.mul(bit, set)));
  });
  c.write(0, result.value as Int);
};

const pext: Lower = (c) => {
  const bits = c.bits(0);
  const w = word(bits);
  const source = c.read(1);
  const mask = c.read(2);
  const result = c.variable<'i32' | 'i64'>(number(bits, 0));
  eachBit(c, bits, mask, (bit, place) => {
    const set = flag(bits, w.ne(w.and(source, bit), number(bits, 0)));
    result.set(w.or(result.value as Int, w.mul(place, set)));
  });
  c.write(0, result.value as Int);
};

/** ADCX (CF) and ADOX (OF): the other flags stay. */
const addWith =
  (which: 'CF' | 'OF'): Lower =>
  (c) => {
    const bits = c.bits(0);
    const w = word(bits);
    const a = c.read(0);
    const b = c.read(1);
    const cf = c.let(carry(c));
    const of = c.let(overflow(c));
    const carryIn = which === 'CF' ? cf : of;
    const sum = bind(c, w.add(a, b));
    const r = bind(c, w.add(sum, flag(bits, carryIn)));
    const out = c.let(i32.or(w.lt_u(sum, a), w.lt_u(r, sum)));
    c.write(0, r);
    setCarryOverflow(c, which === 'CF' ? out : cf, which === 'CF' ? of : out);
  };

/** MOVBE: bytes turned round. */
function swapped(c: Ops, bits: number, v: Int): Int {
  if (bits === 16) {
    const x = bind(c, v) as I32;
    return i32.and(i32.or(i32.shr_u(x, 8), i32.shl(x, 8)), 0xffff);
  }
  if (bits === 32) {
    const x = bind(c, v) as I32;
    return i32.or(i32.and(i32.rotl(x, 8), 0x00ff00ff), i32.and(i32.rotl(x, 24), 0xff00ff00 | 0));
  }
  const x = c.let(v as I64);
  const low = swapped(c, 32, i32.wrap(x)) as I32;
  const high = swapped(c, 32, i32.wrap(i64.shr_u(x, 32))) as I32;
  return i64.or(i64.shl(i64.extend_u(low), 32), i64.extend_u(high));
}

const movbe: Lower = (c) => c.write(0, swapped(c, c.bits(0), c.read(1)));

/** CRC32: the polynomial 11EDC6F41, bits reflected. */
const crc32: Lower = (c) => {
  const bits = c.bits(1);
  const source = c.read(1);
  const first = c.read(0);
  const value = c.variable<'i64'>(
    i64.xor(
      i64.and(first.type === 'i64' ? (first as I64) : i64.extend_u(first as I32), 0xffffffff),
      source.type === 'i64' ? (source as I64) : i64.extend_u(source as I32),
    ),
  );
  const left = c.variable<'i32'>(i32.const(bits));
  c.loop((again) => {
    const odd = i64.sub(0, i64.and(value.value, 1));
    value.set(i64.xor(i64.shr_u(value.value, 1), i64.and(odd, 0x82f63b78)));
    left.set(i32.sub(left.value, 1));
    again(left.value);
  });
  c.write(0, c.bits(0) === 64 ? value.value : i32.wrap(value.value));
};

export const bmiRows: readonly Row[] = [
  op('andn', 'VEX.LZ.0F38 F2 /r', 'Gy By Ey', andn),
  op('bextr', 'VEX.LZ.0F38 F7 /r', 'Gy Ey By', bextr),
  op(
    'blsr',
    'VEX.LZ.0F38 F3 /1',
    'By Ey',
    lowest((w, source, minusOne) => w.and(source, minusOne), true),
  ),
  op(
    'blsmsk',
    'VEX.LZ.0F38 F3 /2',
    'By Ey',
    lowest((w, source, minusOne) => w.xor(source, minusOne), true),
  ),
  op(
    'blsi',
    'VEX.LZ.0F38 F3 /3',
    'By Ey',
    lowest((w, source, minusOne) => w.and(source, w.not(minusOne)), false),
  ),
  op('bzhi', 'VEX.LZ.0F38 F5 /r', 'Gy Ey By', bzhi),
  op('pdep', 'VEX.LZ.F2.0F38 F5 /r', 'Gy By Ey', pdep),
  op('pext', 'VEX.LZ.F3.0F38 F5 /r', 'Gy By Ey', pext),
  op('mulx', 'VEX.LZ.F2.0F38 F6 /r', 'Gy By Ey', mulx),
  op('shlx', 'VEX.LZ.66.0F38 F7 /r', 'Gy Ey By', shiftBy('shl')),
  op('shrx', 'VEX.LZ.F2.0F38 F7 /r', 'Gy Ey By', shiftBy('shr_u')),
  op('sarx', 'VEX.LZ.F3.0F38 F7 /r', 'Gy Ey By', shiftBy('shr_s')),
  op('rorx', 'VEX.LZ.F2.0F3A F0 /r', 'Gy Ey Ib', rorx),
  op('adcx', '66 0F 38 F6 /r', 'Gy Ey', addWith('CF')),
  op('adox', 'F3 0F 38 F6 /r', 'Gy Ey', addWith('OF')),
  op('movbe', 'NP 0F 38 F0 /r', 'Gv Mv', movbe),
  op('movbe', 'NP 0F 38 F1 /r', 'Mv Gv', movbe),
  op('movbe', '66 0F 38 F0 /r', 'Gv Mv', movbe, { sized66: true }),
  op('movbe', '66 0F 38 F1 /r', 'Mv Gv', movbe, { sized66: true }),
  op('crc32', 'F2 0F 38 F0 /r', 'Gy Eb', crc32),
  op('crc32', 'F2 0F 38 F1 /r', 'Gy Ev', crc32),
];

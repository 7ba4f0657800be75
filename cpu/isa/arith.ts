/** ADD ADC SUB SBB CMP, INC DEC NEG, XADD, CMPXCHG; Intel SDM vol. 2. */
import { carry, setAdcFlags, setAddFlags, setCarry, setSbbFlags, setSubFlags } from '../flags.ts';
import { type I32, type Int, i32, i64, select, truncate, word } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { type Lower, op, type Row } from './row.ts';

const asWord = (bits: number, flag: I32): Int => (bits === 64 ? i64.extend_u(flag) : flag);

/** a + b + carry-in with flags. */
function sum(c: Ops, bits: number, a: Int, b: Int, carryIn?: I32): Int {
  const w = word(bits);
  const plain = w.add(a, b);
  const r = c.let(truncate(bits, carryIn ? w.add(plain, asWord(bits, carryIn)) : plain));
  return r;
}

function difference(c: Ops, bits: number, a: Int, b: Int, borrowIn?: I32): Int {
  const w = word(bits);
  const plain = w.sub(a, b);
  return c.let(truncate(bits, borrowIn ? w.sub(plain, asWord(bits, borrowIn)) : plain));
}

type Flags = (c: Ops, bits: number, a: Int, b: Int, r: Int) => void;
type Compute = (c: Ops, bits: number, a: Int, b: Int) => Int;

/** dest = f(dest, source): the destination is written before the flags. */
const binary =
  (compute: Compute, flags: Flags): Lower =>
  (c) => {
    const bits = c.bits(0);
    const b = c.read(1);
    let a: Int = b;
    const r = c.modify(0, (old) => {
      a = old;
      return compute(c, bits, old, b);
    });
    flags(c, bits, a, b, r);
  };

const add = binary(sum, setAddFlags);
const adc = binary((c, bits, a, b) => sum(c, bits, a, b, carry(c)), setAdcFlags);
const sub = binary(difference, setSubFlags);
const sbb = binary((c, bits, a, b) => difference(c, bits, a, b, carry(c)), setSbbFlags);
const cmp: Lower = (c) => {
  const bits = c.bits(0);
  const a = c.read(0);
  const b = c.read(1);
  setSubFlags(c, bits, a, b, difference(c, bits, a, b));
};

/** The six encodings that the eight classic operations share: `base` is 00, 08, 10 ... and `digit` that of 80, 81, 83. */
export function classic(name: string, digit: number, lower: Lower, writes = true): Row[] {
  const hex = (n: number) => (digit * 8 + n).toString(16).padStart(2, '0').toUpperCase();
  const lock = writes ? ({ lock: true } as const) : {};
  return [
    op(name, `${hex(0)} /r`, 'Eb Gb', lower, lock),
    op(name, `${hex(1)} /r`, 'Ev Gv', lower, lock),
    op(name, `${hex(2)} /r`, 'Gb Eb', lower),
    op(name, `${hex(3)} /r`, 'Gv Ev', lower),
    op(name, hex(4), 'AL Ib', lower),
    op(name, hex(5), 'rAX Iz', lower),
    op(name, `80 /${digit}`, 'Eb Ib', lower, lock),
    op(name, `81 /${digit}`, 'Ev Iz', lower, lock),
    op(name, `82 /${digit}`, 'Eb Ib', lower, { ...lock, mode: '32' }),
    op(name, `83 /${digit}`, 'Ev Ib', lower, lock),
  ];
}

/** INC and DEC keep CF. */
const step =
  (compute: Compute, flags: Flags): Lower =>
  (c) => {
    const bits = c.bits(0);
    const one = bits === 64 ? i64.const(1) : i32.const(1);
    const cf = c.let(carry(c));
    let a: Int = one;
    const r = c.modify(0, (old) => {
      a = old;
      return compute(c, bits, old, one);
    });
    flags(c, bits, a, one, r);
    setCarry(c, cf);
  };

const inc = step(sum, setAddFlags);
const dec = step(difference, setSubFlags);

const neg: Lower = (c) => {
  const bits = c.bits(0);
  const nought = bits === 64 ? i64.const(0) : i32.const(0);
  let old: Int = nought;
  const r = c.modify(0, (v) => {
    old = v;
    return difference(c, bits, nought, v);
  });
  setSubFlags(c, bits, nought, old, r);
};

/** XADD: the source gets the old destination; memory first, so that a fault leaves both. */
const xadd: Lower = (c) => {
  const bits = c.bits(0);
  const b = c.read(1);
  let a: Int = b;
  if (c.isMemory(0)) {
    const r = c.modify(0, (old) => {
      a = old;
      return sum(c, bits, old, b);
    });
    c.write(1, a);
    setAddFlags(c, bits, a, b, r);
    return;
  }
  a = c.read(0);
  const r = sum(c, bits, a, b);
  c.write(1, a);
  c.write(0, r);
  setAddFlags(c, bits, a, b, r);
};

/** CMPXCHG: memory is written in both cases (with its own value when the comparison fails). */
const cmpxchg: Lower = (c) => {
  const bits = c.bits(0);
  const w = word(bits);
  const source = c.read(1);
  const expected = c.let(c.register(0, bits));
  if (!c.isMemory(0)) {
    const old = c.read(0);
    setSubFlags(c, bits, expected, old, difference(c, bits, expected, old));
    c.if(
      w.eq(expected, old),
      () => c.write(0, source),
      () => c.setRegister(0, bits, old),
    );
    return;
  }
  let old: Int = source;
  const equal = () => w.eq(expected, old);
  c.modify(0, (v) => {
    old = v;
    return select(source, v, equal());
  });
  setSubFlags(c, bits, expected, old, difference(c, bits, expected, old));
  c.if(i32.eqz(equal()), () => c.setRegister(0, bits, old));
};

export const arithRows: readonly Row[] = [
  ...classic('add', 0, add),
  ...classic('adc', 2, adc),
  ...classic('sbb', 3, sbb),
  ...classic('sub', 5, sub),
  ...classic('cmp', 7, cmp, false),
  op('inc', 'FE /0', 'Eb', inc, { lock: true }),
  op('inc', 'FF /0', 'Ev', inc, { lock: true }),
  op('inc', '40+r', 'Zv', inc, { mode: '32' }),
  op('dec', 'FE /1', 'Eb', dec, { lock: true }),
  op('dec', 'FF /1', 'Ev', dec, { lock: true }),
  op('dec', '48+r', 'Zv', dec, { mode: '32' }),
  op('neg', 'F6 /3', 'Eb', neg, { lock: true }),
  op('neg', 'F7 /3', 'Ev', neg, { lock: true }),
  op('xadd', '0F C0 /r', 'Eb Gb', xadd, { lock: true }),
  op('xadd', '0F C1 /r', 'Ev Gv', xadd, { lock: true }),
  op('cmpxchg', '0F B0 /r', 'Eb Gb', cmpxchg, { lock: true }),
  op('cmpxchg', '0F B1 /r', 'Ev Gv', cmpxchg, { lock: true }),
];

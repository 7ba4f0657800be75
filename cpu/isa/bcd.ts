/** AAA AAS AAM AAD DAA DAS: decimal adjustment, not in 64-bit mode; Intel SDM vol. 2. */
import { adjust, carry, setResultFlags } from '../flags.ts';
import { type I32, i32 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { type Lower, op, type Row } from './row.ts';

const DE = 0;
const RAX = 0;
const al = (c: Ops): I32 => c.let(c.register(RAX, 8)) as I32;
const ax = (c: Ops): I32 => c.let(c.register(RAX, 16)) as I32;

/** SF, ZF, PF by AL; CF and AF (0 or 1, bound) as given. */
function setDecimalFlags(c: Ops, result: I32, cf: I32, af: I32): void {
  setResultFlags(c, 8, result, cf, i32.const(0));
  c.setFlags(c.flagResult(), i32.or(c.flagAux(), i32.shl(af, 3)));
}

const lowDigitOver = (c: Ops, v: I32): I32 => i32.or(i32.gt_u(i32.and(v, 15), 9), adjust(c));

/** DAA and DAS: `step` adds or subtracts. */
const packed =
  (step: (a: I32, b: I32) => I32): Lower =>
  (c) => {
    const old = al(c);
    const low = c.let(lowDigitOver(c, old));
    const high = c.let(i32.or(i32.gt_u(old, 0x99), carry(c)));
    const first = c.let(step(old, i32.mul(low, 6)));
    // DAS: the borrow of the low digit counts even when the high digit needs no adjustment.
    const out = c.let(i32.or(high, i32.and(low, i32.ne(i32.and(first, i32.const(~0xff)), 0))));
    const r = c.let(i32.and(step(first, i32.mul(high, 0x60)), 0xff));
    c.setRegister(RAX, 8, r);
    setDecimalFlags(c, r, out, low);
  };

/** AAA and AAS. */
const unpacked =
  (step: (a: I32, b: I32) => I32): Lower =>
  (c) => {
    const old = ax(c);
    const over = c.let(lowDigitOver(c, old));
    const r = c.let(i32.and(step(old, i32.mul(over, 0x106)), 0xff0f));
    c.setRegister(RAX, 16, r);
    setDecimalFlags(c, i32.and(r, 0xff), over, over);
  };

const aam: Lower = (c) => {
  const base = c.let(i32.and(c.read(0) as I32, 0xff));
  c.if(i32.eqz(base), () => c.raise(DE));
  const old = al(c);
  const r = c.let(i32.rem_u(old, base));
  c.setRegister(RAX, 16, i32.or(i32.shl(i32.div_u(old, base), 8), r));
  setDecimalFlags(c, r, i32.const(0), i32.const(0));
};

const aad: Lower = (c) => {
  const base = i32.and(c.read(0) as I32, 0xff);
  const old = ax(c);
  const r = c.let(i32.and(i32.add(old, i32.mul(i32.shr_u(old, 8), base)), 0xff));
  c.setRegister(RAX, 16, r);
  setDecimalFlags(c, r, i32.const(0), i32.const(0));
};

export const bcdRows: readonly Row[] = [
  op('daa', '27', '', packed(i32.add), { mode: '32' }),
  op('das', '2F', '', packed(i32.sub), { mode: '32' }),
  op('aaa', '37', '', unpacked(i32.add), { mode: '32' }),
  op('aas', '3F', '', unpacked(i32.sub), { mode: '32' }),
  op('aam', 'D4', 'Ib', aam, { mode: '32' }),
  op('aad', 'D5', 'Ib', aad, { mode: '32' }),
];

/** BT BTS BTR BTC, BSF BSR TZCNT LZCNT POPCNT; Intel SDM vol. 2. */
import { setCarry, setFromWord, setResultFlags } from '../flags.ts';
import { type I32, type I64, type Int, i32, i64, signExtend, truncate, word } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { type Lower, op, type Row } from './row.ts';

const bind = (c: Ops, v: Int): Int => c.let<'i32' | 'i64'>(v) as Int;
const narrow = (v: Int): I32 => (v.type === 'i64' ? i32.wrap(v as I64) : (v as I32));
const number = (bits: number, n: number): Int => (bits === 64 ? i64.const(n) : i32.const(n));

type Change = (bits: number, old: Int, mask: Int) => Int;

/** BT and its kin. A register as bit offset reaches beyond a memory operand: signed, in units of the operand size. */
const bitTest =
  (change: Change | undefined, register: boolean): Lower =>
  (c) => {
    const bits = c.bits(0);
    const w = word(bits);
    const offset = c.read(1);
    const place = bind(c, w.and(offset, number(bits, bits - 1)));
    const mask = (): Int => w.shl(number(bits, 1), place);
    if (register && c.isMemory(0)) {
      const unit = bits === 16 ? 4 : bits === 32 ? 5 : 6;
      const distance = i64.shl(i64.shr_s(signExtend(bits, offset), unit), unit - 3);
      const at = c.let(i64.and(i64.add(c.address(0), distance), c.addressMask()));
      const size = bits as 16 | 32 | 64;
      if (change) c.probe(at, bits / 8);
      const old = bind(c, c.load(size, at));
      if (change) c.store(size, at, truncate(bits, change(bits, old, mask())));
      setCarry(c, i32.and(narrow(w.shr_u(old, place)), 1));
      return;
    }
    let old: Int = place;
    if (change) {
      c.modify(0, (v) => {
        old = v;
        return bind(c, truncate(bits, change(bits, v, mask())));
      });
    } else old = c.read(0);
    setCarry(c, i32.and(narrow(w.shr_u(old, place)), 1));
  };

const kinds: readonly (readonly [name: string, digit: number, opcode: string, change: Change | undefined])[] = [
  ['bt', 4, 'A3', undefined],
  ['bts', 5, 'AB', (bits, v, mask) => word(bits).or(v, mask)],
  ['btr', 6, 'B3', (bits, v, mask) => word(bits).and(v, word(bits).not(mask))],
  ['btc', 7, 'BB', (bits, v, mask) => word(bits).xor(v, mask)],
];

/** BSF and BSR: the destination is kept when the source is 0. */
const scan =
  (find: (bits: number, v: Int) => Int): Lower =>
  (c) => {
    const bits = c.bits(1);
    const source = c.read(1);
    const none = c.let(word(bits).eqz(source));
    c.if(i32.eqz(none), () => c.write(0, find(bits, source)));
    setResultFlags(c, bits, source, i32.const(0), i32.const(0));
  };

const leading = (bits: number, v: Int): Int => {
  const w = word(bits);
  return bits === 16 ? i32.sub(i32.clz(v as I32), 16) : w.clz(v);
};
const bsf = scan((bits, v) => word(bits).ctz(v));
const bsr = scan((bits, v) => word(bits).sub(number(bits, bits - 1), leading(bits, v)));

/** TZCNT and LZCNT: CF when the source is 0, ZF when the count is. */
const count =
  (find: (bits: number, v: Int) => Int): Lower =>
  (c) => {
    const bits = c.bits(1);
    const source = c.read(1);
    const r = bind(c, find(bits, source));
    c.write(0, r);
    setResultFlags(c, bits, r, word(bits).eqz(source), i32.const(0));
  };

const tzcnt = count((bits, v) => word(bits).ctz(bits === 16 ? i32.or(v as I32, 0x10000) : v));
const lzcnt = count(leading);

const popcnt: Lower = (c) => {
  const bits = c.bits(1);
  const w = word(bits);
  const source = c.read(1);
  c.write(0, w.popcnt(source));
  setFromWord(c, c.let(i32.shl(w.eqz(source), 6)));
};

/** The forms of one of BSF, BSR and their F3 counterparts, which 66 and F2 do not change but for the size. */
const scanRows = (name: string, plain: Lower, counting: string, withF3: Lower, opcode: string): Row[] => [
  op(name, `NP 0F ${opcode} /r`, 'Gv Ev', plain),
  op(name, `66 0F ${opcode} /r`, 'Gv Ev', plain, { sized66: true }),
  op(name, `F2 0F ${opcode} /r`, 'Gv Ev', plain),
  op(counting, `F3 0F ${opcode} /r`, 'Gv Ev', withF3),
];

export const bitsRows: readonly Row[] = [
  ...kinds.flatMap(([name, digit, opcode, change]) => {
    const lock = change ? ({ lock: true } as const) : {};
    return [
      op(name, `0F ${opcode} /r`, 'Ev Gv', bitTest(change, true), { ...lock, late: true }),
      op(name, `0F BA /${digit}`, 'Ev Ib', bitTest(change, false), lock),
    ];
  }),
  ...scanRows('bsf', bsf, 'tzcnt', tzcnt, 'BC'),
  ...scanRows('bsr', bsr, 'lzcnt', lzcnt, 'BD'),
  op('popcnt', 'F3 0F B8 /r', 'Gv Ev', popcnt),
];

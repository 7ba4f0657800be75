/** MOV, MOVZX, MOVSX, XCHG, BSWAP, CMOVcc, SETcc, LEA, XLAT, CBW family, NOP; Intel SDM vol. 2. */
import { condition } from '../flags.ts';
import { type I32, type I64, type Int, i32, i64, select, signExtend, truncate, word } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { type Lower, op, type Row } from './row.ts';

const mov: Lower = (c) => c.write(0, c.read(1));

/** To the width of the destination. */
const toWidth = (bits: number, v: I64): Int => (bits === 64 ? v : truncate(bits, i32.wrap(v)));

const movzx: Lower = (c) => {
  const v = c.read(1);
  c.write(0, c.bits(0) === 64 && v.type === 'i32' ? i64.extend_u(v as I32) : v);
};
const movsx: Lower = (c) => c.write(0, toWidth(c.bits(0), signExtend(c.bits(1), c.read(1))));
/** MOVSXD without REX.W: a plain move of 32 (or 16) bits. */
const movsxd: Lower = (c) => {
  const v = c.read(1);
  c.write(0, c.bits(0) === 64 ? i64.extend_s(v as I32) : v);
};

const xchg: Lower = (c) => {
  const source = c.read(1);
  if (c.isMemory(0)) {
    let old: Int = source;
    c.modify(0, (v) => {
      old = v;
      return source;
    });
    c.write(1, old);
    return;
  }
  const old = c.read(0);
  c.write(0, source);
  c.write(1, old);
};

/** Bytes of `v` reversed. */
export function swapBytes(c: Ops, bits: number, v: Int): Int {
  if (bits === 16) return i32.or(i32.shr_u(v as I32, 8), i32.and(i32.shl(v as I32, 8), 0xff00));
  const swap32 = (x: I32): I32 => i32.or(i32.and(i32.rotl(x, 8), 0x00ff00ff), i32.and(i32.rotr(x, 8), 0xff00ff00 | 0));
  if (bits === 32) return swap32(v as I32);
  const low = c.let(i32.wrap(v as I64));
  const high = c.let(i32.wrap(i64.shr_u(v as I64, 32)));
  return i64.or(i64.shl(i64.extend_u(c.let(swap32(low))), 32), i64.extend_u(c.let(swap32(high))));
}
/** BSWAP of 16 bits is undefined; processors give zero. */
const bswap: Lower = (c) => c.write(0, c.size === 16 ? i32.const(0) : swapBytes(c, c.bits(0), c.read(0)));

/** The memory operand is read in any case; a 32-bit destination is zero-extended in any case. */
const cmov =
  (cc: number): Lower =>
  (c) => {
    const v = c.read(1);
    const old = c.read(0);
    c.write(0, select(v, old, condition(c, cc)));
  };
const setcc =
  (cc: number): Lower =>
  (c) =>
    c.write(0, condition(c, cc));

const lea: Lower = (c) => {
  const a = c.address(1);
  c.write(0, toWidth(c.bits(0), a));
};

const nop: Lower = () => {};

/** CBW CWDE CDQE: the accumulator's lower half extended; CWD CDQ CQO: its sign into rDX. */
const cbw: Lower = (c) => {
  const half = c.size >> 1;
  c.setRegister(0, c.size, toWidth(c.size, signExtend(half, c.register(0, half))));
};
const cwd: Lower = (c) => {
  const w = word(c.size);
  const a = c.register(0, c.size);
  c.setRegister(
    2,
    c.size,
    c.size === 16 ? i32.and(i32.shr_s(i32.extend16_s(a as I32), 15), 0xffff) : w.shr_s(a, c.size - 1),
  );
};

const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const hex = (n: number): string => n.toString(16).padStart(2, '0').toUpperCase();

export const movRows: readonly Row[] = [
  op('mov', '88 /r', 'Eb Gb', mov),
  op('mov', '89 /r', 'Ev Gv', mov),
  op('mov', '8A /r', 'Gb Eb', mov),
  op('mov', '8B /r', 'Gv Ev', mov),
  op('mov', 'A0', 'AL Ob', mov),
  op('mov', 'A1', 'rAX Ov', mov),
  op('mov', 'A2', 'Ob AL', mov),
  op('mov', 'A3', 'Ov rAX', mov),
  op('mov', 'B0+r', 'Zb Ib', mov),
  op('mov', 'B8+r', 'Zv Iv', mov),
  op('mov', 'C6 /0', 'Eb Ib', mov),
  op('mov', 'C7 /0', 'Ev Iz', mov),
  op('movzx', '0F B6 /r', 'Gv Eb', movzx),
  op('movzx', '0F B7 /r', 'Gv Ew', movzx),
  op('movsx', '0F BE /r', 'Gv Eb', movsx),
  op('movsx', '0F BF /r', 'Gv Ew', movsx),
  op('movsxd', '63 /r', 'Gv Ez', movsxd, { mode: '64' }),
  op('xchg', '86 /r', 'Eb Gb', xchg, { lock: true }),
  op('xchg', '87 /r', 'Ev Gv', xchg, { lock: true }),
  op('bswap', '0F C8+r', 'Zv', bswap),
  op('lea', '8D /r', 'Gv M', lea, { addressOnly: true }),
  ...CONDITIONS.flatMap((cc, n) => [
    op(`cmov${cc}`, `0F ${hex(0x40 + n)} /r`, 'Gv Ev', cmov(n)),
    op(`set${cc}`, `0F ${hex(0x90 + n)} /r`, 'Eb', setcc(n)),
  ]),
  op('cbw', '98', '', cbw),
  op('cwd', '99', '', cwd),
  // 90 is NOP unless REX.B makes it XCHG r8, rAX; with F3 it is PAUSE.
  op('pause', 'F3 90', '', nop),
  op('nop', '90', '', nop, { noRexB: true }),
  op('xchg', '90+r', 'Zv rAX', xchg),
  op('nop', '0F 0D /r', 'Ev', nop, { addressOnly: true }),
  ...[0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].map((n) =>
    op('nop', `0F ${hex(n)} /r`, 'Ev', nop, { addressOnly: true }),
  ),
];

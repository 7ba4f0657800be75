/**
 * Lazy flags after the fashion of Bochs: an operation leaves its result, sign-extended to 64 bits, and a word `aux` with the
 * carries, from which all six status flags derive in the same way, whatever the operation and its size were:
 *
 *   CF = aux[31]   OF = aux[31] ^ aux[30]   AF = aux[3]
 *   ZF = result == 0   SF = result[63] ^ aux[0]   PF = even parity of result[7:0] ^ aux[15:8]
 */
import { type I32, type I64, type Int, type IntLike, i32, i64, signExtend, word } from './ir/expr.ts';
import type { Ops } from './ir/ops.ts';

/** RFLAGS bits; Intel SDM vol. 1, 3.4.3. */
export const Flag = {
  CF: 0x1,
  PF: 0x4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x10000,
  VM: 0x20000,
  AC: 0x40000,
  VIF: 0x80000,
  VIP: 0x100000,
  ID: 0x200000,
} as const;
/** The six that are kept lazily. */
export const STATUS_FLAGS = 0x8d5;

const CARRIES = 0xc0000008 | 0;

/** Moves carry-outs of bits n-1, n-2 and 3 to where `aux` has them. */
function auxOf(bits: number, carries: Int): I32 {
  if (bits === 64) {
    const c = carries as I64;
    return i32.or(i32.and(i32.wrap(i64.shr_u(c, 32)), 0xc0000000 | 0), i32.and(i32.wrap(c), 8));
  }
  const c = carries as I32;
  if (bits === 32) return i32.and(c, CARRIES);
  return i32.or(i32.shl(c, 32 - bits), i32.and(c, 8));
}

/** Above bit n of a narrow value only garbage may stand: what `auxOf` must not see of 8 and 16 bit carries. */
function narrow(bits: number, carries: Int): Int {
  return bits < 32 ? i32.and(carries as I32, (3 << (bits - 2)) | 8) : carries;
}

/** `aux` of `r = a + b (+ CF)`. All three are bound values. */
export function addAux(c: Pick<Ops, 'let'>, bits: number, a: Int, b: Int, r: Int): I32 {
  const w = word(bits);
  const carries = w.or(w.and(a, b), w.and(w.or(a, b), w.not(r)));
  return auxOf(bits, c.let(narrow(bits, carries) as I32));
}

/** `aux` of `r = a - b (- CF)`. */
export function subAux(c: Pick<Ops, 'let'>, bits: number, a: Int, b: Int, r: Int): I32 {
  const w = word(bits);
  const borrows = w.or(w.and(w.not(a), b), w.and(w.or(w.not(a), b), r));
  return auxOf(bits, c.let(narrow(bits, borrows) as I32));
}

/** Flags of `r = a + b`. All three are bound values. */
export function setAddFlags(c: Ops, bits: number, a: Int, b: Int, r: Int): void {
  if (!c.keepFlags?.('add', bits, a, b, r)) setAdcFlags(c, bits, a, b, r);
}

/** Flags of `r = a - b`. */
export function setSubFlags(c: Ops, bits: number, a: Int, b: Int, r: Int): void {
  if (!c.keepFlags?.('sub', bits, a, b, r)) setSbbFlags(c, bits, a, b, r);
}

/** Flags of `r = a + b + CF`. */
export function setAdcFlags(c: Ops, bits: number, a: Int, b: Int, r: Int): void {
  c.setFlags(signExtend(bits, r), addAux(c, bits, a, b, r));
}

/** Flags of `r = a - b - CF`. */
export function setSbbFlags(c: Ops, bits: number, a: Int, b: Int, r: Int): void {
  c.setFlags(signExtend(bits, r), subAux(c, bits, a, b, r));
}

/** Flags of AND, OR, XOR, TEST: CF = OF = AF = 0. */
export function setLogicFlags(c: Ops, bits: number, r: Int): void {
  c.setFlags(signExtend(bits, r), i32.const(0));
}

/** ZF, SF, PF by the result; CF and OF (0 or 1) as given; AF = 0. */
export function setResultFlags(c: Ops, bits: number, r: Int, cf: I32, of: I32): void {
  const carry = c.let(cf);
  c.setFlags(signExtend(bits, r), i32.or(i32.shl(carry, 31), i32.shl(i32.xor(carry, of), 30)));
}

/** Replaces CF and OF (0 or 1 each), keeping the others. */
export function setCarryOverflow(c: Ops, cf: I32, of: I32): void {
  if (c.keepCarries?.(cf, of)) return;
  const carry = c.let(cf);
  const rest = i32.and(c.flagAux(), 0x3fffffff);
  c.setFlags(c.flagResult(), i32.or(rest, i32.or(i32.shl(carry, 31), i32.shl(i32.xor(carry, of), 30))));
}

/** Replaces CF (0 or 1), keeping the others. */
export function setCarry(c: Ops, cf: I32): void {
  if (c.keepCarries?.(cf)) return;
  setCarryOverflow(c, cf, overflow(c));
}

export const carry = (c: Ops): I32 => c.condition?.(2) ?? i32.shr_u(c.flagAux(), 31);
export const overflow = (c: Ops): I32 => {
  const aux = c.let(c.flagAux());
  return i32.shr_u(i32.xor(aux, i32.shl(aux, 1)), 31);
};
export const zero = (c: Ops): I32 => i64.eqz(c.flagResult());
export const sign = (c: Ops): I32 => i32.xor(i32.wrap(i64.shr_u(c.flagResult(), 63)), i32.and(c.flagAux(), 1));
export const adjust = (c: Ops): I32 => i32.and(i32.shr_u(c.flagAux(), 3), 1);
export const parity = (c: Ops): I32 =>
  i32.and(i32.not(i32.popcnt(i32.and(i32.xor(i32.wrap(c.flagResult()), i32.shr_u(c.flagAux(), 8)), 0xff))), 1);

/** The condition of Jcc, SETcc, CMOVcc by the low four bits of the opcode; Intel SDM vol. 1, appendix B. */
export function condition(c: Ops, cc: number): I32 {
  const holds = (): I32 => {
    switch (cc >> 1) {
      case 0:
        return overflow(c);
      case 1:
        return carry(c);
      case 2:
        return zero(c);
      case 3:
        return i32.or(carry(c), zero(c));
      case 4:
        return sign(c);
      case 5:
        return parity(c);
      case 6:
        return i32.xor(sign(c), overflow(c));
      default:
        return i32.or(zero(c), i32.xor(sign(c), overflow(c)));
    }
  };
  return c.condition?.(cc) ?? (cc & 1 ? i32.eqz(holds()) : holds());
}

/** All six at once as RFLAGS bits, from TypeScript; `result` in two halves. */
export function materialise(low: number, high: number, aux: number): number {
  const byte = (low ^ (aux >>> 8)) & 0xff;
  let p = byte ^ (byte >> 4);
  p ^= p >> 2;
  p ^= p >> 1;
  const sf = (high >>> 31) ^ (aux & 1);
  const of = ((aux >>> 31) ^ (aux >>> 30)) & 1;
  return (
    (aux >>> 31) |
    ((~p & 1) << 2) |
    (((aux >>> 3) & 1) << 4) |
    ((low === 0 && high === 0 ? 1 : 0) << 6) |
    (sf << 7) |
    (of << 11)
  );
}

/** The inverse of `materialise`: a result and an aux word that stand for any combination of the six. */
export function dematerialise(flags: number): { result: 0 | 1; aux: number } {
  const zf = (flags >> 6) & 1;
  const sf = (flags >> 7) & 1;
  const pf = (flags >> 2) & 1;
  const cf = flags & 1;
  const of = (flags >> 11) & 1;
  // The result is 0 or 1 (odd parity), so PF and SF come through the corrections in aux.
  const parityFix = zf ? 1 - pf : pf;
  const aux = (cf << 31) | ((cf ^ of) << 30) | (((flags >> 4) & 1) << 3) | (parityFix << 8) | sf;
  return { result: zf ? 0 : 1, aux: aux >>> 0 };
}

/** An `aux` and result for flags computed as an RFLAGS word in an expression (POPF, SAHF). Bound value. */
export function setFromWord(c: Ops, flags: I32): void {
  const bit = (n: number): I32 => i32.and(i32.shr_u(flags, n), 1);
  const notZero = c.let(i32.eqz(bit(6)));
  const parityFix = i32.xor(i32.eqz(bit(2)), notZero);
  const aux = [
    i32.shl(bit(0), 31),
    i32.shl(i32.xor(bit(0), bit(11)), 30),
    i32.shl(bit(4), 3),
    i32.shl(parityFix, 8),
    bit(7),
  ].reduce((a, b) => i32.or(a, b));
  c.setFlags(i64.extend_u(notZero), aux);
}

/** The six as an RFLAGS word. */
export function statusWord(c: Ops): I32 {
  return [
    carry(c),
    i32.shl(parity(c), 2),
    i32.shl(adjust(c), 4),
    i32.shl(zero(c), 6),
    i32.shl(sign(c), 7),
    i32.shl(overflow(c), 11),
  ].reduce((a, b) => i32.or(a, b));
}

export const asInt = (v: IntLike): Int =>
  typeof v === 'object' ? v : typeof v === 'bigint' ? i64.const(v) : i32.const(v);

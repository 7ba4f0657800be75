/**
 * The common x87 instructions for a tier that knows TOP, tags and control word (ir/known-x87.ts): registers are values, and
 * no status is looked at. The others are refused.
 */
import { condition, setFromWord } from '../flags.ts';
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import type { KnownX87, Number80 } from '../ir/known-x87.ts';
import type { Ops } from '../ir/ops.ts';
import { choose, choose32, roundsUp } from '../runtime/wide.ts';
import { BIAS, divNormal, EXPONENT, rootNormal, SIGN } from '../runtime/x87-arith.ts';
import { order } from '../runtime/x87-move.ts';
import { fromDouble, fromInteger, fromSingle, narrowed, ordinary, product, sum } from './x87-known-arith.ts';
import { CONSTANTS } from './x87-move.ts';

const FNOP = 0xd0;
/** Which sign a sum flips by reg field: see FLIPS in x87-lower.ts. */
const FLIPS: Readonly<Record<number, number>> = { 0: 0, 4: 0x8000, 5: 0x10000 };

/** `a op b` by reg field: FADD FMUL, and FSUB FSUBR FDIV FDIVR from 4 on. */
function arithmetic(c: Ops, x87: KnownX87, reg: number, a: Number80, b: Number80): Number80 {
  if (reg === 1) return product(c, x87, a, b);
  if (reg < 6) return sum(c, x87, a, b, FLIPS[reg]!);
  const [x, y] = reg === 6 ? [a, b] : [b, a];
  return quotient(c, x87, ordinary(c, x87, x), ordinary(c, x87, y));
}

function quotient(c: Ops, x87: KnownX87, a: Number80, b: Number80): Number80 {
  c.if(i64.ge_s(i64.and(a.m, b.m), 0), () => x87.leave());
  const e = i32.add(i32.sub(i32.and(a.se, EXPONENT), i32.and(b.se, EXPONENT)), BIAS);
  const [exponent, m, up, lost] = c.call(divNormal, a.m, b.m, e);
  return result(c, x87, i32.and(i32.xor(a.se, b.se), SIGN), exponent, m, up, lost);
}

function result(c: Ops, x87: KnownX87, sign: I32, e: I32, m: I64, up: I64, lost: I64): Number80 {
  c.if(i32.ge_u(i32.sub(e, 1), 0x7ffe), () => x87.leave());
  x87.rounded(up, lost);
  return { se: c.let(i32.or(sign, e)), m, ordinary: true };
}

function compare(c: Ops, x87: KnownX87, b: Number80): I32 {
  const a = x87.st(0);
  const conditions = c.let(order(c, a, b));
  c.if(i32.lt_s(conditions, 0), () => x87.leave());
  return conditions;
}

function popBy(x87: KnownX87, count: number): void {
  for (let n = 0; n < count; n++) x87.pop();
}

/** D9 E0 to FF. */
function nullary(c: Ops, x87: KnownX87, byte: number): void {
  const constant = byte >= 0xe8 && byte <= 0xee ? CONSTANTS[byte & 7] : undefined;
  if (constant) {
    x87.push({ se: i32.const(constant[1]), m: i64.const(constant[0]), ordinary: true });
    x87.exact();
    return;
  }
  if (byte === 0xf6 || byte === 0xf7) {
    x87.rotate(byte === 0xf6 ? -1 : 1);
    x87.exact();
    return;
  }
  const a = x87.st(0);
  switch (byte) {
    case 0xe0:
    case 0xe1:
      x87.put(0, { ...a, se: byte & 1 ? i32.and(a.se, EXPONENT) : i32.xor(a.se, SIGN) });
      x87.exact();
      return;
    case 0xe4:
      x87.compared(compare(c, x87, { se: i32.const(0), m: i64.const(0), ordinary: true }));
      return;
    case 0xfa: {
      // Of a normal number that is not negative.
      const v = ordinary(c, x87, a);
      c.if(i32.or(i64.ge_s(v.m, 0), i32.and(v.se, SIGN)), () => x87.leave());
      const [e, m, up, lost] = c.call(rootNormal, v.m, v.se);
      x87.put(0, result(c, x87, i32.const(0), e, m, up, lost));
      return;
    }
    case 0xfc: {
      const { e, size, up, lost } = integral(c, x87, a, i32.const(0));
      const gone = c.let(i64.clz(size));
      const exponent = choose32(i64.eqz(size), i32.const(0), i32.sub(BIAS + 63, i32.wrap(gone)));
      const whole = c.let(i32.ge_u(e, BIAS + 63));
      const se = c.let(choose32(whole, a.se, i32.or(i32.and(a.se, SIGN), exponent)));
      const m = c.let(choose(whole, a.m, i64.shl(size, gone)));
      x87.rounded(choose(whole, i64.const(0), up), choose(whole, i64.const(0), lost));
      x87.put(0, { se, m, ordinary: true });
      return;
    }
    default:
      x87.refuse();
  }
}

/** The magnitude of the integer that a number of an exponent below 63 is rounded to. @param mode as in the control word */
function integral(c: Ops, x87: KnownX87, v: Number80, mode: I32) {
  const a = ordinary(c, x87, v);
  const e = c.let(i32.and(a.se, EXPONENT));
  const shift = c.let(i64.extend_u(i32.sub(BIAS + 63, e)));
  const inside = c.let(i64.le_u(shift, 64));
  const whole = i64.shr_u(i64.shr_u(a.m, 1), i64.sub(shift, 1));
  const kept = c.let(choose(inside, whole, i64.const(0)));
  const some = i64.extend_u(i64.ne(a.m, 0));
  const lost = c.let(choose(inside, i64.shl(a.m, i64.sub(64, shift)), some));
  const up = c.let(i64.extend_u(roundsUp(c, mode, lost, i32.wrap(i64.and(kept, 1)), i32.shr_u(a.se, 15))));
  return { e, size: c.let(i64.add(kept, up)), up, lost };
}

/**
 * The register form of an opcode from D8 to DF.
 * @param modrm the second byte; of forms with ST(i) that with i = 0
 */
export function knownRegister(c: Ops, x87: KnownX87, opcode: number, modrm: number): void {
  const reg = (modrm >> 3) & 7;
  const i = (): number => c.stackIndex().value as number;
  const moves = opcode === 0xd9 || opcode === 0xdd || opcode === 0xdf;
  if (opcode === 0xd9 && modrm >= 0xe0) nullary(c, x87, modrm);
  else if (opcode === 0xd9 && reg === 0) {
    x87.push(x87.st(i()));
    x87.exact();
  } else if (moves && reg === 1) {
    x87.exchange(i());
    x87.exact();
  } else if (opcode === 0xdd && reg === 0) {
    x87.empty(i());
    x87.exact();
  } else if (opcode === 0xdd && (reg === 2 || reg === 3)) {
    x87.put(i(), x87.st(0));
    x87.exact();
    popBy(x87, reg - 2);
  } else if (opcode === 0xda && modrm === 0xe9) {
    x87.compared(compare(c, x87, x87.st(1)));
    popBy(x87, 2);
  } else if (opcode === 0xda || (opcode === 0xdb && reg < 4)) {
    conditionalMove(c, x87, [2, 4, 6, 10][reg]! + (opcode & 1), i());
  } else if ((opcode === 0xdb || opcode === 0xdf) && (reg === 5 || reg === 6)) {
    const conditions = compare(c, x87, x87.st(i()));
    // C3 is ZF, C0 is CF. C1 stays, but for a pop.
    setFromWord(c, c.let(i32.shr_u(conditions, 8)));
    popBy(x87, opcode === 0xdf ? 1 : 0);
  } else if (opcode === 0xdd && (reg === 4 || reg === 5)) {
    x87.compared(compare(c, x87, x87.st(i())));
    popBy(x87, reg - 4);
  } else if (opcode === 0xd8 || opcode === 0xdc || opcode === 0xde) stackForm(c, x87, opcode, modrm, i());
  else if (opcode !== 0xd9 || modrm !== FNOP) x87.refuse();
  x87.note();
}

/** D8: to ST(0). DC: to ST(i). DE: the same, and pops. */
function stackForm(c: Ops, x87: KnownX87, opcode: number, modrm: number, i: number): void {
  const reg = (modrm >> 3) & 7;
  if (reg === 2 || reg === 3) {
    x87.compared(compare(c, x87, x87.st(i)));
    popBy(x87, opcode === 0xde ? reg - 1 : reg - 2);
    return;
  }
  const [to, from] = opcode === 0xd8 ? [0, i] : [i, 0];
  // The manual's names for DC and DE are the other way round; what the bits do is this.
  x87.put(to, arithmetic(c, x87, opcode === 0xd8 || reg < 4 ? reg : reg ^ 1, x87.st(to), x87.st(from)));
  if (opcode === 0xde) x87.pop();
}

function conditionalMove(c: Ops, x87: KnownX87, cc: number, i: number): void {
  const holds = c.let(condition(c, cc));
  const [to, from] = [x87.st(0), x87.st(i)];
  const se = c.let(choose32(holds, from.se, to.se));
  x87.put(0, { se, m: c.let(choose(holds, from.m, to.m)), ordinary: to.ordinary && from.ordinary });
}

/** The memory operand as a number, by the opcode. */
function operand(c: Ops, x87: KnownX87, opcode: number): Number80 {
  const v = c.read(0);
  if (opcode === 0xd8 || opcode === 0xd9) return fromSingle(c, x87, v as I32);
  if (opcode === 0xdc || opcode === 0xdd) return fromDouble(c, x87, v as I64);
  if (v.type === 'i64') return fromInteger(c, v as I64);
  return fromInteger(c, c.let(i64.extend_s(c.bits(0) === 16 ? i32.extend16_s(v as I32) : (v as I32))));
}

/** The memory form of an opcode from D8 to DF, but for what concerns the environment. */
export function knownMemory(c: Ops, x87: KnownX87, opcode: number, reg: number): void {
  if (opcode % 2 === 0) {
    const v = operand(c, x87, opcode);
    if (reg === 2 || reg === 3) {
      x87.compared(compare(c, x87, v));
      popBy(x87, reg - 2);
    } else x87.put(0, arithmetic(c, x87, reg, x87.st(0), v));
  } else if (reg === 0 || (opcode === 0xdf && reg === 5)) {
    x87.push(operand(c, x87, opcode));
    x87.exact();
  } else if (opcode === 0xdb && reg === 5) {
    const v = c.readExtended(0);
    x87.push({ se: v.signExponent, m: v.significand, ordinary: false });
    x87.exact();
  } else if (opcode === 0xdb && reg === 7) {
    const a = x87.st(0);
    const at = c.address(0);
    c.store(64, at, a.m);
    c.store(16, c.further(at, 8), a.se);
    x87.exact();
    x87.pop();
  } else if ((opcode === 0xd9 || opcode === 0xdd) && (reg === 2 || reg === 3)) {
    const { bits, up, lost } =
      opcode === 0xdd ? narrowed(c, x87, x87.st(0), 52, 1023) : narrowed(c, x87, x87.st(0), 23, 127);
    c.write(0, opcode === 0xdd ? bits : c.let(i32.wrap(bits)));
    x87.rounded(up, lost);
    popBy(x87, reg - 2);
  } else if (opcode !== 0xd9 && (reg === 1 || reg === 2 || reg === 3 || reg === 7)) storeInteger(c, x87, reg);
  else x87.refuse();
  x87.note();
}

/** FIST (2), FISTP (3, and 7 of 64 bits), FISTTP (1). */
function storeInteger(c: Ops, x87: KnownX87, reg: number): void {
  const width = c.bits(0);
  const a = x87.st(0);
  const { e, size, up, lost } = integral(c, x87, a, i32.const(reg === 1 ? 3 : 0));
  const limit = i64.const((1n << BigInt(width - 1)) - 1n);
  c.if(i32.or(i32.ge_u(e, BIAS + 63), i64.gt_u(size, limit)), () => x87.leave());
  const negative = c.let(i64.sub(0, i64.extend_u(i32.shr_u(a.se, 15))));
  const v = c.let(i64.sub(i64.xor(size, negative), negative));
  c.write(0, width === 64 ? v : c.let(i32.wrap(v)));
  x87.rounded(up, lost);
  if (reg !== 2) x87.pop();
}

/** FLDCW of a control word like the one there is. */
export function knownLoadControl(c: Ops, x87: KnownX87): void {
  const cw = c.let(i32.or(i32.and(c.read(0) as I32, 0x1f3f), 0x40));
  c.if(i32.ne(i32.and(cw, 0xf3f), 0x33f), () => x87.leave());
  x87.setControl(cw);
}

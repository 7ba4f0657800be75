/** x87 loads, stores, conversions, comparisons and moves in the register stack; what they refuse is as in x87-arith.ts. */
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { type Builder, define, type FunctionOps } from '../ir/function.ts';
import { choose, choose32, nonzero, roundsUp } from './wide.ts';
import {
  BIAS,
  EXPONENT,
  type Extended,
  exponentOf,
  finish,
  isZero,
  normalExponent,
  readSlot,
  SIGN,
  slotOf,
  tagBit,
  topOf,
  writeSlot,
} from './x87-arith.ts';

const C1 = 0x200;
const C0 = 0x100;
const C2 = 0x400;
const C3 = 0x4000;
const CONDITIONS = C0 | C2 | C3;

const refuse = (f: FunctionOps): void => f.return(i32.const(0));
const inUse = (f: FunctionOps, bits: I32): I32 => i32.eq(i32.and(f.get('ftw') as I32, bits), bits);
const unlessInUse = (f: FunctionOps, bits: I32): void => f.if(i32.eqz(inUse(f, f.let(bits))), () => refuse(f));
const rounding = (f: FunctionOps): I32 => f.let(i32.and(i32.shr_u(f.get('fcw') as I32, 10), 3));
const signBit = (se: I32): I32 => i32.shr_u(se, 15);
/** Are exceptions of these flags unmasked? */
const unmasked = (f: FunctionOps, flags: I32): I32 => i32.and(i32.and(flags, i32.xor(f.get('fcw') as I32, -1)), 0x3f);

/** Writes to a new top of the stack, whose slot must be empty. */
function push(f: FunctionOps, v: Extended): void {
  const fsw = f.get('fsw') as I32;
  const top = f.let(i32.and(i32.sub(i32.shr_u(fsw, 11), 1), 7));
  const slot = slotOf(f, top, i32.const(0));
  f.set('fsw', i32.or(i32.and(fsw, ~(0x3800 | C1)), i32.shl(top, 11)));
  f.set('ftw', i32.or(f.get('ftw') as I32, tagBit(slot)));
  writeSlot(f, slot, v);
}
/** There must be room for one more register. */
function unlessRoom(f: FunctionOps): void {
  const below = f.let(i32.and(i32.sub(i32.shr_u(f.get('fsw') as I32, 11), 1), 7));
  f.if(i32.and(f.get('ftw') as I32, i32.shl(1, below)), () => refuse(f));
}

/** FLD of what is 80 bits wide already. */
export const pushNumber = define('x87Push', ['i32', 'i64'], ['i32'], (f, se, m) => {
  unlessRoom(f);
  push(f, { se, m });
  return [i32.const(1)];
});

/** FILD: exact. */
export const pushInteger = define('x87PushInteger', ['i64'], ['i32'], (f, v) => {
  unlessRoom(f);
  const [se, m] = f.call(fromInteger, v);
  push(f, { se, m });
  return [i32.const(1)];
});

/** An integer as a number. */
export const fromInteger = define('x87FromInteger', ['i64'], ['i32', 'i64'], (f, v) => {
  const negative = f.let(i64.shr_s(v, 63));
  const size = f.let(i64.sub(i64.xor(v, negative), negative));
  f.if(i64.eqz(size), () => f.return(i32.const(0), i64.const(0)));
  const lost = f.let(i64.clz(size));
  const se = i32.or(i32.and(i32.wrap(negative), SIGN), i32.sub(BIAS + 63, i32.wrap(lost)));
  return [se, i64.shl(size, lost)];
});

/** FLD ST(i). */
export const pushRegister = define('x87PushRegister', ['i32'], ['i32'], (f, i) => {
  const from = slotOf(f, topOf(f), i);
  unlessInUse(f, tagBit(from));
  unlessRoom(f);
  push(f, readSlot(f, from));
  return [i32.const(1)];
});

/** FST and FSTP ST(i). */
export const storeRegister = define('x87StoreRegister', ['i32', 'i32'], ['i32'], (f, i, pop) => {
  const top = topOf(f);
  const from = slotOf(f, top, i32.const(0));
  unlessInUse(f, tagBit(from));
  const to = slotOf(f, top, i);
  writeSlot(f, to, readSlot(f, from));
  f.set('ftw', i32.or(f.get('ftw') as I32, tagBit(to)));
  finish(f, i32.const(0), pop);
  return [i32.const(1)];
});

/** FXCH. */
export const exchange = define('x87Exchange', ['i32'], ['i32'], (f, i) => {
  const top = topOf(f);
  const a = slotOf(f, top, i32.const(0));
  const b = slotOf(f, top, i);
  unlessInUse(f, i32.or(tagBit(a), tagBit(b)));
  const x = readSlot(f, a);
  const y = readSlot(f, b);
  writeSlot(f, a, y);
  writeSlot(f, b, x);
  finish(f, i32.const(0), i32.const(0));
  return [i32.const(1)];
});

/** FCMOVcc whose condition holds, or does not: C1 stays. */
export const moveIf = define('x87MoveIf', ['i32', 'i32'], ['i32'], (f, i, condition) => {
  const top = topOf(f);
  const to = slotOf(f, top, i32.const(0));
  const from = slotOf(f, top, i);
  unlessInUse(f, i32.or(tagBit(to), tagBit(from)));
  f.if(condition, () => writeSlot(f, to, readSlot(f, from)));
  return [i32.const(1)];
});

/** FABS (`keep` 0x7fff, `flip` 0) and FCHS (0xffff, 0x8000). */
export const changeSign = define('x87ChangeSign', ['i32', 'i32'], ['i32'], (f, keep, flip) => {
  const slot = slotOf(f, topOf(f), i32.const(0));
  unlessInUse(f, tagBit(slot));
  const a = readSlot(f, slot);
  writeSlot(f, slot, { se: i32.xor(i32.and(a.se, keep), flip), m: a.m });
  finish(f, i32.const(0), i32.const(0));
  return [i32.const(1)];
});

/** Order of two numbers as condition bits of the status word, -1 for what is neither normal nor zero nor infinite. */
export function order(f: Builder, a: Extended, b: Extended): I32 {
  const ea = exponentOf(f, a);
  const eb = exponentOf(f, b);
  const ordered = (e: I32, m: I64): I32 => {
    const infinite = i32.and(i32.eq(e, EXPONENT), i64.eq(m, i64.const(1n << 63n)));
    return i32.or(i32.or(i32.and(normalExponent(e), i64.lt_s(m, 0)), isZero(e, m)), infinite);
  };
  const result = f.variable(i32.const(-1));
  f.if(i32.and(ordered(ea, a.m), ordered(eb, b.m)), () => {
    const same = i32.and(i32.eq(ea, eb), i64.eq(a.m, b.m));
    const smaller = f.let(i32.or(i32.lt_u(ea, eb), i32.and(i32.eq(ea, eb), i64.lt_u(a.m, b.m))));
    const sa = f.let(signBit(a.se));
    const differ = i32.ne(sa, signBit(b.se));
    const less = f.let(choose32(differ, sa, i32.xor(smaller, sa)));
    const zeros = i64.eqz(i64.or(i64.or(a.m, b.m), i64.extend_u(i32.or(ea, eb))));
    const equal = i32.or(i32.and(same, i32.eqz(differ)), zeros);
    result.set(choose32(equal, i32.const(C3), i32.shl(less, 8)));
  });
  return result.value;
}

function conclude(f: FunctionOps, conditions: I32, pops: I32): void {
  f.if(i32.lt_s(conditions, 0), () => refuse(f));
  f.set('fsw', i32.or(i32.and(f.get('fsw') as I32, ~CONDITIONS), conditions));
  finish(f, i32.const(0), pops);
}

/** FCOM and FUCOM with ST(i), popping up to two registers. */
export const compareRegister = define('x87Compare', ['i32', 'i32'], ['i32'], (f, i, pops) => {
  const top = topOf(f);
  const a = slotOf(f, top, i32.const(0));
  const b = slotOf(f, top, i);
  unlessInUse(f, i32.or(tagBit(a), tagBit(b)));
  conclude(f, order(f, readSlot(f, a), readSlot(f, b)), pops);
  return [i32.const(1)];
});

/** FCOM with a number in memory, FICOM, FTST. */
export const compareNumber = define('x87CompareNumber', ['i32', 'i64', 'i32'], ['i32'], (f, se, m, pops) => {
  const a = slotOf(f, topOf(f), i32.const(0));
  unlessInUse(f, tagBit(a));
  conclude(f, order(f, readSlot(f, a), { se, m }), pops);
  return [i32.const(1)];
});

/** FCOMI and FUCOMI: ZF PF CF as RFLAGS has them, or -1. C1 stays. */
export const compareFlags = define('x87CompareFlags', ['i32', 'i32'], ['i32'], (f, i, pop) => {
  const top = topOf(f);
  const a = slotOf(f, top, i32.const(0));
  const b = slotOf(f, top, i);
  const bits = f.let(i32.or(tagBit(a), tagBit(b)));
  f.if(i32.eqz(inUse(f, bits)), () => f.return(i32.const(-1)));
  const conditions = order(f, readSlot(f, a), readSlot(f, b));
  f.if(i32.lt_s(conditions, 0), () => f.return(i32.const(-1)));
  f.if(pop, () => finish(f, i32.and(f.get('fsw') as I32, C1), pop));
  // C3 is ZF, C0 is CF.
  return [i32.shr_u(conditions, 8)];
});

/** FXAM. */
export const examine = define('x87Examine', [], [], (f) => {
  const slot = slotOf(f, topOf(f), i32.const(0));
  const a = readSlot(f, slot);
  const e = exponentOf(f, a);
  const integer = f.let(i32.wrap(i64.shr_u(a.m, 63)));
  const nan = i32.shl(i64.ne(a.m, i64.const(1n << 63n)), 10);
  // Infinity is C2|C0, a NaN C0, a normal number C2, a denormal C3|C2, zero C3, empty C3|C0, unsupported none.
  const special = choose32(integer, i32.sub(C0 | C2, nan), i32.const(0));
  const ordinary = choose32(integer, i32.const(C2), i32.const(0));
  const small = choose32(i64.eqz(a.m), i32.const(C3), i32.const(C3 | C2));
  const kind = choose32(i32.eq(e, EXPONENT), special, choose32(i32.eqz(e), small, ordinary));
  const conditions = choose32(inUse(f, f.let(tagBit(slot))), kind, i32.const(C3 | C0));
  const kept = i32.and(f.get('fsw') as I32, ~(CONDITIONS | C1));
  f.set('fsw', i32.or(i32.or(kept, conditions), i32.shl(signBit(a.se), 9)));
  return [];
});

/** ST(0), which must be in use, for FSTP m80. Results: whether it is, sign and exponent, significand. */
export const readTop = define('x87ReadTop', [], ['i32', 'i32', 'i64'], (f) => {
  const slot = slotOf(f, topOf(f), i32.const(0));
  const a = readSlot(f, slot);
  return [inUse(f, f.let(tagBit(slot))), a.se, a.m];
});

/** Ends a store to memory: flags and C1 into the status word, and the pop. */
export const stored = define('x87Stored', ['i32', 'i32'], [], (f, flags, pop) => {
  finish(f, flags, pop);
  return [];
});

/** FST m32 and m64: ST(0) rounded to `precision` bits. Results: flags and C1, or -1; the bits. */
const toFormat = (name: string, fractionBits: number, bias: number) =>
  define(name, [], ['i32', 'i64'], (f) => {
    const no = (): void => f.return(i32.const(-1), i64.const(0));
    const slot = slotOf(f, topOf(f), i32.const(0));
    f.if(i32.eqz(inUse(f, f.let(tagBit(slot)))), no);
    const a = readSlot(f, slot);
    const drop = 63 - fractionBits;
    const sign = f.let(i64.shl(i64.extend_u(signBit(a.se)), fractionBits + (bias === 127 ? 8 : 11)));
    const e = f.let(i32.sub(i32.and(a.se, EXPONENT), BIAS - bias));
    f.if(isZero(i32.and(a.se, EXPONENT), a.m), () => f.return(i32.const(0), sign));
    // Infinities and the ends of the range are for TypeScript.
    f.if(i32.or(i32.ge_u(i32.sub(e, 1), 2 * bias), i64.ge_s(a.m, 0)), no);
    const kept = f.let(i64.shr_u(a.m, drop));
    const rest = f.let(i64.shl(a.m, 64 - drop));
    const up = roundsUp(f, rounding(f), rest, i32.wrap(i64.and(kept, 1)), signBit(a.se));
    // The integer bit adds one to the exponent field, a carry another.
    const packed = f.let(i64.add(i64.add(i64.shl(i64.extend_u(i32.sub(e, 1)), fractionBits), kept), i64.extend_u(up)));
    const flags = f.let(i32.or(i32.shl(i64.ne(rest, 0), 5), i32.shl(up, 9)));
    const infinite = i64.ge_u(packed, BigInt(2 * bias + 1) << BigInt(fractionBits));
    f.if(i32.or(infinite, unmasked(f, flags)), no);
    return [flags, i64.or(packed, sign)];
  });
export const toSingle = toFormat('x87ToSingle', 23, 127);
export const toDouble = toFormat('x87ToDouble', 52, 1023);

/** The integer that a number of an exponent below 63 rounds to, as a magnitude, with flags and C1. */
function integral(f: FunctionOps, a: Extended, mode: I32): { size: I64; flags: I32 } {
  const shift = f.let(i64.extend_u(i32.sub(BIAS + 63, i32.and(a.se, EXPONENT))));
  const size = f.variable(i64.const(0));
  const rest = f.variable(nonzero(a.m));
  f.if(i64.le_u(shift, 64), () => {
    size.set(i64.shr_u(i64.shr_u(a.m, 1), i64.sub(shift, 1)));
    rest.set(i64.shl(a.m, i64.sub(64, shift)));
  });
  const up = roundsUp(f, mode, rest.value, i32.wrap(i64.and(size.value, 1)), signBit(a.se));
  return {
    size: f.let(i64.add(size.value, i64.extend_u(up))),
    flags: f.let(i32.or(i32.shl(i64.ne(rest.value, 0), 5), i32.shl(up, 9))),
  };
}

/**
 * FIST and its kin: ST(0) as an integer of at most `limit` in magnitude. `mode` is the rounding, -1 that of the control
 * word. Results: flags and C1, or -1; the integer.
 */
export const toInteger = define('x87ToInteger', ['i64', 'i32'], ['i32', 'i64'], (f, limit, mode) => {
  const no = (): void => f.return(i32.const(-1), i64.const(0));
  const slot = slotOf(f, topOf(f), i32.const(0));
  f.if(i32.eqz(inUse(f, f.let(tagBit(slot)))), no);
  const a = readSlot(f, slot);
  const e = exponentOf(f, a);
  const normal = i32.and(i32.lt_u(i32.sub(e, 1), BIAS + 62), i64.lt_s(a.m, 0));
  f.if(i32.eqz(i32.or(normal, isZero(e, a.m))), no);
  const r = integral(f, a, f.let(choose32(i32.lt_s(mode, 0), rounding(f), mode)));
  f.if(i32.or(i64.gt_u(r.size, limit), unmasked(f, r.flags)), no);
  const negative = f.let(i64.sub(0, i64.extend_u(signBit(a.se))));
  return [r.flags, i64.sub(i64.xor(r.size, negative), negative)];
});

/** FRNDINT. */
export const roundTop = define('x87RoundTop', [], ['i32'], (f) => {
  const slot = slotOf(f, topOf(f), i32.const(0));
  unlessInUse(f, tagBit(slot));
  const a = readSlot(f, slot);
  const e = exponentOf(f, a);
  f.if(i32.eqz(i32.or(i32.and(normalExponent(e), i64.lt_s(a.m, 0)), isZero(e, a.m))), () => refuse(f));
  const flags = f.variable(i32.const(0));
  f.if(i32.and(i32.lt_u(e, BIAS + 63), i32.ne(e, 0)), () => {
    const r = integral(f, a, rounding(f));
    f.if(unmasked(f, r.flags), () => refuse(f));
    flags.set(r.flags);
    const lost = f.let(i64.clz(r.size));
    const exponent = choose32(i64.eqz(r.size), i32.const(0), i32.sub(BIAS + 63, i32.wrap(lost)));
    writeSlot(f, slot, { se: i32.or(i32.and(a.se, SIGN), exponent), m: i64.shl(r.size, lost) });
  });
  finish(f, flags.value, i32.const(0));
  return [i32.const(1)];
});

/** FSCALE of a normal number or zero that stays one. */
export const scaleTop = define('x87Scale', [], ['i32'], (f) => {
  const top = topOf(f);
  const slot = slotOf(f, top, i32.const(0));
  const other = slotOf(f, top, i32.const(1));
  unlessInUse(f, i32.or(tagBit(slot), tagBit(other)));
  const a = readSlot(f, slot);
  const b = readSlot(f, other);
  const ea = exponentOf(f, a);
  const eb = exponentOf(f, b);
  const number = i32.or(i32.and(normalExponent(ea), i64.lt_s(a.m, 0)), isZero(ea, a.m));
  // The scale is cut to an integer; below 2^15 it fits.
  const small = i32.or(i32.and(i32.lt_u(i32.sub(eb, 1), BIAS + 14), i64.lt_s(b.m, 0)), isZero(eb, b.m));
  f.if(i32.eqz(i32.and(number, small)), () => refuse(f));
  const shift = f.let(i32.sub(BIAS + 63, eb));
  const whole = choose(i32.lt_u(shift, 64), i64.shr_u(b.m, i64.extend_u(shift)), i64.const(0));
  const by = f.let(i32.wrap(whole));
  const e = f.let(i32.add(ea, choose32(signBit(b.se), i32.sub(0, by), by)));
  f.if(i32.ne(ea, 0), () => {
    f.if(i32.eqz(normalExponent(e)), () => refuse(f));
    writeSlot(f, slot, { se: i32.or(i32.and(a.se, SIGN), e), m: a.m });
  });
  finish(f, i32.const(0), i32.const(0));
  return [i32.const(1)];
});

/** FXTRACT of a normal number. */
export const extractTop = define('x87Extract', [], ['i32'], (f) => {
  const slot = slotOf(f, topOf(f), i32.const(0));
  unlessInUse(f, tagBit(slot));
  unlessRoom(f);
  const a = readSlot(f, slot);
  const e = exponentOf(f, a);
  f.if(i32.eqz(i32.and(normalExponent(e), i64.lt_s(a.m, 0))), () => refuse(f));
  const [se, m] = f.call(fromInteger, i64.extend_s(i32.sub(e, BIAS)));
  writeSlot(f, slot, { se, m });
  push(f, { se: i32.or(i32.and(a.se, SIGN), BIAS), m: a.m });
  return [i32.const(1)];
});

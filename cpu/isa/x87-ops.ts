/** What each x87 instruction does to the unit, without its operand fetch (Intel SDM vol. 2, F2XM1 to FYL2XP1). */
import { add, div, mul, sqrt, sub } from '../softfloat/arith.ts';
import { compare, EQUAL, examine, LESS, UNORDERED } from '../softfloat/compare.ts';
import { convert, extract, remainder, roundToIntegral, scale, toBcd, toInt } from '../softfloat/convert.ts';
import { FLAG_IE, FLAG_OE, FLAG_PE, FLAG_UE, type FpEnv } from '../softfloat/env.ts';
import {
  defaultNaN,
  F32,
  F64,
  F80,
  type Format,
  finite,
  pack32,
  pack64,
  precisionControl,
  QNAN,
  type Real,
  unpack32,
  unpack64,
} from '../softfloat/real.ts';
import { f2xm1, fcos, fpatan, fptan, fsin, fyl2x, fyl2xp1, outOfRange } from '../softfloat/transcendental.ts';
import { SW_C0, SW_C1, SW_C2, SW_C3, SW_CC, type X87 } from './x87-state.ts';

/** Arithmetic by the reg field of D8 and DC: add mul com comp sub subr div divr. */
type Binary = (env: FpEnv, fmt: Format, a: Real, b: Real) => Real;
const BINARY: readonly (Binary | undefined)[] = [
  add,
  mul,
  undefined,
  undefined,
  sub,
  (env, fmt, a, b) => sub(env, fmt, b, a),
  div,
  (env, fmt, a, b) => div(env, fmt, b, a),
];

const LATE = FLAG_OE | FLAG_UE;

function store(fpu: X87, i: number, v: Real): boolean {
  const ok = fpu.finish();
  if (ok) {
    fpu.write(i, v);
  }
  return ok;
}

/** ST(dst) = ST(dst) op ST(src); `op` is the reg field, already swapped for the reversed DC and DE forms. */
export function arithmetic(fpu: X87, op: number, dst: number, src: number, pop: boolean): void {
  const env = fpu.begin();
  if (fpu.empty(dst) || fpu.empty(src)) {
    if (fpu.stackFault(false)) {
      fpu.write(dst, defaultNaN());
      popIf(fpu, pop);
    }
    return;
  }
  const r = BINARY[op]!(env, precisionControl(fpu.cw), fpu.read(dst), fpu.read(src));
  if (store(fpu, dst, r)) {
    popIf(fpu, pop);
  }
}

/** ST(0) = ST(0) op memory. A NaN from an m32 or m64 operand takes part as it stands. */
export function arithmeticMemory(fpu: X87, op: number, src: Real): void {
  const env = fpu.begin();
  if (fpu.empty(0)) {
    if (fpu.stackFault(false)) {
      fpu.write(0, defaultNaN());
    }
    return;
  }
  store(fpu, 0, BINARY[op]!(env, precisionControl(fpu.cw), fpu.read(0), src));
}

function popIf(fpu: X87, pop: boolean | number): void {
  for (let n = Number(pop); n > 0; n--) {
    fpu.pop();
  }
}

function conditionBits(r: number): number {
  return r === UNORDERED ? SW_CC : r === LESS ? SW_C0 : r === EQUAL ? SW_C3 : 0;
}

/** FCOM, FUCOM, FTST, FICOM and their popping forms. */
export function compareStack(fpu: X87, src: Real | number, quiet: boolean, pops: number): void {
  const env = fpu.begin();
  if (fpu.empty(0) || (typeof src === 'number' && fpu.empty(src))) {
    fpu.setConditions(SW_CC);
    if (fpu.stackFault(false)) {
      popIf(fpu, pops);
    }
    return;
  }
  const r = compare(env, fpu.read(0), typeof src === 'number' ? fpu.read(src) : src, !quiet);
  fpu.setConditions(conditionBits(r));
  if (fpu.finish()) {
    popIf(fpu, pops);
  }
}

/** FCOMI and FUCOMI. @returns ZF, PF and CF at their RFLAGS positions; they change even if an exception is unmasked */
export function compareFlags(fpu: X87, i: number, quiet: boolean, pop: boolean): number {
  const c1 = fpu.sw & SW_C1;
  const env = fpu.begin();
  if (fpu.empty(0) || fpu.empty(i)) {
    if (fpu.stackFault(false)) {
      popIf(fpu, pop);
    }
    return 0x45;
  }
  const r = compare(env, fpu.read(0), fpu.read(i), !quiet);
  const done = fpu.finish();
  fpu.sw |= c1;
  if (done) {
    popIf(fpu, pop);
  }
  return r === UNORDERED ? 0x45 : r === LESS ? 1 : r === EQUAL ? 0x40 : 0;
}

export function fxam(fpu: X87): void {
  const sign = fpu.signExponent(0) >> 15;
  fpu.sw &= ~SW_C1;
  fpu.setConditions(fpu.empty(0) ? SW_C3 | SW_C0 : examine(fpu.read(0)));
  fpu.sw |= sign ? SW_C1 : 0;
}

/** FCHS (0x8000 flips) and FABS (0x8000 clears). */
export function signOperation(fpu: X87, negate: boolean): void {
  fpu.begin();
  if (fpu.empty(0)) {
    if (fpu.stackFault(false)) {
      fpu.write(0, defaultNaN());
    }
    return;
  }
  const se = fpu.signExponent(0);
  fpu.writeRaw(0, negate ? se ^ 0x8000 : se & 0x7fff, fpu.significand(0));
}

/** FLD m32/m64 (the value converts with IE and DE), FILD, FBLD (exact). */
export function load(fpu: X87, v: Real, checked: boolean): void {
  const env = fpu.begin();
  if (!fpu.room()) {
    return;
  }
  const r = checked ? convert(env, F80, v) : v;
  fpu.finish();
  // An unmasked DE is reported after the load: the register holds the value all the same.
  if (!env.unmasked(FLAG_IE)) {
    fpu.push(r);
  }
}

/** FLD m80: a copy; also FLD m32 and m64 of normal numbers, which convert exactly. */
export function loadWords(fpu: X87, se: number, high: number, low: number): void {
  fpu.begin();
  if (fpu.room()) {
    fpu.top -= 1;
    fpu.writeWords(0, se, high, low);
  }
}

/** FLD m64. */
export function loadFloat64(fpu: X87, mem: DataView): void {
  const high = mem.getUint32(4, true);
  const low = mem.getUint32(0, true);
  const e = (high >>> 20) & 0x7ff;
  if (e === 0 || e === 0x7ff) {
    load(fpu, unpack64(mem.getBigUint64(0, true)), true);
    return;
  }
  const significand = (0x80000000 | ((high & 0xfffff) << 11) | (low >>> 21)) >>> 0;
  loadWords(fpu, ((high >>> 16) & 0x8000) | (e + 15360), significand, (low << 11) >>> 0);
}

/** FLD m32. */
export function loadFloat32(fpu: X87, mem: DataView): void {
  const bits = mem.getUint32(0, true);
  const e = (bits >>> 23) & 0xff;
  if (e === 0 || e === 0xff) {
    load(fpu, unpack32(bits), true);
    return;
  }
  loadWords(fpu, ((bits >>> 16) & 0x8000) | (e + 16256), (0x80000000 | (bits << 8)) >>> 0, 0);
}

/** FLD ST(i). */
export function loadRegister(fpu: X87, i: number): void {
  fpu.begin();
  if (fpu.empty(i)) {
    if (fpu.stackFault(false)) {
      fpu.push(defaultNaN());
    }
    return;
  }
  if (!fpu.room()) {
    return;
  }
  fpu.top -= 1;
  fpu.copy(i + 1, 0);
}

/** FST and FSTP ST(i). */
export function storeRegister(fpu: X87, i: number, pop: boolean): void {
  fpu.begin();
  if (fpu.empty(0)) {
    if (fpu.stackFault(false)) {
      fpu.write(i, defaultNaN());
      popIf(fpu, pop);
    }
    return;
  }
  fpu.copy(0, i);
  popIf(fpu, pop);
}

/** FFREE. */
export function free(fpu: X87, i: number): void {
  fpu.sw &= ~SW_C1;
  fpu.setEmpty(i);
}

/** FSTPNCE, D9 D8+i: FSTP without a stack fault; an empty register is popped only. */
export function storeRegisterUnchecked(fpu: X87, i: number): void {
  fpu.begin();
  if (!fpu.empty(0)) {
    fpu.copy(0, i);
  }
  fpu.pop();
}

/** FXCH. */
export function exchange(fpu: X87, i: number): void {
  fpu.begin();
  if (fpu.empty(0) || fpu.empty(i)) {
    if (!fpu.stackFault(false)) {
      return;
    }
    for (const n of [0, i]) {
      if (fpu.empty(n)) {
        fpu.write(n, defaultNaN());
      }
    }
  }
  const se = fpu.signExponent(0);
  const high = fpu.highWord(0);
  const low = fpu.lowWord(0);
  fpu.copy(i, 0);
  fpu.writeWords(i, se, high, low);
}

/** FCMOVcc ST(0), ST(i). */
export function conditionalMove(fpu: X87, i: number, condition: boolean): void {
  if (fpu.empty(0) || fpu.empty(i)) {
    if (fpu.stackFault(false)) {
      fpu.write(0, defaultNaN());
    }
    return;
  }
  if (condition) {
    fpu.copy(i, 0);
  }
}

/**
 * The value that a store instruction writes to memory, or undefined: an unmasked exception left memory alone. The
 * caller has made sure that the store cannot fault; the pop happens here.
 */
function storeValue<T>(fpu: X87, pop: boolean, indefinite: T, make: (env: FpEnv, v: Real) => T): T | undefined {
  const env = fpu.begin();
  if (fpu.empty(0)) {
    if (!fpu.stackFault(false)) {
      return undefined;
    }
    popIf(fpu, pop);
    return indefinite;
  }
  const v = make(env, fpu.read(0));
  // Overflow and underflow leave memory alone too: no wrapped exponent fits there (SDM vol. 1, 8.5.4, 8.5.5).
  const late = env.unmasked(LATE);
  if (late) {
    env.flags &= ~FLAG_PE;
    env.roundedUp = false;
  }
  if (!fpu.finish() || late) {
    return undefined;
  }
  popIf(fpu, pop);
  return v;
}

export function storeFloat32(fpu: X87, pop: boolean): number | undefined {
  return storeValue(fpu, pop, 0xffc00000, (env, v) => {
    const r = convert(env, F32, v, false);
    return env.unmasked(LATE) ? 0 : pack32(r);
  });
}
/** FST m64. @returns whether memory is to be written */
export function storeFloat64(fpu: X87, pop: boolean, mem: DataView): boolean {
  const e = (fpu.signExponent(0) & 0x7fff) - 15360;
  const high = fpu.highWord(0);
  const low = fpu.lowWord(0);
  if (e > 0 && e < 0x7ff && high >>> 31 === 1 && (low & 0x7ff) === 0 && !fpu.empty(0)) {
    // Exact: the bits move.
    fpu.begin();
    mem.setUint32(0, ((high << 21) | (low >>> 11)) >>> 0, true);
    mem.setUint32(4, (((fpu.signExponent(0) & 0x8000) << 16) | (e << 20) | ((high >>> 11) & 0xfffff)) >>> 0, true);
    popIf(fpu, pop);
    return true;
  }
  const v = roundedFloat64(fpu, pop);
  if (v !== undefined) {
    mem.setBigUint64(0, v, true);
  }
  return v !== undefined;
}
function roundedFloat64(fpu: X87, pop: boolean): bigint | undefined {
  return storeValue(fpu, pop, 0xfff8000000000000n, (env, v) => {
    const r = convert(env, F64, v, false);
    return env.unmasked(LATE) ? 0n : pack64(r);
  });
}
/** FIST, FISTP and FISTTP to 16, 32 or 64 bits, as an unsigned pattern. */
export function storeInteger(fpu: X87, bits: number, pop: boolean, chop: boolean): bigint | undefined {
  return storeValue(fpu, pop, 1n << BigInt(bits - 1), (env, v) => BigInt.asUintN(bits, toInt(env, v, bits, chop)));
}
/** FBSTP. */
export function storeBcd(fpu: X87): Uint8Array | undefined {
  return storeValue(fpu, true, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff), toBcd);
}
/** FSTP m80: a copy, no checks. @returns whether memory is to be written */
export function storeExtended(fpu: X87, mem: DataView): boolean {
  fpu.begin();
  if (fpu.empty(0)) {
    if (!fpu.stackFault(false)) {
      return false;
    }
    mem.setBigUint64(0, 0xc000000000000000n, true);
    mem.setUint16(8, 0xffff, true);
  } else {
    mem.setUint32(0, fpu.lowWord(0), true);
    mem.setUint32(4, fpu.highWord(0), true);
    mem.setUint16(8, fpu.signExponent(0), true);
  }
  fpu.pop();
  return true;
}

/** One-operand instructions on ST(0). */
function unary(fpu: X87, f: (env: FpEnv, a: Real) => Real): void {
  const env = fpu.begin();
  if (fpu.empty(0)) {
    if (fpu.stackFault(false)) {
      fpu.write(0, defaultNaN());
    }
    return;
  }
  store(fpu, 0, f(env, fpu.read(0)));
}

export const fsqrt = (fpu: X87): void => unary(fpu, (env, a) => sqrt(env, precisionControl(fpu.cw), a));
export const frndint = (fpu: X87): void => unary(fpu, (env, a) => roundToIntegral(env, a, true));
export const exponential = (fpu: X87): void => unary(fpu, f2xm1);

/** Two-operand instructions on ST(0) and ST(1): the answer in ST(0), or in ST(1) with a pop. */
function binary(fpu: X87, pop: boolean, f: (env: FpEnv, st0: Real, st1: Real) => Real): void {
  const env = fpu.begin();
  const dst = pop ? 1 : 0;
  if (fpu.empty(0) || fpu.empty(1)) {
    if (fpu.stackFault(false)) {
      fpu.write(dst, defaultNaN());
      popIf(fpu, pop);
    }
    return;
  }
  if (store(fpu, dst, f(env, fpu.read(0), fpu.read(1)))) {
    popIf(fpu, pop);
  }
}

export const fscale = (fpu: X87): void => binary(fpu, false, (env, a, b) => scale(env, F80, a, b));
export const logarithm = (fpu: X87): void => binary(fpu, true, (env, x, y) => fyl2x(env, y, x));
export const logarithmPlus1 = (fpu: X87): void => binary(fpu, true, (env, x, y) => fyl2xp1(env, y, x));
export const arctangent = (fpu: X87): void => binary(fpu, true, (env, x, y) => fpatan(env, y, x));

/** FPREM and FPREM1: C2 = incomplete, C0 C3 C1 = quotient bits 2 1 0. */
export function partialRemainder(fpu: X87, nearest: boolean): void {
  const env = fpu.begin();
  if (fpu.empty(0) || fpu.empty(1)) {
    fpu.sw &= ~SW_C2;
    if (fpu.stackFault(false)) {
      fpu.write(0, defaultNaN());
    }
    return;
  }
  const r = remainder(env, F80, fpu.read(0), fpu.read(1), nearest);
  env.roundedUp = false;
  const ok = store(fpu, 0, r.value);
  if (!ok || r.value.kind === QNAN) {
    fpu.sw &= ~SW_C2;
    return;
  }
  const q = r.quotient;
  fpu.setConditions((r.partial ? SW_C2 : 0) | (q & 4 ? SW_C0 : 0) | (q & 2 ? SW_C3 : 0));
  fpu.sw = (fpu.sw & ~SW_C1) | (q & 1 ? SW_C1 : 0);
}

/** Instructions that replace ST(0) and push a second value. */
function unaryPush(fpu: X87, f: (env: FpEnv, a: Real) => readonly [Real, Real]): void {
  const env = fpu.begin();
  const under = fpu.empty(0);
  if (under || !fpu.empty(7)) {
    if (fpu.stackFault(!under)) {
      fpu.write(0, defaultNaN());
      fpu.push(defaultNaN());
    }
    return;
  }
  const [first, second] = f(env, fpu.read(0));
  if (fpu.finish()) {
    fpu.write(0, first);
    fpu.push(second);
  }
}

export function fxtract(fpu: X87): void {
  unaryPush(fpu, (env, a) => {
    const r = extract(env, a);
    return [r.exponent, r.significand];
  });
}

/** Range check of the trigonometric instructions: C2 set and nothing done beyond 2^63. */
function inRange(fpu: X87, pushes = false): boolean {
  if (!fpu.empty(0) && (!pushes || fpu.empty(7)) && outOfRange(fpu.read(0))) {
    fpu.sw = (fpu.sw & ~SW_C1) | SW_C2;
    return false;
  }
  fpu.sw &= ~SW_C2;
  return true;
}

export function sine(fpu: X87): void {
  if (inRange(fpu)) {
    unary(fpu, fsin);
  }
}
export function cosine(fpu: X87): void {
  if (inRange(fpu)) {
    unary(fpu, fcos);
  }
}
export function sineCosine(fpu: X87): void {
  if (inRange(fpu, true)) {
    unaryPush(fpu, (env, a) => {
      const s = fsin(env, a);
      return [s, fcos(env, a)];
    });
  }
}
export function tangent(fpu: X87): void {
  if (inRange(fpu, true)) {
    unaryPush(fpu, (env, a) => {
      const t = fptan(env, a);
      return [t, t.kind >= QNAN ? t : finite(0, 1n, 0)];
    });
  }
}

/** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: significand, exponent, and which roundings take the next one up. */
export const CONSTANTS: readonly (readonly [bigint, number, 'down' | 'up' | 'exact'])[] = [
  [0x8000000000000000n, 0x3fff, 'exact'],
  [0xd49a784bcd1b8afen, 0x4000, 'down'],
  [0xb8aa3b295c17f0bcn, 0x3fff, 'up'],
  [0xc90fdaa22168c235n, 0x4000, 'up'],
  [0x9a209a84fbcff799n, 0x3ffd, 'up'],
  [0xb17217f7d1cf79acn, 0x3ffe, 'up'],
  [0n, 0, 'exact'],
];

/** @param which low three bits of D9 E8-EE */
export function loadConstant(fpu: X87, which: number): void {
  fpu.begin();
  if (!fpu.room()) {
    return;
  }
  const [nearest, se, side] = CONSTANTS[which]!;
  const rc = (fpu.cw >> 10) & 3;
  // 'up': the nearest value lies above the constant, so rounding down or chopping takes the one below.
  const man = side === 'up' && (rc & 1) === 1 ? nearest - 1n : side === 'down' && rc === 2 ? nearest + 1n : nearest;
  fpu.top -= 1;
  fpu.writeRaw(0, se, man);
}

/** FINCSTP (+1) and FDECSTP (-1). */
export function moveTop(fpu: X87, by: number): void {
  fpu.sw &= ~SW_C1;
  fpu.top += by;
}

/** FNINIT. */
export function initialise(fpu: X87): void {
  fpu.cw = 0x37f;
  fpu.sw = 0;
  fpu.tags = 0;
  fpu.fop = 0;
  fpu.fip = 0n;
  fpu.fdp = 0n;
}

/** FNCLEX. */
export function clearExceptions(fpu: X87): void {
  fpu.sw &= 0x7f00;
}

/** x87 arithmetic, comparisons and functions without their operand fetch (Intel SDM vol. 2, F2XM1 to FYL2XP1). */
import { add, div, mul, sqrt, sub } from '../softfloat/arith.ts';
import { compare, EQUAL, examine, LESS, UNORDERED } from '../softfloat/compare.ts';
import { extract, remainder, roundToIntegral, scale } from '../softfloat/convert.ts';
import type { FpEnv } from '../softfloat/env.ts';
import { defaultNaN, F80, type Format, finite, precisionControl, QNAN, type Real } from '../softfloat/real.ts';
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
      fpu.popIf(pop);
    }
    return;
  }
  const r = BINARY[op]!(env, precisionControl(fpu.cw), fpu.read(dst), fpu.read(src));
  if (store(fpu, dst, r)) {
    fpu.popIf(pop);
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

function conditionBits(r: number): number {
  return r === UNORDERED ? SW_CC : r === LESS ? SW_C0 : r === EQUAL ? SW_C3 : 0;
}

/** FCOM, FUCOM, FTST, FICOM and their popping forms. */
export function compareStack(fpu: X87, src: Real | number, quiet: boolean, pops: number): void {
  const env = fpu.begin();
  if (fpu.empty(0) || (typeof src === 'number' && fpu.empty(src))) {
    fpu.setConditions(SW_CC);
    if (fpu.stackFault(false)) {
      fpu.popIf(pops);
    }
    return;
  }
  const r = compare(env, fpu.read(0), typeof src === 'number' ? fpu.read(src) : src, !quiet);
  fpu.setConditions(conditionBits(r));
  if (fpu.finish()) {
    fpu.popIf(pops);
  }
}

/** FCOMI and FUCOMI. @returns ZF, PF and CF at their RFLAGS positions; they change even if an exception is unmasked */
export function compareFlags(fpu: X87, i: number, quiet: boolean, pop: boolean): number {
  const c1 = fpu.sw & SW_C1;
  const env = fpu.begin();
  if (fpu.empty(0) || fpu.empty(i)) {
    if (fpu.stackFault(false)) {
      fpu.popIf(pop);
    }
    return 0x45;
  }
  const r = compare(env, fpu.read(0), fpu.read(i), !quiet);
  const done = fpu.finish();
  fpu.sw |= c1;
  if (done) {
    fpu.popIf(pop);
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
      fpu.popIf(pop);
    }
    return;
  }
  if (store(fpu, dst, f(env, fpu.read(0), fpu.read(1)))) {
    fpu.popIf(pop);
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

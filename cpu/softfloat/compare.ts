/** Comparison, minimum and maximum (Intel SDM vol. 2, CMPPS, COMISS, MINPS; vol. 1, 8.3.6). */
import { FLAG_IE, type FpEnv } from './env.ts';
import { bitLength, FINITE, INF, noteDenormal, QNAN, type Real, SNAN, UNSUPPORTED, ZERO } from './real.ts';

export const LESS = -1;
export const EQUAL = 0;
export const GREATER = 1;
export const UNORDERED = 2;

function magnitude(a: Real, b: Real): number {
  if (a.kind === INF || b.kind === INF) {
    return a.kind === b.kind ? EQUAL : a.kind === INF ? GREATER : LESS;
  }
  if (a.kind === ZERO || b.kind === ZERO) {
    return a.kind === b.kind ? EQUAL : a.kind === ZERO ? LESS : GREATER;
  }
  const ta = a.exp + bitLength(a.man);
  const tb = b.exp + bitLength(b.man);
  if (ta !== tb) {
    return ta > tb ? GREATER : LESS;
  }
  const e = Math.min(a.exp, b.exp);
  const x = a.man << BigInt(a.exp - e);
  const y = b.man << BigInt(b.exp - e);
  return x === y ? EQUAL : x > y ? GREATER : LESS;
}

/** Order of two values that are not NaNs. */
export function order(a: Real, b: Real): number {
  if (a.kind === ZERO && b.kind === ZERO) {
    return EQUAL;
  }
  if (a.sign !== b.sign) {
    return a.sign ? LESS : GREATER;
  }
  const m = magnitude(a, b);
  return m === EQUAL ? EQUAL : a.sign ? -m : m;
}

/** @param signalling QNaNs raise IE too (FCOM, COMISS, the signalling predicates) */
export function compare(env: FpEnv, a: Real, b: Real, signalling: boolean): number {
  if (a.kind >= QNAN || b.kind >= QNAN) {
    const bad = a.kind === SNAN || b.kind === SNAN || a.kind === UNSUPPORTED || b.kind === UNSUPPORTED;
    if (signalling || bad) {
      env.raise(FLAG_IE);
    }
    return UNORDERED;
  }
  noteDenormal(env, a, b);
  return order(a, b);
}

/** The predicates of CMPPS as a mask over (less, equal, greater, unordered), bits 0-3; bit 4 = QNaNs raise IE. */
const LT = 1;
const EQ = 2;
const GT = 4;
const UN = 8;
const SIGNAL = 16;
export const PREDICATES: readonly number[] = [
  EQ,
  LT | SIGNAL,
  LT | EQ | SIGNAL,
  UN,
  LT | GT | UN,
  EQ | GT | UN | SIGNAL,
  GT | UN | SIGNAL,
  LT | EQ | GT,
  EQ | UN,
  LT | UN | SIGNAL,
  LT | EQ | UN | SIGNAL,
  0,
  LT | GT,
  EQ | GT | SIGNAL,
  GT | SIGNAL,
  LT | EQ | GT | UN,
];

/** Predicate 0-31 of the VEX compare (SDM vol. 2, CMPPD, table 3-1); the upper 16 swap the signalling property. */
export function comparePredicate(env: FpEnv, a: Real, b: Real, predicate: number): boolean {
  const row = PREDICATES[predicate & 15]!;
  const signalling = ((row & SIGNAL) !== 0) !== ((predicate & 16) !== 0);
  const r = compare(env, a, b, signalling);
  const bit = r === LESS ? LT : r === EQUAL ? EQ : r === GREATER ? GT : UN;
  return (row & bit) !== 0;
}

/** MINPS and MAXPS choose the second operand on NaNs and on two zeros. Returns whether the first is the answer. */
export function minMaxTakesFirst(env: FpEnv, a: Real, b: Real, max: boolean): boolean {
  if (a.kind >= QNAN || b.kind >= QNAN) {
    env.raise(FLAG_IE);
    return false;
  }
  noteDenormal(env, a, b);
  return order(a, b) === (max ? GREATER : LESS);
}

/** The x87 classes of FXAM as C3, C2, C0 at status word positions. */
export function examine(a: Real): number {
  switch (a.kind) {
    case ZERO:
      return 0x4000;
    case FINITE:
      return a.denormal ? 0x4400 : 0x0400;
    case INF:
      return 0x0500;
    case UNSUPPORTED:
      return 0x0000;
    default:
      return 0x0100;
  }
}

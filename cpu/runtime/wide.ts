/**
 * 128-bit integers as pairs of i64, and the rounding of significands, as code that runtime functions are made of.
 *
 * A value being rounded is `hi` with its highest bit set (the significand, left-aligned) and `lo` below it; the last bits
 * of `lo` may be one sticky bit.
 */
import { f64, type I32, type I64, i32, i64, select } from '../ir/expr.ts';
import type { Builder, Variable } from '../ir/function.ts';

export interface Wide {
  readonly hi: I64;
  readonly lo: I64;
}

export const TOP = 1n << 63n;
const LOW32 = 0xffffffffn;

/** Choice without a branch; `c` is evaluated once more than `a` and `b`. */
export const choose = (c: I32, a: I64, b: I64): I64 => select(a, b, c);
export const choose32 = (c: I32, a: I32, b: I32): I32 => select(a, b, c);
/** 1 where the value is not zero. */
export const nonzero = (v: I64): I64 => i64.extend_u(i64.ne(v, 0));

/** The product of two 64-bit numbers. */
export function multiply(f: Builder, a: I64, b: I64): Wide {
  const a0 = f.let(i64.and(a, LOW32));
  const a1 = f.let(i64.shr_u(a, 32));
  const b0 = f.let(i64.and(b, LOW32));
  const b1 = f.let(i64.shr_u(b, 32));
  const p00 = f.let(i64.mul(a0, b0));
  const t = f.let(i64.add(i64.mul(a1, b0), i64.shr_u(p00, 32)));
  const u = f.let(i64.add(i64.mul(a0, b1), i64.and(t, LOW32)));
  const hi = f.let(i64.add(i64.add(i64.mul(a1, b1), i64.shr_u(t, 32)), i64.shr_u(u, 32)));
  return { hi, lo: f.let(i64.or(i64.shl(u, 32), i64.and(p00, LOW32))) };
}

/**
 * `hi:lo / d` for a `d` with its highest bit set and `hi < d`, by two digits of 32 bits (Knuth, algorithm D).
 * The remainder is below `d`.
 */
export function divide(f: Builder, hi: I64, lo: I64, d: I64): { quotient: I64; remainder: I64 } {
  const d1 = f.let(i64.shr_u(d, 32));
  const d0 = f.let(i64.and(d, LOW32));
  const digit = (high: I64, next: I64): { q: I64; rest: I64 } => {
    const q = f.variable(i64.div_u(high, d1));
    const r = f.variable(i64.sub(high, i64.mul(q.value, d1)));
    // The estimate is at most two too large.
    for (let i = 0; i < 2; i++) {
      const tooLarge = i32.and(
        i64.le_u(r.value, LOW32),
        i32.or(i64.gt_u(q.value, LOW32), i64.gt_u(i64.mul(q.value, d0), i64.or(i64.shl(r.value, 32), next))),
      );
      f.if(tooLarge, () => {
        q.set(i64.sub(q.value, 1));
        r.set(i64.add(r.value, d1));
      });
    }
    return { q: q.value, rest: f.let(i64.sub(i64.add(i64.shl(high, 32), next), i64.mul(q.value, d))) };
  };
  const first = digit(hi, f.let(i64.shr_u(lo, 32)));
  const second = digit(first.rest, f.let(i64.and(lo, LOW32)));
  return { quotient: f.let(i64.add(i64.shl(first.q, 32), second.q)), remainder: second.rest };
}

/** Where a remainder stands between two steps: nothing, less than half, half, more than half. */
export function fraction(f: Builder, remainder: I64, step: I64): I64 {
  const other = f.let(i64.sub(step, remainder));
  const some = choose(i64.gt_u(remainder, other), i64.const(3n << 62n), i64.const(1n << 62n));
  const atHalf = choose(i64.eq(remainder, other), i64.const(TOP), some);
  return f.let(choose(i64.eqz(remainder), i64.const(0), atHalf));
}

/** The root of `n << 63` (`odd` = 0) or `n << 64` (1), for an `n` with its highest bit set: 64 bits and what is below. */
export function squareRoot(f: Builder, n: I64, odd: I64): Wide {
  // N = hi:lo, at least 2^126; the root of its upper half gives 32 bits, a division the others.
  const even = f.let(i64.xor(odd, 1));
  const hi = f.let(i64.shr_u(n, even));
  const lo = f.let(i64.and(i64.shl(n, 63), i64.sub(0, even)));
  return rootOf(f, hi, lo);
}

/** About the root of a 64-bit number. */
const f64Root = (n: I64): I64 => i64.trunc_sat_f64_u(f64.sqrt(f64.convert_i64_u(n)));

/** The root of `hi:lo` with `hi >= 2^62`. */
export function rootOf(f: Builder, hi: I64, lo: I64): Wide {
  const estimate = f.variable(f64Root(hi));
  f.if(i64.gt_u(estimate.value, LOW32), () => estimate.set(i64.const(LOW32)));
  f.if(i64.gt_u(i64.mul(estimate.value, estimate.value), hi), () => estimate.set(i64.sub(estimate.value, 1)));
  const next = f.let(i64.add(estimate.value, 1));
  f.if(i32.and(i64.le_u(next, LOW32), i64.le_u(i64.mul(next, next), hi)), () => estimate.set(next));
  const s1 = estimate.value;
  const r1 = f.let(i64.sub(hi, i64.mul(s1, s1)));
  // r1 <= 2 s1: one bit less of the dividend keeps it within 64.
  const q = f.let(i64.div_u(i64.or(i64.shl(r1, 31), i64.shr_u(lo, 33)), s1));
  const s = f.variable(i64.add(i64.shl(s1, 32), q));
  // The largest digit may be one too many, which wraps.
  f.if(i64.gt_u(q, LOW32), () => s.set(i64.or(i64.shl(s1, 32), LOW32)));
  const rest = f.variable(i64.const(0));
  const over = f.variable(i64.const(0));
  f.loop((again) => {
    const square = multiply(f, s.value, s.value);
    rest.set(i64.sub(lo, square.lo));
    over.set(i64.sub(i64.sub(hi, square.hi), i64.extend_u(i64.gt_u(square.lo, lo))));
    const tooLarge = f.let(i64.lt_s(over.value, 0));
    s.set(i64.sub(s.value, i64.extend_u(tooLarge)));
    again(tooLarge);
  });
  // (s + 1/2)^2 = s^2 + s + 1/4: above it when the rest exceeds s; the rest has up to 65 bits.
  const above = i32.or(i64.ne(over.value, 0), i64.gt_u(rest.value, s.value));
  const some = choose(above, i64.const(3n << 62n), i64.const(1n << 62n));
  const exact = i32.and(i64.eqz(rest.value), i64.eqz(over.value));
  return { hi: f.let(s.value), lo: f.let(choose(exact, i64.const(0), some)) };
}

/** `v >> n` of a pair with what falls out kept as a sticky bit, for any n >= 0. */
export function shiftRight(f: Builder, v: Wide, n: I32): Wide {
  const hi = f.variable(v.hi);
  const lo = f.variable(v.lo);
  const count = f.variable(n);
  f.if(i32.ge_u(count.value, 64), () => {
    f.if(
      i32.ge_u(count.value, 128),
      () => {
        lo.set(nonzero(i64.or(hi.value, lo.value)));
        count.set(i32.const(0));
      },
      () => {
        lo.set(i64.or(hi.value, nonzero(lo.value)));
        count.set(i32.sub(count.value, 64));
      },
    );
    hi.set(i64.const(0));
  });
  f.if(count.value, () => {
    const by = f.let(i64.extend_u(count.value));
    const back = f.let(i64.sub(64, by));
    const out = nonzero(i64.shl(lo.value, back));
    lo.set(i64.or(i64.or(i64.shr_u(lo.value, by), i64.shl(hi.value, back)), out));
    hi.set(i64.shr_u(hi.value, by));
  });
  return { hi: f.let(hi.value), lo: f.let(lo.value) };
}

/** A magnitude under construction: `hi:lo`, and the exponent of `hi`'s highest bit. */
export interface Magnitude {
  readonly e: Variable<'i32'>;
  readonly hi: Variable<'i64'>;
  readonly lo: Variable<'i64'>;
}

/**
 * `r` = x + y, or x - y where `differ` is not zero: x with the exponent that `r.e` holds, y with one that is `d` less, both with
 * the highest bit set, y not above x. A difference of nothing leaves hi = 0.
 * @param below y may be above x with d = 0: then |x - y| is made, and this called
 */
export function addMagnitudes(f: Builder, r: Magnitude, x: I64, y: I64, d: I32, differ: I32, below?: () => void): void {
  const small = f.variable(y);
  f.if(
    i32.lt_u(d, 64),
    () => {
      // What falls out at the bottom comes in at the top.
      const by = f.let(i64.extend_u(d));
      small.set(i64.shr_u(y, by));
      r.lo.set(i64.xor(i64.rotr(y, by), small.value));
    },
    () => {
      // Cancellation may bring one bit up: two and a sticky bit are needed.
      const by = f.let(i64.extend_u(i32.sub(d, 64)));
      const out = nonzero(i64.shl(i64.shl(y, 1), i64.sub(63, by)));
      r.lo.set(choose(i32.lt_u(d, 128), i64.or(i64.shr_u(y, by), out), i64.const(1)));
      small.set(i64.const(0));
    },
    true,
  );
  f.if(
    differ,
    () => {
      r.hi.set(i64.sub(i64.sub(x, small.value), nonzero(r.lo.value)));
      if (below) {
        f.if(i64.lt_u(x, small.value), () => {
          r.hi.set(i64.sub(0, r.hi.value));
          below();
        });
      }
      r.lo.set(i64.sub(0, r.lo.value));
      f.if(i64.eqz(r.hi.value), () => {
        r.hi.set(r.lo.value);
        r.lo.set(i64.const(0));
        r.e.set(i32.sub(r.e.value, 64));
      });
      normalise(f, r);
    },
    () => {
      r.hi.set(i64.add(x, small.value));
      f.if(i64.lt_u(r.hi.value, x), () => {
        r.lo.set(i64.or(i64.or(i64.shr_u(r.lo.value, 1), i64.and(r.lo.value, 1)), i64.shl(r.hi.value, 63)));
        r.hi.set(i64.or(i64.shr_u(r.hi.value, 1), TOP));
        r.e.set(i32.add(r.e.value, 1));
      });
    },
  );
}

/** Shifts the highest bit of `hi` to its place; not for hi = 0, which stays. */
export function normalise(f: Builder, r: Magnitude): void {
  const lost = f.let(i64.and(i64.clz(r.hi.value), 63));
  const upper = i64.shr_u(i64.shr_u(r.lo.value, 1), i64.sub(63, lost));
  r.hi.set(i64.or(i64.shl(r.hi.value, lost), upper));
  r.lo.set(i64.shl(r.lo.value, lost));
  r.e.set(i32.sub(r.e.value, i32.wrap(lost)));
}

/** `r` = the product of two significands whose exponents sum to `e`. */
export function multiplyMagnitudes(f: Builder, r: Magnitude, a: I64, b: I64, e: I32): void {
  const p = multiply(f, a, b);
  const full = f.let(i64.lt_s(p.hi, 0));
  r.hi.set(choose(full, p.hi, i64.or(i64.shl(p.hi, 1), i64.shr_u(p.lo, 63))));
  r.lo.set(choose(full, p.lo, i64.shl(p.lo, 1)));
  r.e.set(i32.add(e, full));
}

/** `r` = the quotient of two significands whose exponents differ by `e`. */
export function divideMagnitudes(f: Builder, r: Magnitude, a: I64, b: I64, e: I32): void {
  // The dividend must be the smaller one.
  const big = f.let(i64.extend_u(i64.ge_u(a, b)));
  const q = divide(f, f.let(i64.shr_u(a, big)), f.let(i64.and(i64.shl(a, 63), i64.sub(0, big))), b);
  r.hi.set(q.quotient);
  r.lo.set(fraction(f, q.remainder, b));
  r.e.set(i32.add(i32.sub(e, 1), i32.wrap(big)));
}

/**
 * Whether dropping `rest` (left-aligned: its highest bit is half a unit) takes the magnitude up.
 * @param mode rounding control: nearest, down, up, chop
 * @param odd lowest kept bit; @param sign 1 for negative numbers
 */
export function roundsUp(f: Builder, mode: I32, rest: I64, odd: I32, sign: I32): I32 {
  const nearest = i32.and(i64.lt_s(rest, 0), i32.or(i64.ne(i64.shl(rest, 1), 0), odd));
  // Down takes negative numbers up in magnitude, up the positive ones; chop none: modes 1 2 3 against sign 1 0.
  const directed = i32.and(i64.ne(rest, 0), i32.eq(mode, i32.sub(2, sign)));
  return f.let(choose32(i32.eqz(mode), nearest, directed));
}

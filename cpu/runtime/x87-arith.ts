/**
 * x87 arithmetic on 80-bit numbers: normal numbers and zeros under any precision and rounding control, with masked
 * exceptions (Intel SDM vol. 1, 4.8 and 8.5). What else there is (denormals, infinities, NaNs, empty registers, unmasked
 * exceptions) is refused with nothing changed, and the meaning in TypeScript (isa/x87-arith.ts) answers.
 */
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { type Builder, define, type Exprs, type FunctionOps, type Variable } from '../ir/function.ts';
import { State } from '../state.ts';
import {
  addMagnitudes,
  choose,
  choose32,
  divideMagnitudes,
  type Magnitude,
  multiplyMagnitudes,
  nonzero,
  roundsUp,
  shiftRight,
  squareRoot,
  TOP,
} from './wide.ts';

export const SIGN = 0x8000;
export const EXPONENT = 0x7fff;
export const BIAS = 0x3fff;
const C1 = 0x200;
const PE = 0x20;
const UE = 0x10;
const OE = 0x08;
/** Precision 64, rounding to nearest, all masked: the fields of the control word that matter, and their values. */
export const CONTROL_FIELDS = 0xf3f;
export const CONTROL_PLAIN = 0x33f;

/** A number as the register holds it. */
export interface Extended {
  /** Sign (0x8000) and biased exponent. */
  readonly se: I32;
  readonly m: I64;
}

/** Exponent field of a normal number's encoding. */
export const exponentOf = (f: Builder, a: Extended): I32 => f.let(i32.and(a.se, EXPONENT));
export const normalExponent = (e: I32): I32 => i32.lt_u(i32.sub(e, 1), 0x7ffe);
export const isZero = (e: I32, m: I64): I32 => i32.and(i32.eqz(e), i64.eqz(m));

/** Offset of ST(i) from State.st. */
export const slotOf = (f: FunctionOps, top: I32, i: I32): I32 => f.let(i32.shl(i32.and(i32.add(top, i), 7), 4));
export const topOf = (f: FunctionOps): I32 => f.let(i32.and(i32.shr_u(f.get('fsw') as I32, 11), 7));
/** The tag bits of registers, given their slots. */
export const tagBit = (slot: I32): I32 => i32.shl(1, i32.shr_u(slot, 4));
export const readSlot = (f: FunctionOps, slot: I32): Extended => ({
  se: f.load(16, slot, State.st + 8) as I32,
  m: f.load(64, slot, State.st) as I64,
});
export function writeSlot(f: FunctionOps, slot: I32, v: Extended): void {
  f.store(64, slot, v.m, State.st);
  f.store(16, slot, v.se, State.st + 8);
}

/** Status word after popping `n` registers; the tags go with it. C1 is replaced by `flags`, which may hold exceptions too. */
export function finish(f: FunctionOps, flags: I32, pops: I32): void {
  const fsw = f.get('fsw') as I32;
  const kept = f.variable(i32.or(i32.and(fsw, ~C1), flags));
  // The status word is stored once: the next instruction waits for it.
  f.if(pops, () => {
    const top = f.let(i32.and(i32.shr_u(fsw, 11), 7));
    const gone = i32.or(i32.shl(1, top), i32.shl(i32.shr_u(pops, 1), i32.and(i32.add(top, 1), 7)));
    f.set('ftw', i32.and(f.get('ftw') as I32, i32.xor(gone, -1)));
    const moved = i32.shl(i32.and(i32.add(top, pops), 7), 11);
    kept.set(i32.or(i32.and(kept.value, ~0x3800), moved));
  });
  f.set('fsw', kept.value);
}

/**
 * Rounds `hi:lo * 2^(e - BIAS - 63)` to the register format under a control word.
 * Results: flags and C1 (all bits set when overflow or underflow is due and unmasked), sign and exponent, significand.
 */
export const roundExtended = define(
  'x87Round',
  ['i32', 'i32', 'i64', 'i64', 'i32'],
  ['i32', 'i32', 'i64'],
  (f, sign, e, hi, lo, cw) => {
    const pc = f.let(i32.and(i32.shr_u(cw, 8), 3));
    const mode = f.let(i32.and(i32.shr_u(cw, 10), 3));
    /** Bits that the precision leaves unused. */
    const k = f.let(
      i64.extend_u(choose32(i32.eqz(pc), i32.const(40), choose32(i32.eq(pc, 2), i32.const(11), i32.const(0)))),
    );
    const negative = f.let(i32.shr_u(sign, 15));
    const round = (h: I64, l: I64): { m: I64; up: I32; inexact: I32; carried: I32 } => {
      const rest = f.let(choose(i64.eqz(k), l, i64.or(i64.shl(h, i64.sub(64, k)), nonzero(l))));
      const up = roundsUp(f, mode, rest, i32.wrap(i64.and(i64.shr_u(h, k), 1)), negative);
      const kept = f.let(i64.and(h, i64.shl(-1, k)));
      const m = f.let(i64.add(kept, i64.shl(i64.extend_u(up), k)));
      return { m, up, inexact: f.let(i64.ne(rest, 0)), carried: f.let(i64.lt_u(m, kept)) };
    };
    const r = round(hi, lo);
    const top = f.let(i32.add(e, r.carried));
    const flags = (up: I32, inexact: I32, which: number): I32 =>
      i32.or(i32.shl(up, 9), i32.and(i32.sub(0, inexact), which));
    f.if(normalExponent(top), () =>
      f.return(flags(r.up, r.inexact, PE), i32.or(sign, top), i64.or(r.m, i64.shl(i64.extend_u(r.carried), 63))),
    );
    f.if(i32.gt_s(top, 0), () => {
      f.if(i32.eqz(i32.and(cw, OE)), () => f.return(i32.const(-1), i32.const(0), i64.const(0)));
      const infinite = f.let(i32.or(i32.eqz(mode), i32.eq(mode, i32.sub(2, negative))));
      f.return(
        i32.or(OE | PE, i32.shl(infinite, 9)),
        i32.or(sign, i32.add(0x7ffe, infinite)),
        choose(infinite, i64.const(TOP), i64.shl(-1, k)),
      );
    });
    f.if(i32.eqz(i32.and(cw, UE)), () => f.return(i32.const(-1), i32.const(0), i64.const(0)));
    const v = shiftRight(f, { hi, lo }, i32.sub(1, e));
    const d = round(v.hi, v.lo);
    return [flags(d.up, d.inexact, UE | PE), i32.or(sign, i32.wrap(i64.shr_u(d.m, 63))), d.m];
  },
);

/** A result under construction: exact as hi:lo with sign and exponent, until it is rounded or found to need no rounding. */
interface Result {
  readonly sign: Variable<'i32'>;
  readonly e: Variable<'i32'>;
  readonly hi: Variable<'i64'>;
  readonly lo: Variable<'i64'>;
  /** Zero when the result is exact as it stands: `sign` and `e` together are the register's word. */
  readonly open: Variable<'i32'>;
}

const newResult = (f: FunctionOps): Result => ({
  sign: f.variable(i32.const(0)),
  e: f.variable(i32.const(0)),
  hi: f.variable(i64.const(0)),
  lo: f.variable(i64.const(0)),
  open: f.variable(i32.const(1)),
});

const refuse = (f: FunctionOps): void => f.return(i32.const(0));

/** Rounds a result and writes it to a slot; leaves the function when an unmasked exception is due. */
function settle(f: FunctionOps, r: Result, slot: I32, pops: I32): void {
  const cw = f.get('fcw') as I32;
  const flags = f.variable(i32.const(0));
  const plain = i32.and(i32.eq(i32.and(cw, CONTROL_FIELDS), CONTROL_PLAIN), i32.lt_u(i32.sub(r.e.value, 1), 0x7ffd));
  f.if(r.open.value, () =>
    f.if(
      plain,
      () => {
        const half = i64.shr_u(r.lo.value, 63);
        const up = f.let(i64.and(half, i64.or(nonzero(i64.shl(r.lo.value, 1)), r.hi.value)));
        flags.set(i32.or(i32.shl(i64.ne(r.lo.value, 0), 5), i32.shl(i32.wrap(up), 9)));
        r.hi.set(i64.add(r.hi.value, up));
        f.if(i64.eqz(r.hi.value), () => {
          r.hi.set(i64.const(TOP));
          r.e.set(i32.add(r.e.value, 1));
        });
        r.e.set(i32.or(r.e.value, r.sign.value));
      },
      () => {
        const [status, se, m] = f.call(roundExtended, r.sign.value, r.e.value, r.hi.value, r.lo.value, cw);
        f.if(i32.and(i32.and(status, i32.xor(cw, -1)), 0x3f), () => refuse(f));
        flags.set(status);
        r.e.set(se);
        r.hi.set(m);
      },
    ),
  );
  writeSlot(f, slot, { se: r.e.value, m: r.hi.value });
  finish(f, flags.value, pops);
}

/** An exact result. */
function exactly(r: Result, se: I32, m: I64): void {
  r.open.set(i32.const(0));
  r.e.set(se);
  r.hi.set(m);
}

type Binary = (f: FunctionOps, r: Result, a: Extended, b: Extended) => void;

const bothNormal = (ea: I32, eb: I32, a: Extended, b: Extended): I32 =>
  i32.and(i32.and(normalExponent(ea), normalExponent(eb)), i64.lt_s(i64.and(a.m, b.m), 0));

const sum: Binary = (f, r, a, b) => {
  const ea = exponentOf(f, a);
  const eb = exponentOf(f, b);
  const differ = f.let(i32.and(i32.xor(a.se, b.se), SIGN));
  const zeroSign = (): I32 => i32.shl(i32.eq(i32.and(f.get('fcw') as I32, 0xc00), 0x400), 15);
  f.if(
    bothNormal(ea, eb, a, b),
    () => {
      const swap = f.let(i32.or(i32.gt_u(eb, ea), i32.and(i32.eq(eb, ea), i64.gt_u(b.m, a.m))));
      const x = f.let(choose(swap, b.m, a.m));
      const y = f.let(choose(swap, a.m, b.m));
      const d = f.let(choose32(swap, i32.sub(eb, ea), i32.sub(ea, eb)));
      r.e.set(choose32(swap, eb, ea));
      r.sign.set(i32.and(choose32(swap, b.se, a.se), SIGN));
      addMagnitudes(f, r, x, y, d, differ);
      f.if(i64.eqz(r.hi.value), () => exactly(r, zeroSign(), i64.const(0)));
    },
    () => {
      const za = f.let(isZero(ea, a.m));
      const zb = f.let(isZero(eb, b.m));
      f.if(
        i32.and(za, zb),
        () => exactly(r, choose32(differ, zeroSign(), a.se), i64.const(0)),
        () => {
          const e = f.let(choose32(za, eb, ea));
          const m = f.let(choose(za, b.m, a.m));
          const normal = i32.and(normalExponent(e), i64.lt_s(m, 0));
          f.if(i32.eqz(i32.and(i32.or(za, zb), normal)), () => refuse(f));
          r.sign.set(i32.and(choose32(za, b.se, a.se), SIGN));
          r.e.set(e);
          r.hi.set(m);
        },
      );
    },
  );
};

/** Zero when one operand (`either`) or the first is zero and the other one finite. */
function zeroResult(f: FunctionOps, r: Result, a: Extended, b: Extended, ea: I32, eb: I32, either: boolean): void {
  const za = f.let(isZero(ea, a.m));
  const zb = f.let(isZero(eb, b.m));
  const finiteA = i32.or(za, i32.and(normalExponent(ea), i64.lt_s(a.m, 0)));
  const finiteB = i32.and(normalExponent(eb), i64.lt_s(b.m, 0));
  const good = either ? i32.and(i32.or(za, zb), i32.and(finiteA, i32.or(zb, finiteB))) : i32.and(za, finiteB);
  f.if(i32.eqz(good), () => refuse(f));
  exactly(r, r.sign.value, i64.const(0));
}

const product: Binary = (f, r, a, b) => {
  const ea = exponentOf(f, a);
  const eb = exponentOf(f, b);
  r.sign.set(i32.and(i32.xor(a.se, b.se), SIGN));
  f.if(
    bothNormal(ea, eb, a, b),
    () => {
      multiplyMagnitudes(f, r, a.m, b.m, i32.sub(i32.add(ea, eb), BIAS));
    },
    () => zeroResult(f, r, a, b, ea, eb, true),
  );
};

const quotient: Binary = (f, r, a, b) => {
  const ea = exponentOf(f, a);
  const eb = exponentOf(f, b);
  r.sign.set(i32.and(i32.xor(a.se, b.se), SIGN));
  f.if(
    bothNormal(ea, eb, a, b),
    () => {
      divideMagnitudes(f, r, a.m, b.m, i32.add(i32.sub(ea, eb), BIAS));
    },
    () => zeroResult(f, r, a, b, ea, eb, false),
  );
};

const flipped = (f: FunctionOps, a: Extended, flip: I32): Extended => ({ se: f.let(i32.xor(a.se, flip)), m: a.m });

/**
 * What the parameter `how` of an operation says. `signs`: bit 15 flips the sign of the second operand, bit 16 that of the
 * first. `order`: nonzero exchanges them. `nothing`: it is not looked at.
 */
type How = 'signs' | 'order' | 'nothing';

function operands(f: FunctionOps, kind: How, how: I32, a: Extended, b: Extended): readonly [Extended, Extended] {
  if (kind === 'nothing') return [a, b];
  if (kind === 'signs') {
    return [flipped(f, a, i32.and(i32.shr_u(how, 1), SIGN)), flipped(f, b, i32.and(how, SIGN))];
  }
  const pick = (x: Extended, y: Extended): Extended => ({
    se: f.let(choose32(how, y.se, x.se)),
    m: f.let(choose(how, y.m, x.m)),
  });
  return [pick(a, b), pick(b, a)];
}

/** ST(dst) = ST(dst) op ST(src), then pop. */
const onStack = (name: string, operation: Binary, kind: How) =>
  define(name, ['i32', 'i32', 'i32', 'i32'], ['i32'], (f, dst, src, how, pop) => {
    const top = topOf(f);
    const to = slotOf(f, top, dst);
    const from = slotOf(f, top, src);
    const used = f.let(i32.or(tagBit(to), tagBit(from)));
    f.if(i32.ne(i32.and(f.get('ftw') as I32, used), used), () => refuse(f));
    const r = newResult(f);
    operation(f, r, ...operands(f, kind, how, readSlot(f, to), readSlot(f, from)));
    settle(f, r, to, pop);
    return [i32.const(1)];
  });

/** ST(0) = ST(0) op a number. */
const onNumber = (name: string, operation: Binary, kind: How) =>
  define(name, ['i32', 'i64', 'i32'], ['i32'], (f, se, m, how) => {
    const to = slotOf(f, topOf(f), i32.const(0));
    f.if(i32.eqz(i32.and(f.get('ftw') as I32, tagBit(to))), () => refuse(f));
    const r = newResult(f);
    operation(f, r, ...operands(f, kind, how, readSlot(f, to), { se, m }));
    settle(f, r, to, i32.const(0));
    return [i32.const(1)];
  });

export const addStack = onStack('x87Add', sum, 'signs');
export const mulStack = onStack('x87Mul', product, 'nothing');
export const divStack = onStack('x87Div', quotient, 'order');
export const addNumber = onNumber('x87AddNumber', sum, 'signs');
export const mulNumber = onNumber('x87MulNumber', product, 'nothing');
export const divNumber = onNumber('x87DivNumber', quotient, 'order');

/** A result rounded to nearest: exponent, significand, whether it went up, and what was lost. */
function roundedToNearest(f: FunctionOps, r: Magnitude): Exprs<readonly ['i32', 'i64', 'i64', 'i64']> {
  const lo = r.lo.value;
  const up = f.let(i64.and(i64.shr_u(lo, 63), i64.or(nonzero(i64.shl(lo, 1)), r.hi.value)));
  const m = f.let(i64.add(r.hi.value, up));
  const wraps = f.let(i64.lt_u(m, up));
  return [i32.add(r.e.value, wraps), i64.or(m, i64.shl(i64.extend_u(wraps), 63)), up, lo];
}

const NORMAL_RESULTS = ['i32', 'i64', 'i64', 'i64'] as const;

/** The quotient of two significands whose exponents differ by `e`. */
export const divNormal = define('x87DivNormal', ['i64', 'i64', 'i32'], NORMAL_RESULTS, (f, a, b, e) => {
  const r = newResult(f);
  divideMagnitudes(f, r, a, b, e);
  return roundedToNearest(f, r);
});

/** The root of a positive normal number. */
export const rootNormal = define('x87RootNormal', ['i64', 'i32'], NORMAL_RESULTS, (f, m, e) => {
  const r = newResult(f);
  rootInto(f, r, e, m);
  return roundedToNearest(f, r);
});

function rootInto(f: FunctionOps, r: Magnitude, e: I32, m: I64): void {
  const odd = f.let(i32.and(i32.xor(e, 1), 1));
  const root = squareRoot(f, m, f.let(i64.extend_u(odd)));
  r.hi.set(root.hi);
  r.lo.set(root.lo);
  r.e.set(i32.add(i32.shr_s(i32.sub(i32.sub(e, BIAS), odd), 1), BIAS));
}

/** FSQRT. */
export const squareRootTop = define('x87Sqrt', [], ['i32'], (f) => {
  const to = slotOf(f, topOf(f), i32.const(0));
  f.if(i32.eqz(i32.and(f.get('ftw') as I32, tagBit(to))), () => refuse(f));
  const a = readSlot(f, to);
  const e = exponentOf(f, a);
  const r = newResult(f);
  f.if(
    isZero(e, a.m),
    () => exactly(r, a.se, a.m),
    () => {
      // Negative numbers have an exponent word above the others.
      f.if(i32.eqz(i32.and(normalExponent(a.se), i64.lt_s(a.m, 0))), () => refuse(f));
      rootInto(f, r, e, a.m);
    },
  );
  settle(f, r, to, i32.const(0));
  return [i32.const(1)];
});

/**
 * The common x87 instructions as code: a runtime function does the case of ordinary numbers, whatever else there is goes
 * on in TypeScript (x87-execute.ts, x87-memory.ts), which does the whole instruction.
 */
import { Vector } from '../exit.ts';
import { condition, setFromWord } from '../flags.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { type I32, type I64, i32, i64, select } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import * as arith from '../runtime/x87-arith.ts';
import * as move from '../runtime/x87-move.ts';
import type { Lower } from './row.ts';
import { knownLoadControl } from './x87-known.ts';
import { SW_BUSY, SW_ES } from './x87-state.ts';

type Slow = (h: HelperContext) => void;

/** #MF when an unmasked exception is pending: what every waiting instruction does first. */
export function raisePending(c: Ops): void {
  c.if(i32.and(c.get('fsw') as I32, SW_ES), () => c.raise(Vector.MF));
}

/** Notes the instruction pointer where the instruction was done, else has it done. */
function otherwise(c: Ops, done: I32, slow: Slow): void {
  c.if(
    done,
    () => c.set('fip', c.thisRip()),
    () => c.helper(slow),
  );
}

/** A register form that one function does. */
const whole =
  (f: (c: Ops) => I32) =>
  (slow: Slow): Lower =>
  (c) => {
    raisePending(c);
    otherwise(c, f(c), slow);
  };

const ZERO = i32.const(0);
/** Signs to flip for the reg field of sums: FADD none, FSUB the second operand's, FSUBR the first's. */
const FLIPS: Readonly<Record<number, number>> = { 0: 0, 4: 0x8000, 5: 0x10000 };

/** Arithmetic on the stack by reg field: ST(0) is the destination, or ST(i) with the reversed operations the other way round. */
export function stackArithmetic(reg: number, toTop: boolean, pop: boolean): (slow: Slow) => Lower {
  const operation = toTop || reg < 4 ? reg : reg ^ 1;
  return whole((c) => {
    const i = c.stackIndex();
    const [dst, src] = toTop ? [ZERO, i] : [i, ZERO];
    const pops = i32.const(pop ? 1 : 0);
    if (operation === 1) return c.call(arith.mulStack, dst, src, ZERO, pops);
    if (operation >= 6) return c.call(arith.divStack, dst, src, i32.const(operation & 1), pops);
    return c.call(arith.addStack, dst, src, i32.const(FLIPS[operation]!), pops);
  });
}

export const stackCompare = (pops: number): ((slow: Slow) => Lower) =>
  whole((c) => c.call(move.compareRegister, c.stackIndex(), i32.const(pops)));

/** FCOMI and its kin. */
export const flagsCompare =
  (pop: boolean) =>
  (slow: Slow): Lower =>
  (c) => {
    raisePending(c);
    const flags = c.call(move.compareFlags, c.stackIndex(), i32.const(pop ? 1 : 0));
    const done = c.let(i32.ge_s(flags, 0));
    otherwise(c, done, slow);
    c.if(done, () => setFromWord(c, flags));
  };

/** FCMOVcc by the condition's number, as in Jcc. */
export const conditionalMove = (cc: number): ((slow: Slow) => Lower) =>
  whole((c) => c.call(move.moveIf, c.stackIndex(), c.let(condition(c, cc))));

export const loadRegister = whole((c) => c.call(move.pushRegister, c.stackIndex()));
export const exchange = whole((c) => c.call(move.exchange, c.stackIndex()));
export const storeRegister = (pop: boolean): ((slow: Slow) => Lower) =>
  whole((c) => c.call(move.storeRegister, c.stackIndex(), i32.const(pop ? 1 : 0)));

/** FLD1 to FLDZ: significand and exponent, and which roundings take the next one (x87-move.ts). */
export const constant = (significand: bigint, se: number, side: 'down' | 'up' | 'exact'): ((slow: Slow) => Lower) =>
  whole((c) => {
    const mode = c.let(i32.and(i32.shr_u(c.get('fcw') as I32, 10), 3));
    const other = side === 'up' ? i32.and(mode, 1) : i32.eq(mode, 2);
    const step = i64.extend_u(other);
    const m = i64.const(significand);
    const value = side === 'exact' ? m : side === 'up' ? i64.sub(m, step) : i64.add(m, step);
    return c.call(move.pushNumber, i32.const(se), value);
  });

const moveTop = (c: Ops, by: number): void => {
  const fsw = c.get('fsw') as I32;
  const top = i32.and(i32.add(fsw, by << 11), 0x3800);
  c.set('fsw', i32.or(i32.and(fsw, ~0x3a00), top));
};

/** D9 D0 and E0 to FF, as far as they are here. */
export const NULLARY: Readonly<Record<number, (slow: Slow) => Lower>> = {
  208: whole(() => i32.const(1)),
  224: whole((c) => c.call(move.changeSign, i32.const(0xffff), i32.const(0x8000))),
  225: whole((c) => c.call(move.changeSign, i32.const(0x7fff), ZERO)),
  228: whole((c) => c.call(move.compareNumber, ZERO, i64.const(0), ZERO)),
  229: whole((c) => {
    c.call(move.examine);
    return i32.const(1);
  }),
  244: whole((c) => c.call(move.extractTop)),
  246: whole((c) => {
    moveTop(c, -1);
    return i32.const(1);
  }),
  247: whole((c) => {
    moveTop(c, 1);
    return i32.const(1);
  }),
  250: whole((c) => c.call(arith.squareRootTop)),
  252: whole((c) => c.call(move.roundTop)),
  253: whole((c) => c.call(move.scaleTop)),
};

interface Number80 {
  readonly se: I32;
  readonly m: I64;
  /** It is a normal number, zero or infinity. */
  readonly good: I32;
}

function fromDouble(c: Ops, v: I64): Number80 {
  const e = c.let(i32.and(i32.wrap(i64.shr_u(v, 52)), 0x7ff));
  const sign = i32.and(i32.wrap(i64.shr_u(v, 48)), 0x8000);
  const m = c.let(i64.shl(v, 11));
  return widened(c, e, 0x7ff, 15360, sign, m);
}

function fromSingle(c: Ops, v: I32): Number80 {
  const e = c.let(i32.and(i32.shr_u(v, 23), 0xff));
  const sign = i32.and(i32.shr_u(v, 16), 0x8000);
  return widened(c, e, 0xff, 16256, sign, c.let(i64.shl(i64.extend_u(v), 40)));
}

/** @param m the fraction, left-aligned above an undefined bit at the top */
function widened(c: Ops, e: I32, most: number, bias: number, sign: I32, m: I64): Number80 {
  const inner = c.let(i32.lt_u(i32.sub(e, 1), most - 1));
  const plain = c.let(i64.eqz(i64.and(m, (1n << 63n) - 1n)));
  const exponent = select(i32.add(e, bias), i32.and(i32.sub(0, i32.ne(e, 0)), 0x7fff), inner);
  const integer = i64.shl(i64.extend_u(i32.ne(e, 0)), 63);
  return {
    se: c.let(i32.or(sign, exponent)),
    m: c.let(i64.or(i64.and(m, (1n << 63n) - 1n), integer)),
    good: i32.or(inner, plain),
  };
}

/** The memory operand as a number, by the opcode: m32 and m64, m16 and m32 integers. */
function operand(c: Ops, opcode: number): Number80 {
  const v = c.read(0);
  switch (opcode) {
    case 0xd8:
    case 0xd9:
      return fromSingle(c, v as I32);
    case 0xdc:
    case 0xdd:
      return fromDouble(c, v as I64);
    default: {
      const wide =
        v.type === 'i64' ? (v as I64) : i64.extend_s(c.bits(0) === 16 ? i32.extend16_s(v as I32) : (v as I32));
      const [se, m] = c.call(move.fromInteger, wide);
      return { se, m, good: i32.const(1) };
    }
  }
}

/** Goes on with `f` where the operand is an ordinary number. */
const withNumber =
  (opcode: number, f: (c: Ops, v: Number80) => I32) =>
  (slow: Slow): Lower =>
  (c) => {
    raisePending(c);
    const v = operand(c, opcode);
    const done = c.variable(i32.const(0));
    c.if(v.good, () => done.set(f(c, v)));
    otherwise(c, done.value, slow);
  };

/** D8, DA, DC, DE by reg field: ST(0) with a number in memory. */
export const memoryArithmetic = (opcode: number, reg: number): ((slow: Slow) => Lower) =>
  withNumber(opcode, (c, { se, m }) => {
    if (reg === 1) return c.call(arith.mulNumber, se, m, ZERO);
    if (reg === 2 || reg === 3) return c.call(move.compareNumber, se, m, i32.const(reg - 2));
    if (reg >= 6) return c.call(arith.divNumber, se, m, i32.const(reg & 1));
    return c.call(arith.addNumber, se, m, i32.const(FLIPS[reg]!));
  });

/** FLD m32, m64 and FILD. */
export const loadNumber = (opcode: number): ((slow: Slow) => Lower) =>
  withNumber(opcode, (c, { se, m }) => c.call(move.pushNumber, se, m));

/** FLD m80. */
export const loadExtended =
  (slow: Slow): Lower =>
  (c) => {
    raisePending(c);
    const v = c.readExtended(0);
    otherwise(c, c.call(move.pushNumber, v.signExponent, v.significand), slow);
  };

/** Stores what a conversion gave and pops; memory comes first, as the store may fault. */
const store =
  (convert: (c: Ops) => readonly [I32, I64], pop: boolean) =>
  (slow: Slow): Lower =>
  (c) => {
    raisePending(c);
    const [flags, v] = convert(c);
    c.if(
      i32.ge_s(flags, 0),
      () => {
        c.write(0, c.bits(0) === 64 ? v : c.let(i32.wrap(v)));
        c.call(move.stored, flags, i32.const(pop ? 1 : 0));
        c.set('fip', c.thisRip());
      },
      () => c.helper(slow),
    );
  };

export const storeSingle = (pop: boolean): ((slow: Slow) => Lower) => store((c) => c.call(move.toSingle), pop);
export const storeDouble = (pop: boolean): ((slow: Slow) => Lower) => store((c) => c.call(move.toDouble), pop);
/** FIST, FISTP, and FISTTP, which chops. */
export const storeInteger = (bits: number, pop: boolean, chop: boolean): ((slow: Slow) => Lower) =>
  store((c) => c.call(move.toInteger, i64.const((1n << BigInt(bits - 1)) - 1n), i32.const(chop ? 3 : -1)), pop);

/** FSTP m80. */
export const storeExtended =
  (slow: Slow): Lower =>
  (c) => {
    raisePending(c);
    const [used, se, m] = c.call(move.readTop);
    c.if(
      used,
      () => {
        // Two stores, of which the hardware does the first even if the second faults.
        const at = c.address(0);
        c.store(64, at, m);
        c.store(16, c.further(at, 8), se);
        c.call(move.stored, ZERO, i32.const(1));
        c.set('fip', c.thisRip());
      },
      () => c.helper(slow),
    );
  };

/** FLDCW: bit 6 reads as one; exceptions that are no longer masked become pending. */
export const loadControl: Lower = (c) => {
  if (c.x87) {
    knownLoadControl(c, c.x87);
    return;
  }
  raisePending(c);
  const cw = c.let(i32.or(i32.and(c.read(0) as I32, 0x1f3f), 0x40));
  c.set('fcw', cw);
  const fsw = c.get('fsw') as I32;
  const open = i32.ne(i32.and(i32.and(fsw, i32.xor(cw, -1)), 0x3f), 0);
  const summary = i32.and(i32.sub(0, open), SW_ES | SW_BUSY);
  c.set('fsw', i32.or(i32.and(fsw, ~(SW_ES | SW_BUSY)), summary));
};

/** FNCLEX. */
export const clearExceptions: Lower = (c) => {
  if (c.x87) c.x87.clear();
  else c.set('fsw', i32.and(c.get('fsw') as I32, 0x7f00));
};

/** FWAIT. */
export const wait: Lower = (c) => {
  if (!c.x87) raisePending(c);
};

/** FFREE. */
const free = (c: Ops): I32 => {
  const fsw = c.get('fsw') as I32;
  const register = i32.and(i32.add(i32.shr_u(fsw, 11), c.stackIndex()), 7);
  c.set('ftw', i32.and(c.get('ftw') as I32, i32.xor(i32.shl(1, register), -1)));
  c.set('fsw', i32.and(fsw, ~0x200));
  return i32.const(1);
};
export const freeRegister = whole(free);

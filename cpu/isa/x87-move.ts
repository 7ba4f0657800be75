/** x87 loads, stores and moves without their operand fetch (Intel SDM vol. 2, FBLD to FXCH). */
import { convert, toBcd, toInt } from '../softfloat/convert.ts';
import { FLAG_IE, FLAG_OE, FLAG_PE, FLAG_UE, type FpEnv } from '../softfloat/env.ts';
import { defaultNaN, F32, F64, F80, pack32, pack64, type Real, unpack32, unpack64 } from '../softfloat/real.ts';
import type { X87 } from './x87-state.ts';

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
      fpu.popIf(pop);
    }
    return;
  }
  fpu.copy(0, i);
  fpu.popIf(pop);
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

/** Raised after the result is known. */
const LATE = FLAG_OE | FLAG_UE;

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
    fpu.popIf(pop);
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
  fpu.popIf(pop);
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
    fpu.popIf(pop);
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

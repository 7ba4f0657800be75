/**
 * The floating-point environment of one operation: what MXCSR or the x87 control word ask for, and the flags raised.
 * Flag and mask bits stand as in MXCSR 5:0 and the x87 status word 5:0 (Intel SDM vol. 1, 8.1.3 and 10.2.3).
 */
export const FLAG_IE = 0x01;
export const FLAG_DE = 0x02;
export const FLAG_ZE = 0x04;
export const FLAG_OE = 0x08;
export const FLAG_UE = 0x10;
export const FLAG_PE = 0x20;
/** Exceptions found before the result is computed; an unmasked one of these hides the others (SDM vol. 1, 4.9.2). */
export const FLAGS_PRE = FLAG_IE | FLAG_DE | FLAG_ZE;
export const FLAGS_ALL = 0x3f;

/** Rounding control, encoded as in MXCSR 14:13 and the x87 control word 11:10. */
export const ROUND_NEAREST = 0;
export const ROUND_DOWN = 1;
export const ROUND_UP = 2;
export const ROUND_CHOP = 3;

export class FpEnv {
  rounding = ROUND_NEAREST;
  /** Bit set = exception masked, same positions as the flags. */
  masks = FLAGS_ALL;
  /** Denormals are zeros: denormal operands count as zeros and do not raise DE. */
  daz = false;
  /** Flush to zero: a tiny result becomes a zero when underflow is masked. */
  ftz = false;
  /** The NaN rules of the x87 unit in place of those of SSE. */
  x87 = false;
  flags = 0;
  /** The last rounding increased the magnitude (C1 of the x87 status word). */
  roundedUp = false;

  raise(flag: number): void {
    this.flags |= flag;
  }

  /** Whether an unmasked exception among `flags` has been raised. */
  unmasked(flags: number = FLAGS_ALL): boolean {
    return (this.flags & ~this.masks & flags) !== 0;
  }

  /** Starts an SSE operation under `mxcsr`. */
  beginSse(mxcsr: number): void {
    this.rounding = (mxcsr >> 13) & 3;
    this.masks = (mxcsr >> 7) & FLAGS_ALL;
    this.daz = (mxcsr & 0x40) !== 0;
    this.ftz = (mxcsr & 0x8000) !== 0;
    this.x87 = false;
    this.flags = 0;
    this.roundedUp = false;
  }

  /** Starts an x87 operation under control word `cw`. */
  beginX87(cw: number): void {
    this.rounding = (cw >> 10) & 3;
    this.masks = cw & FLAGS_ALL;
    this.daz = false;
    this.ftz = false;
    this.x87 = true;
    this.flags = 0;
    this.roundedUp = false;
  }
}

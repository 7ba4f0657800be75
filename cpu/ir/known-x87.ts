/** The x87 for a tier that knows TOP, the tags and the control word: nothing about them is left to look at in the code. */
import type { I32, I64 } from './expr.ts';

/** An 80-bit number: sign (0x8000) with biased exponent, and significand. */
export interface Number80 {
  readonly se: I32;
  readonly m: I64;
  /** It is a normal number or zero. */
  readonly ordinary: boolean;
  /** It is zero or has an exponent that a double may have: the product of two such is no less ordinary. */
  readonly near?: boolean;
}

/** Precision is 64 bits, rounding to nearest, everything is masked and nothing is pending. */
export interface KnownX87 {
  /** ST(i), which has to be in use. */
  st(i: number): Number80;
  put(i: number, v: Number80): void;
  /** A new ST(0), for which there has to be room. */
  push(v: Number80): void;
  pop(): void;
  exchange(i: number): void;
  /** FFREE. */
  empty(i: number): void;
  /** FINCSTP and FDECSTP. */
  rotate(by: number): void;
  /** C1 by whether a magnitude was rounded up (0 or 1), and PE unless nothing was lost. */
  rounded(up: I64, lost: I64): void;
  /** C1 is clear. */
  exact(): void;
  /** C0, C2 and C3, at their places; C1 is clear. */
  compared(conditions: I32): void;
  /** Clears the exceptions. */
  clear(): void;
  /** FLDCW of a control word of the same kind. */
  setControl(cw: I32): void;
  /** Notes the instruction as the last one. */
  note(): void;
  /** Leaves the instruction, of which nothing has happened yet, to the interpreter. */
  leave(): void;
  /** The instruction is not for this tier at all. */
  refuse(): never;
}

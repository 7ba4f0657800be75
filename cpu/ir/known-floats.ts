/** What a tier may know of floating point that the interpreter has to look at each time. */
import type { F32, F64, I32 } from './expr.ts';

/** A value is a denormal or not, a NaN or not: bits of what has been found out about it. */
export const Known = { notDenormal: 1, notNan: 2 } as const;

/**
 * The code runs only while MXCSR rounds to nearest and masks everything, and PE stays what it was when the code was
 * made. DAZ and FTZ may be on: they do not matter to values that are no denormals.
 */
export interface KnownFloats {
  /** PE is set already: inexactness does not show. Otherwise only exact results count. */
  readonly inexact: boolean;
  /** Has all of `what` been found out about a value? */
  knows(v: F32 | F64, what: number): boolean;
  /** From here on it is known. */
  learn(v: F32 | F64, what: number): void;
  /** The upper 32 bits, loaded from memory that holds the value still; undefined where none does for certain. */
  inMemory(v: F32 | F64): I32 | undefined;
  /** Leaves the instruction, of which nothing has happened yet, to the interpreter. */
  leave(): void;
}

/**
 * Regions with floating point are made for what MXCSR holds when they are entered. Nothing in them changes the class: what
 * would raise a flag that is not set yet, and LDMXCSR to another class, is left to the interpreter.
 */
import { type I32, i32 } from '../ir/expr.ts';

/** All masked, to nearest, with PE set; the same with PE clear; anything else. `any`: of a region without floating point. */
export const MxcsrClass = { any: -1, inexact: 0, exact: 1, other: 2 } as const;
export type MxcsrClass = (typeof MxcsrClass)[keyof typeof MxcsrClass];

/** Masks, rounding and PE; not DAZ, FTZ and the other flags. */
const FIELDS = 0x7fa0;
const MASKED = 0x1f80;
const PE = 0x20;

/** The class of a value of MXCSR. */
export function classOfMxcsr(mxcsr: number): MxcsrClass {
  const fields = mxcsr & FIELDS;
  if (fields === (MASKED | PE)) return MxcsrClass.inexact;
  return fields === MASKED ? MxcsrClass.exact : MxcsrClass.other;
}

/** Whether a value to be loaded is of a class. */
export function isOfClass(value: I32, kind: MxcsrClass): I32 {
  const fields = i32.and(value, FIELDS);
  if (kind === MxcsrClass.inexact) return i32.eq(fields, MASKED | PE);
  if (kind === MxcsrClass.exact) return i32.eq(fields, MASKED);
  return i32.ne(i32.and(fields, ~PE), MASKED);
}

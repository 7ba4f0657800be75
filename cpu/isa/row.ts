/**
 * What a row of the instruction table is. A row is one encoding of the manual: its bytes, its operands, its meaning.
 * The decoder, the interpreter and the translator all come from the rows; see ../README.md for how to write one.
 */
import { Vector } from '../exit.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { type I32, i32 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';

/** The meaning of an instruction: builds code through `c`, once for each operand size and register or memory form. */
export type Lower = (c: Ops) => void;

/** What an EVEX encoding has beyond VEX; Intel SDM vol. 2, 2.7. */
export interface EvexOptions {
  /** Bits of an element of the destination, each with a bit of the opmask. Without it, no opmask but k0 may be named. */
  readonly mask?: 8 | 16 | 32 | 64;
  /** Bits of the elements that are counted over a vector of full length, when the destination's are narrower. */
  readonly per?: 32 | 64 | 16;
  /** Bits of the destination when it is a part of a vector, whatever the length. */
  readonly part?: 128 | 256;
  /** Bits of a memory element that may be broadcast. */
  readonly broadcast?: 32 | 64;
  /** Register forms may suppress exceptions, with a rounding of their own (`er`) or without. */
  readonly rounding?: 'er' | 'sae';
  /** Floating point of this width: elements that are masked off count as 1.0, which raises no exception anywhere. */
  readonly quiet?: 16 | 32 | 64;
  /** The memory operand is a part that is repeated over the vector. */
  readonly repeats?: true;
  /** Memory is read as a whole: masks do not suppress its faults. */
  readonly wholeMemory?: true;
  /** Zeroing is #UD (destination in k or gathered); with a memory destination it is anyway. */
  readonly merging?: true;
  /** k0 is #UD. */
  readonly needsMask?: true;
  /** N of disp8*N in bytes where it is not the size of the memory operand. */
  readonly disp8?: number;
}

export interface RowOptions {
  /** LOCK is allowed when the destination is memory; otherwise it is #UD. */
  readonly lock?: true;
  /** Valid only in 64-bit mode, or only outside it. */
  readonly mode?: '64' | '32';
  /** In 64-bit mode the operand size is 64 by default (`d64`: 66 makes 16), or always 64 (`f64`). Appendix A's superscripts. */
  readonly osz?: 'd64' | 'f64';
  /** The 66 that the encoding names is the operand-size prefix as well. */
  readonly sized66?: true;
  /** Accesses are not subject to the alignment check. */
  readonly unaligned?: true;
  /** Nothing of the block follows: control transfers, and what changes mode, flags TF or mappings. Conditional jumps too. */
  readonly ends?: true;
  /** Not with REX.B, which makes another instruction of it (90: NOP or XCHG R8, RAX). */
  readonly noRexB?: true;
  /** Operands that are not named: in DS (or its override), or there and in ES. Strings, XLAT, MASKMOV. */
  readonly string?: 'source' | 'both';
  /** The memory operand is an address only: no access, no segment base (LEA, NOP Ev, PREFETCH). */
  readonly addressOnly?: true;
  /**
   * 16-byte vector operands in memory: without this, an SSE encoding wants them aligned (#GP) and a VEX one does not.
   * `never`: MOVUPS and the like. `always`: MOVAPS, MOVNTDQ... in both encodings (32 bytes for ymm).
   */
  readonly align?: 'never' | 'always';
  /** The row goes through the elements of its memory operand itself: those that a mask leaves out are not
   * checked, and none is subject to the alignment check. */
  readonly elementwise?: true;
  /**
   * The memory operand is not to be checked before anything else: VCVTPS2PH's flags are in MXCSR even when it faults; the
   * address of BT with a register is not the one that is accessed.
   */
  readonly late?: true;
  /** SIB.index names a vector register (VSIB). */
  readonly vsib?: true;
  readonly evex?: EvexOptions;
}

export interface Row {
  /** Mnemonic, lower case. */
  readonly name: string;
  /**
   * As the manual writes it: `81 /0`, `0F B6 /r`, `50+r`, `66 0F 6F /r`, `NP 0F 28 /r`, `F3 REX.W 0F B8 /r`,
   * `VEX.128.66.0F38.W0 F7 /r`. `VEX.LZ`/`L1`/`LIG`: L must be 0 / 1 / is ignored; `EVEX.X`/`Y`: any length / not 128 bits. A row that names a prefix (or NP) matches it exactly;
   * one that names none ignores F2 and F3 and takes 66 as the operand size.
   */
  readonly encoding: string;
  /** Operands in the notation of the manual's appendix A, separated by blanks: `Ev Gv`, `Vx Hx Wx`, `Gv M`, `AL Ib`. */
  readonly operands: string;
  readonly lower: Lower;
  readonly options: RowOptions;
}

/** One row. */
export function op(name: string, encoding: string, operands: string, lower: Lower, options: RowOptions = {}): Row {
  const places = operands.split(' ').map((operand) => operand[0]);
  const mmx = places.some((place) => place === 'P' || place === 'Q' || place === 'N');
  return { name, encoding, operands, lower: mmx ? afterPending(places, lower) : lower, options };
}

/** #MF of an earlier x87 instruction comes before what an instruction does with MMX registers (SDM vol. 1, 9.6.4). */
const afterPending =
  (places: readonly (string | undefined)[], lower: Lower): Lower =>
  (c) => {
    const register = places.some((p, i) => p === 'P' || p === 'N' || (p === 'Q' && !c.isMemory(i)));
    if (register) c.if(i32.and(c.get('fsw') as I32, SUMMARY), () => c.raise(Vector.MF));
    lower(c);
  };
/** ES of the x87 status word. */
const SUMMARY = 0x80;

/**
 * An SSE row and its VEX.128 and VEX.256 forms. `operands` are written in the three-operand form (`Vx Hx Wx`): in the legacy
 * encoding H is the same register as the destination. `encoding` is the legacy one; `vex` is `x` (both lengths),
 * `128` or `LIG` (scalar), with an optional `.W0`/`.W1`.
 */
export function sse(
  name: string,
  encoding: string,
  operands: string,
  lower: Lower,
  options: RowOptions & { readonly vex?: string } = {},
): Row[] {
  const { vex = 'x', ...rest } = options;
  const [length, w] = vex.split('.');
  const m = /^(?:(NP|66|F2|F3) )?(?:REX\.(W) )?(0F ?38|0F ?3A|0F) (.*)$/.exec(encoding);
  if (!m) throw new Error(`not an SSE encoding: ${encoding}`);
  const map = m[3]!.replace(' ', '');
  const form = (l: string): Row => {
    const pp = m[1] === undefined || m[1] === 'NP' ? '' : `.${m[1]}`;
    const wide = w ?? (m[2] ? 'W1' : 'WIG');
    return op(`v${name}`, `VEX.${l}${pp}.${map}.${wide} ${m[4]}`, operands, lower, rest);
  };
  const lengths = length === 'x' ? ['128', '256'] : [length!];
  return [
    op(name, encoding.replace('0F38', '0F 38').replace('0F3A', '0F 3A'), operands, lower, rest),
    ...lengths.map(form),
  ];
}

/** A meaning written in TypeScript: called for each execution, for what is rare or long. */
export const helper =
  (run: (h: HelperContext) => void): Lower =>
  (c) =>
    c.helper(run);

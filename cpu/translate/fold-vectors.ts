/** Simplifies lanes of vectors: a lane that was just put in, or of a vector of zeros; and a register with itself. */
import { type Expr, f32, f64, type I32, type I64, i32, i64, node, type Type } from '../ir/expr.ts';
import { v128 } from '../ir/vector.ts';

const SIMD = 0xfd0000;
const CONST = SIMD + 0x0c;
const XOR = SIMD + 0x51;
/** The four shapes of 32 and 64 bits: extraction by opcode; replacement is the next opcode. */
const LANES: Readonly<Record<number, { readonly type: 'i32' | 'i64' | 'f32' | 'f64'; readonly bits: 32 | 64 }>> = {
  [SIMD + 0x1b]: { type: 'i32', bits: 32 },
  [SIMD + 0x1d]: { type: 'i64', bits: 64 },
  [SIMD + 0x1f]: { type: 'f32', bits: 32 },
  [SIMD + 0x21]: { type: 'f64', bits: 64 },
};

/** A vector whose lowest element of `bits` bits has a value of its own. */
export interface Split {
  readonly rest: Expr<'v128'>;
  /** f32 or f64. */
  readonly low: Expr;
}

const isZero = (e: Expr): boolean => e.op === CONST && (e.value as Uint8Array).every((b) => b === 0);
const zeroOf = (bits: 32 | 64): Expr =>
  bits === 64 ? f64.reinterpret(i64.const(0)) : (f32.reinterpret(i32.const(0)) as Expr);

/** Takes apart what has its lowest element put in as one of `bits` bits. */
export function split(e: Expr<'v128'>, bits: 32 | 64): Split | undefined {
  if (isZero(e)) return { rest: e, low: zeroOf(bits) };
  const put = LANES[e.op - 1];
  if (!put || put.bits !== bits || e.value !== 0) return undefined;
  return { rest: e.args[0] as Expr<'v128'>, low: converted(e.args[1]!, bits === 64 ? 'f64' : 'f32') };
}

/** What the lowest element is put into, and what is put there; undefined where none is. */
export function lowPut(e: Expr<'v128'>): readonly [Expr, Expr] | undefined {
  return LANES[e.op - 1] && e.value === 0 ? [e.args[0]!, e.args[1]!] : undefined;
}

/** The same bits as another type of the same width. */
function converted(v: Expr, type: Type): Expr {
  if (v.type === type) return v;
  // There and back again.
  if (isReinterpret(v) && v.args[0]!.type === type) return v.args[0]!;
  switch (type) {
    case 'i32':
      return i32.reinterpret(v as Expr<'f32'>);
    case 'i64':
      return i64.reinterpret(v as Expr<'f64'>);
    case 'f32':
      return f32.reinterpret(v as I32);
    default:
      return f64.reinterpret(v as I64);
  }
}

/** A reinterpretation of one. */
export const foldReinterpret = (e: Expr, a: Expr): Expr | undefined =>
  isReinterpret(e) && isReinterpret(a) && a.args[0]!.type === e.type ? a.args[0] : undefined;
const isReinterpret = (e: Expr): boolean => e.op >= 0xbc && e.op <= 0xbf;

/** An extraction; undefined when it is as simple as can be. */
export function foldExtract(e: Expr, a: Expr): Expr | undefined {
  const want = LANES[e.op];
  if (!want) return undefined;
  const lane = e.value as number;
  if (isZero(a)) return converted(want.bits === 64 ? i64.const(0) : i32.const(0), want.type);
  const put = LANES[a.op - 1];
  if (!put) return undefined;
  const v = a.args[1]!;
  const at = (a.value as number) * put.bits;
  const from = lane * want.bits;
  if (from + want.bits <= at || at + put.bits <= from) {
    const below = node(e.type, e.op, [a.args[0]!], lane);
    return foldExtract(below, a.args[0]!) ?? below;
  }
  if (want.bits === put.bits) return converted(v, want.type);
  if (want.bits > put.bits) return undefined;
  const whole = converted(v, 'i64') as I64;
  const part = from === at ? whole : i64.shr_u(whole, from - at);
  return converted(i32.wrap(part), want.type);
}

/** A replacement in a vector where the same lane was replaced before. */
export function foldReplace(e: Expr, a: Expr, v: Expr): Expr | undefined {
  const put = LANES[e.op - 1];
  const before = LANES[a.op - 1];
  if (!put || !before || put.bits !== before.bits || a.value !== e.value) return undefined;
  return node(e.type, e.op, [a.args[0]!, v], e.value);
}

const same = (a: Expr, b: Expr): boolean =>
  a === b ||
  (a.op === b.op &&
    a.value === b.value &&
    a.args.length === b.args.length &&
    (a.op === 0x20 || a.args.length > 0) &&
    a.args.every((x, n) => same(x, b.args[n]!)));

/** A register that is cleared. */
export const foldXor = (e: Expr, a: Expr, b: Expr): Expr | undefined =>
  e.op === XOR && same(a, b) ? v128.zero() : undefined;

/** Simplifies expressions whose parts are constants by now, as operands of a translated instruction often are. */
import { type Expr, i32, i64, node, type Type } from '../ir/expr.ts';
import { foldExtract, foldReinterpret, foldReplace, foldXor } from './fold-vectors.ts';

const CONST32 = 0x41;
const CONST64 = 0x42;
const SELECT = 0x1b;
const EQZ32 = 0x45;
const EQZ64 = 0x50;
const WRAP = 0xa7;
const EXTEND_S = 0xac;
const EXTEND_U = 0xad;

const is32 = (e: Expr): boolean => e.op === CONST32;
const is64 = (e: Expr): boolean => e.op === CONST64;
const num = (e: Expr): number => e.value as number;
const big = (e: Expr): bigint => e.value as bigint;

/** The operator on constants; undefined for those that are not worth it. */
function binary32(op: number, a: number, b: number): number | undefined {
  switch (op) {
    case 0x46:
      return a === b ? 1 : 0;
    case 0x47:
      return a !== b ? 1 : 0;
    case 0x49:
      return a >>> 0 < b >>> 0 ? 1 : 0;
    case 0x6a:
      return (a + b) | 0;
    case 0x6b:
      return (a - b) | 0;
    case 0x70:
      return b === 0 ? undefined : ((a >>> 0) % (b >>> 0)) | 0;
    case 0x71:
      return a & b;
    case 0x72:
      return a | b;
    case 0x73:
      return a ^ b;
    case 0x74:
      return a << b;
    case 0x75:
      return a >> b;
    case 0x76:
      return (a >>> b) | 0;
    default:
      return undefined;
  }
}

function binary64(op: number, a: bigint, b: bigint): Expr | undefined {
  switch (op) {
    case 0x51:
      return i32.const(a === b ? 1 : 0);
    case 0x52:
      return i32.const(a !== b ? 1 : 0);
    case 0x7c:
      return i64.const(a + b);
    case 0x7d:
      return i64.const(a - b);
    case 0x83:
      return i64.const(a & b);
    case 0x84:
      return i64.const(a | b);
    case 0x85:
      return i64.const(a ^ b);
    case 0x86:
      return i64.const(a << (b & 63n));
    case 0x87:
      return i64.const(a >> (b & 63n));
    case 0x88:
      return i64.const(BigInt.asUintN(64, a) >> (b & 63n));
    default:
      return undefined;
  }
}

/** The right operand makes nothing of the operation, or everything. */
function identity32(op: number, a: Expr, b: number): Expr | undefined {
  if (b === 0) {
    if (op === 0x6a || op === 0x6b || (op >= 0x72 && op <= 0x78)) return a;
    if (op === 0x71) return i32.const(0);
  }
  return b === -1 && op === 0x71 ? a : undefined;
}

function identity64(op: number, a: Expr, b: bigint): Expr | undefined {
  if (b === 0n) {
    if (op === 0x7c || op === 0x7d || (op >= 0x84 && op <= 0x8a)) return a;
    if (op === 0x83) return i64.const(0);
    // A number with its upper half extended compares with 0 as its lower half does.
    const narrow = a.op === EXTEND_S ? a.args[0]! : undefined;
    if (narrow && op === 0x51) return node('i32', EQZ32, [narrow]);
    if (narrow && op === 0x53) return i32.lt_s(narrow as Expr<'i32'>, 0);
    if (narrow && op === 0x57) return i32.le_s(narrow as Expr<'i32'>, 0);
  }
  if (b === -1n) {
    if (op === 0x83) return a;
    if (op === 0x56) return i32.const(0); // nothing is above all ones
  }
  if (b === 0xffffffffn && op === 0x83 && a.op === EXTEND_U) return a;
  if (b === 63n && op === 0x88 && a.op === EXTEND_S) return i64.extend_u(i32.shr_u(a.args[0] as Expr<'i32'>, 31));
  return undefined;
}

function unary(e: Expr, a: Expr): Expr | undefined {
  switch (e.op) {
    case EQZ32:
      return is32(a) ? i32.const(num(a) === 0 ? 1 : 0) : undefined;
    case EQZ64:
      if (is64(a)) return i32.const(big(a) === 0n ? 1 : 0);
      return a.op === EXTEND_S || a.op === EXTEND_U ? node('i32', EQZ32, [a.args[0]!]) : undefined;
    case WRAP:
      if (is64(a)) return i32.const(Number(BigInt.asIntN(32, big(a))));
      if (a.op === EXTEND_S || a.op === EXTEND_U) return a.args[0];
      return a.op === 0x83 && is64(a.args[1]!) && big(a.args[1]!) === 0xffffffffn
        ? fold(node('i32', WRAP, [a.args[0]!]))
        : undefined;
    case EXTEND_U:
      return is32(a) ? i64.const(num(a) >>> 0) : undefined;
    case EXTEND_S:
      return is32(a) ? i64.const(num(a)) : undefined;
    default:
      return undefined;
  }
}

function shallow(e: Expr): Expr {
  const { args, op } = e;
  const a = args[0]!;
  if (args.length === 1) return unary(e, a) ?? foldReinterpret(e, a) ?? foldExtract(e, a) ?? e;
  const b = args[1]!;
  if (args.length === 3) {
    const c = args[2]!;
    return op === SELECT && is32(c) ? (num(c) !== 0 ? a : b) : e;
  }
  if (e.type === 'v128') return foldReplace(e, a, b) ?? foldXor(e, a, b) ?? e;
  if (is32(b)) {
    if (is32(a)) {
      const r = binary32(op, num(a), num(b));
      return r === undefined ? e : i32.const(r);
    }
    return identity32(op, a, num(b)) ?? e;
  }
  if (is64(b)) return (is64(a) ? binary64(op, big(a), big(b)) : identity64(op, a, big(b))) ?? e;
  // Zero on the left of or, xor and add.
  if (is32(a) && num(a) === 0 && (op === 0x6a || op === 0x72 || op === 0x73)) return b;
  if (is64(a) && big(a) === 0n && (op === 0x7c || op === 0x84 || op === 0x85)) return b;
  return e;
}

/** The same value with less to compute. */
export function fold<T extends Type>(e: Expr<T>): Expr<T> {
  const { args } = e;
  if (args.length === 0) return e;
  let changed = false;
  const folded: Expr[] = [];
  for (const a of args) {
    const f = fold(a);
    if (f !== a) changed = true;
    folded.push(f);
  }
  return shallow(changed ? { ...e, args: folded } : e) as Expr<T>;
}

/** The value of a constant i32. */
export const constant32 = (e: Expr): number | undefined => (e.op === CONST32 ? (e.value as number) : undefined);

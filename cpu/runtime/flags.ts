/** Flags of operations that regions keep as their operands (translate/flags.ts), made when somebody wants to see them. */
import { addAux, subAux } from '../flags.ts';
import { type F64, f64, type I32, type I64, type Int, i32, i64, signExtend, truncate, word } from '../ir/expr.ts';
import { define, type FunctionOps, type Variable } from '../ir/function.ts';

/**
 * How a region keeps flags: `Generic` has the result and `aux` themselves; the others the two operands of an operation,
 * zero-extended, for 8, 16, 32 and 64 bits. `Ordered` has two doubles that were compared, neither a NaN.
 */
export const FlagKind = { Generic: 0, Sub: 1, Add: 5, Ordered: 9 } as const;

const WIDTHS = [8, 16, 32, 64] as const;

/** Does `f` for the operation that `kind` names. */
function each(
  c: FunctionOps,
  kind: Parameters<typeof i32.eq>[0],
  a: I64,
  b: I64,
  f: (add: boolean, bits: number, a: Int, b: Int, r: Int) => void,
): void {
  for (const add of [false, true]) {
    WIDTHS.forEach((bits, n) => {
      c.if(i32.eq(kind, (add ? FlagKind.Add : FlagKind.Sub) + n), () => {
        const x = bits === 64 ? a : c.let(i32.wrap(a));
        const y = bits === 64 ? b : c.let(i32.wrap(b));
        const r = c.let(truncate(bits, add ? word(bits).add(x, y) : word(bits).sub(x, y)));
        f(add, bits, x, y, r);
      });
    });
  }
}

/** ZF and CF as COMISD sets them, PF clear; see flags.ts for what `aux` holds. */
export const resultOfOrder = (a: F64, b: F64): I64 => i64.extend_u(f64.ne(a, b));
export const auxOfOrder = (a: F64, b: F64): I32 =>
  i32.or(i32.and(i32.sub(0, f64.lt(a, b)), 0xc0000000), i32.shl(f64.eq(a, b), 8));

/** `flagResult` of flags kept in any way. */
export const resultOfFlags = define('resultOfFlags', ['i32', 'i64', 'i64'], ['i64'], (c, kind, a, b) => {
  const result: Variable<'i64'> = c.variable(a);
  c.if(i32.eq(kind, FlagKind.Ordered), () => result.set(resultOfOrder(f64.reinterpret(a), f64.reinterpret(b))));
  each(c, kind, a, b, (_add, bits, _x, _y, r) => result.set(signExtend(bits, r)));
  return [result.value];
});

/** `flagAux` of flags kept in any way. */
export const auxOfFlags = define('auxOfFlags', ['i32', 'i64', 'i64'], ['i32'], (c, kind, a, b) => {
  const aux = c.variable(i32.wrap(b));
  c.if(i32.eq(kind, FlagKind.Ordered), () => aux.set(auxOfOrder(f64.reinterpret(a), f64.reinterpret(b))));
  each(c, kind, a, b, (add, bits, x, y, r) => aux.set((add ? addAux : subAux)(c, bits, x, y, r)));
  return [aux.value];
});

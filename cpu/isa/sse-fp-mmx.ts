/** Conversions between MMX and SSE registers, always by soft float (Intel SDM vol. 2, CVTPI2PS to CVTTPS2PI). */
import { Vector } from '../exit.ts';
import { type I32, type I64, i32 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { i64x2, lowQuad } from '../ir/vector.ts';
import type { Lower } from './row.ts';
import type { FpWidth } from './sse-fp-forms.ts';
import { f32ToInt, f64ToInt, intToF32, intToF64 } from './sse-fp-ops.ts';
import { each32, each64, slowly } from './sse-fp-slow.ts';
import { SW_ES } from './x87-state.ts';

/** The switch to MMX comes before the instruction's own exceptions, and a pending x87 exception before both. */
function enterMmx(c: Ops): void {
  c.if(i32.and(c.get('fsw') as I32, SW_ES), () => c.raise(Vector.MF));
  c.set('fsw', i32.and(c.get('fsw') as I32, ~0x3800));
  c.set('ftw', i32.const(0xff));
}

/** CVTPI2PS, CVTPI2PD. */
export const fromMmx =
  (width: FpWidth): Lower =>
  (c) => {
    const source = lowQuad(c.read(1) as I64);
    const base = c.readVector(0);
    if (!c.isMemory(1)) {
      enterMmx(c);
    }
    const slow =
      width === 32
        ? each32(2, (env, s, i) => intToF32(env, BigInt(s.i32(0, i))))
        : each64(2, (env, s, i) => intToF64(env, BigInt(s.i32(0, i))));
    const r = slowly(c, [[source]], slow)[0]!;
    c.writeVector(0, width === 64 ? r : i64x2.replace(base, 0, i64x2.extract(r, 0)));
  };
/** CVT(T)PS2PI, CVT(T)PD2PI. */
export const toMmx =
  (width: FpWidth, chop: boolean): Lower =>
  (c) => {
    const source = c.readVector(1);
    enterMmx(c);
    const slow = each32(2, (env, s, i) =>
      Number(width === 32 ? f32ToInt(env, s.u32(0, i), 32, chop) : f64ToInt(env, s.u64(0, i), 32, chop)),
    );
    c.write(0, i64x2.extract(slowly(c, [[source]], slow)[0]!, 0));
  };

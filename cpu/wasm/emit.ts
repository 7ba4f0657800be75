/** Turns expressions into WebAssembly. */
import type { Expr } from '../ir/expr.ts';
import type { ByteWriter } from './writer.ts';

const SIMD = 0xfd0000;

/** Writes the code that leaves the value of an expression on the stack. */
export function emitExpr(w: ByteWriter, e: Expr): void {
  for (const a of e.args) emitExpr(w, a);
  const { op, value } = e;
  if (op >= SIMD) {
    w.u8(0xfd);
    w.uleb(op - SIMD);
    if (op === SIMD || op === SIMD + 0x0b) emitMemarg(w, value as number);
    else if (value instanceof Uint8Array) w.append(value);
    else if (value !== undefined) w.u8(value as number);
    return;
  }
  if (op >= 0xfc00) {
    w.u8(0xfc);
    w.uleb(op - 0xfc00);
    return;
  }
  w.u8(op);
  if (op === 0x41) w.sleb(value as number);
  else if (op === 0x42) w.sleb64(value as bigint);
  else if (op === 0x20) w.uleb(value as number);
  else if (op >= 0x28 && op <= 0x35) emitMemarg(w, value as number);
}

/** Alignment is given as one byte throughout: it is only a hint. */
function emitMemarg(w: ByteWriter, offset: number): void {
  w.u8(0);
  w.uleb(offset);
}

/** Opcodes of loads and stores by width and type. */
export const Load = {
  i32: 0x28,
  i64: 0x29,
  f32: 0x2a,
  f64: 0x2b,
  u8: 0x2d,
  u16: 0x2f,
  s32as64: 0x34,
  u32as64: 0x35,
  v128: SIMD,
} as const;
export const Store = { i32: 0x36, i64: 0x37, f32: 0x38, f64: 0x39, i8: 0x3a, i16: 0x3b, v128: SIMD + 0x0b } as const;

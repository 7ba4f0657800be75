/** Single elements in and out of vectors, blends by a mask register, PTEST (SSE2 to SSE4.1 and their VEX forms). */
import { type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { i8x16, i16x8, i32x4, i64x2, lowQuad, v128 } from '../ir/vector.ts';
import { type Lower, op, type Row, sse } from './row.ts';
import { hex2, imm8, lanesOf, readMmx, vex, writeLanes, writeMmx } from './simd-forms.ts';
import { blendVariable, insertps, iota, type Kernel3, lanes, spreadDword } from './simd-kernels.ts';

/** The vector turned so that element `n` of `bytes` bytes stands first. */
function element(a: V128, n: I32, bytes: number): V128 {
  return i8x16.swizzle(a, i8x16.add(iota(), i8x16.splat(bytes === 1 ? n : i32.shl(n, Math.log2(bytes)))));
}

/** a with element `n` (of `bytes` bytes) taken from `value`, which has it in every element. */
function replaced(a: V128, n: I32, bytes: number, value: V128): V128 {
  const numbers = lanes(1, ...Array.from({ length: 16 }, (_, i) => Math.floor(i / bytes)));
  return v128.bitselect(value, a, i8x16.eq(numbers, i8x16.splat(n)));
}

const splat = (bytes: number, value: I32): V128 =>
  bytes === 1 ? i8x16.splat(value) : bytes === 2 ? i16x8.splat(value) : i32x4.splat(value);

const toI32 = (c: Ops, i: number): I32 => {
  const value = c.read(i);
  return value.type === 'i64' ? i32.wrap(value as I64) : (value as I32);
};

/** PINSRB, PINSRW: `Vdq Hdq <source> Ib` */
const insert =
  (bytes: 1 | 2): Lower =>
  (c) => {
    const n = c.let(i32.and(imm8(c, 3), 16 / bytes - 1));
    const a = c.readVector(1);
    c.writeVector(0, c.let(replaced(a, n, bytes, splat(bytes, toI32(c, 2)))));
  };

/** PINSRD, PINSRQ by the operand size. */
const insertWide: Lower = (c) => {
  const wide = c.bits(2) === 64;
  const n = c.let(i32.and(imm8(c, 3), wide ? 1 : 3));
  const a = c.readVector(1);
  const value = wide ? i64x2.splat(c.read(2) as I64) : i32x4.splat(c.read(2) as I32);
  c.writeVector(0, c.let(replaced(a, n, wide ? 8 : 4, value)));
};

/** PEXTRB, PEXTRW, EXTRACTPS: `<destination> Vdq Ib` */
const extract =
  (bytes: 1 | 2 | 4): Lower =>
  (c) => {
    const n = i32.and(imm8(c, 2), 16 / bytes - 1);
    const turned = element(c.readVector(1), c.let(n), bytes);
    const value = c.let(
      bytes === 1 ? i8x16.extract_u(turned, 0) : bytes === 2 ? i16x8.extract_u(turned, 0) : i32x4.extract(turned, 0),
    );
    c.write(0, c.bits(0) === 64 ? i64.extend_u(value) : value);
  };

const extractWide: Lower = (c) => {
  const wide = c.bits(0) === 64;
  const n = c.let(i32.and(imm8(c, 2), wide ? 1 : 3));
  const turned = element(c.readVector(1), n, wide ? 8 : 4);
  c.write(0, wide ? i64x2.extract(turned, 0) : i32x4.extract(turned, 0));
};

/** INSERTPS; from a register the immediate chooses the element, from memory there is one. */
const insertElement: Lower = (c) => {
  const imm = imm8(c, 3);
  const a = c.readVector(1);
  const value = c.isMemory(2)
    ? i32x4.splat(c.read(2) as I32)
    : spreadDword(c, c.readVector(2), c.let(i32.shr_u(imm, 6)));
  c.writeVector(0, c.let(insertps(c, a, c.let(value), imm)));
};

/** ZF: no common bit; CF: no bit of b outside a. `mask` narrows both to sign bits (VTESTPS, VTESTPD). */
const test =
  (mask?: V128): Lower =>
  (c) => {
    const a = lanesOf(c, 0);
    const b = lanesOf(c, 1);
    const any = (f: (x: V128, y: V128) => V128): I32 => {
      const parts = a.map((value, lane) => {
        const both = f(value, b[lane]!);
        return v128.any_true(mask ? v128.and(both, mask) : both);
      });
      return parts.length === 2 ? i32.or(parts[0]!, parts[1]!) : parts[0]!;
    };
    const common = c.let(any((x, y) => v128.and(x, y)));
    const outside = c.let(any((x, y) => v128.andnot(y, x)));
    setZeroCarry(c, i32.eqz(common), i32.eqz(outside));
  };

/** ZF and CF as given, all other status flags 0. See ../flags.ts for the lazy form: a result of 0 or 1 with a parity of 1. */
export function setZeroCarry(c: Ops, zero: I32, carry: I32): void {
  const z = c.let(zero);
  const f = c.let(carry);
  // CF = aux[31], OF = aux[31] ^ aux[30]; PF = parity(result[7:0]) ^ aux[15:8]: PF is 0 for result 1, 1 for 0 unless turned
  const aux = i32.or(i32.mul(f, 0xc0000000 | 0), i32.shl(z, 8));
  c.setFlags(i64.extend_u(i32.xor(z, 1)), aux);
}

/** PBLENDVB and the like: the legacy encodings take the mask from XMM0. */
function variableBlend(name: string, legacy: number, code: number, kernel: Kernel3): Row[] {
  return [
    op(name, `66 0F 38 ${hex2(legacy)} /r`, 'Vdq Wdq', (c) => {
      const a = c.readVector(0);
      const b = c.readVector(1);
      c.writeVector(0, c.let(kernel(c, a, b, c.vector(0))));
    }),
    ...vex(`v${name}`, `66.0F3A.W0 ${hex2(code)} /r`, 'Vx Hx Wx Lx', (c) => {
      const a = lanesOf(c, 1);
      const b = lanesOf(c, 2);
      const mask = lanesOf(c, 3);
      writeLanes(
        c,
        0,
        a.map((value, lane) => kernel(c, value, b[lane]!, mask[lane]!)),
      );
    }),
  ];
}

const V = { vex: '128' } as const;

export const simdLaneRows: readonly Row[] = [
  ...sse('pinsrw', '66 0F C4 /r', 'Vdq Hdq Rd Ib', insert(2), V),
  ...sse('pinsrw', '66 0F C4 /r', 'Vdq Hdq Mw Ib', insert(2), V),
  ...sse('pextrw', '66 0F C5 /r', 'Gd Udq Ib', extract(2), V),
  op('pinsrw', 'NP 0F C4 /r', 'Pq Rd Ib', (c) => insertMmx(c)),
  op('pinsrw', 'NP 0F C4 /r', 'Pq Mw Ib', (c) => insertMmx(c)),
  op('pextrw', 'NP 0F C5 /r', 'Gd Nq Ib', (c) => {
    const n = c.let(i32.and(imm8(c, 2), 3));
    c.write(0, i16x8.extract_u(element(readMmx(c, 1), n, 2), 0));
  }),
  ...sse('pextrb', '66 0F3A 14 /r', 'Rd Vdq Ib', extract(1), V),
  ...sse('pextrb', '66 0F3A 14 /r', 'Mb Vdq Ib', extract(1), V),
  ...sse('pextrw', '66 0F3A 15 /r', 'Rd Vdq Ib', extract(2), V),
  ...sse('pextrw', '66 0F3A 15 /r', 'Mw Vdq Ib', extract(2), V),
  ...sse('pextrd', '66 0F3A 16 /r', 'Ey Vdq Ib', extractWide, V),
  ...sse('extractps', '66 0F3A 17 /r', 'Ed Vdq Ib', extract(4), V),
  ...sse('pinsrb', '66 0F3A 20 /r', 'Vdq Hdq Rd Ib', insert(1), V),
  ...sse('pinsrb', '66 0F3A 20 /r', 'Vdq Hdq Mb Ib', insert(1), V),
  ...sse('insertps', '66 0F3A 21 /r', 'Vdq Hdq Udq Ib', insertElement, V),
  ...sse('insertps', '66 0F3A 21 /r', 'Vdq Hdq Md Ib', insertElement, V),
  ...sse('pinsrd', '66 0F3A 22 /r', 'Vdq Hdq Ey Ib', insertWide, V),

  ...sse('ptest', '66 0F38 17 /r', 'Vx Wx', test()),
  ...vex('vtestps', '66.0F38.W0 0E /r', 'Vx Wx', test(lanes(4, 0x80000000))),
  ...vex('vtestpd', '66.0F38.W0 0F /r', 'Vx Wx', test(lanes(4, 0, 0x80000000))),

  ...variableBlend('pblendvb', 0x10, 0x4c, blendVariable(i8x16.shr_s, 8)),
  ...variableBlend('blendvps', 0x14, 0x4a, blendVariable(i32x4.shr_s, 32)),
  ...variableBlend('blendvpd', 0x15, 0x4b, blendVariable(i64x2.shr_s, 64)),
];

function insertMmx(c: Ops): void {
  const n = c.let(i32.and(imm8(c, 2), 3));
  const a = lowQuad(c.read(0) as I64);
  writeMmx(c, 0, replaced(a, n, 2, i16x8.splat(toI32(c, 1))));
}

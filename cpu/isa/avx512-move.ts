/** Moves, broadcasts, and parts of vectors under EVEX. */
import { type I32, type I64, i32, type V128 } from '../ir/expr.ts';
import type { Lane } from '../ir/ops.ts';
import { i8x16, i16x8, i32x4, i64x2, v128 } from '../ir/vector.ts';
import { evex, type Width } from './avx512-forms.ts';
import { type EvexOptions, type Lower, op, type Row, type RowOptions } from './row.ts';
import { clear } from './simd-avx-int.ts';
import { imm8, lanesOf, writeLanes } from './simd-forms.ts';
import { simdLaneRows } from './simd-lane.ts';
import { simdMoveRows } from './simd-move.ts';

const copy: Lower = (c) => writeLanes(c, 0, lanesOf(c, 1));

/** Load (or register) and store. */
function whole(name: string, code: string, load: string, store: string, mask: Width, rest: RowOptions = {}): Row[] {
  return [
    evex(name, `X.${code} ${load} /r`, 'Vx Wx', copy, { mask }, rest),
    evex(name, `X.${code} ${store} /r`, 'Wx Vx', copy, { mask }, rest),
  ];
}
const aligned: RowOptions = { align: 'always' };

/** The same value in all lanes. */
const repeated =
  (f: (v: V128) => V128): Lower =>
  (c) => {
    const value = c.let(f(c.readVector(1, 0)));
    writeLanes(
      c,
      0,
      Array.from({ length: c.lanes }, () => value),
    );
  };
const bytes = (list: readonly number[]): V128 => v128.const(Uint8Array.from(list));
const SPREAD: Readonly<Record<Width, (v: V128) => V128>> = {
  8: (v) => i8x16.swizzle(v, v128.zero()),
  16: (v) => i8x16.swizzle(v, bytes(Array.from({ length: 16 }, (_, i) => i % 2))),
  32: (v) => i8x16.swizzle(v, bytes(Array.from({ length: 16 }, (_, i) => i % 4))),
  64: (v) => i64x2.splat(i64x2.extract(v, 0)),
};
/** A part of `lanes` lanes, repeated; 0 for the low 64 bits. */
const parts =
  (lanes: 0 | 1 | 2): Lower =>
  (c) => {
    const source = lanes === 0 ? [SPREAD[64](c.readVector(1, 0))] : [c.readVector(1, 0)];
    if (lanes === 2) source.push(c.readVector(1, 1));
    const bound = source.map((v) => c.let(v));
    writeLanes(
      c,
      0,
      Array.from({ length: c.lanes }, (_, lane) => bound[lane % bound.length]!),
    );
  };

const fromRegister =
  (width: Width): Lower =>
  (c) => {
    const v = c.read(1);
    const value = c.let(
      width === 64
        ? i64x2.splat(v as I64)
        : width === 32
          ? i32x4.splat(v as I32)
          : width === 16
            ? i16x8.splat(v as I32)
            : i8x16.splat(v as I32),
    );
    writeLanes(
      c,
      0,
      Array.from({ length: c.lanes }, () => value),
    );
  };

function broadcasts(): Row[] {
  const one = (name: string, code: string, operand: string, mask: Width, lengths = 'X'): Row =>
    evex(name, `${lengths}.66.0F38.${code} /r`, `Vx ${operand}`, repeated(SPREAD[mask]), { mask, repeats: true });
  const some = (name: string, code: string, operand: string, lanes: 0 | 1 | 2, mask: Width, lengths: string): Row =>
    evex(name, `${lengths}.66.0F38.${code} /r`, `Vx ${operand}`, parts(lanes), { mask, repeats: true });
  const general = (name: string, code: string, operand: string, mask: Width): Row =>
    evex(name, `X.66.0F38.${code} /r`, `Vx ${operand}`, fromRegister(mask), { mask });
  /** The opmask itself, as a number, in each element. */
  const mask = (name: string, w: string, width: 32 | 64, code: string): Row =>
    evex(name, `X.F3.0F38.${w} ${code} /r`, 'Vx Tq', (c) => {
      const k = c.read(1) as I64;
      const value = c.let(width === 64 ? i64x2.splat(k) : i32x4.splat(i32.and(i32.wrap(k), 0xffff)));
      writeLanes(
        c,
        0,
        Array.from({ length: c.lanes }, () => (width === 64 ? v128.and(value, LOW_BYTE()) : value)),
      );
    });
  const LOW_BYTE = (): V128 => bytes(Array.from({ length: 16 }, (_, i) => (i % 8 ? 0 : 255)));
  return [
    one('vpbroadcastb', 'W0 78', 'Wb', 8),
    one('vpbroadcastw', 'W0 79', 'Ww', 16),
    one('vpbroadcastd', 'W0 58', 'Wd', 32),
    one('vpbroadcastq', 'W1 59', 'Wq', 64),
    one('vbroadcastss', 'W0 18', 'Wd', 32),
    one('vbroadcastsd', 'W1 19', 'Wq', 64, 'Y'),
    some('vbroadcastf32x2', 'W0 19', 'Wq', 0, 32, 'Y'),
    some('vbroadcasti32x2', 'W0 59', 'Wq', 0, 32, 'X'),
    some('vbroadcastf32x4', 'W0 1A', 'Mdq', 1, 32, 'Y'),
    some('vbroadcasti32x4', 'W0 5A', 'Mdq', 1, 32, 'Y'),
    some('vbroadcastf64x2', 'W1 1A', 'Mdq', 1, 64, 'Y'),
    some('vbroadcasti64x2', 'W1 5A', 'Mdq', 1, 64, 'Y'),
    some('vbroadcastf32x8', 'W0 1B', 'Mqq', 2, 32, '512'),
    some('vbroadcasti32x8', 'W0 5B', 'Mqq', 2, 32, '512'),
    some('vbroadcastf64x4', 'W1 1B', 'Mqq', 2, 64, '512'),
    some('vbroadcasti64x4', 'W1 5B', 'Mqq', 2, 64, '512'),
    general('vpbroadcastb', 'W0 7A', 'Rd', 8),
    general('vpbroadcastw', 'W0 7B', 'Rd', 16),
    general('vpbroadcastd', 'W0 7C', 'Rd', 32),
    op('vpbroadcastd', 'EVEX.X.66.0F38.W1 7C /r', 'Vx Rd', fromRegister(32), { mode: '32', evex: { mask: 32 } }),
    general('vpbroadcastq', 'W1 7C', 'Rq', 64),
    mask('vpbroadcastmb2q', 'W1', 64, '2A'),
    mask('vpbroadcastmw2d', 'W0', 32, '3A'),
  ];
}

/** VINSERTF32X4 and the like: one of the parts of the first source is replaced. */
const insert =
  (width: 1 | 2): Lower =>
  (c) => {
    const imm = imm8(c, 3);
    const a = lanesOf(c, 1);
    const b = Array.from({ length: width }, (_, lane) => c.readVector(2, lane as Lane));
    const n = c.let(i32.and(imm, c.lanes / width - 1));
    writeLanes(
      c,
      0,
      a.map((v, lane) => {
        const here = i32x4.splat(i32.sub(0, i32.eq(n, Math.floor(lane / width))));
        return v128.bitselect(b[lane % width]!, v, here);
      }),
    );
  };

const extract =
  (width: 1 | 2): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const n = c.let(i32.and(imm8(c, 2), c.lanes / width - 1));
    const result = Array.from({ length: width }, (_, k) =>
      Array.from({ length: c.lanes / width }, (__, part) =>
        v128.and(a[part * width + k]!, i32x4.splat(i32.sub(0, i32.eq(n, part)))),
      ).reduce((x, y) => v128.or(x, y)),
    );
    const full = c.isMemory(0) ? result : Array.from({ length: c.lanes }, (_, lane) => result[lane] ?? v128.zero());
    writeLanes(c, 0, full);
  };

function partial(): Row[] {
  const lines: readonly (readonly [string, string, string, 1 | 2, Width, string, number])[] = [
    ['f32x4', '18', '19', 1, 32, 'Y', 0],
    ['i32x4', '38', '39', 1, 32, 'Y', 0],
    ['f64x2', '18', '19', 1, 64, 'Y', 1],
    ['i64x2', '38', '39', 1, 64, 'Y', 1],
    ['f32x8', '1A', '1B', 2, 32, '512', 0],
    ['i32x8', '3A', '3B', 2, 32, '512', 0],
    ['f64x4', '1A', '1B', 2, 64, '512', 1],
    ['i64x4', '3A', '3B', 2, 64, '512', 1],
  ];
  return lines.flatMap(([name, into, from, lanes, mask, lengths, w]): Row[] => {
    const operand = lanes === 1 ? 'Wdq' : 'Wqq';
    const code = (opcode: string): string => `${lengths}.66.0F3A.W${w} ${opcode} /r`;
    return [
      evex(`vinsert${name}`, code(into), `Vx Hx ${operand} Ib`, insert(lanes), { mask, wholeMemory: true }),
      evex(`vextract${name}`, code(from), `${operand} Vx Ib`, extract(lanes), {
        mask,
        part: (lanes * 128) as 128 | 256,
        wholeMemory: true,
      }),
    ];
  });
}

/** MOVDDUP and its kin. */
function duplicates(): Row[] {
  const shuffled =
    (list: readonly number[]): Lower =>
    (c) =>
      writeLanes(
        c,
        0,
        lanesOf(c, 1).map((v) => i8x16.shuffle(v, v, list)),
      );
  const whole32: EvexOptions = { mask: 32, wholeMemory: true };
  return [
    evex('vmovddup', '128.F2.0F.W1 12 /r', 'Vx Wq', repeated(SPREAD[64]), { mask: 64, wholeMemory: true }),
    evex('vmovddup', 'Y.F2.0F.W1 12 /r', 'Vx Wx', shuffled([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]), {
      mask: 64,
      wholeMemory: true,
    }),
    evex(
      'vmovsldup',
      'X.F3.0F.W0 12 /r',
      'Vx Wx',
      shuffled([0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]),
      whole32,
    ),
    evex(
      'vmovshdup',
      'X.F3.0F.W0 16 /r',
      'Vx Wx',
      shuffled([4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]),
      whole32,
    ),
  ];
}

/** What AVX has and masks do not touch: single elements, halves, moves without an opmask. */
function unmasked(): Row[] {
  const same = (rows: readonly Row[], names: string, w: 'W0' | 'W1' | 'WIG'): Row[] =>
    names.split(' ').flatMap((name) => {
      const found = rows.filter((r) => r.name === name && r.encoding.startsWith('VEX.128'));
      return found.map((r) => {
        const encoding = r.encoding.replace(/^VEX\.128/, '128').replace(/\.(WIG|W0|W1) /, `.${w} `);
        return evex(name, encoding, r.operands, r.lower, {}, r.options);
      });
    });
  return [
    ...same(simdLaneRows, 'vpinsrb vpinsrw vpextrb vpextrw vextractps vpextrd vpinsrd', 'WIG'),
    ...same(simdLaneRows, 'vinsertps', 'W0'),
    ...same(simdMoveRows, 'vmovd', 'WIG'),
    ...same(simdMoveRows, 'vmovq vmovlpd vmovhpd', 'W1'),
    ...same(simdMoveRows, 'vmovlps vmovhps vmovhlps vmovlhps', 'W0'),
    evex('vmovntdq', 'X.66.0F.W0 E7 /r', 'Mx Vx', copy, {}, aligned),
    evex('vmovntdqa', 'X.66.0F38.W0 2A /r', 'Vx Mx', copy, {}, aligned),
    evex('vmovntps', 'X.0F.W0 2B /r', 'Mx Vx', copy, {}, aligned),
    evex('vmovntpd', 'X.66.0F.W1 2B /r', 'Mx Vx', copy, {}, aligned),
  ];
}

/** VMOVSS and VMOVSD: the opmask's bit 0 counts for the element, the rest comes from the first source or is zero. */
function scalars(): Row[] {
  return (['s', 'd'] as const).flatMap((s): Row[] => {
    const [pp, w, width, size] = s === 's' ? (['F3', 'W0', 32, 'd'] as const) : (['F2', 'W1', 64, 'q'] as const);
    const shape = width === 32 ? i32x4 : i64x2;
    const element = (v: V128): I32 | I64 => shape.extract(v, 0);
    const merge: Lower = (c) =>
      c.writeVector(0, c.let(shape.replace(c.readVector(1), 0, element(c.readVector(2)) as never)));
    const load: Lower = (c) => c.writeVector(0, c.let(shape.replace(v128.zero(), 0, c.read(1) as never)));
    const store: Lower = (c) => c.write(0, element(c.readVector(1)));
    const name = `vmovs${s}`;
    const options: EvexOptions = { mask: width };
    return [
      evex(name, `LIG.${pp}.0F.${w} 10 /r`, `Vdq M${size}`, load, options),
      evex(name, `LIG.${pp}.0F.${w} 11 /r`, `M${size} Vdq`, store, options),
      evex(name, `LIG.${pp}.0F.${w} 10 /r`, 'Vdq Hdq Udq', merge, options),
      evex(name, `LIG.${pp}.0F.${w} 11 /r`, 'Udq Hdq Vdq', merge, options),
    ];
  });
}

const zeroUpper = (): Row[] =>
  (['64', '32'] as const).flatMap((mode): Row[] => {
    const count = mode === '64' ? 16 : 8;
    return [
      op('vzeroupper', 'VEX.128.0F.WIG 77', '', clear(count, false, 4), { mode }),
      op('vzeroall', 'VEX.256.0F.WIG 77', '', clear(count, true, 4), { mode }),
    ];
  });

export function avx512MoveRows(): Row[] {
  return [
    ...zeroUpper(),
    ...whole('vmovdqa32', '66.0F.W0', '6F', '7F', 32, aligned),
    ...whole('vmovdqa64', '66.0F.W1', '6F', '7F', 64, aligned),
    ...whole('vmovdqu8', 'F2.0F.W0', '6F', '7F', 8),
    ...whole('vmovdqu16', 'F2.0F.W1', '6F', '7F', 16),
    ...whole('vmovdqu32', 'F3.0F.W0', '6F', '7F', 32),
    ...whole('vmovdqu64', 'F3.0F.W1', '6F', '7F', 64),
    ...whole('vmovups', '0F.W0', '10', '11', 32),
    ...whole('vmovupd', '66.0F.W1', '10', '11', 64),
    ...whole('vmovaps', '0F.W0', '28', '29', 32, aligned),
    ...whole('vmovapd', '66.0F.W1', '28', '29', 64, aligned),
    ...broadcasts(),
    ...partial(),
    ...duplicates(),
    ...unmasked(),
    ...scalars(),
  ];
}

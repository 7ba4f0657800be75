/** Packed integers under EVEX: what SSE and AVX have, and the additions of AVX-512 F, BW and DQ. */
import { type I32, type Int, i32, i64, select, type V128 } from '../ir/expr.ts';
import { expandMask } from '../ir/mask.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { i8x16, i16x8, i32x4, i64x2, v128 } from '../ir/vector.ts';
import { activeElements, elements, evex, shapes, signBits, type Width, writeWhole, zeroes } from './avx512-forms.ts';
import type { EvexOptions, Lower, Row } from './row.ts';
import { countOf, each1, each2, eachImm, eachImm2, hex2, imm8, lanesOf, writeLanes } from './simd-forms.ts';
import { lanes as constant, type Kernel2, type KernelImm, pslldq, psrldq } from './simd-kernels.ts';
import { PACKED, PACKED_IMM, PACKED_UNARY, type Packed2, SHIFTS, SHUFFLES, WIDENING } from './simd-table.ts';

const MAPS = ['', '0F', '0F38', '0F3A'] as const;
const W = { 32: 'W0', 64: 'W1' } as const;

/** How the rows of `simd-table.ts` take masks: by the size of their elements. `!`: memory is read as a whole. */
const PACKED_FORMS: Readonly<Record<string, string>> = {
  8: 'psubusb pminub paddusb pmaxub pavgb psubsb paddsb psubb paddb pminsb pmaxsb',
  '8!': 'punpcklbw punpckhbw packsswb packuswb pshufb',
  16: 'pmullw psubusw paddusw pavgw pmulhuw pmulhw psubsw pminsw paddsw pmaxsw psubw paddw pmulhrsw pminuw pmaxuw',
  '16!': 'punpcklwd punpckhwd pmaddubsw',
  '32-': 'pmaddwd',
  32: 'psubd paddd pminsd pminud pmaxsd pmaxud pmulld andps andnps orps xorps',
  '32!': 'punpckldq punpckhdq unpcklps unpckhps',
  64: 'paddq psubq pmuludq pmuldq andpd andnpd orpd xorpd',
  '64!': 'punpcklqdq punpckhqdq unpcklpd unpckhpd',
};
const KIND = new Map(Object.entries(PACKED_FORMS).flatMap(([kind, names]) => names.split(' ').map((n) => [n, kind])));

function packed2(line: Packed2): Row[] {
  const { name, map, opcode, prefix } = line;
  const code = (w: string): string => `X${prefix ? '.66' : ''}.${MAPS[map]}.${w} ${hex2(opcode)} /r`;
  const lower = each2(line.kernel);
  const row = (suffix: string, w: string, options: EvexOptions): Row =>
    evex(`v${name}${suffix}`, code(w), 'Vx Hx Wx', lower, options);
  if (/^(pand|pandn|por|pxor)$/.test(name)) return [row('d', 'W0', elements(32)), row('q', 'W1', elements(64))];
  if (name === 'packssdw' || name === 'packusdw')
    return [row('', 'W0', { mask: 16, broadcast: 32, wholeMemory: true })];
  if (name === 'psadbw') return [row('', 'WIG', {})];
  const kind = KIND.get(name);
  if (kind === undefined) return [];
  const mask = Number.parseInt(kind, 10) as Width;
  const whole = kind.endsWith('!') ? { wholeMemory: true as const } : {};
  if (kind === '32-') return [row('', 'WIG', { mask: 32, wholeMemory: true })];
  if (mask < 32) return [row('', 'WIG', { mask, ...whole })];
  return [row('', W[mask as 32 | 64], { ...elements(mask as 32 | 64), ...whole })];
}

const kernel =
  (f: (a: V128, b: V128) => V128): Kernel2 =>
  (_, a, b) =>
    f(a, b);
/** The larger or smaller of 64-bit elements, which WebAssembly has not; unsigned by turning the signs. */
const choose64 =
  (greater: boolean, signed: boolean): Kernel2 =>
  (o, x, y) => {
    const [a, b] = [o.let(x), o.let(y)];
    const sign = constant(4, 0, 0x80000000);
    const turned = (v: V128): V128 => (signed ? v : v128.xor(v, sign));
    return greater
      ? v128.bitselect(a, b, i64x2.gt_s(turned(a), turned(b)))
      : v128.bitselect(b, a, i64x2.gt_s(turned(a), turned(b)));
  };

const quadwords = (): Row[] => [
  evex('vpminsq', 'X.66.0F38.W1 39 /r', 'Vx Hx Wx', each2(choose64(false, true)), elements(64)),
  evex('vpminuq', 'X.66.0F38.W1 3B /r', 'Vx Hx Wx', each2(choose64(false, false)), elements(64)),
  evex('vpmaxsq', 'X.66.0F38.W1 3D /r', 'Vx Hx Wx', each2(choose64(true, true)), elements(64)),
  evex('vpmaxuq', 'X.66.0F38.W1 3F /r', 'Vx Hx Wx', each2(choose64(true, false)), elements(64)),
  evex('vpmullq', 'X.66.0F38.W1 40 /r', 'Vx Hx Wx', each2(kernel(i64x2.mul)), elements(64)),
  evex(
    'vpabsq',
    'X.66.0F38.W1 1F /r',
    'Vx Wx',
    each1((_, a) => i64x2.abs(a)),
    elements(64),
  ),
];

const unary = (): Row[] =>
  PACKED_UNARY.filter(({ name }) => name.startsWith('pabs')).map(({ name, opcode, kernel: f }) => {
    const dwords = name === 'pabsd';
    const options = dwords ? elements(32) : { mask: (name === 'pabsb' ? 8 : 16) as Width };
    return evex(`v${name}`, `X.66.0F38.${dwords ? 'W0' : 'WIG'} ${hex2(opcode)} /r`, 'Vx Wx', each1(f), options);
  });

// Shifts and rotates.

const shiftBy =
  (f: KernelImm): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const count = countOf(c, i64x2.extract(c.readVector(2, 0), 0));
    writeLanes(
      c,
      0,
      a.map((value) => f(c, value, count)),
    );
  };

const shiftRight64: KernelImm = (o, a, imm) => {
  const n = o.let(imm);
  return i64x2.shr_s(a, i32.or(n, i32.sub(0, i32.gt_u(n, 63))));
};

function shiftRows(name: string, opcode: number, group: number, digit: number, width: Width, f: KernelImm): Row[] {
  const w = width === 16 ? 'WIG' : W[width as 32 | 64];
  const options = width === 16 ? { mask: width } : elements(width as 32 | 64);
  return [
    evex(name, `X.66.0F.${w} ${hex2(opcode)} /r`, 'Vx Hx Wdq', shiftBy(f), { mask: width, wholeMemory: true }),
    evex(name, `X.66.0F.${w} ${hex2(group)} /${digit}`, 'Hx Wx Ib', eachImm(f), options),
  ];
}

/** Element by element of vectors of the same width. */
const eachElement =
  (width: Width, f: (c: Ops, ...elements: Int[]) => Int, ...operands: number[]): Lower =>
  (c) => {
    const sources = operands.map((i) => lanesOf(c, i));
    const results = sources[0]!.map((first, lane) => {
      let result = first;
      for (let i = 0; i < 128 / width; i++) {
        const parts = sources.map((s) => c.let(extract(width, s[lane]!, i)));
        result = replace(width, result, i, f(c, ...parts));
      }
      return c.let(result);
    });
    writeLanes(c, 0, results);
  };
function extract(width: Width, v: V128, i: number): Int {
  if (width === 64) return i64x2.extract(v, i);
  if (width === 32) return i32x4.extract(v, i);
  return width === 16 ? i16x8.extract_u(v, i) : i8x16.extract_u(v, i);
}
function replace(width: Width, v: V128, i: number, e: Int): V128 {
  return shapes[width].replace(v, i, e as never);
}

const shiftEach = (width: 16 | 32 | 64, kind: 'shl' | 'shr_u' | 'shr_s'): Lower =>
  eachElement(
    width,
    (c, value, n) => {
      if (width === 64) {
        const count = c.let(n);
        const v = value as never;
        if (kind === 'shr_s') return i64.shr_s(v, select(count as never, i64.const(63), i64.lt_u(count as never, 64)));
        return select(i64[kind](v, count as never), i64.const(0), i64.lt_u(count as never, 64));
      }
      const count = n as I32;
      const inside = i32.lt_u(count, width);
      const v = value as I32;
      if (kind === 'shr_s') {
        return i32.shr_s(width === 16 ? i32.extend16_s(v) : v, select(count, i32.const(31), inside));
      }
      return select(i32[kind](v, count), i32.const(0), inside);
    },
    1,
    2,
  );

/** VPROLV and the like; counts are taken modulo the width. */
const rotateEach = (width: 32 | 64, left: boolean): Lower =>
  eachElement(
    width,
    (_, v, n) =>
      width === 64
        ? (left ? i64.rotl : i64.rotr)(v as never, n as never)
        : (left ? i32.rotl : i32.rotr)(v as I32, n as I32),
    1,
    2,
  );
const rotateImm =
  (width: 32 | 64, left: boolean): Lower =>
  (c) => {
    const imm = imm8(c, 2);
    const shape = shapes[width];
    const n = c.let(i32.and(left ? imm : i32.sub(0, imm), width - 1));
    const back = c.let(i32.and(i32.sub(0, n), width - 1));
    writeLanes(
      c,
      0,
      // A count of 0 gives the value in both parts.
      lanesOf(c, 1).map((v) => v128.or(shape.shl(v, n), shape.shr_u(v, back))),
    );
  };

function shifts(): Row[] {
  const widths = { w: 16, d: 32, q: 64 } as const;
  const width = (name: string): Width => widths[name.at(-1) as 'w' | 'd' | 'q'];
  return [
    ...SHIFTS.flatMap((s) => shiftRows(`v${s.name}`, s.opcode, s.group, s.digit, width(s.name), s.kernel)),
    ...shiftRows('vpsraq', 0xe2, 0x72, 4, 64, shiftRight64),
    evex('vpsrldq', 'X.66.0F.WIG 73 /3', 'Hx Wx Ib', eachImm(psrldq)),
    evex('vpslldq', 'X.66.0F.WIG 73 /7', 'Hx Wx Ib', eachImm(pslldq)),
    evex('vpsrlvw', 'X.66.0F38.W1 10 /r', 'Vx Hx Wx', shiftEach(16, 'shr_u'), { mask: 16 }),
    evex('vpsravw', 'X.66.0F38.W1 11 /r', 'Vx Hx Wx', shiftEach(16, 'shr_s'), { mask: 16 }),
    evex('vpsllvw', 'X.66.0F38.W1 12 /r', 'Vx Hx Wx', shiftEach(16, 'shl'), { mask: 16 }),
    ...([32, 64] as const).flatMap((n): Row[] => {
      const s = n === 32 ? 'd' : 'q';
      const row = (name: string, code: string, lower: Lower): Row =>
        evex(`${name}${s}`, `X.66.0F38.${W[n]} ${code} /r`, 'Vx Hx Wx', lower, elements(n));
      return [
        row('vpsrlv', '45', shiftEach(n, 'shr_u')),
        row('vpsrav', '46', shiftEach(n, 'shr_s')),
        row('vpsllv', '47', shiftEach(n, 'shl')),
        row('vprorv', '14', rotateEach(n, false)),
        row('vprolv', '15', rotateEach(n, true)),
        evex(`vpror${s}`, `X.66.0F.${W[n]} 72 /0`, 'Hx Wx Ib', rotateImm(n, false), elements(n)),
        evex(`vprol${s}`, `X.66.0F.${W[n]} 72 /1`, 'Hx Wx Ib', rotateImm(n, true), elements(n)),
      ];
    }),
  ];
}

// Comparisons and tests into opmasks.

type Compare = (a: V128, b: V128) => V128;
const intoMask =
  (width: Width, f: Compare): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    c.write(
      0,
      signBits(
        width,
        a.map((v, lane) => f(v, b[lane]!)),
      ),
    );
  };

/** VPCMP and VPCMPU: EQ, LT, LE, false, and their opposites. */
const predicate =
  (width: Width, signed: boolean): Lower =>
  (c) => {
    const imm = c.let(i32.and(imm8(c, 3), 7));
    const kind = c.let(i32.and(imm, 3));
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    const shape = shapes[width];
    const wanted = (one: number): V128 => c.let(i32x4.splat(i32.sub(0, i32.or(i32.eq(kind, one), i32.eq(kind, 2)))));
    const [equal, less] = [wanted(0), wanted(1)];
    const opposite = c.let(i32x4.splat(i32.sub(0, i32.shr_u(imm, 2))));
    const parts = a.map((x, lane) => {
      const y = b[lane]!;
      const below = lessThan(width, signed, x, y);
      return v128.xor(v128.or(v128.and(shape.eq(x, y), equal), v128.and(below, less)), opposite);
    });
    c.write(0, signBits(width, parts));
  };
function lessThan(width: Width, signed: boolean, x: V128, y: V128): V128 {
  if (width === 64) {
    const sign = constant(4, 0, 0x80000000);
    return signed ? i64x2.lt_s(x, y) : i64x2.lt_s(v128.xor(x, sign), v128.xor(y, sign));
  }
  const shape = shapes[width];
  return signed ? shape.lt_s(x, y) : shape.lt_u(x, y);
}

const test = (width: Width, negated: boolean): Lower => {
  const { eq } = shapes[width];
  return intoMask(width, (a, b) => {
    const none = eq(v128.and(a, b), v128.zero());
    return negated ? none : v128.not(none);
  });
};

const forCompare = (width: Width): EvexOptions =>
  width < 32 ? { mask: width, merging: true } : { ...elements(width as 32 | 64), merging: true };
const letters = { 8: 'b', 16: 'w', 32: 'd', 64: 'q' } as const;

function comparisons(): Row[] {
  return ([8, 16, 32, 64] as const).flatMap((n, i): Row[] => {
    const s = letters[n];
    const options = forCompare(n);
    const w = i & 1 ? 'W1' : 'W0';
    const { eq, gt_s } = shapes[n];
    const plain =
      n === 64
        ? ['0F38.W1 29', '0F38.W1 37']
        : [`0F.${n < 32 ? 'WIG' : 'W0'} 7${4 + i}`, `0F.${n < 32 ? 'WIG' : 'W0'} 6${4 + i}`];
    const signed = n < 32 ? '3F' : '1F';
    const unsigned = n < 32 ? '3E' : '1E';
    const tests = n < 32 ? '26' : '27';
    return [
      evex(`vpcmpeq${s}`, `X.66.${plain[0]} /r`, 'Kq Hx Wx', intoMask(n, eq), options),
      evex(`vpcmpgt${s}`, `X.66.${plain[1]} /r`, 'Kq Hx Wx', intoMask(n, gt_s), options),
      evex(`vpcmp${s}`, `X.66.0F3A.${w} ${signed} /r`, 'Kq Hx Wx Ib', predicate(n, true), options),
      evex(`vpcmpu${s}`, `X.66.0F3A.${w} ${unsigned} /r`, 'Kq Hx Wx Ib', predicate(n, false), options),
      evex(`vptestm${s}`, `X.66.0F38.${w} ${tests} /r`, 'Kq Hx Wx', test(n, false), options),
      evex(`vptestnm${s}`, `X.F3.0F38.${w} ${tests} /r`, 'Kq Hx Wx', test(n, true), options),
    ];
  });
}

/** VPTERNLOG: the immediate is the truth table over (destination, first source, second source). */
const ternary: Lower = (c) => {
  const imm = imm8(c, 3);
  const bit = (n: number): V128 => c.let(i32x4.splat(i32.sub(0, i32.and(i32.shr_u(imm, n), 1))));
  const t = Array.from({ length: 8 }, (_, n) => bit(n));
  const [x, y, z] = [lanesOf(c, 0), lanesOf(c, 1), lanesOf(c, 2)];
  writeLanes(
    c,
    0,
    x.map((a, lane) => {
      const byZ = (n: number): V128 => v128.bitselect(t[n + 1]!, t[n]!, z[lane]!);
      const byY = (n: number): V128 => v128.bitselect(byZ(n + 2), byZ(n), y[lane]!);
      return v128.bitselect(byY(4), byY(0), a);
    }),
  );
};

/** VPBLENDM: the second source where the opmask is set; elsewhere not the destination but the first source, or zero. */
const blend =
  (width: Width): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    const k = activeElements(c);
    const kept = (v: V128): V128 => (zeroes(c) ? v128.zero() : v);
    const results = a.map((v, lane) =>
      c.let(v128.bitselect(b[lane]!, kept(v), expandMask(width, i64.shr_u(k, (lane * 128) / width)))),
    );
    results.forEach((v, lane) => {
      writeWhole(c, 0, v, lane as Lane);
    });
  };

// Widening.

const SOURCE = { 8: 'Wxh', 4: 'Wxf', 2: 'Wxe' } as const;
function widening(): Row[] {
  return WIDENING.map(({ name, opcode, bytes, kernel: f }) => {
    const lower: Lower = (c) =>
      writeLanes(
        c,
        0,
        Array.from({ length: c.lanes }, (_, lane) => {
          const source = c.readVector(1, Math.floor((lane * bytes) / 16) as Lane);
          const first = (lane * bytes) % 16;
          const turned = i8x16.shuffle(
            source,
            source,
            Array.from({ length: 16 }, (__, i) => (i + first) % 16),
          );
          return f(c, first === 0 ? source : turned);
        }),
      );
    const mask = { w: 16, d: 32, q: 64 }[name.at(-1) as 'w' | 'd' | 'q'] as Width;
    const w = name.endsWith('dq') ? 'W0' : 'WIG';
    return evex(`v${name}`, `X.66.0F38.${w} ${hex2(opcode)} /r`, `Vx ${SOURCE[bytes]}`, lower, { mask });
  });
}

// Opmasks and vectors.

const fromMask =
  (width: Width): Lower =>
  (c) => {
    const k = c.read(1) as never;
    const perLane = 128 / width;
    writeLanes(
      c,
      0,
      Array.from({ length: c.lanes }, (_, lane) => expandMask(width, i64.shr_u(k, lane * perLane))),
    );
  };
const toMask =
  (width: Width): Lower =>
  (c) =>
    c.write(0, signBits(width, lanesOf(c, 1)));

function maskMoves(): Row[] {
  return ([8, 16, 32, 64] as const).flatMap((n, i): Row[] => {
    const w = i & 1 ? 'W1' : 'W0';
    const s = letters[n];
    return [
      evex(`vpmovm2${s}`, `X.F3.0F38.${w} ${n < 32 ? '28' : '38'} /r`, 'Vx Tq', fromMask(n)),
      evex(`vpmov${s}2m`, `X.F3.0F38.${w} ${n < 32 ? '29' : '39'} /r`, 'Kq Ux', toMask(n)),
    ];
  });
}

const leadingZeros = (width: 32 | 64): Lower =>
  eachElement(width, (_, v) => (width === 64 ? i64.clz(v as never) : i32.clz(v as I32)), 1);

export function avx512IntRows(): Row[] {
  return [
    ...PACKED.flatMap(packed2),
    ...quadwords(),
    ...unary(),
    ...shifts(),
    ...comparisons(),
    ...widening(),
    ...maskMoves(),
    evex('vpternlogd', 'X.66.0F3A.W0 25 /r', 'Vx Hx Wx Ib', ternary, elements(32)),
    evex('vpternlogq', 'X.66.0F3A.W1 25 /r', 'Vx Hx Wx Ib', ternary, elements(64)),
    evex('vpblendmd', 'X.66.0F38.W0 64 /r', 'Vx Hx Wx', blend(32), elements(32)),
    evex('vpblendmq', 'X.66.0F38.W1 64 /r', 'Vx Hx Wx', blend(64), elements(64)),
    evex('vblendmps', 'X.66.0F38.W0 65 /r', 'Vx Hx Wx', blend(32), elements(32)),
    evex('vblendmpd', 'X.66.0F38.W1 65 /r', 'Vx Hx Wx', blend(64), elements(64)),
    evex('vpblendmb', 'X.66.0F38.W0 66 /r', 'Vx Hx Wx', blend(8), { mask: 8 }),
    evex('vpblendmw', 'X.66.0F38.W1 66 /r', 'Vx Hx Wx', blend(16), { mask: 16 }),
    evex('vplzcntd', 'X.66.0F38.W0 44 /r', 'Vx Wx', leadingZeros(32), elements(32)),
    evex('vplzcntq', 'X.66.0F38.W1 44 /r', 'Vx Wx', leadingZeros(64), elements(64)),
    ...SHUFFLES.map(({ name, prefix, kernel: f }) => {
      const dwords = name === 'pshufd';
      const options: EvexOptions = dwords ? { ...elements(32), wholeMemory: true } : { mask: 16, wholeMemory: true };
      return evex(`v${name}`, `X.${hex2(prefix)}.0F.${dwords ? 'W0' : 'WIG'} 70 /r`, 'Vx Wx Ib', eachImm(f), options);
    }),
    ...PACKED_IMM.filter(({ name }) => /^(shufps|shufpd|palignr)$/.test(name)).map(
      ({ name, map, opcode, prefix, kernel: f, upper }) => {
        const w = name === 'shufps' ? 'W0' : name === 'shufpd' ? 'W1' : 'WIG';
        const options: EvexOptions =
          name === 'palignr'
            ? { mask: 8, wholeMemory: true }
            : { ...elements(w === 'W0' ? 32 : 64), wholeMemory: true };
        const code = `X${prefix ? '.66' : ''}.${MAPS[map]}.${w} ${hex2(opcode)} /r`;
        return evex(`v${name}`, code, 'Vx Hx Wx Ib', eachImm2(f, upper), options);
      },
    ),
  ];
}

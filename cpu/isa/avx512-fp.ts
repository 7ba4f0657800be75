/** Floating point under EVEX: the arithmetic of SSE and FMA, comparisons into opmasks, and what AVX-512 adds. */
import { i32, i64, type V128 } from '../ir/expr.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { i32x4, i64x2 } from '../ir/vector.ts';
import { reciprocal14, reciprocalRoot14 } from '../softfloat/approximate14.ts';
import { fixUp, getExponent, getMantissa, isOfClass, range, reduce, roundScale, scaleBy } from '../softfloat/avx512.ts';
import { comparePredicate } from '../softfloat/compare.ts';
import type { FpEnv } from '../softfloat/env.ts';
import { F32, F64, operand, pack32, pack64, type Real, unpack32, unpack64 } from '../softfloat/real.ts';
import { STAGE } from '../state.ts';
import { activeElements, derive, elements, evex, signBits } from './avx512-forms.ts';
import type { EvexOptions, Lower, Row } from './row.ts';
import { imm8, lanesOf, writeLanes } from './simd-forms.ts';
import { sseFpRows } from './sse-fp.ts';
import { compareLanes } from './sse-fp-compare.ts';
import { fmaRows } from './sse-fp-fma.ts';
import { type FpWidth, mergeLow } from './sse-fp-forms.ts';
import { type Slow, type Stage, slowly } from './sse-fp-slow.ts';

export const formatOf = { 32: F32, 64: F64 } as const;
const W = { 32: 'W0', 64: 'W1' } as const;

/** An element as the operation sees it: with DAZ, denormals are zeros. */
export const realOf = (env: FpEnv, s: Stage, n: number, i: number, width: FpWidth): Real =>
  operand(env, width === 32 ? unpack32(s.u32(n, i)) : unpack64(s.u64(n, i)));
export function putReal(s: Stage, i: number, width: FpWidth, v: Real): void {
  if (width === 32) s.set32(i, pack32(v));
  else s.set64(i, pack64(v));
}

const packedOptions = (width: FpWidth, rounding?: 'er' | 'sae'): EvexOptions => ({
  ...elements(width),
  quiet: width,
  ...(rounding && { rounding }),
});
const scalarOptions = (width: FpWidth, rounding?: 'er' | 'sae'): EvexOptions => ({
  mask: width,
  quiet: width,
  ...(rounding && { rounding }),
});

/** The four forms of an instruction that SSE has. */
function derived(rows: readonly Row[], name: string, rounding: 'er' | 'sae', kinds = 'ps pd ss sd'): Row[] {
  return kinds.split(' ').map((kind) => {
    const width = kind[1] === 's' ? 32 : 64;
    const options = kind[0] === 's' ? scalarOptions(width, rounding) : packedOptions(width, rounding);
    return derive(rows, `v${name}${kind}`, W[width], options);
  });
}

function fused(): Row[] {
  const names = [...new Set(fmaRows.map(({ name }) => name))];
  return names.map((name) => {
    const width = name.endsWith('s') ? 32 : 64;
    const scalar = name.at(-2) === 's';
    return derive(fmaRows, name, W[width], (scalar ? scalarOptions : packedOptions)(width, 'er'));
  });
}

// Element by element, by soft float.

type Element = (env: FpEnv, s: Stage, i: number, imm: number) => void;

const immediate = (c: Ops, i: number): readonly V128[] => [i32x4.splat(imm8(c, i))];

/** All elements; `sources` are the staged operands, the immediate (operand `imm`) comes as the third of them. */
const packedBy =
  (width: FpWidth, sources: readonly number[], f: Element, imm?: number): Lower =>
  (c) => {
    const count = (c.lanes * 128) / width;
    const staged: (readonly V128[])[] = sources.map((i) => lanesOf(c, i));
    if (imm !== undefined) {
      while (staged.length < 2) staged.push([]);
      staged.push(immediate(c, imm));
    }
    const slow: Slow = (env, s) => {
      const value = imm === undefined ? 0 : s.u32(2, 0);
      for (let i = 0; i < count; i++) f(env, s, i, value);
    };
    writeLanes(c, 0, slowly(c, staged, slow).slice(0, c.lanes));
  };

/** The low element; the rest comes from operand 1. */
const scalarBy =
  (width: FpWidth, sources: readonly number[], f: Element, imm?: number): Lower =>
  (c) => {
    const base = c.readVector(1);
    const staged: (readonly V128[])[] = sources.map((i) => [c.readVector(i)]);
    if (imm !== undefined) {
      while (staged.length < 2) staged.push([]);
      staged.push(immediate(c, imm));
    }
    const slow: Slow = (env, s) => f(env, s, 0, imm === undefined ? 0 : s.u32(2, 0));
    c.writeVector(0, mergeLow(width, base, slowly(c, staged, slow)[0]!));
  };

interface Line {
  readonly name: string;
  /** Encodings behind prefix and length: packed and scalar. */
  readonly packed: string;
  readonly scalar: string;
  readonly rounding?: 'er' | 'sae';
  /** Does the packed form have two sources? */
  readonly two?: true;
  readonly imm?: true;
  /** The staged operand 0 is the (last) source, 1 the one before. */
  readonly f: (width: FpWidth) => Element;
}

const unary =
  (f: (env: FpEnv, a: Real, imm: number, width: FpWidth) => Real) =>
  (width: FpWidth): Element =>
  (env, s, i, imm) =>
    putReal(s, i, width, f(env, realOf(env, s, 0, i, width), imm, width));
const binary =
  (f: (env: FpEnv, a: Real, b: Real, imm: number, width: FpWidth) => Real) =>
  (width: FpWidth): Element =>
  (env, s, i, imm) =>
    putReal(s, i, width, f(env, realOf(env, s, 1, i, width), realOf(env, s, 0, i, width), imm, width));

const LINES: readonly Line[] = [
  { name: 'vgetexp', packed: '0F38 42', scalar: '0F38 43', rounding: 'sae', f: unary(getExponent) },
  { name: 'vgetmant', packed: '0F3A 26', scalar: '0F3A 27', rounding: 'sae', imm: true, f: unary(getMantissa) },
  {
    name: 'vreduce',
    packed: '0F3A 56',
    scalar: '0F3A 57',
    rounding: 'sae',
    imm: true,
    f: unary((env, a, imm, width) => reduce(env, formatOf[width], a, imm)),
  },
  {
    name: 'vrange',
    packed: '0F3A 50',
    scalar: '0F3A 51',
    rounding: 'sae',
    two: true,
    imm: true,
    f: binary((env, a, b, imm) => range(env, a, b, imm)),
  },
  {
    name: 'vscalef',
    packed: '0F38 2C',
    scalar: '0F38 2D',
    rounding: 'er',
    two: true,
    f: binary((env, a, b, _, width) => scaleBy(env, formatOf[width], a, b)),
  },
  {
    name: 'vrcp14',
    packed: '0F38 4C',
    scalar: '0F38 4D',
    f: unary((env, a, _, width) => reciprocal14(env, formatOf[width], a)),
  },
  {
    name: 'vrsqrt14',
    packed: '0F38 4E',
    scalar: '0F38 4F',
    f: unary((env, a, _, width) => reciprocalRoot14(env, formatOf[width], a)),
  },
];

function lineRows({ name, packed, scalar, rounding, two, imm, f }: Line): Row[] {
  const [map, opcode] = packed.split(' ');
  const [scalarMap, scalarOpcode] = scalar.split(' ');
  const tail = imm ? ' Ib' : '';
  return ([32, 64] as const).flatMap((width): Row[] => {
    const s = width === 32 ? 's' : 'd';
    const sources = two ? [2, 1] : [1];
    const v = width === 32 ? 'd' : 'q';
    return [
      evex(
        `${name}p${s}`,
        `X.66.${map}.${W[width]} ${opcode} /r`,
        `Vx ${two ? 'Hx ' : ''}Wx${tail}`,
        packedBy(width, sources, f(width), imm && (two ? 3 : 2)),
        packedOptions(width, rounding),
      ),
      evex(
        `${name}s${s}`,
        `LIG.66.${scalarMap}.${W[width]} ${scalarOpcode} /r`,
        `V${v} H${v} W${v}${tail}`,
        scalarBy(width, two ? [2, 1] : [2], f(width), imm && 3),
        scalarOptions(width, rounding),
      ),
    ];
  });
}

/** VRNDSCALE has an opcode for each width. */
const roundScales = (): Row[] =>
  ([32, 64] as const).flatMap((width, n): Row[] => {
    const f = unary(roundScale)(width);
    const v = width === 32 ? 'd' : 'q';
    const name = `vrndscale`;
    const s = width === 32 ? 's' : 'd';
    return [
      evex(
        `${name}p${s}`,
        `X.66.0F3A.${W[width]} 0${8 + n} /r`,
        'Vx Wx Ib',
        packedBy(width, [1], f, 2),
        packedOptions(width, 'sae'),
      ),
      evex(
        `${name}s${s}`,
        `LIG.66.0F3A.${W[width]} 0${'AB'[n]} /r`,
        `V${v} H${v} W${v} Ib`,
        scalarBy(width, [2], f, 3),
        scalarOptions(width, 'sae'),
      ),
    ];
  });

/** VFIXUPIMM: the destination, the value, and the table in the elements of the last operand. */
const fixUps = (): Row[] =>
  ([32, 64] as const).flatMap((width): Row[] => {
    const f: Element = (env, s, i, imm) => {
      const table = width === 32 ? s.u32(1, i) : Number(s.u64(1, i) & 0xffffffffn);
      const r = fixUp(env, formatOf[width], realOf(env, s, 0, i, width), table, imm);
      if (r !== undefined) putReal(s, i, width, r);
      else if (width === 32) s.set32(i, s.u32(3, i));
      else s.set64(i, s.u64(3, i));
    };
    const s = width === 32 ? 's' : 'd';
    const v = width === 32 ? 'd' : 'q';
    // The table of an element that is masked off is one that raises nothing, 1.0 being no number it answers to.
    return [
      evex(`vfixupimmp${s}`, `X.66.0F3A.${W[width]} 54 /r`, 'Vx Hx Wx Ib', withDestination(width, f, false), {
        ...elements(width),
        rounding: 'sae',
      }),
      evex(`vfixupimms${s}`, `LIG.66.0F3A.${W[width]} 55 /r`, `V${v} H${v} W${v} Ib`, withDestination(width, f, true), {
        mask: width,
        rounding: 'sae',
      }),
    ];
  });

/** Stages value, table, immediate and destination; only the active elements are computed. */
const withDestination =
  (width: FpWidth, f: Element, scalar: boolean): Lower =>
  (c) => {
    const count = scalar ? 1 : (c.lanes * 128) / width;
    const take = (i: number): readonly V128[] => (scalar ? [c.readVector(i)] : lanesOf(c, i));
    const old = take(0);
    const value = take(1);
    const table = take(2);
    const imm = imm8(c, 3);
    const active = activeElements(c);
    old.forEach((v, lane) => {
      c.setVector(STAGE + 4, v, lane as Lane);
    });
    const control = i64x2.replace(i64x2.splat(active), 0, i64.extend_u(imm));
    const slow: Slow = (env, s) => {
      const wanted = s.u64(2, 1);
      for (let i = 0; i < count; i++) if ((wanted >> BigInt(i)) & 1n) f(env, s, i, s.u32(2, 0));
    };
    const r = slowly(c, [value, table, [control]], slow);
    if (!scalar) writeLanes(c, 0, r.slice(0, c.lanes));
    else c.writeVector(0, mergeLow(width, value[0]!, r[0]!));
  };

/** Comparisons and classes: a bit for each element. */
const intoMask =
  (
    width: FpWidth,
    sources: readonly number[],
    scalar: boolean,
    f: (env: FpEnv, s: Stage, i: number, imm: number) => boolean,
    imm: number,
  ): Lower =>
  (c) => {
    const count = scalar ? 1 : (c.lanes * 128) / width;
    const staged: (readonly V128[])[] = sources.map((i) => (scalar ? [c.readVector(i)] : lanesOf(c, i)));
    while (staged.length < 2) staged.push([]);
    staged.push(immediate(c, imm));
    const slow: Slow = (env, s) => {
      let bits = 0;
      for (let i = 0; i < count; i++) if (f(env, s, i, s.u32(2, 0))) bits |= 1 << i;
      s.set64(0, BigInt(bits));
    };
    c.write(0, i64x2.extract(slowly(c, staged, slow)[0]!, 0));
  };

/** VCMP: fast for numbers that are not denormal. */
function compare(width: FpWidth, scalar: boolean): Lower {
  const one = (env: FpEnv, s: Stage, i: number, imm: number): boolean =>
    comparePredicate(env, realOf(env, s, 0, i, width), realOf(env, s, 1, i, width), imm & 31);
  const slow = intoMask(width, [1, 2], scalar, one, 3);
  return (c) => {
    const [a, b] = [1, 2].map((i) => (scalar ? [c.readVector(i)] : lanesOf(c, i))) as [V128[], V128[]];
    const { r, condition } = compareLanes(c, width, a, b, c.let(i32.and(imm8(c, 3), 31)), scalar);
    const bits = signBits(width, r);
    c.if(
      condition,
      () => c.write(0, scalar ? i64.and(bits, 1) : bits),
      () => slow(c),
    );
  };
}

function comparisons(): Row[] {
  return ([32, 64] as const).flatMap((width): Row[] => {
    const s = width === 32 ? 's' : 'd';
    const v = width === 32 ? 'd' : 'q';
    const isClass = (env: FpEnv, st: Stage, i: number, imm: number): boolean =>
      isOfClass(realOf(env, st, 0, i, width), imm);
    const noZeroing = { merging: true } as const;
    return [
      evex(`vcmpp${s}`, `X${width === 32 ? '' : '.66'}.0F.${W[width]} C2 /r`, 'Kq Hx Wx Ib', compare(width, false), {
        ...packedOptions(width, 'sae'),
        ...noZeroing,
      }),
      evex(
        `vcmps${s}`,
        `LIG.${width === 32 ? 'F3' : 'F2'}.0F.${W[width]} C2 /r`,
        `Kq H${v} W${v} Ib`,
        compare(width, true),
        { ...scalarOptions(width, 'sae'), ...noZeroing },
      ),
      evex(`vfpclassp${s}`, `X.66.0F3A.${W[width]} 66 /r`, 'Kq Wx Ib', intoMask(width, [1], false, isClass, 2), {
        ...packedOptions(width),
        ...noZeroing,
      }),
      evex(`vfpclasss${s}`, `LIG.66.0F3A.${W[width]} 67 /r`, `Kq W${v} Ib`, intoMask(width, [1], true, isClass, 2), {
        ...scalarOptions(width),
        ...noZeroing,
      }),
    ];
  });
}

export function avx512FpRows(): Row[] {
  return [
    ...['add', 'mul', 'sub', 'div', 'sqrt'].flatMap((name) => derived(sseFpRows, name, 'er')),
    ...['min', 'max'].flatMap((name) => derived(sseFpRows, name, 'sae')),
    ...['comi', 'ucomi'].flatMap((name) =>
      (['s', 'd'] as const).map((s) =>
        derive(sseFpRows, `v${name}s${s}`, s === 's' ? 'W0' : 'W1', { rounding: 'sae' }),
      ),
    ),
    ...fused(),
    ...LINES.flatMap(lineRows),
    ...roundScales(),
    ...fixUps(),
    ...comparisons(),
  ];
}

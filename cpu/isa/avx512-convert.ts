/** Conversions under EVEX (Intel SDM vol. 2, VCVTDQ2PD to VCVTUSI2SS): element by element, by soft float. */
import { type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { i64x2, lowQuad, v128 } from '../ir/vector.ts';
import { toUnsigned } from '../softfloat/avx512.ts';
import { convert, intToFormat, toInt } from '../softfloat/convert.ts';
import type { FpEnv } from '../softfloat/env.ts';
import { derive, evex } from './avx512-forms.ts';
import { formatOf, putReal, realOf } from './avx512-fp.ts';
import type { EvexOptions, Lower, Row } from './row.ts';
import { imm8 } from './simd-forms.ts';
import { sseFpConvertRows } from './sse-fp-convert.ts';
import { type FpWidth, mergeLow } from './sse-fp-forms.ts';
import { f16ToF32, f32ToF16 } from './sse-fp-ops.ts';
import { type Slow, type Stage, slowly } from './sse-fp-slow.ts';

type Kind = 'f' | 'i' | 'u';
type Convert = (env: FpEnv, s: Stage, i: number) => void;

const integerOf = (s: Stage, i: number, width: FpWidth, signed: boolean): bigint =>
  width === 32 ? BigInt(signed ? s.i32(0, i) : s.u32(0, i)) : signed ? s.i64(0, i) : s.u64(0, i);

function putInteger(s: Stage, i: number, width: FpWidth, v: bigint): void {
  if (width === 32) s.set32(i, Number(BigInt.asUintN(32, v)));
  else s.set64(i, BigInt.asUintN(64, v));
}

/** One element of `from` to one of `to`. */
function converter(from: Kind, fromWidth: FpWidth, to: Kind, toWidth: FpWidth, chop: boolean): Convert {
  if (from !== 'f') {
    return (env, s, i) =>
      putReal(s, i, toWidth, intToFormat(env, formatOf[toWidth], integerOf(s, i, fromWidth, from === 'i')));
  }
  if (to === 'f') {
    return (env, s, i) => putReal(s, i, toWidth, convert(env, formatOf[toWidth], realOf(env, s, 0, i, fromWidth)));
  }
  const integer = to === 'i' ? toInt : toUnsigned;
  return (env, s, i) => putInteger(s, i, toWidth, integer(env, realOf(env, s, 0, i, fromWidth), toWidth, chop));
}

/** Bits of the source and of the result among the 128 of each lane of the instruction. */
const lanesFor = (c: Ops, bits: number, widest: number): number => Math.max(1, (c.lanes * bits) / widest);

/** All elements, from and to whole vectors or parts of them. */
const packed =
  (fromWidth: 16 | 32 | 64, toWidth: 16 | 32 | 64, f: (imm: number) => Convert, imm?: number): Lower =>
  (c) => {
    const widest = Math.max(fromWidth, toWidth);
    const count = (c.lanes * 128) / widest;
    const source = Array.from({ length: lanesFor(c, fromWidth, widest) }, (_, lane) => c.readVector(1, lane as Lane));
    const staged: (readonly V128[])[] =
      imm === undefined ? [source] : [source, [], [i64x2.splat(i64.extend_u(imm8(c, imm)))]];
    const slow: Slow = (env, s) => {
      const one = f(imm === undefined ? 0 : s.u32(2, 0));
      s.set64(1, 0n);
      for (let i = 0; i < count; i++) one(env, s, i);
    };
    const r = slowly(c, staged, slow);
    const filled = lanesFor(c, toWidth, widest);
    const whole = c.isMemory(0) ? filled : c.lanes;
    const half = count * toWidth < 128 && !c.isMemory(0);
    for (let lane = 0; lane < whole; lane++) {
      const value = lane >= filled ? v128.zero() : half ? lowQuad(i64x2.extract(r[0]!, 0)) : r[lane]!;
      c.writeVector(0, c.let(value), lane as Lane);
    }
  };

const W = { 32: 'W0', 64: 'W1' } as const;
const half = (width: number, other: number): string => (width < other ? 'xh' : 'x');

function row(
  name: string,
  code: string,
  [from, fromWidth]: readonly [Kind, FpWidth],
  [to, toWidth]: readonly [Kind, FpWidth],
  rounding: 'er' | 'sae' | undefined,
): Row {
  const [prefix, opcode] = code.split(' ');
  const chop = name.startsWith('vcvtt');
  const per = Math.max(fromWidth, toWidth) as FpWidth;
  const options: EvexOptions = {
    mask: toWidth,
    per,
    broadcast: fromWidth,
    quiet: fromWidth,
    ...(rounding && { rounding }),
  };
  const operands = `V${half(toWidth, fromWidth)} W${half(fromWidth, toWidth)}`;
  const one = converter(from, fromWidth, to, toWidth, chop);
  const pp = prefix === 'NP' ? '' : `.${prefix}`;
  return evex(
    name,
    `X${pp}.0F.${W[fromWidth]} ${opcode} /r`,
    operands,
    packed(fromWidth, toWidth, () => one),
    options,
  );
}

function integersAndFloats(): Row[] {
  const d = ['i', 32] as const;
  const ud = ['u', 32] as const;
  const q = ['i', 64] as const;
  const uq = ['u', 64] as const;
  const ps = ['f', 32] as const;
  const pd = ['f', 64] as const;
  return [
    row('vcvtdq2pd', 'F3 E6', d, pd, 'er'),
    row('vcvtdq2ps', 'NP 5B', d, ps, 'er'),
    row('vcvtqq2pd', 'F3 E6', q, pd, 'er'),
    row('vcvtqq2ps', 'NP 5B', q, ps, 'er'),
    row('vcvtudq2pd', 'F3 7A', ud, pd, 'er'),
    row('vcvtudq2ps', 'F2 7A', ud, ps, 'er'),
    row('vcvtuqq2pd', 'F3 7A', uq, pd, 'er'),
    row('vcvtuqq2ps', 'F2 7A', uq, ps, 'er'),
    row('vcvtpd2dq', 'F2 E6', pd, d, 'er'),
    row('vcvttpd2dq', '66 E6', pd, d, 'sae'),
    row('vcvtpd2udq', 'NP 79', pd, ud, 'er'),
    row('vcvttpd2udq', 'NP 78', pd, ud, 'sae'),
    row('vcvtpd2qq', '66 7B', pd, q, 'er'),
    row('vcvttpd2qq', '66 7A', pd, q, 'sae'),
    row('vcvtpd2uqq', '66 79', pd, uq, 'er'),
    row('vcvttpd2uqq', '66 78', pd, uq, 'sae'),
    row('vcvtps2dq', '66 5B', ps, d, 'er'),
    row('vcvttps2dq', 'F3 5B', ps, d, 'sae'),
    row('vcvtps2udq', 'NP 79', ps, ud, 'er'),
    row('vcvttps2udq', 'NP 78', ps, ud, 'sae'),
    row('vcvtps2qq', '66 7B', ps, q, 'er'),
    row('vcvttps2qq', '66 7A', ps, q, 'sae'),
    row('vcvtps2uqq', '66 79', ps, uq, 'er'),
    row('vcvttps2uqq', '66 78', ps, uq, 'sae'),
    row('vcvtpd2ps', '66 5A', pd, ps, 'er'),
    row('vcvtps2pd', 'NP 5A', ps, pd, 'sae'),
  ];
}

const fromHalf: Convert = (env, s, i) => s.set32(i, f16ToF32(env, s.u16(0, i)));
const toHalf =
  (imm: number): Convert =>
  (env, s, i) =>
    s.set16(i, f32ToF16(env, s.u32(0, i), imm));

// Single elements and general registers.

/** VCVTUSI2SS, VCVTUSI2SD: `Vd Hd Ey`. */
const fromUnsigned =
  (width: FpWidth): Lower =>
  (c) => {
    const base = c.readVector(1);
    const v = c.read(2);
    const source = lowQuad(v.type === 'i64' ? (v as I64) : i64.extend_u(v as I32));
    const slow: Slow = (env, s) => putReal(s, 0, width, intToFormat(env, formatOf[width], s.u64(0, 0)));
    c.writeVector(0, mergeLow(width, base, slowly(c, [[source]], slow)[0]!));
  };

/** VCVT(T)SS2USI, VCVT(T)SD2USI: `Gy Wd`. */
const toUnsignedRegister =
  (width: FpWidth, chop: boolean): Lower =>
  (c) => {
    const bits = c.bits(0);
    const source = c.readVector(1);
    const slow: Slow = (env, s) => s.set64(0, toUnsigned(env, realOf(env, s, 0, 0, width), bits, chop));
    const r = i64x2.extract(slowly(c, [[source]], slow)[0]!, 0);
    c.write(0, bits === 64 ? r : i32.wrap(r));
  };

function scalars(): Row[] {
  return ([32, 64] as const).flatMap((width): Row[] => {
    const s = width === 32 ? 's' : 'd';
    const v = width === 32 ? 'd' : 'q';
    const pp = width === 32 ? 'F3' : 'F2';
    const to = (name: string, opcode: string, chop: boolean): Row =>
      evex(name, `LIG.${pp}.0F ${opcode} /r`, `Gy W${v}`, toUnsignedRegister(width, chop), {
        rounding: chop ? 'sae' : 'er',
      });
    const signed = (name: string, rounding: 'er' | 'sae'): Row =>
      anyW(derive(sseFpConvertRows, name, 'W0', { rounding }));
    return [
      to(`vcvts${s}2usi`, '79', false),
      to(`vcvtts${s}2usi`, '78', true),
      evex(`vcvtusi2s${s}`, `LIG.${pp}.0F 7B /r`, `V${v} H${v} Ey`, fromUnsigned(width), { rounding: 'er' }),
      signed(`vcvtsi2s${s}`, 'er'),
      signed(`vcvts${s}2si`, 'er'),
      signed(`vcvtts${s}2si`, 'sae'),
    ];
  });
}
const anyW = (row: Row): Row => ({ ...row, encoding: row.encoding.replace('.W0', '.WIG') });

const HALVES: EvexOptions = { mask: 16, per: 32, quiet: 32, rounding: 'sae' };

export function avx512ConvertRows(): Row[] {
  return [
    ...integersAndFloats(),
    evex(
      'vcvtph2ps',
      'X.66.0F38.W0 13 /r',
      'Vx Wxh',
      packed(16, 32, () => fromHalf),
      {
        mask: 32,
        quiet: 16,
        rounding: 'sae',
      },
      { unaligned: true },
    ),
    evex('vcvtps2ph', 'X.66.0F3A.W0 1D /r', 'Wxh Vx Ib', packed(32, 16, toHalf, 2), HALVES, {
      unaligned: true,
      late: true,
    }),
    derive(sseFpConvertRows, 'vcvtss2sd', 'W0', { mask: 64, quiet: 32, rounding: 'sae' }),
    derive(sseFpConvertRows, 'vcvtsd2ss', 'W1', { mask: 32, quiet: 64, rounding: 'er' }),
    ...scalars(),
  ];
}

/** Conversions of SSE, AVX and F16C, and rounding to integral values (Intel SDM vol. 2, CVT*, ROUND*, VCVTPH2PS). */
import { type Lower, op, type Row, sse } from './row.ts';
import {
  doublesToIntegers,
  fromInteger,
  integersToDoubles,
  integersToSingles,
  singlesToIntegers,
  toInteger,
} from './sse-fp-integer.ts';
import { fromMmx, toMmx } from './sse-fp-mmx.ts';
import {
  doublesToSingles,
  doubleToSingle,
  fromHalf,
  singlesToDoubles,
  singleToDouble,
  toHalf,
} from './sse-fp-precision.ts';
import { roundPacked, roundScalar } from './sse-fp-round.ts';

/** The legacy, VEX.128 and VEX.256 encodings with operands of their own. */
function widths(
  name: string,
  prefix: 'NP' | '66' | 'F2' | 'F3',
  opcode: string,
  small: string,
  large: string,
  lower: Lower,
): Row[] {
  const pp = prefix === 'NP' ? '' : `.${prefix}`;
  return [
    op(name, `${prefix} 0F ${opcode} /r`, small, lower),
    op(`v${name}`, `VEX.128${pp}.0F.WIG ${opcode} /r`, small, lower),
    op(`v${name}`, `VEX.256${pp}.0F.WIG ${opcode} /r`, large, lower),
  ];
}

export const sseFpConvertRows: readonly Row[] = [
  op('cvtpi2ps', 'NP 0F 2A /r', 'Vdq Qq', fromMmx(32)),
  op('cvtpi2pd', '66 0F 2A /r', 'Vdq Qq', fromMmx(64)),
  ...sse('cvtsi2ss', 'F3 0F 2A /r', 'Vd Hd Ey', fromInteger(32), { vex: 'LIG' }),
  ...sse('cvtsi2sd', 'F2 0F 2A /r', 'Vq Hq Ey', fromInteger(64), { vex: 'LIG' }),
  op('cvttps2pi', 'NP 0F 2C /r', 'Pq Wq', toMmx(32, true)),
  op('cvttpd2pi', '66 0F 2C /r', 'Pq Wdq', toMmx(64, true)),
  ...sse('cvttss2si', 'F3 0F 2C /r', 'Gy Wd', toInteger(32, true), { vex: 'LIG' }),
  ...sse('cvttsd2si', 'F2 0F 2C /r', 'Gy Wq', toInteger(64, true), { vex: 'LIG' }),
  op('cvtps2pi', 'NP 0F 2D /r', 'Pq Wq', toMmx(32, false)),
  op('cvtpd2pi', '66 0F 2D /r', 'Pq Wdq', toMmx(64, false)),
  ...sse('cvtss2si', 'F3 0F 2D /r', 'Gy Wd', toInteger(32, false), { vex: 'LIG' }),
  ...sse('cvtsd2si', 'F2 0F 2D /r', 'Gy Wq', toInteger(64, false), { vex: 'LIG' }),
  ...widths('cvtps2pd', 'NP', '5A', 'Vdq Wq', 'Vqq Wdq', singlesToDoubles),
  ...widths('cvtpd2ps', '66', '5A', 'Vdq Wdq', 'Vdq Wqq', doublesToSingles),
  ...sse('cvtss2sd', 'F3 0F 5A /r', 'Vd Hd Wd', singleToDouble, { vex: 'LIG' }),
  ...sse('cvtsd2ss', 'F2 0F 5A /r', 'Vq Hq Wq', doubleToSingle, { vex: 'LIG' }),
  ...sse('cvtdq2ps', 'NP 0F 5B /r', 'Vx Wx', integersToSingles),
  ...sse('cvtps2dq', '66 0F 5B /r', 'Vx Wx', singlesToIntegers(false)),
  ...sse('cvttps2dq', 'F3 0F 5B /r', 'Vx Wx', singlesToIntegers(true)),
  ...widths('cvttpd2dq', '66', 'E6', 'Vdq Wdq', 'Vdq Wqq', doublesToIntegers(true)),
  ...widths('cvtpd2dq', 'F2', 'E6', 'Vdq Wdq', 'Vdq Wqq', doublesToIntegers(false)),
  ...widths('cvtdq2pd', 'F3', 'E6', 'Vdq Wq', 'Vqq Wdq', integersToDoubles),
  ...sse('roundps', '66 0F3A 08 /r', 'Vx Wx Ib', roundPacked(32)),
  ...sse('roundpd', '66 0F3A 09 /r', 'Vx Wx Ib', roundPacked(64)),
  ...sse('roundss', '66 0F3A 0A /r', 'Vd Hd Wd Ib', roundScalar(32), { vex: 'LIG' }),
  ...sse('roundsd', '66 0F3A 0B /r', 'Vq Hq Wq Ib', roundScalar(64), { vex: 'LIG' }),
  op('vcvtph2ps', 'VEX.128.66.0F38.W0 13 /r', 'Vdq Wq', fromHalf, { unaligned: true }),
  op('vcvtph2ps', 'VEX.256.66.0F38.W0 13 /r', 'Vqq Wdq', fromHalf, { unaligned: true }),
  op('vcvtps2ph', 'VEX.128.66.0F3A.W0 1D /r', 'Wq Vdq Ib', toHalf, { unaligned: true, late: true }),
  op('vcvtps2ph', 'VEX.256.66.0F3A.W0 1D /r', 'Wdq Vqq Ib', toHalf, { unaligned: true, late: true }),
];

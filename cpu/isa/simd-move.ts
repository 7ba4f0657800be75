/** Moves of vectors and their parts (Intel SDM vol. 2: MOVAPS to MOVUPS, MOVD, MOVQ, MOVNT*, MOVMSK*, PMOVMSKB, LDDQU). */
import { type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import { i8x16, i32x4, i64x2, lowDouble, lowQuad } from '../ir/vector.ts';
import { helper, type Lower, op, type Row, type RowOptions, sse } from './row.ts';
import { each1, joined, lanesOf, vex, writeLanes } from './simd-forms.ts';

const copy: Lower = (c) => writeLanes(c, 0, lanesOf(c, 1));

/** Load (or register) and store of whole vectors. */
function whole(name: string, load: string, store: string, options: RowOptions): Row[] {
  return [...sse(name, `${load} /r`, 'Vx Wx', copy, options), ...sse(name, `${store} /r`, 'Wx Vx', copy, options)];
}

/** A vector whose 64-bit halves come from two others. */
const lowLow = joined;
const lowHigh = (a: V128, b: V128): V128 => i64x2.replace(b, 0, i64x2.extract(a, 0));

/** MOVLPS, MOVLPD, MOVHPS, MOVHPD: one half from or to memory. */
function half(name: string, prefix: string, opcode: number, lane: 0 | 1): Row[] {
  const hex = (n: number): string => n.toString(16).toUpperCase();
  return [
    ...sse(
      name,
      `${prefix} 0F ${hex(opcode)} /r`,
      'Vdq Hdq Mq',
      (c) => {
        const other = c.readVector(1);
        c.writeVector(0, c.let(i64x2.replace(other, lane, c.read(2) as I64)));
      },
      { vex: '128' },
    ),
    ...sse(
      name,
      `${prefix} 0F ${hex(opcode + 1)} /r`,
      'Mq Vdq',
      (c) => c.write(0, i64x2.extract(c.readVector(1), lane)),
      {
        vex: '128',
      },
    ),
  ];
}

/** MOVSS and MOVSD: a load clears the rest, a register move keeps it. */
function scalar(name: string, prefix: 'F3' | 'F2', size: 'd' | 'q'): Row[] {
  const put = (into: V128, from: V128): V128 =>
    size === 'd' ? i32x4.replace(into, 0, i32x4.extract(from, 0)) : lowHigh(from, into);
  const load: Lower = (c) => {
    c.writeVector(0, c.readVector(1));
  };
  const store: Lower = (c) => {
    const value = c.readVector(1);
    c.write(0, size === 'd' ? i32x4.extract(value, 0) : i64x2.extract(value, 0));
  };
  const merge2: Lower = (c) => c.writeVector(0, c.let(put(c.readVector(0), c.readVector(1))));
  const merge3: Lower = (c) => c.writeVector(0, c.let(put(c.readVector(1), c.readVector(2))));
  return [
    ...sse(name, `${prefix} 0F 10 /r`, `Vdq M${size}`, load, { vex: 'LIG' }),
    ...sse(name, `${prefix} 0F 11 /r`, `M${size} Vdq`, store, { vex: 'LIG' }),
    op(name, `${prefix} 0F 10 /r`, 'Vdq Udq', merge2),
    op(name, `${prefix} 0F 11 /r`, 'Udq Vdq', merge2),
    op(`v${name}`, `VEX.LIG.${prefix}.0F.WIG 10 /r`, 'Vdq Hdq Udq', merge3),
    op(`v${name}`, `VEX.LIG.${prefix}.0F.WIG 11 /r`, 'Udq Hdq Vdq', merge3),
  ];
}

const duplicate = (lanes: readonly number[]): Lower => each1((_, a) => i8x16.shuffle(a, a, lanes));
const LOW_TWICE = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7];

/** A bit for each lane: the sign bits of both 128-bit lanes, side by side. */
const signs =
  (bitmask: (a: V128) => I32, perLane: number): Lower =>
  (c) => {
    const [low, high] = lanesOf(c, 1).map((value) => bitmask(value));
    c.write(0, high ? i32.or(low!, i32.shl(high, perLane)) : low!);
  };

const toVector: Lower = (c) => {
  const value = c.read(1);
  c.writeVector(0, c.let(value.type === 'i64' ? lowQuad(value as I64) : lowDouble(value as I32)));
};
const fromVector: Lower = (c) => {
  const value = c.readVector(1);
  c.write(0, c.bits(0) === 64 ? i64x2.extract(value, 0) : i32x4.extract(value, 0));
};
const lowQuadCopy: Lower = (c) => c.writeVector(0, c.let(lowQuad(i64x2.extract(c.readVector(1), 0))));

/** MASKMOVDQU, MASKMOVQ: the bytes whose mask is negative, at DS:rDI; all is checked before the first byte is stored. */
const maskedStore = (count: 8 | 16): Lower =>
  helper((h) => {
    const { view } = h;
    const base = h.segmentBase;
    // A half is one access: only its beginning wraps with the address size.
    const half = (i: number): bigint => (h.register(7) + BigInt(i & 8)) & h.addressMask;
    const address = (i: number): bigint => (half(i) + BigInt(i & 7) + base) & h.get64('ripMask');
    const chosen: number[] = [];
    for (let i = 0; i < count; i++) if (view.getInt8(h.slot(1) + i) < 0) chosen.push(i);
    // Whole halves are checked, the upper one first, whatever the mask says (the SDM leaves that to the implementation).
    if (count === 8) {
      h.set('fsw', h.get('fsw') & ~0x3800);
      h.set('ftw', 0xff);
    }
    if (count === 16) h.probe(address(8), 8);
    h.probe(address(0), 8);
    for (const i of chosen) h.store(8, address(i), BigInt(view.getUint8(h.slot(0) + i)));
  });

/** One processor that runs everything in order: nothing is left to wait for. */
const fence: Lower = () => {};

export const simdMoveRows: readonly Row[] = [
  op('lfence', 'NP 0F AE E8+r', '', fence),
  op('mfence', 'NP 0F AE F0+r', '', fence),
  op('sfence', 'NP 0F AE F8+r', '', fence),
  ...whole('movups', 'NP 0F 10', 'NP 0F 11', { align: 'never' }),
  ...whole('movupd', '66 0F 10', '66 0F 11', { align: 'never' }),
  ...whole('movaps', 'NP 0F 28', 'NP 0F 29', { align: 'always' }),
  ...whole('movapd', '66 0F 28', '66 0F 29', { align: 'always' }),
  ...whole('movdqa', '66 0F 6F', '66 0F 7F', { align: 'always' }),
  ...whole('movdqu', 'F3 0F 6F', 'F3 0F 7F', { align: 'never' }),
  ...sse('lddqu', 'F2 0F F0 /r', 'Vx Mx', copy, { align: 'never' }),
  ...sse('movntps', 'NP 0F 2B /r', 'Mx Vx', copy, { align: 'always' }),
  ...sse('movntpd', '66 0F 2B /r', 'Mx Vx', copy, { align: 'always' }),
  ...sse('movntdq', '66 0F E7 /r', 'Mx Vx', copy, { align: 'always' }),
  ...sse('movntdqa', '66 0F38 2A /r', 'Vx Mx', copy, { align: 'always' }),
  op('movntq', 'NP 0F E7 /r', 'Mq Pq', (c) => c.write(0, c.read(1))),
  op('movnti', 'NP 0F C3 /r', 'My Gy', (c) => c.write(0, c.read(1))),

  ...sse('maskmovdqu', '66 0F F7 /r', 'Vdq Udq', maskedStore(16), { vex: '128', string: 'source' }),
  op('maskmovq', 'NP 0F F7 /r', 'Pq Nq', maskedStore(8), { string: 'source' }),

  ...scalar('movss', 'F3', 'd'),
  ...scalar('movsd', 'F2', 'q'),
  ...half('movlps', 'NP', 0x12, 0),
  ...half('movlpd', '66', 0x12, 0),
  ...half('movhps', 'NP', 0x16, 1),
  ...half('movhpd', '66', 0x16, 1),
  ...sse(
    'movhlps',
    'NP 0F 12 /r',
    'Vdq Hdq Udq',
    (c) => {
      const a = c.readVector(1);
      c.writeVector(0, c.let(i64x2.replace(a, 0, i64x2.extract(c.readVector(2), 1))));
    },
    { vex: '128' },
  ),
  ...sse(
    'movlhps',
    'NP 0F 16 /r',
    'Vdq Hdq Udq',
    (c) => {
      const a = c.readVector(1);
      c.writeVector(0, c.let(lowLow(a, c.readVector(2))));
    },
    { vex: '128' },
  ),
  ...sse('movddup', 'F2 0F 12 /r', 'Vdq Wq', duplicate(LOW_TWICE), { vex: '128', align: 'never' }),
  ...vex('vmovddup', 'F2.0F.WIG 12 /r', 'Vx Wx', duplicate(LOW_TWICE), {}, [256]),
  ...sse('movsldup', 'F3 0F 12 /r', 'Vx Wx', duplicate([0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11])),
  ...sse('movshdup', 'F3 0F 16 /r', 'Vx Wx', duplicate([4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15])),

  ...sse('movd', '66 0F 6E /r', 'Vdq Ey', toVector, { vex: '128' }),
  ...sse('movd', '66 0F 7E /r', 'Ey Vdq', fromVector, { vex: '128' }),
  op('movd', 'NP 0F 6E /r', 'Pq Ey', (c) => {
    const value = c.read(1);
    c.write(0, value.type === 'i64' ? value : i64.extend_u(value as I32));
  }),
  op('movd', 'NP 0F 7E /r', 'Ey Pq', (c) => {
    const value = c.read(1) as I64;
    c.write(0, c.bits(0) === 64 ? value : i32.wrap(value));
  }),
  op('movq', 'NP 0F 6F /r', 'Pq Qq', (c) => c.write(0, c.read(1))),
  op('movq', 'NP 0F 7F /r', 'Qq Pq', (c) => c.write(0, c.read(1))),
  ...sse('movq', 'F3 0F 7E /r', 'Vdq Mq', toVector, { vex: '128' }),
  ...sse('movq', 'F3 0F 7E /r', 'Vdq Udq', lowQuadCopy, { vex: '128' }),
  ...sse('movq', '66 0F D6 /r', 'Mq Vdq', (c) => c.write(0, i64x2.extract(c.readVector(1), 0)), { vex: '128' }),
  ...sse('movq', '66 0F D6 /r', 'Udq Vdq', lowQuadCopy, { vex: '128' }),
  op('movq2dq', 'F3 0F D6 /r', 'Vdq Nq', toVector),
  op('movdq2q', 'F2 0F D6 /r', 'Pq Udq', (c) => c.write(0, i64x2.extract(c.readVector(1), 0))),

  ...sse('movmskps', 'NP 0F 50 /r', 'Gd Ux', signs(i32x4.bitmask, 4)),
  ...sse('movmskpd', '66 0F 50 /r', 'Gd Ux', signs(i64x2.bitmask, 2)),
  ...sse('pmovmskb', '66 0F D7 /r', 'Gd Ux', signs(i8x16.bitmask, 16)),
  op('pmovmskb', 'NP 0F D7 /r', 'Gd Nq', (c) => c.write(0, i32.and(i8x16.bitmask(lowQuad(c.read(1) as I64)), 0xff))),
];

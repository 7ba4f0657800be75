/** What AVX and AVX2 add to the SSE rows: broadcasts, permutations across lanes, masked moves, variable shifts, VZEROUPPER. */
import { type I32, type I64, i32, i64, select, type V128 } from '../ir/expr.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { i8x16, i32x4, i64x2, v128 } from '../ir/vector.ts';
import { type Lower, op, type Row } from './row.ts';
import { eachImm, hex2, imm8, lanesOf, shifted, vex, writeLanes } from './simd-forms.ts';
import { blendps, lanes, pshufd } from './simd-kernels.ts';

/** One element to all places. */
const broadcast =
  (spread: (a: V128) => V128): Lower =>
  (c) => {
    const value = c.let(spread(c.readVector(1, 0)));
    writeLanes(c, 0, c.lanes === 2 ? [value, value] : [value]);
  };
const SPREAD = {
  b: (a: V128): V128 => i8x16.swizzle(a, v128.zero()),
  w: (a: V128): V128 => i8x16.swizzle(a, lanes(2, 0x0100)),
  d: (a: V128): V128 => i8x16.swizzle(a, lanes(4, 0x03020100)),
  q: (a: V128): V128 => i64x2.splat(i64x2.extract(a, 0)),
  dq: (a: V128): V128 => a,
} as const;

/** All ones if bit `n` of imm is set. */
const maskOf = (imm: I32, n: number): V128 => i32x4.splat(i32.sub(0, i32.and(i32.shr_u(imm, n), 1)));

/** VINSERTF128, VINSERTI128: `Vqq Hqq Wdq Ib` */
const insert128: Lower = (c) => {
  const imm = imm8(c, 3);
  const a = lanesOf(c, 1);
  const b = c.readVector(2, 0);
  const upper = c.let(maskOf(imm, 0));
  writeLanes(c, 0, [v128.bitselect(a[0]!, b, upper), v128.bitselect(b, a[1]!, upper)]);
};

/** VEXTRACTF128, VEXTRACTI128: `Wdq Vqq Ib`; a register's upper half becomes 0. */
const extract128: Lower = (c) => {
  const imm = imm8(c, 2);
  const value = c.let(v128.bitselect(c.readVector(1, 1), c.readVector(1, 0), maskOf(imm, 0)));
  c.writeVector(0, value, 0);
  if (!c.isMemory(0)) c.writeVector(0, v128.zero(), 1);
};

/** VPERM2F128, VPERM2I128: each half is one of four, or 0. */
const permute128: Lower = (c) => {
  const imm = imm8(c, 3);
  const a = lanesOf(c, 1);
  const b = lanesOf(c, 2);
  const half = (field: I32): V128 => {
    const f = c.let(field);
    const one = maskOf(f, 0);
    const from = (x: readonly V128[]): V128 => v128.bitselect(x[1]!, x[0]!, one);
    return v128.andnot(v128.bitselect(from(b), from(a), maskOf(f, 1)), maskOf(f, 3));
  };
  writeLanes(c, 0, [c.let(half(imm)), c.let(half(shifted(imm, 4)))]);
};

/** Quadword `n` (0..3) of a ymm value. */
function quadword(a: readonly V128[], n: I32): I64 {
  const low = select(i64x2.extract(a[0]!, 1), i64x2.extract(a[0]!, 0), i32.and(n, 1));
  const high = select(i64x2.extract(a[1]!, 1), i64x2.extract(a[1]!, 0), i32.and(n, 1));
  return select(high, low, i32.and(n, 2));
}

/** VPERMQ, VPERMPD: `Vqq Wqq Ib` */
const permuteQuadwords: Lower = (c) => {
  const imm = c.let(imm8(c, 2));
  const a = lanesOf(c, 1);
  const pick = (i: number): I64 => quadword(a, i32.and(i32.shr_u(imm, 2 * i), 3));
  const pair = (i: number): V128 => c.let(i64x2.replace(i64x2.splat(pick(i)), 1, pick(i + 1)));
  writeLanes(c, 0, [pair(0), pair(2)]);
};

/** VPERMD, VPERMPS: `Vqq Hqq Wqq`, the indices in H. */
const permuteDwords: Lower = (c) => {
  const index = lanesOf(c, 1);
  const a = lanesOf(c, 2);
  writeLanes(
    c,
    0,
    index.map((value) => {
      const within = v128.and(value, lanes(4, 3));
      const bytes = c.let(i8x16.add(i32x4.mul(within, lanes(4, 0x04040404)), lanes(4, 0x03020100)));
      const upper = i32x4.shr_s(i32x4.shl(value, 29), 31);
      return c.let(v128.bitselect(i8x16.swizzle(a[1]!, bytes), i8x16.swizzle(a[0]!, bytes), upper));
    }),
  );
};

/** VPERMILPS, VPERMILPD by a vector: within each 128-bit lane. */
const permuteInLane =
  (bits: 32 | 64): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const control = lanesOf(c, 2);
    writeLanes(
      c,
      0,
      a.map((value, lane) => {
        const by = control[lane]!;
        if (bits === 32) {
          const within = v128.and(by, lanes(4, 3));
          const bytes = i8x16.add(i32x4.mul(within, lanes(4, 0x04040404)), lanes(4, 0x03020100));
          return i8x16.swizzle(value, bytes);
        }
        const upper = i64x2.shr_s(i64x2.shl(by, 62), 63); // bit 1 chooses
        return v128.bitselect(i64x2.splat(i64x2.extract(value, 1)), i64x2.splat(i64x2.extract(value, 0)), upper);
      }),
    );
  };

/** VPERMILPD by an immediate: a bit for each element. */
const permuteInLaneImm: Lower = (c) => {
  const imm = c.let(imm8(c, 2));
  writeLanes(
    c,
    0,
    lanesOf(c, 1).map((a, lane) => {
      const pick = (i: number): I64 =>
        select(i64x2.extract(a, 1), i64x2.extract(a, 0), i32.and(i32.shr_u(imm, 2 * lane + i), 1));
      return i64x2.replace(i64x2.splat(pick(0)), 1, pick(1));
    }),
  );
};

/** VPBLENDD: an immediate bit for each of eight. */
const blendDwords: Lower = (c) => {
  const imm = imm8(c, 3);
  const a = lanesOf(c, 1);
  const b = lanesOf(c, 2);
  writeLanes(
    c,
    0,
    a.map((value, lane) => blendps(c, value, b[lane]!, shifted(imm, 4 * lane))),
  );
};

/** VPSLLVD and the like: each element by its own count. */
const shiftEach =
  (bits: 32 | 64, kind: 'shl' | 'shr_u' | 'shr_s'): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const by = lanesOf(c, 2);
    const each32 = (x: V128, n: V128, lane: number): I32 => {
      const count = c.let(i32x4.extract(n, lane));
      const value = i32x4.extract(x, lane);
      if (kind === 'shr_s') return i32.shr_s(value, select(count, i32.const(31), i32.lt_u(count, 32)));
      return select(i32[kind](value, count), i32.const(0), i32.lt_u(count, 32));
    };
    const each64 = (x: V128, n: V128, lane: number): I64 => {
      const count = c.let(i64x2.extract(n, lane));
      const value = i64x2.extract(x, lane);
      return select(i64[kind](value, count), i64.const(0), i64.lt_u(count, 64));
    };
    const results = a.map((value, lane) => {
      let result = value;
      const n = by[lane]!;
      if (bits === 32) for (let i = 0; i < 4; i++) result = i32x4.replace(result, i, each32(value, n, i));
      else for (let i = 0; i < 2; i++) result = i64x2.replace(result, i, each64(value, n, i));
      return c.let(result);
    });
    writeLanes(c, 0, results);
  };

/** The elements whose mask is negative, one condition each. */
function chosen(c: Ops, mask: readonly V128[], bits: 32 | 64): I32[] {
  return mask.flatMap((value) => {
    const signs = c.let(bits === 32 ? i32x4.bitmask(value) : i64x2.bitmask(value));
    return Array.from({ length: 128 / bits }, (_, i) => i32.and(i32.shr_u(signs, i), 1));
  });
}

/** Where the addresses that are not canonical begin. */
const CANONICAL_END = 1n << 47n;

/** The limit of the segment counts for all elements before the first of them is touched, and so does a last one that is not canonical. */
function checkElements(c: Ops, conditions: readonly I32[], address: I64, bits: 32 | 64, write: boolean): void {
  const bytes = bits / 8;
  const beyond = (end: I64): I32 => i64.lt_u(i64.sub(end, CANONICAL_END), conditions.length * bytes);
  const check = (): void => {
    const last = c.variable<'i64'>(i64.const(0));
    const linear = c.variable<'i64'>(i64.const(0));
    conditions.forEach((condition, i) => {
      c.if(condition, () => {
        const at = c.let(i64.add(address, i * bytes));
        last.set(at);
        linear.set(c.checked ? c.checkAddress(at, bytes, write) : at);
      });
    });
    c.if(beyond(i64.add(linear.value, bytes - 1)), () => {
      if (write) c.probe(last.value, bytes);
      else c.let(c.load(bits, last.value) as I32 | I64);
    });
  };
  if (c.checked) check();
  else c.if(beyond(i64.add(address, conditions.length * bytes - 1)), check);
}

/** All checks of the segment, then, for a store, all pages. */
function checkMasked(c: Ops, conditions: readonly I32[], address: I64, bits: 32 | 64, write: boolean): void {
  const bytes = bits / 8;
  const at = (i: number): I64 => i64.add(address, i * bytes);
  const most = c.let(c.get('ripMask') as I64);
  // An element that crosses 4 GiB outside 64-bit mode faults when its turn comes; only its ends are checked early.
  const crosses = (i: number): I32 => i32.and(i64.le_u(at(i), most), i64.gt_u(i64.add(at(i), bytes - 1), most));
  const ends = (i: number): I64[] => [c.let(at(i)), c.let(i64.and(i64.add(at(i), bytes - 1), most))];
  const pages = (crossing: boolean): void => {
    conditions.forEach((condition, i) => {
      const whole = (): void => c.probe(c.let(at(i)), bytes);
      const apart = (): void => {
        for (const end of ends(i)) c.probe(end, 1);
      };
      c.if(condition, () => {
        if (crossing) c.if(crosses(i), apart, whole);
        else whole();
      });
    });
  };
  if (!c.checked) {
    checkElements(c, conditions, address, bits, write);
    if (write) pages(false);
    return;
  }
  const early = conditions.map((condition, i) => c.let(i32.and(condition, i32.eqz(crosses(i)))));
  checkElements(c, early, address, bits, write);
  c.if(
    i64.le_u(i64.sub(at(conditions.length), 1), most),
    () => {
      if (write) pages(false);
    },
    () => {
      conditions.forEach((condition, i) => {
        c.if(i32.and(condition, crosses(i)), () => {
          for (const end of ends(i)) c.checkAddress(end, 1, write);
        });
      });
      if (write) pages(true);
    },
  );
}

/** VPMASKMOV, VMASKMOV load: `Vx Hx Mx`; elements that are not chosen are not touched and read as 0. */
const maskedLoad =
  (bits: 32 | 64): Lower =>
  (c) => {
    const mask = lanesOf(c, 1);
    const address = c.let(c.address(2));
    const perLane = 128 / bits;
    const values = mask.map(() => c.variable<'v128'>(v128.zero()));
    const conditions = chosen(c, mask, bits).map((condition) => c.let(condition));
    checkMasked(c, conditions, address, bits, false);
    conditions.forEach((condition, i) => {
      const lane = values[Math.floor(i / perLane)]!;
      c.if(condition, () => {
        const value = c.load(bits, c.let(i64.add(address, (i * bits) / 8)));
        lane.set(
          bits === 32
            ? i32x4.replace(lane.value, i % perLane, value as I32)
            : i64x2.replace(lane.value, i % perLane, value as I64),
        );
      });
    });
    writeLanes(
      c,
      0,
      values.map((variable) => variable.value),
    );
  };

/** The store: `Mx Hx Vx`. */
const maskedStore =
  (bits: 32 | 64): Lower =>
  (c) => {
    const address = c.let(c.address(0));
    const mask = lanesOf(c, 1);
    const source = lanesOf(c, 2);
    const perLane = 128 / bits;
    const conditions = chosen(c, mask, bits).map((condition) => c.let(condition));
    checkMasked(c, conditions, address, bits, true);
    conditions.forEach((condition, i) => {
      const value = source[Math.floor(i / perLane)]!;
      c.if(condition, () => {
        const part = bits === 32 ? i32x4.extract(value, i % perLane) : i64x2.extract(value, i % perLane);
        c.store(bits, c.let(i64.add(address, (i * bits) / 8)), c.let(part));
      });
    });
  };

function maskedMove(name: string, w: 'W0' | 'W1', load: number, store: number, bits: 32 | 64): Row[] {
  return [
    ...vex(name, `66.0F38.${w} ${hex2(load)} /r`, 'Vx Hx Mx', maskedLoad(bits), { elementwise: true }),
    ...vex(name, `66.0F38.${w} ${hex2(store)} /r`, 'Mx Hx Vx', maskedStore(bits), { elementwise: true }),
  ];
}

/** VZEROUPPER and VZEROALL: eight registers outside 64-bit mode. */
export const clear =
  (count: 8 | 16, all: boolean, lanes: 2 | 4 = 2): Lower =>
  (c) => {
    for (let n = 0; n < count; n++) {
      for (let lane = all ? 0 : 1; lane < lanes; lane++) c.setVector(n, v128.zero(), lane as Lane);
    }
  };

const Y = [256] as const;

export const simdAvxIntRows: readonly Row[] = [
  op('vzeroupper', 'VEX.128.0F.WIG 77', '', clear(16, false), { mode: '64' }),
  op('vzeroupper', 'VEX.128.0F.WIG 77', '', clear(8, false), { mode: '32' }),
  op('vzeroall', 'VEX.256.0F.WIG 77', '', clear(16, true), { mode: '64' }),
  op('vzeroall', 'VEX.256.0F.WIG 77', '', clear(8, true), { mode: '32' }),
  ...vex('vbroadcastss', '66.0F38.W0 18 /r', 'Vx Wd', broadcast(SPREAD.d)),
  ...vex('vbroadcastsd', '66.0F38.W0 19 /r', 'Vqq Wq', broadcast(SPREAD.q), {}, Y),
  ...vex('vbroadcastf128', '66.0F38.W0 1A /r', 'Vqq Mdq', broadcast(SPREAD.dq), {}, Y),
  ...vex('vbroadcasti128', '66.0F38.W0 5A /r', 'Vqq Mdq', broadcast(SPREAD.dq), {}, Y),
  ...vex('vpbroadcastb', '66.0F38.W0 78 /r', 'Vx Wb', broadcast(SPREAD.b)),
  ...vex('vpbroadcastw', '66.0F38.W0 79 /r', 'Vx Ww', broadcast(SPREAD.w)),
  ...vex('vpbroadcastd', '66.0F38.W0 58 /r', 'Vx Wd', broadcast(SPREAD.d)),
  ...vex('vpbroadcastq', '66.0F38.W0 59 /r', 'Vx Wq', broadcast(SPREAD.q)),

  ...vex('vinsertf128', '66.0F3A.W0 18 /r', 'Vqq Hqq Wdq Ib', insert128, {}, Y),
  ...vex('vinserti128', '66.0F3A.W0 38 /r', 'Vqq Hqq Wdq Ib', insert128, {}, Y),
  ...vex('vextractf128', '66.0F3A.W0 19 /r', 'Wdq Vqq Ib', extract128, {}, Y),
  ...vex('vextracti128', '66.0F3A.W0 39 /r', 'Wdq Vqq Ib', extract128, {}, Y),
  ...vex('vperm2f128', '66.0F3A.W0 06 /r', 'Vqq Hqq Wqq Ib', permute128, {}, Y),
  ...vex('vperm2i128', '66.0F3A.W0 46 /r', 'Vqq Hqq Wqq Ib', permute128, {}, Y),
  ...vex('vpermq', '66.0F3A.W1 00 /r', 'Vqq Wqq Ib', permuteQuadwords, {}, Y),
  ...vex('vpermpd', '66.0F3A.W1 01 /r', 'Vqq Wqq Ib', permuteQuadwords, {}, Y),
  ...vex('vpermd', '66.0F38.W0 36 /r', 'Vqq Hqq Wqq', permuteDwords, {}, Y),
  ...vex('vpermps', '66.0F38.W0 16 /r', 'Vqq Hqq Wqq', permuteDwords, {}, Y),
  ...vex('vpermilps', '66.0F38.W0 0C /r', 'Vx Hx Wx', permuteInLane(32)),
  ...vex('vpermilpd', '66.0F38.W0 0D /r', 'Vx Hx Wx', permuteInLane(64)),
  ...vex('vpermilps', '66.0F3A.W0 04 /r', 'Vx Wx Ib', eachImm(pshufd)),
  ...vex('vpermilpd', '66.0F3A.W0 05 /r', 'Vx Wx Ib', permuteInLaneImm),
  ...vex('vpblendd', '66.0F3A.W0 02 /r', 'Vx Hx Wx Ib', blendDwords),

  ...vex('vpsrlvd', '66.0F38.W0 45 /r', 'Vx Hx Wx', shiftEach(32, 'shr_u')),
  ...vex('vpsrlvq', '66.0F38.W1 45 /r', 'Vx Hx Wx', shiftEach(64, 'shr_u')),
  ...vex('vpsravd', '66.0F38.W0 46 /r', 'Vx Hx Wx', shiftEach(32, 'shr_s')),
  ...vex('vpsllvd', '66.0F38.W0 47 /r', 'Vx Hx Wx', shiftEach(32, 'shl')),
  ...vex('vpsllvq', '66.0F38.W1 47 /r', 'Vx Hx Wx', shiftEach(64, 'shl')),

  ...maskedMove('vmaskmovps', 'W0', 0x2c, 0x2e, 32),
  ...maskedMove('vmaskmovpd', 'W0', 0x2d, 0x2f, 64),
  ...maskedMove('vpmaskmovd', 'W0', 0x8c, 0x8e, 32),
  ...maskedMove('vpmaskmovq', 'W1', 0x8c, 0x8e, 64),
];

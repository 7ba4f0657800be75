/** Permutations, compressing and narrowing moves, conflicts, gathers and scatters of AVX-512. */
import { Vector } from '../exit.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { Rec } from '../interp/record.ts';
import { i32, type V128 } from '../ir/expr.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { i64x2, lowDouble, lowQuad, v128 } from '../ir/vector.ts';
import { derive, elements, evex, inTypeScript, type Staged, stage, type Width, writeWhole } from './avx512-forms.ts';
import { type EvexOptions, helper, type Lower, type Row } from './row.ts';
import { simdAvxIntRows } from './simd-avx-int.ts';
import { lanesOf } from './simd-forms.ts';
import { indexSlot } from './simd-gather.ts';

const W = { 32: 'W0', 64: 'W1' } as const;
const wide = (width: 32 | 64): EvexOptions => ({ ...elements(width), wholeMemory: true });
type List = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;
const number = (list: List, i: number): number => Number(BigInt(list[i]!) & 0xffn);

/** VPERMD and its kin: elements of the last operand (staged 2) by the indices of the first (staged 1). */
const permute = (width: Width): Lower =>
  inTypeScript([1, 2], (s) => {
    const count = s.length / width;
    const [to, index, from] = [s.words(width, 0), s.words(width, 1), s.words(width, 2)];
    for (let i = 0; i < count; i++) to[i] = from[number(index, i) & (count - 1)]!;
  });

/** VPERMI2 and VPERMT2: of two tables; `index` and `first` are staged operands. */
const permuteTwo = (width: Width, index: 1 | 2, first: 1 | 2): Lower =>
  inTypeScript([0, 1, 2], (s) => {
    const count = s.length / width;
    const to = s.words(width, 0);
    const by = s.words(width, index);
    const tables = [s.words(width, first), s.words(width, 3)];
    for (let i = 0; i < count; i++) {
      const n = number(by, i) & (2 * count - 1);
      to[i] = tables[n >= count ? 1 : 0]![n & (count - 1)]!;
    }
  });

/** VPERMQ and VPERMPD by an immediate: within each 256 bits. */
const permuteImm: Lower = inTypeScript([1], (s) => {
  const [to, from] = [s.u64(0), s.u64(1)];
  for (let i = 0; i < s.length / 64; i++) to[i] = from[(i & 4) + ((s.imm >> (2 * (i & 3))) & 3)]!;
});

/** VALIGND, VALIGNQ: the second source below the first, shifted down by elements. */
const align = (width: 32 | 64): Lower =>
  inTypeScript([1, 2], (s) => {
    const count = s.length / width;
    const [to, high, low] = [s.words(width, 0), s.words(width, 1), s.words(width, 2)];
    for (let i = 0; i < count; i++) {
      const n = i + (s.imm & (count - 1));
      to[i] = n < count ? low[n]! : high[n - count]!;
    }
  });

/** VSHUFF32X4 and its kin: 128-bit lanes, the lower half of the result from the first source. */
const shuffleLanes: Lower = inTypeScript([1, 2], (s) => {
  const lanes = s.length / 128;
  const bits = lanes / 2;
  for (let i = 0; i < lanes; i++) {
    const n = (s.imm >> (bits * i)) & (lanes - 1);
    const from = s.u64(i < lanes / 2 ? 1 : 2);
    s.u64(0).set(from.subarray(2 * n, 2 * n + 2), 2 * i);
  }
});

/** VPCONFLICT: which of the elements below are equal. */
const conflict = (width: 32 | 64): Lower =>
  inTypeScript([1], (s) => {
    const [to, from] = [s.words(width, 0), s.words(width, 1)];
    for (let i = 0; i < s.length / width; i++) {
      let bits = 0;
      for (let j = 0; j < i; j++) if (from[i] === from[j]) bits |= 1 << j;
      if (width === 32) to[i] = bits;
      else to[i] = BigInt(bits);
    }
  });

/** VDBPSADBW: sums of absolute differences with a shuffled second source. */
const sumsOfDifferences: Lower = inTypeScript([1, 2], (s) => {
  const [a, b, to] = [s.u8(1), s.u8(2), s.u16(0)];
  const shuffled = new Uint8Array(64);
  for (let at = 0; at < s.length / 8; at += 16) {
    for (let n = 0; n < 4; n++) {
      const from = at + 4 * ((s.imm >> (2 * n)) & 3);
      shuffled.set(b.subarray(from, from + 4), at + 4 * n);
    }
  }
  const sum = (x: number, y: number): number => {
    let total = 0;
    for (let i = 0; i < 4; i++) total += Math.abs(a[x + i]! - shuffled[y + i]!);
    return total;
  };
  for (let at = 0; at < s.length / 8; at += 8) {
    to[at / 2] = sum(at, at);
    to[at / 2 + 1] = sum(at, at + 1);
    to[at / 2 + 2] = sum(at + 4, at + 2);
    to[at / 2 + 3] = sum(at + 4, at + 3);
  }
});

// Narrowing moves.

type Saturation = '' | 's' | 'us';

/** VPMOVQB and the like: the staged operand 1 to elements of `to` bits. */
const narrow = (from: 16 | 32 | 64, to: 8 | 16 | 32, saturation: Saturation): Lower => {
  const limit = 1n << BigInt(to);
  const cut = (v: bigint): bigint => {
    if (saturation === 'us') return v >= limit ? limit - 1n : v;
    if (saturation === '') return v & (limit - 1n);
    const signed = BigInt.asIntN(from, v);
    const top = limit / 2n;
    return BigInt.asUintN(to, signed >= top ? top - 1n : signed < -top ? -top : signed);
  };
  const run = (s: Staged): void => {
    s.u64(0).fill(0n);
    const [out, list] = [s.words(to, 0), s.words(from, 1)];
    for (let i = 0; i < s.length / from; i++) out[i] = Number(cut(BigInt(list[i]!)));
  };
  return (c) => {
    const r = stage(c, [lanesOf(c, 1)], run);
    writePart(c, r, (c.lanes * 128 * to) / from);
  };
};

/** Writes `bits` bits of a result to operand 0: memory of that size, or a register whose rest is zero. */
function writePart(c: Ops, r: readonly V128[], bits: number): void {
  if (c.isMemory(0) && bits < 128) {
    c.writeVector(0, bits === 64 ? lowQuad(i64x2.extract(r[0]!, 0)) : lowDouble(i32.wrap(i64x2.extract(r[0]!, 0))), 0);
    return;
  }
  const lanes = c.isMemory(0) ? bits / 128 : c.lanes;
  for (let lane = 0; lane < lanes; lane++) c.writeVector(0, lane * 128 < bits ? r[lane]! : v128.zero(), lane as Lane);
}

function narrowing(): Row[] {
  const lines: readonly (readonly [string, number, 16 | 32 | 64, 8 | 16 | 32])[] = [
    ['wb', 0, 16, 8],
    ['db', 1, 32, 8],
    ['qb', 2, 64, 8],
    ['dw', 3, 32, 16],
    ['qw', 4, 64, 16],
    ['qd', 5, 64, 32],
  ];
  return lines.flatMap(([name, n, from, to]) =>
    (
      [
        ['', '3'],
        ['s', '2'],
        ['us', '1'],
      ] as const
    ).map(([saturation, row]) => {
      const operand = { 2: 'Wxh', 4: 'Wxf', 8: 'Wxe' }[(from / to) as 2 | 4 | 8];
      const code = `X.F3.0F38.W0 ${row}${n} /r`;
      return evex(`vpmov${saturation}${name}`, code, `${operand} Vx`, narrow(from, to, saturation), {
        mask: to,
        per: from,
      });
    }),
  );
}

// Compressing and expanding.

const activeOf = (s: Staged, width: Width): number[] =>
  Array.from({ length: s.length / width }, (_, i) => i).filter((i) => (s.active >> BigInt(i)) & 1n);

/** VPCOMPRESS to a register: the active elements side by side; the rest as they were, or zero. */
const compress =
  (width: 32 | 64): Lower =>
  (c) => {
    const r = stage(c, [lanesOf(c, 1), lanesOf(c, 0)], (s) => {
      const [to, from, old] = [s.words(width, 0), s.words(width, 1), s.words(width, 2)];
      const active = activeOf(s, width);
      const zeroing = s.h.variant.evex?.zeroing === true;
      for (let i = 0; i < s.length / width; i++) {
        const source = active[i];
        to[i] = source !== undefined ? from[source]! : zeroing ? (width === 32 ? 0 : 0n) : old[i]!;
      }
    });
    r.forEach((v, lane) => {
      writeWhole(c, 0, v, lane as Lane);
    });
  };

/** To memory: as many elements as are active. */
const compressToMemory =
  (width: 32 | 64): Lower =>
  (c) => {
    stage(c, [lanesOf(c, 1)], (s) => {
      const from = s.words(width, 1);
      const bytes = new Uint8Array(64);
      const view = new DataView(bytes.buffer);
      const active = activeOf(s, width);
      active.forEach((i, n) => {
        if (width === 32) view.setUint32(4 * n, Number(from[i]!), true);
        else view.setBigUint64(8 * n, BigInt(from[i]!), true);
      });
      if (active.length > 0) s.h.storeElements(width / 8, bytes.subarray(0, (active.length * width) / 8));
    });
  };

/** VPEXPAND: the next elements of the source to the active places. */
const expand =
  (width: 32 | 64, memory: boolean): Lower =>
  (c) => {
    const r = stage(c, memory ? [] : [lanesOf(c, 1)], (s) => {
      const active = activeOf(s, width);
      const [to, from] = [s.words(width, 0), s.words(width, 1)];
      if (memory && active.length > 0) s.h.loadElements(width / 8, s.u8(1).subarray(0, (active.length * width) / 8));
      active.forEach((i, n) => {
        to[i] = from[n]!;
      });
    });
    r.forEach((v, lane) => {
      c.writeVector(0, v, lane as Lane);
    });
  };

function compressing(): Row[] {
  const names = [
    ['vpcompressd', '8B', 'vpexpandd', '89', 32],
    ['vpcompressq', '8B', 'vpexpandq', '89', 64],
    ['vcompressps', '8A', 'vexpandps', '88', 32],
    ['vcompresspd', '8A', 'vexpandpd', '88', 64],
  ] as const;
  return names.flatMap(([down, downCode, up, upCode, width]): Row[] => {
    const code = (opcode: string): string => `X.66.0F38.${W[width]} ${opcode} /r`;
    const options: EvexOptions = { mask: width, disp8: width / 8 };
    return [
      evex(down, code(downCode), 'Ux Vx', compress(width), options),
      evex(down, code(downCode), 'Mx Vx', compressToMemory(width), options),
      evex(up, code(upCode), 'Vx Ux', expand(width, false), options),
      evex(up, code(upCode), 'Vx Mx', expand(width, true), options),
    ];
  });
}

// Gathers and scatters.

/** The addresses of the elements, by a vector of indices. */
function addresses(h: HelperContext, indexBits: 32 | 64): (i: number) => bigint {
  const { view } = h;
  const index = indexSlot(h);
  const base = view.getBigUint64(view.getUint16(h.record + Rec.base, true), true);
  const disp = view.getBigInt64(h.record + Rec.disp, true);
  const scale = BigInt(view.getUint8(h.record + Rec.scale));
  return (i) => {
    const n = indexBits === 32 ? BigInt(view.getInt32(index + 4 * i, true)) : view.getBigInt64(index + 8 * i, true);
    return (((base + (n << scale) + disp) & h.addressMask) + h.segmentBase) & h.get64('ripMask');
  };
}

const VECTOR_BYTES = 64;

/** Elements in order; each one done clears its bit of the opmask, so that a fault in between can be resumed from. */
const gather = (indexBits: 32 | 64, bits: 32 | 64): Lower =>
  helper((h) => {
    const { view } = h;
    const to = h.slot(0);
    if (to === indexSlot(h)) h.raise(Vector.UD);
    const at = addresses(h, indexBits);
    const k = view.getUint16(h.record + Rec.opmask, true);
    const count = (h.lanes * 128) / Math.max(indexBits, bits);
    const state = new Uint8Array(view.buffer, 0, 0x10000);
    const clearAbove = (from: number): void => void state.fill(0, to + from, to + VECTOR_BYTES);
    let done = false;
    for (let i = 0; i < count; i++) {
      const mask = view.getBigUint64(k, true);
      if (!((mask >> BigInt(i)) & 1n)) continue;
      const value = done ? h.orTrap(() => h.load(bits, at(i))) : h.load(bits, at(i));
      if (value === undefined) return;
      done = true;
      if (bits === 32) view.setUint32(to + 4 * i, Number(value), true);
      else view.setBigUint64(to + 8 * i, value, true);
      view.setBigUint64(k, mask & ~(1n << BigInt(i)), true);
      // What a fault leaves: the part of the vector length that is not written yet is as it was.
      clearAbove(h.lanes * 16);
    }
    view.setBigUint64(k, 0n, true);
    clearAbove((count * bits) / 8);
  });

const scatter = (indexBits: 32 | 64, bits: 32 | 64): Lower =>
  helper((h) => {
    const { view } = h;
    const from = h.slot(1);
    const at = addresses(h, indexBits);
    const k = view.getUint16(h.record + Rec.opmask, true);
    const count = (h.lanes * 128) / Math.max(indexBits, bits);
    let done = false;
    for (let i = 0; i < count; i++) {
      const mask = view.getBigUint64(k, true);
      if (!((mask >> BigInt(i)) & 1n)) continue;
      const value = bits === 32 ? BigInt(view.getUint32(from + 4 * i, true)) : view.getBigUint64(from + 8 * i, true);
      const store = (): true => {
        h.store(bits, at(i), value);
        return true;
      };
      if ((done ? h.orTrap(store) : store()) === undefined) return;
      done = true;
      view.setBigUint64(k, mask & ~(1n << BigInt(i)), true);
    }
    view.setBigUint64(k, 0n, true);
  });

function gathering(): Row[] {
  const lines: readonly (readonly [string, string, string, string])[] = [
    ['vpgather', '90', 'vpscatter', 'A0'],
    ['vgather', '92', 'vscatter', 'A2'],
  ];
  const rest = { addressOnly: true, string: 'source', vsib: true, elementwise: true } as const;
  return lines.flatMap(([load, loadCode, store, storeCode]) =>
    ([32, 64] as const).flatMap((indexBits, n) =>
      ([32, 64] as const).flatMap((bits): Row[] => {
        const float = load === 'vgather';
        const name = `${indexBits === 32 ? 'd' : 'q'}${float ? (bits === 32 ? 'ps' : 'pd') : bits === 32 ? 'd' : 'q'}`;
        const options: EvexOptions = { mask: bits, disp8: bits / 8, merging: true, needsMask: true };
        const code = (opcode: string): string =>
          `X.66.0F38.${W[bits]} ${(Number.parseInt(opcode, 16) + n).toString(16).toUpperCase()} /r`;
        return [
          evex(`${load}${name}`, code(loadCode), 'Vx M', gather(indexBits, bits), options, rest),
          evex(`${store}${name}`, code(storeCode), 'M Vx', scatter(indexBits, bits), options, rest),
        ];
      }),
    ),
  );
}

export function avx512PermuteRows(): Row[] {
  const perm = (name: string, code: string, lower: Lower, options: EvexOptions, operands = 'Vx Hx Wx'): Row =>
    evex(name, code, operands, lower, options);
  const words: EvexOptions = { mask: 16, wholeMemory: true };
  const two = (name: string, opcodes: string, index: 1 | 2, first: 1 | 2): Row[] => [
    perm(`${name}w`, `X.66.0F38.W1 7${opcodes[0]} /r`, permuteTwo(16, index, first), words),
    ...([32, 64] as const).flatMap((width) => [
      perm(
        `${name}${width === 32 ? 'd' : 'q'}`,
        `X.66.0F38.${W[width]} 7${opcodes[1]} /r`,
        permuteTwo(width, index, first),
        wide(width),
      ),
      perm(
        `${name}${width === 32 ? 'ps' : 'pd'}`,
        `X.66.0F38.${W[width]} 7${opcodes[2]} /r`,
        permuteTwo(width, index, first),
        wide(width),
      ),
    ]),
  ];
  const permutesInLanes = (name: string, width: 32 | 64): Row[] =>
    simdAvxIntRows
      .filter((r) => r.name === name && r.encoding.startsWith('VEX.128'))
      .map((r) => derive([r], name, W[width], r.operands.endsWith('Ib') ? { ...wide(width) } : wide(width)));
  return [
    perm('vpermw', 'X.66.0F38.W1 8D /r', permute(16), words),
    perm('vpermd', 'Y.66.0F38.W0 36 /r', permute(32), wide(32)),
    perm('vpermq', 'Y.66.0F38.W1 36 /r', permute(64), wide(64)),
    perm('vpermps', 'Y.66.0F38.W0 16 /r', permute(32), wide(32)),
    perm('vpermpd', 'Y.66.0F38.W1 16 /r', permute(64), wide(64)),
    perm('vpermq', 'Y.66.0F3A.W1 00 /r', permuteImm, wide(64), 'Vx Wx Ib'),
    perm('vpermpd', 'Y.66.0F3A.W1 01 /r', permuteImm, wide(64), 'Vx Wx Ib'),
    ...two('vpermi2', '567', 1, 2),
    ...two('vpermt2', 'DEF', 2, 1),
    ...permutesInLanes('vpermilps', 32),
    ...permutesInLanes('vpermilpd', 64),
    perm('valignd', 'X.66.0F3A.W0 03 /r', align(32), wide(32), 'Vx Hx Wx Ib'),
    perm('valignq', 'X.66.0F3A.W1 03 /r', align(64), wide(64), 'Vx Hx Wx Ib'),
    perm('vshuff32x4', 'Y.66.0F3A.W0 23 /r', shuffleLanes, wide(32), 'Vx Hx Wx Ib'),
    perm('vshuff64x2', 'Y.66.0F3A.W1 23 /r', shuffleLanes, wide(64), 'Vx Hx Wx Ib'),
    perm('vshufi32x4', 'Y.66.0F3A.W0 43 /r', shuffleLanes, wide(32), 'Vx Hx Wx Ib'),
    perm('vshufi64x2', 'Y.66.0F3A.W1 43 /r', shuffleLanes, wide(64), 'Vx Hx Wx Ib'),
    perm('vpconflictd', 'X.66.0F38.W0 C4 /r', conflict(32), wide(32), 'Vx Wx'),
    perm('vpconflictq', 'X.66.0F38.W1 C4 /r', conflict(64), wide(64), 'Vx Wx'),
    perm('vdbpsadbw', 'X.66.0F3A.W0 42 /r', sumsOfDifferences, words, 'Vx Hx Wx Ib'),
    ...narrowing(),
    ...compressing(),
    ...gathering(),
  ];
}

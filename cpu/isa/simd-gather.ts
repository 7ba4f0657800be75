/** VPGATHER*, VGATHER* (AVX2): elements from addresses of their own; Intel SDM vol. 2. */
import { Vector } from '../exit.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { Rec } from '../interp/record.ts';
import { helper, op, type Row } from './row.ts';

/** The vector register in SIB.index. */
export const indexSlot = (h: HelperContext): number => h.view.getUint16(h.record + Rec.index, true);

const VECTOR_BYTES = 64;

/** `Vx M Hx`: destination, base with vector index, mask. A fault leaves the elements before it done and their masks clear. */
const gather = (indexBits: 32 | 64, bits: 32 | 64) =>
  helper((h) => {
    const { view } = h;
    const index = indexSlot(h);
    const to = h.slot(0);
    const mask = h.slot(2);
    if ((h.modrm & 7) !== 4 || to === mask || to === index || mask === index) h.raise(Vector.UD);
    const count = (h.lanes * 128) / Math.max(indexBits, bits);
    const base = view.getBigUint64(view.getUint16(h.record + Rec.base, true), true);
    const disp = view.getBigInt64(h.record + Rec.disp, true);
    const scale = BigInt(view.getUint8(h.record + Rec.scale));
    const at = (i: number): bigint => {
      const n = indexBits === 32 ? BigInt(view.getInt32(index + 4 * i, true)) : view.getBigInt64(index + 8 * i, true);
      return (((base + (n << scale) + disp) & h.addressMask) + h.segmentBase) & h.get64('ripMask');
    };
    const bytes = bits / 8;
    const state = new Uint8Array(view.buffer, 0, 0x10000);
    // First every mask element becomes all ones or zero.
    const length = h.lanes * 16;
    for (let i = 0; i < length / bytes; i++) {
      const sign = view.getInt8(mask + bytes * i + bytes - 1) < 0 ? 255 : 0;
      state.fill(sign, mask + bytes * i, mask + bytes * (i + 1));
    }
    state.fill(0, mask + length, mask + VECTOR_BYTES);
    let done = false;
    for (let i = 0; i < count; i++) {
      if (view.getInt8(mask + bytes * i) >= 0) continue;
      const value = done ? h.orTrap(() => h.load(bits, at(i))) : h.load(bits, at(i));
      if (value === undefined) return;
      done = true;
      if (bits === 32) view.setUint32(to + 4 * i, Number(value), true);
      else view.setBigUint64(to + 8 * i, value, true);
      state.fill(0, mask + bytes * i, mask + bytes * (i + 1));
      state.fill(0, to + length, to + VECTOR_BYTES);
    }
    state.fill(0, mask, mask + VECTOR_BYTES);
    state.fill(0, to + count * bytes, to + VECTOR_BYTES);
  });

function gathers(name: string, opcode: string, lower: ReturnType<typeof gather>, w: 'W0' | 'W1'): Row[] {
  return ['128', '256'].map((length) =>
    op(name, `VEX.${length}.66.0F38.${w} ${opcode} /r`, 'Vx M Hx', lower, {
      addressOnly: true,
      string: 'source',

      vsib: true,
      elementwise: true,
    }),
  );
}

export const simdGatherRows: readonly Row[] = [
  ...gathers('vpgatherdd', '90', gather(32, 32), 'W0'),
  ...gathers('vpgatherdq', '90', gather(32, 64), 'W1'),
  ...gathers('vpgatherqd', '91', gather(64, 32), 'W0'),
  ...gathers('vpgatherqq', '91', gather(64, 64), 'W1'),
  ...gathers('vgatherdps', '92', gather(32, 32), 'W0'),
  ...gathers('vgatherdpd', '92', gather(32, 64), 'W1'),
  ...gathers('vgatherqps', '93', gather(64, 32), 'W0'),
  ...gathers('vgatherqpd', '93', gather(64, 64), 'W1'),
];

import {
  Bytes,
  type Encoded,
  memoryOperand,
  type Operand,
  pickOffset,
  type RegisterFile,
  type Template,
  WIDE_FIXUP,
} from './encode.ts';
import { DATA_BASE, TLS_BASE } from './protocol.ts';
import type { Random } from './random.ts';
import { edgeValue } from './state.ts';

/** One concrete EVEX encoding. @param strict nothing that does not exist */
export function encodeEvex(template: Template, random: Random, compat: boolean, rip: number, strict = false): Encoded {
  const evex = template.evex!;
  const fixups: [number, bigint][] = [];
  const memory = template.form === 'mem' || (template.form === 'any' && random.oneIn(2));
  const b = memory ? evex.broadcast && random.oneIn(3) : evex.rounding && random.oneIn(3);
  const aaa = evex.needsMask || (evex.mask && !random.oneIn(4)) ? 1 + random.below(7) : 0;
  const z = evex.zeroing && aaa !== 0 && (!memory || template.form !== 'mem') && random.oneIn(2);
  const l = b && !memory ? random.below(4) : template.l >= 0 ? template.l : random.below(3);
  const number = (file: RegisterFile): number =>
    random.below(compat || file === 'opmask' ? 8 : file === 'vector' ? 32 : 16);
  const reg = template.digit >= 0 ? template.digit : number(evex.reg);
  const v = template.vvvv ? number(evex.v) : 0;
  const w = template.w >= 0 ? template.w : compat ? 0 : random.below(2);

  let addressSize = compat ? 4 : 8;
  let segment = 0;
  let fsBase = 0n;
  const offset = pickOffset(random);
  let target = BigInt(DATA_BASE + offset);
  let addressPrefix = false;
  const segmented = memory && random.oneIn(12);
  const shrunk = memory && !segmented && !compat && random.oneIn(12);
  if (segmented) {
    if (compat) {
      segment = 0x65;
      target = BigInt.asUintN(32, target - BigInt(TLS_BASE));
    } else {
      segment = 0x64;
      fsBase = 0x7fff12345678n;
      target = BigInt.asUintN(64, target - fsBase);
    }
  } else if (shrunk) {
    addressPrefix = true;
    addressSize = 4;
  } else if (memory && !compat && random.oneIn(60)) target = random.pick([0x800000000000n, 1n << 63n]);

  let rm: Operand;
  let highV = v >> 4;
  const unit = evex.unit[b ? 1 : 0];
  if (memory && template.vsib) {
    const index = number('vector');
    highV = index >> 4;
    rm = indexed(random, addressSize, target, template.vsib, index, unit, fixups);
  } else if (memory) rm = memoryOperand(random, compat, addressSize, target, fixups, unit);
  else {
    const r = number(evex.rm);
    rm = {
      modrm: 0xc0 | (r & 7),
      sib: -1,
      displacement: 0n,
      displacementSize: 0,
      x: r >> 4,
      b: (r >> 3) & 1,
      ripRelative: false,
    };
  }
  const pp = [0, 0x66, 0xf3, 0xf2].indexOf(template.prefix);
  const r = template.digit >= 0 ? 0 : reg;
  const payload = [
    ((((r >> 3) & 1) ^ 1) << 7) | ((rm.x ^ 1) << 6) | ((rm.b ^ 1) << 5) | (((r >> 4) ^ 1) << 4) | template.map,
    (w << 7) | (((v & 15) ^ 15) << 3) | 4 | pp,
    (z ? 0x80 : 0) | (l << 5) | (b ? 0x10 : 0) | ((highV ^ 1) << 3) | aaa,
  ];
  if (!strict && random.oneIn(12)) payload[random.below(3)]! ^= 1 << random.below(8);

  // In compatibility mode general registers have 32 bits, whatever W says.
  if (!strict && compat && evex.rm === 'general' && random.oneIn(4)) payload[1]! ^= 0x80;

  const out = new Bytes();
  if (segment) out.u8(segment);
  if (addressPrefix) out.u8(0x67);
  if (!strict && random.oneIn(200)) out.u8(random.pick([0x66, 0xf2, 0xf3, 0xf0, ...(compat ? [] : [0x48])]));
  out.u8(0x62);
  for (const byte of payload) out.u8(byte);
  out.u8(template.opcode);
  out.u8(rm.modrm | ((reg & 7) << 3));
  if (rm.sib >= 0) out.u8(rm.sib);
  const immediate = Number(template.immediate);
  if (rm.ripRelative) {
    const end = BigInt(rip + out.list.length + 4 + immediate);
    out.le(BigInt.asUintN(32, target - end), 4);
  } else out.le(rm.displacement, rm.displacementSize);
  out.le(edgeValue(random), immediate);
  return {
    code: Uint8Array.from(out.list),
    fixups,
    operand: memory ? offset : undefined,
    fsBase,
    gsBase: 0n,
    repeated: template.vsib !== 0,
  };
}

/** A zmm register of indices around the target. */
function indexed(
  random: Random,
  addressSize: number,
  target: bigint,
  bits: 32 | 64,
  index: number,
  unit: number,
  fixups: [number, bigint][],
): Operand {
  const base = [0, 1, 2, 3, 6, 7][random.below(6)]!;
  const displacement = BigInt(random.below(256) - 128);
  fixups.push([base, BigInt.asUintN(addressSize * 8, target - displacement * BigInt(unit))]);
  for (let eighth = 0; eighth < 8; eighth++) {
    const one = (): bigint => BigInt(random.below(random.oneIn(16) ? 0x1000 : 64) - 16);
    const low = one();
    const value = bits === 64 ? low : BigInt.asUintN(32, low) | (one() << 32n);
    fixups.push([WIDE_FIXUP + index * 8 + eighth, BigInt.asUintN(64, value)]);
  }
  return {
    modrm: 0x44,
    sib: (random.below(4) << 6) | ((index & 7) << 3) | base,
    displacement: BigInt.asUintN(8, displacement),
    displacementSize: 1,
    x: (index >> 3) & 1,
    b: 0,
    ripRelative: false,
  };
}

import {
  Bytes,
  type Encoded,
  type Environment,
  FS,
  GS,
  loadRegister,
  Making,
  memoryOperand,
  type Operand,
  pickOffset,
  type RegisterFile,
  registerOperand,
  SEGMENT_PREFIX,
  type Template,
  takesMemory,
  WIDE_FIXUP,
} from './encode.ts';
import { DATA_BASE } from './layout.ts';
import type { Random } from './random.ts';
import { edgeValue } from './state.ts';

const DS = 3;

/** One concrete EVEX encoding. @param strict nothing that does not exist */
export function encodeEvex(
  template: Template,
  random: Random,
  environment: Environment,
  rip: number,
  inline = false,
  strict = false,
): Encoded {
  const evex = template.evex!;
  const d = new Making(random, environment);
  const { long, fixups } = d;
  const memory = takesMemory(template, random);
  const b = memory ? evex.broadcast && random.oneIn(3) : evex.rounding && random.oneIn(3);
  const aaa = evex.needsMask || (evex.mask && !random.oneIn(4)) ? 1 + random.below(7) : 0;
  const z = evex.zeroing && aaa !== 0 && (!memory || template.form !== 'mem') && random.oneIn(2);
  const l = b && !memory ? random.below(4) : template.l >= 0 ? template.l : random.below(3);
  const number = (file: RegisterFile): number =>
    random.below(!long || file === 'opmask' ? 8 : file === 'vector' ? 32 : 16);
  const reg = template.digit >= 0 ? template.digit : number(evex.reg);
  const v = template.vvvv ? number(evex.v) : 0;
  const w = template.w >= 0 ? template.w : long ? random.below(2) : 0;

  const offset = pickOffset(random);
  let target = BigInt(DATA_BASE + offset);
  let addressPrefix = false;
  const segmented = memory && random.oneIn(12);
  const otherAddress = memory && random.oneIn(12);
  if (template.vsib && d.addressSize === 2 && !random.oneIn(4)) {
    addressPrefix = true; // VSIB does not go with 16-bit addresses
    d.addressSize = 4;
  } else if (segmented) {
    d.segment = long || random.oneIn(2) ? FS : GS;
    if (long) d.fsBase = 0x7fff12345678n;
  } else if (otherAddress) {
    const before = d.addressSize;
    d.addressSize = long ? 4 : before === 4 && !template.vsib ? 2 : 4;
    addressPrefix = d.addressSize !== before;
  } else if (memory && long && random.oneIn(60)) target = random.pick([0x800000000000n, 1n << 63n]);

  let rm: Operand;
  let highV = v >> 4;
  const unit = evex.unit[b ? 1 : 0];
  if (memory && template.vsib && d.addressSize !== 2) {
    const index = number('vector');
    highV = index >> 4;
    rm = indexed(d, target, template.vsib, index, unit);
  } else if (memory) rm = memoryOperand(d, target, rip, unit);
  else {
    const r = number(evex.rm);
    rm = { ...registerOperand(0xc0 | (r & 7), (r >> 3) & 1), x: r >> 4 };
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
  if (!strict && !long && evex.rm === 'general' && random.oneIn(4)) payload[1]! ^= 0x80;

  const out = new Bytes();
  if (inline) {
    for (const [register, value] of fixups) loadRegister(out, environment.mode, register, value);
    fixups.length = 0;
  }
  if (d.segment >= 0) out.u8(SEGMENT_PREFIX[d.segment]!);
  if (addressPrefix) out.u8(0x67);
  if (!strict && random.oneIn(200)) out.u8(random.pick([0x66, 0xf2, 0xf3, 0xf0, ...(long ? [0x48] : [])]));
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
    code: out.list,
    fixups,
    operand: memory ? offset : undefined,
    patches: [],
    fsBase: d.fsBase,
    gsBase: d.gsBase,
    repeated: template.vsib !== 0,
  };
}

/** A zmm register of indices around the target. */
function indexed(d: Making, target: bigint, bits: 32 | 64, index: number, unit: number): Operand {
  const { random } = d;
  const base = [0, 1, 2, 3, 6, 7][random.below(6)]!;
  const displacement = BigInt(random.below(256) - 128);
  const effective = d.inSegment(target, d.segment < 0 ? DS : d.segment);
  d.fixups.push([base, BigInt.asUintN(d.addressSize * 8, effective - displacement * BigInt(unit))]);
  for (let eighth = 0; eighth < 8; eighth++) {
    const one = (): bigint => BigInt(random.below(random.oneIn(16) ? 0x1000 : 64) - 16);
    const low = one();
    const value = bits === 64 ? low : BigInt.asUintN(32, low) | (one() << 32n);
    d.fixups.push([WIDE_FIXUP + index * 8 + eighth, BigInt.asUintN(64, value)]);
  }
  return {
    ...registerOperand(0x44, 0),
    sib: (random.below(4) << 6) | ((index & 7) << 3) | base,
    displacement: BigInt.asUintN(8, displacement),
    displacementSize: 1,
    x: (index >> 3) & 1,
  };
}

/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (Intel SDM vol. 2, 4.1). */
import { STATUS_FLAGS } from '../flags.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { vectorOffset } from '../state.ts';
import { helper, op, type Row, type RowOptions } from './row.ts';

export interface TextResult {
  /** IntRes2, one bit per element. */
  readonly bits: number;
  /** CF, ZF, SF and OF, at their places in RFLAGS; AF and PF are 0. */
  readonly flags: number;
}

const EQUAL_ANY = 0;
const RANGES = 1;
const EQUAL_EACH = 2;

type Load = (view: DataView, i: number) => number;
const LOADS: readonly Load[] = [
  (view, i) => view.getUint8(i),
  (view, i) => view.getUint16(2 * i, true),
  (view, i) => view.getInt8(i),
  (view, i) => view.getInt16(2 * i, true),
];

/** Number of elements before the first null one. */
export function implicitLength(view: DataView, imm: number): number {
  const count = imm & 1 ? 8 : 16;
  for (let i = 0; i < count; i++) if (LOADS[imm & 3]!(view, i) === 0) return i;
  return count;
}

/** Explicit lengths: the absolute value, at most the number of elements. */
export function explicitLength(register: bigint, imm: number): number {
  const count = imm & 1 ? 8n : 16n;
  const absolute = register < 0n ? -register : register;
  return Number(absolute < count ? absolute : count);
}

/** @param a first operand (the set, the ranges or the needle) @param b second operand (the text) */
export function compareText(a: DataView, lengthA: number, b: DataView, lengthB: number, imm: number): TextResult {
  const load = LOADS[imm & 3]!;
  const count = imm & 1 ? 8 : 16;
  const mode = (imm >> 2) & 3;
  let first = 0; // IntRes1
  for (let j = 0; j < count; j++) {
    let bit = false;
    if (mode === EQUAL_ANY) {
      for (let i = 0; i < lengthA && j < lengthB; i++) if (load(a, i) === load(b, j)) bit = true;
    } else if (mode === RANGES) {
      for (let i = 0; i + 1 < lengthA && j < lengthB; i += 2) {
        const value = load(b, j);
        if (value >= load(a, i) && value <= load(a, i + 1)) bit = true;
      }
    } else if (mode === EQUAL_EACH) {
      bit = j < lengthA && j < lengthB ? load(a, j) === load(b, j) : j >= lengthA && j >= lengthB;
    } else {
      bit = true; // equal ordered: the needle stands at j; its end and the text's edge match anything
      for (let i = 0; i < lengthA && j + i < count; i++) {
        if (j + i >= lengthB || load(a, i) !== load(b, j + i)) bit = false;
      }
    }
    if (bit) first |= 1 << j;
  }
  let bits = first;
  const all = (1 << count) - 1;
  if ((imm >> 4) % 4 === 1) bits = first ^ all;
  if ((imm >> 4) % 4 === 3) bits = first ^ ((1 << lengthB) - 1);
  let flags = 0;
  if (bits !== 0) flags |= 1;
  if (lengthB < count) flags |= 0x40;
  if (lengthA < count) flags |= 0x80;
  if (bits & 1) flags |= 0x800;
  return { bits, flags };
}

/** What the *I forms put in ECX. */
export function textIndex(bits: number, imm: number): number {
  if (bits === 0) return imm & 1 ? 8 : 16;
  return imm & 0x40 ? 31 - Math.clz32(bits) : 31 - Math.clz32(bits & -bits);
}

/** What the *M forms put in XMM0. */
export function textMask(bits: number, imm: number, out: DataView): void {
  out.setBigUint64(0, 0n, true);
  out.setBigUint64(8, 0n, true);
  if (!(imm & 0x40)) {
    out.setUint16(0, bits, true);
    return;
  }
  const count = imm & 1 ? 8 : 16;
  for (let i = 0; i < count; i++) {
    if (!((bits >> i) & 1)) continue;
    if (imm & 1) out.setUint16(2 * i, 0xffff, true);
    else out.setUint8(i, 0xff);
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A 16-byte vector operand. */
function operand(h: HelperContext, i: number): DataView {
  if (h.isMemory(i)) return viewOf(h.loadBytes(h.address(i), 16));
  return viewOf(new Uint8Array(h.view.buffer, h.slot(i), 16));
}

function run(h: HelperContext, explicit: boolean, index: boolean): void {
  const imm = h.imm & 255;
  const b = operand(h, 1);
  const a = operand(h, 0);
  const length = (n: number): number => {
    const value = h.register(n);
    return explicitLength(h.size === 64 ? BigInt.asIntN(64, value) : BigInt.asIntN(32, value), imm);
  };
  const lengthA = explicit ? length(0) : implicitLength(a, imm);
  const lengthB = explicit ? length(2) : implicitLength(b, imm);
  const { bits, flags } = compareText(a, lengthA, b, lengthB, imm);
  if (index) {
    h.setRegister(1, 32, BigInt(textIndex(bits, imm)));
  } else {
    const out = vectorOffset(0);
    textMask(bits, imm, new DataView(h.view.buffer, out, 16));
    if (h.vex) new Uint8Array(h.view.buffer, out + 16, 48).fill(0);
  }
  h.rflags = (h.rflags & ~STATUS_FLAGS) | flags;
}

function text(name: string, opcode: string, explicit: boolean, index: boolean): Row[] {
  const lower = helper((h) => run(h, explicit, index));
  const options: RowOptions = { align: 'never' };
  return [
    op(name, `66 0F 3A ${opcode} /r`, 'Vdq Wdq Ib', lower, options),
    op(`v${name}`, `VEX.128.66.0F3A.WIG ${opcode} /r`, 'Vdq Wdq Ib', lower, options),
  ];
}

export const simdTextRows: readonly Row[] = [
  ...text('pcmpestrm', '60', true, false),
  ...text('pcmpestri', '61', true, true),
  ...text('pcmpistrm', '62', false, false),
  ...text('pcmpistri', '63', false, true),
];

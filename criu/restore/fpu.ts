import { COMPONENTS, XFEATURE_AVX512, xstateSize } from '../../cpu/xsave.ts';
import type { CoreEntry } from '../image-dir.ts';
import { user_x86_regs_mode } from '../proto/core.ts';

type ThreadInfo = NonNullable<CoreEntry['thread_info']>;
type FpregsEntry = ThreadInfo['fpregs'];
type XsaveEntry = NonNullable<FpregsEntry['xsave']>;

const XSTATE_BV = 512;
const YMM = 576;
const FP_SSE = 3n;
const PKRU_BIT = 9n;

/** Components by their bit in xstate_bv, and their data in the image. */
const EXTENDED: readonly (readonly [
  bit: bigint,
  name: string,
  data: (xsave: XsaveEntry) => readonly (number | bigint)[],
])[] = [
  [3n, 'MPX bound registers', (xsave) => xsave.bndreg_state],
  [4n, 'MPX bound configuration', (xsave) => xsave.bndcsr_state],
  [5n, 'AVX-512 opmask', (xsave) => xsave.opmask_reg],
  [6n, 'AVX-512 ZMM_Hi256', (xsave) => xsave.zmm_upper],
  [7n, 'AVX-512 Hi16_ZMM', (xsave) => xsave.hi16_zmm],
  [PKRU_BIT, 'PKRU', (xsave) => xsave.pkru],
  [11n, 'CET', (xsave) => (xsave.cet === undefined ? [] : [xsave.cet.cet, xsave.cet.ssp])],
];

/**
 * Does the thread want a machine with AVX-512? Its state may be live; and in a 64-bit program whose processor had it, the C
 * library may have chosen functions that use it, state or no state.
 */
export function wantsAvx512({ fpregs, gpregs }: ThreadInfo): boolean {
  const { xsave } = fpregs;
  if (xsave === undefined) {
    return false;
  }
  const compat = gpregs.mode === user_x86_regs_mode.values.COMPAT;
  return (xsave.xstate_bv & BigInt(XFEATURE_AVX512)) !== 0n || (!compat && xsave.opmask_reg.length > 0);
}

/**
 * The XSAVE image of a thread, for the components of `xcr0`, the machine's. A string says what state the image has that the machine
 * cannot hold. A component in its initial state (all zero) is no such state. Nor is a PKRU that leaves key 0 alone: images keep
 * no protection keys of mappings, so all restored memory has key 0.
 */
export function xsaveImage(fpregs: FpregsEntry, xcr0: number): Uint8Array | string {
  const bytes = new Uint8Array(xstateSize(xcr0));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, fpregs.cwd, true);
  view.setUint16(2, fpregs.swd, true);
  view.setUint8(4, fpregs.twd);
  view.setUint16(6, fpregs.fop, true);
  view.setBigUint64(8, fpregs.rip, true);
  view.setBigUint64(16, fpregs.rdp, true);
  view.setUint32(24, fpregs.mxcsr, true);
  view.setUint32(28, fpregs.mxcsr_mask, true);
  fpregs.st_space.forEach((word, index) => {
    view.setUint32(32 + 4 * index, word, true);
  });
  fpregs.xmm_space.forEach((word, index) => {
    view.setUint32(160 + 4 * index, word, true);
  });
  const { xsave } = fpregs;
  if (xsave === undefined) {
    view.setBigUint64(XSTATE_BV, FP_SSE, true);
    return bytes;
  }
  for (const [bit, name, data] of EXTENDED) {
    const words = data(xsave);
    const component = COMPONENTS.find(({ feature }) => BigInt(feature) === 1n << bit && (xcr0 & feature) !== 0);
    if (component !== undefined) {
      words.forEach((word, index) => {
        view.setBigUint64(component.offset + 8 * index, BigInt(word), true);
      });
      continue;
    }
    const harmless =
      bit === PKRU_BIT ? words.every((word) => (Number(word) & 3) === 0) : words.every((word) => Number(word) === 0);
    if (((xsave.xstate_bv >> bit) & 1n) === 1n && !harmless) {
      return `${name} state`;
    }
  }
  view.setBigUint64(XSTATE_BV, xsave.xstate_bv & BigInt(xcr0), true);
  xsave.ymmh_space.forEach((word, index) => {
    view.setUint32(YMM + 4 * index, word, true);
  });
  return bytes;
}

/** The full 16-bit tag word of an FXSAVE image: Intel SDM vol. 1, 10.5.1.1 and table 8-9. */
export function fullTagWord(fxsave: Uint8Array): number {
  const view = new DataView(fxsave.buffer, fxsave.byteOffset);
  const top = (view.getUint16(2, true) >> 11) & 7;
  const abridged = view.getUint8(4);
  let word = 0;
  for (let register = 0; register < 8; register++) {
    const at = 32 + 16 * ((register - top + 8) % 8);
    word |= ((abridged >> register) & 1 ? tagOf(view, at) : 3) << (2 * register);
  }
  return word;
}

/** 0 valid, 1 zero, 2 special: of a value that is there. */
function tagOf(view: DataView, at: number): number {
  const exponent = view.getUint16(at + 8, true) & 0x7fff;
  const mantissa = view.getBigUint64(at, true);
  if (exponent === 0) {
    return mantissa === 0n ? 1 : 2;
  }
  return exponent === 0x7fff || mantissa >> 63n === 0n ? 2 : 0;
}

import type { CoreEntry } from '../image-dir.ts';

type FpregsEntry = NonNullable<CoreEntry['thread_info']>['fpregs'];
type XsaveEntry = NonNullable<FpregsEntry['xsave']>;

/** Size of the standard XSAVE image with x87, SSE and AVX: Intel SDM vol. 1, 13.4. */
export const XSAVE_SIZE = 832;
const XSTATE_BV = 512;
const YMM = 576;
const FP_SSE = 3n;
/** XCR0 of the machine. */
export const MACHINE_XFEATURES = 7n;
const PKRU_BIT = 9n;

/** Components that the machine lacks, by their bit in xstate_bv, and their data in the image. */
const FOREIGN: readonly (readonly [
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
 * The XSAVE image of a thread, for the machine's x87, SSE and AVX. A string says what state the image has that the machine
 * cannot hold. A component in its initial state (all zero) is no such state. Nor is a PKRU that leaves key 0 alone: images keep
 * no protection keys of mappings, so all restored memory has key 0.
 */
export function xsaveImage(fpregs: FpregsEntry): Uint8Array | string {
  const bytes = new Uint8Array(XSAVE_SIZE);
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
  for (const [bit, name, data] of FOREIGN) {
    const words = data(xsave);
    const harmless =
      bit === PKRU_BIT ? words.every((word) => (Number(word) & 3) === 0) : words.every((word) => Number(word) === 0);
    if (((xsave.xstate_bv >> bit) & 1n) === 1n && !harmless) {
      return `${name} state`;
    }
  }
  view.setBigUint64(XSTATE_BV, xsave.xstate_bv & MACHINE_XFEATURES, true);
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

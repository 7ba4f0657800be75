/** The x87 tag word: FXSAVE keeps one bit per register, gdb wants the two of FSAVE (Intel SDM vol. 2, FXSAVE, table 3-48). */
import { FX, stateView } from './state.ts';

const VALID = 0;
const ZERO = 1;
const SPECIAL = 2;
const EMPTY = 3;

/** Tag of one 80-bit value. */
function tagOf(view: DataView, offset: number): number {
  const exponent = view.getUint16(offset + 8, true) & 0x7fff;
  const mantissa = view.getBigUint64(offset, true);
  if (exponent === 0x7fff) return SPECIAL;
  if (exponent === 0) return mantissa === 0n ? ZERO : SPECIAL;
  return mantissa >> 63n === 1n ? VALID : SPECIAL;
}

/** The full tag word from the abridged one. */
export function readFtag(state: Uint8Array, out: Uint8Array): void {
  const view = stateView(state);
  const abridged = view.getUint8(FX.ftw);
  const top = (view.getUint16(FX.fsw, true) >> 11) & 7;
  let word = 0;
  for (let physical = 7; physical >= 0; physical--) {
    const used = ((abridged >> physical) & 1) === 1;
    const tag = used ? tagOf(view, FX.st((physical + 8 - top) % 8)) : EMPTY;
    word = (word << 2) | tag;
  }
  out.set([word & 0xff, word >> 8, 0, 0]);
}

/** The abridged tag word from the full one. */
export function writeFtag(state: Uint8Array, value: Uint8Array): void {
  const word = (value[1]! << 8) | value[0]!;
  let abridged = 0;
  for (let physical = 0; physical < 8; physical++) {
    if (((word >> (2 * physical)) & 3) !== EMPTY) abridged |= 1 << physical;
  }
  stateView(state).setUint8(FX.ftw, abridged);
}

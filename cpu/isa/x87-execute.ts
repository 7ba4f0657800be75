/** Register forms D8-DF C0-FF by opcode and ModRM byte. */

import { zero } from '../softfloat/real.ts';
import * as x from './x87-ops.ts';
import type { X87 } from './x87-state.ts';

/** DC and DE name the reversed operations the other way round for ST(i) destinations (SDM vol. 2, FSUB). */
const reversed = (op: number): number => (op >= 4 ? op ^ 1 : op);

const NULLARY: Readonly<Record<number, (fpu: X87) => void>> = {
  208: () => undefined, // FNOP
  224: (f) => x.signOperation(f, true),
  225: (f) => x.signOperation(f, false),
  228: (f) => x.compareStack(f, zero(0), false, 0),
  229: x.fxam,
  240: x.exponential,
  241: x.logarithm,
  242: x.tangent,
  243: x.arctangent,
  244: x.fxtract,
  245: (f) => x.partialRemainder(f, true),
  246: (f) => x.moveTop(f, -1),
  247: (f) => x.moveTop(f, 1),
  248: (f) => x.partialRemainder(f, false),
  249: x.logarithmPlus1,
  250: x.fsqrt,
  251: x.sineCosine,
  252: x.frndint,
  253: x.fscale,
  254: x.sine,
  255: x.cosine,
};

/** Conditions of FCMOVcc by reg field: CF, ZF, CF|ZF, PF of RFLAGS. */
const CMOV_FLAGS: readonly number[] = [0x01, 0x40, 0x41, 0x04];

/**
 * Runs a register form.
 * @param rflags the arithmetic flags, for FCMOVcc
 * @returns ZF, PF, CF for FCOMI and its kin, else -1
 */
export function executeRegister(fpu: X87, opcode: number, modrm: number, rflags: number): number {
  const reg = (modrm >> 3) & 7;
  const i = modrm & 7;
  switch (opcode) {
    case 0xd8:
      if (reg === 2 || reg === 3) {
        x.compareStack(fpu, i, false, reg - 2);
      } else {
        x.arithmetic(fpu, reg, 0, i, false);
      }
      return -1;
    case 0xd9:
      executeD9(fpu, modrm);
      return -1;
    case 0xda:
      if (modrm === 0xe9) {
        x.compareStack(fpu, 1, true, 2);
      } else {
        x.conditionalMove(fpu, i, (rflags & CMOV_FLAGS[reg]!) !== 0);
      }
      return -1;
    case 0xdb:
      return executeDb(fpu, modrm, rflags);
    case 0xdc:
    case 0xde:
      if (reg === 2 || reg === 3) {
        x.compareStack(fpu, i, false, opcode === 0xdc ? reg - 2 : modrm === 0xd9 ? 2 : 1);
      } else {
        x.arithmetic(fpu, reversed(reg), i, 0, opcode === 0xde);
      }
      return -1;
    case 0xdd:
      executeDd(fpu, modrm);
      return -1;
    default:
      return executeDf(fpu, modrm);
  }
}

function executeD9(fpu: X87, modrm: number): void {
  const i = modrm & 7;
  if (modrm < 0xc8) {
    x.loadRegister(fpu, i);
  } else if (modrm < 0xd0) {
    x.exchange(fpu, i);
  } else if (modrm >= 0xd8 && modrm < 0xe0) {
    x.storeRegisterUnchecked(fpu, i);
  } else if (modrm >= 0xe8 && modrm < 0xef) {
    x.loadConstant(fpu, i);
  } else {
    NULLARY[modrm]!(fpu);
  }
}

function executeDb(fpu: X87, modrm: number, rflags: number): number {
  const reg = (modrm >> 3) & 7;
  const i = modrm & 7;
  if (reg < 4) {
    x.conditionalMove(fpu, i, (rflags & CMOV_FLAGS[reg]!) === 0);
  } else if (reg === 5 || reg === 6) {
    return x.compareFlags(fpu, i, reg === 5, false);
  } else if (modrm === 0xe2) {
    x.clearExceptions(fpu);
  } else if (modrm === 0xe3) {
    x.initialise(fpu);
  }
  return -1;
}

function executeDd(fpu: X87, modrm: number): void {
  const i = modrm & 7;
  switch ((modrm >> 3) & 7) {
    case 0:
      x.free(fpu, i);
      break;
    case 1:
      x.exchange(fpu, i);
      break;
    case 4:
    case 5:
      x.compareStack(fpu, i, true, ((modrm >> 3) & 7) - 4);
      break;
    default:
      x.storeRegister(fpu, i, ((modrm >> 3) & 7) === 3);
  }
}

function executeDf(fpu: X87, modrm: number): number {
  const i = modrm & 7;
  switch ((modrm >> 3) & 7) {
    case 0:
      // FFREEP, undocumented.
      x.free(fpu, i);
      fpu.pop();
      return -1;
    case 1:
      x.exchange(fpu, i);
      return -1;
    case 5:
    case 6:
      return x.compareFlags(fpu, i, ((modrm >> 3) & 7) === 5, true);
    default:
      x.storeRegister(fpu, i, true);
      return -1;
  }
}

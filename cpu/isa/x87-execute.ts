/** Register forms D8-DF C0-FF by opcode and ModRM byte. */

import { zero } from '../softfloat/real.ts';
import * as arith from './x87-arith.ts';
import * as control from './x87-control.ts';
import * as move from './x87-move.ts';
import type { X87 } from './x87-state.ts';

/** DC and DE name the reversed operations the other way round for ST(i) destinations (SDM vol. 2, FSUB). */
const reversed = (op: number): number => (op >= 4 ? op ^ 1 : op);

const NULLARY: Readonly<Record<number, (fpu: X87) => void>> = {
  208: () => undefined, // FNOP
  224: (f) => arith.signOperation(f, true),
  225: (f) => arith.signOperation(f, false),
  228: (f) => arith.compareStack(f, zero(0), false, 0),
  229: arith.fxam,
  240: arith.exponential,
  241: arith.logarithm,
  242: arith.tangent,
  243: arith.arctangent,
  244: arith.fxtract,
  245: (f) => arith.partialRemainder(f, true),
  246: (f) => control.moveTop(f, -1),
  247: (f) => control.moveTop(f, 1),
  248: (f) => arith.partialRemainder(f, false),
  249: arith.logarithmPlus1,
  250: arith.fsqrt,
  251: arith.sineCosine,
  252: arith.frndint,
  253: arith.fscale,
  254: arith.sine,
  255: arith.cosine,
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
        arith.compareStack(fpu, i, false, reg - 2);
      } else {
        arith.arithmetic(fpu, reg, 0, i, false);
      }
      return -1;
    case 0xd9:
      executeD9(fpu, modrm);
      return -1;
    case 0xda:
      if (modrm === 0xe9) {
        arith.compareStack(fpu, 1, true, 2);
      } else {
        move.conditionalMove(fpu, i, (rflags & CMOV_FLAGS[reg]!) !== 0);
      }
      return -1;
    case 0xdb:
      return executeDb(fpu, modrm, rflags);
    case 0xdc:
    case 0xde:
      if (reg === 2 || reg === 3) {
        arith.compareStack(fpu, i, false, opcode === 0xdc ? reg - 2 : modrm === 0xd9 ? 2 : 1);
      } else {
        arith.arithmetic(fpu, reversed(reg), i, 0, opcode === 0xde);
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
    move.loadRegister(fpu, i);
  } else if (modrm < 0xd0) {
    move.exchange(fpu, i);
  } else if (modrm >= 0xd8 && modrm < 0xe0) {
    move.storeRegisterUnchecked(fpu, i);
  } else if (modrm >= 0xe8 && modrm < 0xef) {
    move.loadConstant(fpu, i);
  } else {
    NULLARY[modrm]!(fpu);
  }
}

function executeDb(fpu: X87, modrm: number, rflags: number): number {
  const reg = (modrm >> 3) & 7;
  const i = modrm & 7;
  if (reg < 4) {
    move.conditionalMove(fpu, i, (rflags & CMOV_FLAGS[reg]!) === 0);
  } else if (reg === 5 || reg === 6) {
    return arith.compareFlags(fpu, i, reg === 5, false);
  } else if (modrm === 0xe2) {
    control.clearExceptions(fpu);
  } else if (modrm === 0xe3) {
    control.initialise(fpu);
  }
  return -1;
}

function executeDd(fpu: X87, modrm: number): void {
  const i = modrm & 7;
  switch ((modrm >> 3) & 7) {
    case 0:
      control.free(fpu, i);
      break;
    case 1:
      move.exchange(fpu, i);
      break;
    case 4:
    case 5:
      arith.compareStack(fpu, i, true, ((modrm >> 3) & 7) - 4);
      break;
    default:
      move.storeRegister(fpu, i, ((modrm >> 3) & 7) === 3);
  }
}

function executeDf(fpu: X87, modrm: number): number {
  const i = modrm & 7;
  switch ((modrm >> 3) & 7) {
    case 0:
      // FFREEP, undocumented.
      control.free(fpu, i);
      fpu.pop();
      return -1;
    case 1:
      move.exchange(fpu, i);
      return -1;
    case 5:
    case 6:
      return arith.compareFlags(fpu, i, ((modrm >> 3) & 7) === 5, true);
    default:
      move.storeRegister(fpu, i, true);
      return -1;
  }
}

/** Memory forms of D8-DF that compute: operands and results pass through a 16-byte buffer. */
import { fromBcd, fromInt } from '../softfloat/convert.ts';
import { type Real, unpack32, unpack64 } from '../softfloat/real.ts';
import * as arith from './x87-arith.ts';
import * as move from './x87-move.ts';
import type { X87 } from './x87-state.ts';

/** The operand of the arithmetic forms D8, DA, DC, DE: m32, i32, m64, i16. */
function arithmeticOperand(opcode: number, mem: DataView): Real {
  switch (opcode) {
    case 0xd8:
      return unpack32(mem.getUint32(0, true));
    case 0xda:
      return fromInt(BigInt(mem.getInt32(0, true)));
    case 0xdc:
      return unpack64(mem.getBigUint64(0, true));
    default:
      return fromInt(BigInt(mem.getInt16(0, true)));
  }
}

/**
 * Runs a memory form other than the control and state instructions.
 * @param mem the operand; a store's result is left there
 * @returns whether a store is to reach memory
 */
export function executeMemory(fpu: X87, opcode: number, reg: number, mem: DataView): boolean {
  if (!(opcode & 1)) {
    const src = arithmeticOperand(opcode, mem);
    if (reg === 2 || reg === 3) {
      arith.compareStack(fpu, src, false, reg - 2);
    } else {
      arith.arithmeticMemory(fpu, reg, src);
    }
    return false;
  }
  switch (opcode) {
    case 0xd9:
      if (reg === 0) {
        move.loadFloat32(fpu, mem);
        return false;
      }
      return put(move.storeFloat32(fpu, reg === 3), (v) => mem.setUint32(0, v, true));
    case 0xdb:
      return memoryDb(fpu, reg, mem);
    case 0xdd:
      if (reg === 0) {
        move.loadFloat64(fpu, mem);
        return false;
      }
      if (reg === 1) {
        return put(move.storeInteger(fpu, 64, true, true), (v) => mem.setBigUint64(0, v, true));
      }
      return move.storeFloat64(fpu, reg === 3, mem);
    default:
      return memoryDf(fpu, reg, mem);
  }
}

function put<T>(v: T | undefined, write: (v: T) => void): boolean {
  if (v === undefined) {
    return false;
  }
  write(v);
  return true;
}

function memoryDb(fpu: X87, reg: number, mem: DataView): boolean {
  switch (reg) {
    case 0:
      move.load(fpu, fromInt(BigInt(mem.getInt32(0, true))), false);
      return false;
    case 5:
      move.loadWords(fpu, mem.getUint16(8, true), mem.getUint32(4, true), mem.getUint32(0, true));
      return false;
    case 7:
      return move.storeExtended(fpu, mem);
    default:
      return put(move.storeInteger(fpu, 32, reg !== 2, reg === 1), (v) => mem.setUint32(0, Number(v), true));
  }
}

function memoryDf(fpu: X87, reg: number, mem: DataView): boolean {
  switch (reg) {
    case 0:
      move.load(fpu, fromInt(BigInt(mem.getInt16(0, true))), false);
      return false;
    case 4:
      move.load(fpu, fromBcd(new Uint8Array(mem.buffer, mem.byteOffset, 10)), false);
      return false;
    case 5:
      move.load(fpu, fromInt(mem.getBigInt64(0, true)), false);
      return false;
    case 6:
      return put(move.storeBcd(fpu), (v) => new Uint8Array(mem.buffer, mem.byteOffset, 10).set(v));
    case 7:
      return put(move.storeInteger(fpu, 64, true, false), (v) => mem.setBigUint64(0, v, true));
    default:
      return put(move.storeInteger(fpu, 16, reg !== 2, reg === 1), (v) => mem.setUint16(0, Number(v), true));
  }
}

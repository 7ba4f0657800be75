/** Agent expressions (gdb manual, appendix "The GDB Agent Expression Mechanism"): conditions looked at in the server. */
import { type RegisterLayout, readRow } from '../registers/layout.ts';
import { fromHex, parseHexNumber } from '../rsp/encoding.ts';
import type { Session } from '../session.ts';
import type { Target, ThreadRef } from '../target.ts';

interface Machine {
  readonly target: Target;
  readonly thread: ThreadRef;
  readonly layout: RegisterLayout;
}

const STEPS = 100_000;
const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const truth = (value: boolean): bigint => (value ? 1n : 0n);

/** Binary operators; values are signed 64-bit numbers. A division by zero has no value. */
const BINARY: Readonly<Record<number, (a: bigint, b: bigint) => bigint | undefined>> = {
  2: (a, b) => a + b,
  3: (a, b) => a - b,
  4: (a, b) => a * b,
  5: (a, b) => (b === 0n ? undefined : a / b),
  6: (a, b) => (b === 0n ? undefined : BigInt.asUintN(64, a) / BigInt.asUintN(64, b)),
  7: (a, b) => (b === 0n ? undefined : a % b),
  8: (a, b) => (b === 0n ? undefined : BigInt.asUintN(64, a) % BigInt.asUintN(64, b)),
  9: (a, b) => a << (b & 63n),
  10: (a, b) => a >> (b & 63n),
  11: (a, b) => BigInt.asUintN(64, a) >> (b & 63n),
  15: (a, b) => a & b,
  16: (a, b) => a | b,
  17: (a, b) => a ^ b,
  19: (a, b) => truth(a === b),
  20: (a, b) => truth(a < b),
  21: (a, b) => truth(BigInt.asUintN(64, a) < BigInt.asUintN(64, b)),
};

const UNARY: Readonly<Record<number, (a: bigint) => bigint>> = { 14: (a) => truth(a === 0n), 18: (a) => ~a };
const LOADS: Readonly<Record<number, number>> = { 23: 1, 24: 2, 25: 4, 26: 8 };
const CONSTANTS: Readonly<Record<number, number>> = { 34: 1, 35: 2, 36: 4, 37: 8 };

const littleEndian = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const bigEndian = (bytes: Uint8Array): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** @returns the value on top at the end, or undefined if it cannot be computed */
export function evaluate(code: Uint8Array, machine: Machine): bigint | undefined {
  const stack: bigint[] = [];
  let pc = 0;
  const operand = (size: number): number => {
    const value = Number(bigEndian(code.subarray(pc, pc + size)));
    pc += size;
    return value;
  };
  for (let steps = 0; steps < STEPS && pc < code.length; steps++) {
    const op = code[pc++]!;
    if (op === 39) return stack.pop();
    if (op === 33) {
      pc = operand(2);
    } else if (op === 32) {
      const to = operand(2);
      if (stack.pop() !== 0n) pc = to;
    } else if (op === 38) {
      const row = machine.layout.rows[operand(2)];
      if (!row) return undefined;
      stack.push(s64(littleEndian(readRow(row, machine.target.readState(machine.thread)))));
    } else if (CONSTANTS[op]) {
      stack.push(s64(bigEndian(code.subarray(pc, pc + CONSTANTS[op]))));
      pc += CONSTANTS[op];
    } else if (op === 50) {
      stack.push(stack[stack.length - 1 - operand(1)] ?? 0n);
    } else if (!simple(op, stack, operand, machine)) {
      return undefined;
    }
  }
  return undefined;
}

/** Operators that take their values from the stack. @returns false if it cannot be done */
function simple(op: number, stack: bigint[], operand: (size: number) => number, machine: Machine): boolean {
  const top = stack.pop();
  if (top === undefined) return false;
  if (UNARY[op]) return stack.push(UNARY[op](top)) > 0;
  if (op === 22) return stack.push(BigInt.asIntN(operand(1), top)) > 0;
  if (op === 42) return stack.push(BigInt.asUintN(operand(1), top)) > 0;
  if (op === 40) return stack.push(top, top) > 0;
  if (op === 41) return true;
  if (LOADS[op]) {
    const address = BigInt.asUintN(machine.layout.bits, top);
    const bytes = machine.target.readMemory(machine.thread.pid, address, LOADS[op]);
    return bytes.length === LOADS[op] && stack.push(s64(littleEndian(bytes))) > 0;
  }
  const below = stack.pop();
  if (below === undefined) return false;
  if (op === 43) return stack.push(top, below) > 0;
  if (op === 51) {
    const third = stack.pop();
    return third !== undefined && stack.push(top, third, below) > 0;
  }
  const value = BINARY[op]?.(below, top);
  return value !== undefined && stack.push(s64(value)) > 0;
}

/**
 * The conditions `Xlen,code` of a Z packet: the point counts if one of them is true. Register numbers are those of the
 * view at this moment, so the layout stays with the condition. What cannot be computed counts as true: gdb looks itself.
 */
export function compileCondition(
  session: Session,
  pid: number,
  text: string,
): ((thread: ThreadRef) => boolean) | 'bad' {
  const layout = session.views.of(pid);
  const codes: Uint8Array[] = [];
  for (const part of text.split(/;?X/).slice(1)) {
    const [length, hex] = part.split(',', 2);
    const code = fromHex((hex ?? '').replace(/;$/, ''));
    if (!code || code.length !== parseHexNumber(length)) return 'bad';
    codes.push(code);
  }
  const { target } = session;
  return (thread) => codes.some((code) => evaluate(code, { target, thread, layout }) !== 0n);
}

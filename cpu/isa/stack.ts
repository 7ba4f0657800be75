/** PUSH, POP, PUSHA, POPA, ENTER, LEAVE, PUSHF, POPF, SAHF, LAHF and the flag instructions; Intel SDM vol. 2. */
import { carry, Flag, STATUS_FLAGS, setCarry, setFromWord, statusWord } from '../flags.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { helper, type Lower, op, type Row } from './row.ts';

type Width = 16 | 32 | 64;

const push: Lower = (c) => c.push(c.bits(0) as Width, c.read(0));
const pushImmediate: Lower = (c) => c.push(c.size, c.read(0));

/** To memory the store comes before RSP moves, so that a fault leaves it; a register is written last (POP RSP). */
const pop: Lower = (c) => {
  const top = c.pop(c.bits(0) as Width);
  if (c.isMemory(0)) c.write(0, top.value);
  top.commit();
  if (!c.isMemory(0)) c.write(0, top.value);
};

const leave: Lower = (c) => {
  const sp = c.register(4, 64) as I64;
  const mask = c.get('stackMask') as I64;
  const frame = c.let(i64.and(c.register(5, 64) as I64, mask));
  const value = c.loadStack(c.size, frame);
  const moved = i64.and(i64.add(frame, c.size >> 3), mask);
  c.setRegister(4, 64, i64.or(i64.and(sp, c.get('stackKeep') as I64), moved));
  c.setRegister(5, c.size, value);
};

/** The stack of a helper: offsets of `count` items downwards or upwards from `from`, wrapped at the stack's width. */
function stackOffset(h: HelperContext, from: bigint): bigint {
  return from & h.get64('stackMask');
}

function moveStack(h: HelperContext, to: bigint): void {
  h.setRegister(4, 64, (h.register(4) & h.get64('stackKeep')) | stackOffset(h, to));
}

/** AX CX DX BX SP BP SI DI; a fault leaves what was stored before it, as on Intel's processors. */
const pusha = helper((h) => {
  const bytes = h.size / 8;
  const sp = h.register(4);
  for (let n = 0; n < 8; n++) {
    const at = stackOffset(h, sp - BigInt(bytes * (n + 1)));
    h.storeLinear(h.size, h.stackAddress(at, bytes, true), h.register(n));
  }
  moveStack(h, sp - BigInt(8 * bytes));
});

const popa = helper((h) => {
  const bytes = h.size / 8;
  const sp = h.register(4);
  for (let n = 0; n < 8; n++) {
    // A fault leaves the registers that were popped before it, as on Intel's processors.
    const value = h.loadLinear(h.size, h.stackAddress(stackOffset(h, sp + BigInt(bytes * n)), bytes, false));
    if (n !== 3) h.setRegister(7 - n, h.size, value);
  }
  moveStack(h, sp + BigInt(8 * bytes));
});

/** ENTER: frame pointers of `level` outer frames are copied. */
const enter = helper((h) => {
  const bytes = BigInt(h.size / 8);
  const level = h.imm2 & 31;
  const sp = h.register(4);
  const bp = h.register(5);
  const slot = (n: number): bigint => h.stackAddress(stackOffset(h, sp - bytes * BigInt(n)), Number(bytes), true);
  const frame = sp - bytes;
  // A fault leaves what was stored before it, but no register has moved.
  h.cpu.access.stack = true;
  h.storeLinear(h.size, slot(1), bp);
  for (let n = 1; n < level; n++) {
    const outer = h.stackAddress(stackOffset(h, bp - bytes * BigInt(n)), Number(bytes), false);
    h.storeLinear(h.size, slot(n + 1), h.loadLinear(h.size, outer));
  }
  if (level > 0) h.storeLinear(h.size, slot(level + 1), frame);
  const end = sp - bytes * BigInt(level + 1) - BigInt(h.imm & 0xffff);
  h.probeLinear(h.stackAddress(stackOffset(h, end), Number(bytes), true), Number(bytes));
  h.setRegister(5, h.size, frame);
  moveStack(h, end);
});

/** PUSHF shows RF and VM as clear. */
const pushf: Lower = (c) => {
  const rest = i32.and(c.get('flagRest') as I32, ~(Flag.RF | Flag.VM));
  const word = c.let(i32.or(i32.or(statusWord(c), rest), 2));
  c.push(c.size, c.size === 64 ? i64.extend_u(word) : c.size === 32 ? word : i32.and(word, 0xffff));
};

/** What POPF changes at CPL 3 with IOPL 0: not IF, IOPL, VM, RF, VIF, VIP. */
const POPF_REST = Flag.TF | Flag.DF | Flag.NT | Flag.AC | Flag.ID;
const popf: Lower = (c) => {
  const top = c.pop(c.size);
  top.commit();
  const word = c.let(top.value.type === 'i64' ? i32.wrap(top.value as I64) : (top.value as I32));
  setFromWord(c, word);
  const changes = c.size === 16 ? POPF_REST & 0xffff : POPF_REST;
  const kept = i32.and(c.get('flagRest') as I32, ~changes);
  c.set('flagRest', i32.or(kept, i32.and(word, changes)));
  // TF takes effect after the next instruction.
  c.leave();
};

const sahf: Lower = (c) => {
  const ah = i32.and(i32.shr_u(c.register(0, 16) as I32, 8), 0xd5);
  const word = c.let(i32.or(ah, i32.and(statusWord(c), Flag.OF)));
  setFromWord(c, word);
};
const lahf: Lower = (c) => {
  const ah = i32.or(i32.and(statusWord(c), STATUS_FLAGS & 0xff), 2);
  const low = i32.and(c.register(0, 16) as I32, 0xff);
  c.setRegister(0, 16, i32.or(i32.shl(ah, 8), low));
};

const setRest =
  (bit: number, on: boolean): Lower =>
  (c) => {
    const rest = c.get('flagRest') as I32;
    c.set('flagRest', on ? i32.or(rest, bit) : i32.and(rest, ~bit));
  };

const d64 = { osz: 'd64' } as const;

export const stackRows: readonly Row[] = [
  op('push', '50+r', 'Zv', push, d64),
  op('pop', '58+r', 'Zv', pop, d64),
  op('push', 'FF /6', 'Ev', push, d64),
  op('pop', '8F /0', 'Ev', pop, d64),
  op('push', '68', 'Iz', pushImmediate, d64),
  op('push', '6A', 'Ib', pushImmediate, d64),
  op('pusha', '60', '', pusha, { mode: '32' }),
  op('popa', '61', '', popa, { mode: '32' }),
  op('enter', 'C8', 'Iw Ib', enter, d64),
  op('leave', 'C9', '', leave, d64),
  op('pushf', '9C', '', pushf, d64),
  op('popf', '9D', '', popf, { ...d64, ends: true }),
  op('sahf', '9E', '', sahf),
  op('lahf', '9F', '', lahf),
  op('cmc', 'F5', '', (c) => setCarry(c, i32.xor(carry(c), 1))),
  op('clc', 'F8', '', (c) => setCarry(c, i32.const(0))),
  op('stc', 'F9', '', (c) => setCarry(c, i32.const(1))),
  op('cld', 'FC', '', setRest(Flag.DF, false)),
  op('std', 'FD', '', setRest(Flag.DF, true)),
];

/** PTRACE_PEEKUSR and PTRACE_POKEUSR: the three layouts of arch/x86/kernel/ptrace.c. */
import { EIO } from '../../abi/errno.ts';
import {
  PTRACE_PEEKUSR,
  PTRACE_POKEUSR,
  USER_DEBUGREG,
  USER_SIZE,
  USER32_DEBUGREG,
  USER32_SIZE,
  user_regs_struct,
  user_regs_struct32,
} from '../../abi/ptrace.ts';
import { put_user_u32, put_user_u64 } from '../../mm/uaccess.ts';
import type { Task } from '../../task/task.ts';
import { ptrace_get_debugreg, ptrace_set_debugreg } from '../debugreg.ts';
import { getreg32, putreg32 } from '../regs-32.ts';
import { getreg, putreg } from '../regs-64.ts';
import { datap, type PtraceCall, type RequestTable } from './call.ts';

const LOW = 0xffff_ffffn;
const DEBUG_REGISTERS = 8;

/** Which debug register an offset of the user area means. */
function debugRegister(offset: number, start: number, word: number): number | undefined {
  const n = (offset - start) / word;
  return Number.isInteger(n) && n >= 0 && n < DEBUG_REGISTERS ? n : undefined;
}

function peek64(child: Task, offset: number): bigint {
  if (offset < user_regs_struct.size) return getreg(child, offset);
  const n = debugRegister(offset, USER_DEBUGREG, 8);
  return n === undefined ? 0n : ptrace_get_debugreg(child, n);
}

/** Unlike other fields of the user area, which are ignored in the i386 layout, they are refused. */
function poke64(tracer: Task, child: Task, offset: number, value: bigint): number {
  if (offset < user_regs_struct.size) return putreg(child, offset, value);
  const n = debugRegister(offset, USER_DEBUGREG, 8);
  return n === undefined ? -EIO : ptrace_set_debugreg(tracer, child, n, value);
}

/** An offset into a user area of 8-byte words, or undefined. */
const offset64 = (addr: bigint): number | undefined =>
  addr % 8n !== 0n || addr >= BigInt(USER_SIZE) ? undefined : Number(addr);

/** getreg32() and putreg32() check less: the word behind the end is still a dummy. */
const offset32 = (addr: bigint): number | undefined =>
  addr % 4n !== 0n || addr > BigInt(USER32_SIZE) ? undefined : Number(addr);

/** x32: the segment registers and what follows, 32 bits of it. */
const offsetX32 = (addr: bigint): number | undefined =>
  addr < BigInt(user_regs_struct.offset.cs) ? undefined : offset64(addr);

export const userArea64: RequestTable = new Map([
  [
    PTRACE_PEEKUSR,
    (call: PtraceCall) => {
      const offset = offset64(call.addr);
      return offset === undefined ? -EIO : put_user_u64(call.tracer.mm, datap(call), peek64(call.child, offset));
    },
  ],
  [
    PTRACE_POKEUSR,
    (call: PtraceCall) => {
      const offset = offset64(call.addr);
      return offset === undefined ? -EIO : poke64(call.tracer, call.child, offset, call.data);
    },
  ],
]);

export const userAreaX32: RequestTable = new Map([
  [
    PTRACE_PEEKUSR,
    (call: PtraceCall) => {
      const offset = offsetX32(call.addr);
      if (offset === undefined) return -EIO;
      return put_user_u32(call.tracer.mm, datap(call), Number(peek64(call.child, offset) & LOW));
    },
  ],
  [
    PTRACE_POKEUSR,
    (call: PtraceCall) => {
      const offset = offsetX32(call.addr);
      return offset === undefined ? -EIO : poke64(call.tracer, call.child, offset, call.data);
    },
  ],
]);

function peek32(child: Task, offset: number): number {
  if (offset < user_regs_struct32.size) return getreg32(child, offset);
  const n = debugRegister(offset, USER32_DEBUGREG, 4);
  return n === undefined ? 0 : Number(ptrace_get_debugreg(child, n) & LOW);
}

function poke32(tracer: Task, child: Task, offset: number, value: number): number {
  if (offset < user_regs_struct32.size) return putreg32(child, offset, value);
  const n = debugRegister(offset, USER32_DEBUGREG, 4);
  return n === undefined ? 0 : ptrace_set_debugreg(tracer, child, n, BigInt(value));
}

export const userArea32: RequestTable = new Map([
  [
    PTRACE_PEEKUSR,
    (call: PtraceCall) => {
      const offset = offset32(call.addr);
      return offset === undefined ? -EIO : put_user_u32(call.tracer.mm, datap(call), peek32(call.child, offset));
    },
  ],
  [
    PTRACE_POKEUSR,
    (call: PtraceCall) => {
      const offset = offset32(call.addr);
      return offset === undefined ? -EIO : poke32(call.tracer, call.child, offset, Number(call.data));
    },
  ],
]);

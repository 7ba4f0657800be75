/** Classic BPF over struct seccomp_data: bpf_check_classic(), net/core/filter.c, seccomp_check_filter(), kernel/seccomp.c. */
import {
  BPF_A,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_DIV,
  BPF_IMM,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MEM,
  BPF_MEMWORDS,
  BPF_MISC,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
  BPF_XOR,
  seccomp_data,
} from '../abi/seccomp.ts';

/** `struct sock_filter` */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const ALU_OPS = [BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_XOR];
const JUMPS = [BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET];
const classOf = (code: number): number => code & 7;

/** The codes that a seccomp filter may have. */
const ALLOWED: ReadonlySet<number> = new Set([
  BPF_LD | BPF_W | BPF_ABS,
  BPF_LD | BPF_W | BPF_LEN,
  BPF_LDX | BPF_W | BPF_LEN,
  BPF_LD | BPF_IMM,
  BPF_LDX | BPF_IMM,
  BPF_LD | BPF_MEM,
  BPF_LDX | BPF_MEM,
  BPF_ST,
  BPF_STX,
  BPF_RET | BPF_K,
  BPF_RET | BPF_A,
  BPF_MISC | BPF_TAX,
  BPF_MISC | BPF_TXA,
  BPF_ALU | BPF_NEG,
  BPF_JMP | BPF_JA,
  ...ALU_OPS.flatMap((op) => [BPF_ALU | op | BPF_K, BPF_ALU | op | BPF_X]),
  ...JUMPS.flatMap((op) => [BPF_JMP | op | BPF_K, BPF_JMP | op | BPF_X]),
]);

/** Whether a filter may be attached: only known codes, jumps forward and inside, a return at the end. */
export function checkFilter(program: readonly Instruction[]): boolean {
  const last = program.at(-1);
  if (last === undefined || classOf(last.code) !== BPF_RET) return false;
  return program.every((insn, at) => checkInstruction(insn, at, program.length)) && checkScratch(program);
}

function checkInstruction({ code, jt, jf, k }: Instruction, at: number, length: number): boolean {
  if (!ALLOWED.has(code)) return false;
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
      return k < seccomp_data.size && k % 4 === 0;
    case BPF_ALU | BPF_DIV | BPF_K:
      return k !== 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      return k < 32;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
      return k < BPF_MEMWORDS;
    case BPF_JMP | BPF_JA:
      return k < length - at - 1;
    default:
      return classOf(code) !== BPF_JMP || (at + jt + 1 < length && at + jf + 1 < length);
  }
}

/** check_load_and_stores(): no word of the scratch memory is read before it is written, on any way. */
function checkScratch(program: readonly Instruction[]): boolean {
  const known = new Uint16Array(program.length).fill(0xffff);
  let valid = 0;
  for (const [at, { code, jt, jf, k }] of program.entries()) {
    valid &= known[at]!;
    switch (code) {
      case BPF_ST:
      case BPF_STX:
        valid |= 1 << k;
        break;
      case BPF_LD | BPF_MEM:
      case BPF_LDX | BPF_MEM:
        if ((valid & (1 << k)) === 0) return false;
        break;
      case BPF_JMP | BPF_JA:
        known[at + 1 + k]! &= valid;
        valid = 0xffff;
        break;
      default:
        if (classOf(code) !== BPF_JMP) break;
        known[at + 1 + jt]! &= valid;
        known[at + 1 + jf]! &= valid;
        valid = 0xffff;
    }
  }
  return true;
}

/** Runs a checked filter over the words of struct seccomp_data. @returns what it returns */
export function runFilter(program: readonly Instruction[], data: Uint32Array): number {
  const scratch = new Uint32Array(BPF_MEMWORDS);
  let a = 0;
  let x = 0;
  for (let at = 0; ; at++) {
    const { code, jt, jf, k } = program[at]!;
    switch (classOf(code)) {
      case BPF_LD:
        a = load(code, k, data, scratch);
        break;
      case BPF_LDX:
        x = load(code, k, data, scratch);
        break;
      case BPF_ST:
        scratch[k] = a;
        break;
      case BPF_STX:
        scratch[k] = x;
        break;
      case BPF_ALU: {
        const by = (code & BPF_X) !== 0 ? x : k;
        // A division by zero ends the filter with 0: SECCOMP_RET_KILL.
        if ((code & 0xf0) === BPF_DIV && by === 0) return 0;
        a = alu(code & 0xf0, a, by);
        break;
      }
      case BPF_JMP: {
        const by = (code & BPF_X) !== 0 ? x : k;
        if ((code & 0xf0) === BPF_JA) at += k;
        else at += jumps(code & 0xf0, a, by) ? jt : jf;
        break;
      }
      case BPF_RET:
        return (code & 0x18) === BPF_A ? a : k;
      default:
        if ((code & 0xf8) === BPF_TXA) a = x;
        else x = a;
    }
  }
}

function load(code: number, k: number, data: Uint32Array, scratch: Uint32Array): number {
  switch (code & 0xe0) {
    case BPF_ABS:
      return data[k / 4]!;
    case BPF_MEM:
      return scratch[k]!;
    case BPF_LEN:
      return seccomp_data.size;
    default:
      return k;
  }
}

/** 32-bit arithmetic; shifts take the count modulo 32, as the compiled filter does. */
function alu(op: number, a: number, by: number): number {
  switch (op) {
    case BPF_ADD:
      return (a + by) >>> 0;
    case BPF_SUB:
      return (a - by) >>> 0;
    case BPF_MUL:
      return Math.imul(a, by) >>> 0;
    case BPF_DIV:
      return Math.floor(a / by);
    case BPF_OR:
      return (a | by) >>> 0;
    case BPF_AND:
      return (a & by) >>> 0;
    case BPF_LSH:
      return (a << (by & 31)) >>> 0;
    case BPF_RSH:
      return a >>> (by & 31);
    case BPF_XOR:
      return (a ^ by) >>> 0;
    default:
      return -a >>> 0;
  }
}

function jumps(op: number, a: number, by: number): boolean {
  switch (op) {
    case BPF_JEQ:
      return a === by;
    case BPF_JGT:
      return a > by;
    case BPF_JGE:
      return a >= by;
    default:
      return (a & by) !== 0;
  }
}

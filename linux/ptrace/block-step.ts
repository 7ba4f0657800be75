/** DEBUGCTL.BTF, which makes TF trap on taken branches only (Intel SDM vol. 3, 17.4.3): told from single steps. */
import { access_process_vm } from '../mm/uaccess.ts';
import { user_64bit_mode } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';
import { PREFIXES } from './step.ts';

const LONGEST_INSTRUCTION = 15;
const OPERAND_SIZE = 0x66;

/** CALL, JMP, RET, IRET in all their forms but those of FF. */
const ALWAYS: ReadonlySet<number> = new Set([0x9a, 0xc2, 0xc3, 0xca, 0xcb, 0xcf, 0xe8, 0xe9, 0xea, 0xeb]);
const isShortConditional = (op: number): boolean => (op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3);

/** Whether the instruction at `from`, which has just run, was a branch that was taken. */
export function wasBranch(task: Task, from: bigint): boolean {
  const code = access_process_vm(task.mm, Number(from), LONGEST_INSTRUCTION);
  const long = user_64bit_mode(task);
  let at = 0;
  let short = false;
  while (at < code.length && (PREFIXES.has(code[at]!) || (long && code[at]! >> 4 === 4))) {
    if (code[at] === OPERAND_SIZE) short = true;
    at++;
  }
  const op = code[at] ?? 0;
  if (ALWAYS.has(op)) return true;
  const taken = (length: number): boolean => task.regs.rip !== from + BigInt(at + length);
  if (isShortConditional(op)) return taken(2);
  const next = code[at + 1] ?? 0;
  if (op === 0x0f) return next >= 0x80 && next <= 0x8f && taken(short && !long ? 4 : 6);
  const reg = (next >> 3) & 7;
  return op === 0xff && reg >= 2 && reg <= 5;
}

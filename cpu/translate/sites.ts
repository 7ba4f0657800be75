/**
 * Where a block touches memory, as far as its records tell: addresses as registers at the start of the block plus a number.
 * All of it is a guess that makes the code better or worse, never wrong: checks go by what the builder knows.
 */
import type { Interpreter } from '../interp/interpreter.ts';
import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import type { Variant } from '../interp/variant.ts';
import { State } from '../state.ts';

export interface Site {
  readonly record: number;
  /** `implicit`: the stack access of PUSH, POP, CALL, RET; not the memory operand. */
  readonly implicit: boolean;
  /** The registers that the address is made of, with their versions; equal for addresses a fixed distance apart. */
  readonly key: string;
  /** General registers by number, or -1; -2 when they are not those of the block's start. */
  readonly base: number;
  readonly index: number;
  /** The index register, whatever it holds, or -1. */
  readonly indexRegister: number;
  readonly scale: number;
  readonly delta: number;
  readonly bytes: number;
  readonly write: boolean;
  /** The most that the index can be, when it is not a register of the block's start but known to be small. */
  readonly bound: number;
}

/** Does it leave its first operand as it is? The x87's instructions do, but for FST and its kin. */
const reads = (name: string): boolean => READERS.has(name) || /^f(?!(n?st|ist|bst|ns|xs))/.test(name);

/** A block's accesses, and how far each register moves in one go; undefined when it becomes something else. */
export interface Walk {
  readonly sites: Site[];
  readonly steps: readonly (number | undefined)[];
}

const RSP = 4;
const READERS = new Set([
  'cmp',
  'test',
  'bt',
  'mul',
  'imul',
  'div',
  'idiv',
  'jmp',
  'call',
  'push',
  'nop',
  'ucomisd',
  'ucomiss',
  'comisd',
  'comiss',
]);
/** Rows that do not change their first operand. */
const KEEPERS = new Set([...READERS, 'ret']);
const CLOBBERS: Readonly<Record<string, readonly number[]>> = {
  mul: [0, 2],
  imul: [0, 2],
  div: [0, 2],
  idiv: [0, 2],
  cwd: [2],
  cbw: [0],
  cmpxchg: [0],
};

interface Value {
  /** Register at the start of the block, or -2. */
  readonly register: number;
  readonly version: number;
  readonly delta: number;
  /** The most that the value can be, or -1. */
  readonly bound?: number;
}

const gpr = (slot: number): number => (slot >= State.gpr && slot < State.gpr + 128 ? (slot - State.gpr) >> 3 : -1);

export function walk(data: DataView, interpreter: Interpreter, first: number, end: number, rip: number): Walk {
  const sites: Site[] = [];
  let versions = 100;
  const values: Value[] = Array.from({ length: 16 }, (_, n) => ({ register: n, version: n, delta: 0 }));
  const lose = (n: number, bound = -1): void => {
    values[n] = { register: -2, version: versions++, delta: 0, bound };
  };
  const move = (n: number, by: number): void => {
    const v = values[n]!;
    values[n] = { ...v, delta: v.delta + by };
  };
  const add = (
    record: number,
    implicit: boolean,
    base: number,
    index: number,
    scale: number,
    disp: number,
    bytes: number,
    write: boolean,
  ): void => {
    const b = base < 0 ? undefined : values[base]!;
    const i = index < 0 ? undefined : values[index]!;
    const delta = disp + (b?.delta ?? 0) + (i?.delta ?? 0) * 2 ** scale;
    const key = `${b?.version ?? ''}|${i?.version ?? ''}|${i ? scale : 0}`;
    const register = (v: Value | undefined): number => (v === undefined ? -1 : v.register);
    const bound = i && i.delta === 0 ? (i.bound ?? -1) : -1;
    sites.push({
      record,
      implicit,
      key,
      base: register(b),
      index: register(i),
      indexRegister: index,
      scale,
      delta,
      bytes,
      write,
      bound,
    });
  };
  for (let r = first; r < end; r += RECORD_SIZE) {
    const handler = data.getUint16(r + Rec.handler, true);
    if (handler <= Pseudo.last) continue;
    const variant = interpreter.variant(handler);
    const { name, options } = variant.row.row;
    const word = variant.size >> 3;
    const memory = variant.forms.findIndex((f) => f.kind === 'memory');
    const baseSlot = data.getUint16(r + Rec.base, true);
    const base = gpr(baseSlot);
    const index = gpr(data.getUint16(r + Rec.index, true));
    const scale = data.getUint8(r + Rec.scale);
    const low = data.getInt32(r + Rec.disp, true);
    const wide = data.getInt32(r + Rec.disp + 4, true) * 2 ** 32 + (low >>> 0);
    const narrow = data.getInt32(r + Rec.mask + 4, true) === 0;
    const absolute = base < 0 && index < 0;
    const disp = (narrow && absolute ? low >>> 0 : wide) + (baseSlot === State.blockRip ? rip : 0);
    if (memory >= 0 && !options.addressOnly && (base >= 0 || baseSlot === State.zero || baseSlot === State.blockRip)) {
      const bytes = Math.max(1, variant.forms[memory]!.bits >> 3);
      add(r, false, base, index, scale, disp, bytes, memory === 0 && !reads(name));
    }
    if (name === 'push' || name === 'call') {
      add(r, true, RSP, -1, 0, -word, word, true);
      move(RSP, -word);
    } else if (name === 'pop' || name === 'ret' || name === 'leave') {
      if (name === 'leave') values[RSP] = values[5]!;
      add(r, true, RSP, -1, 0, 0, word, false);
      move(RSP, word);
      if (name === 'leave') lose(5);
    }
    for (const n of CLOBBERS[name] ?? []) lose(n);
    const target = variant.forms[0];
    if (target?.kind !== 'register' || (KEEPERS.has(name) && variant.forms.length < 3 && name !== 'imul')) continue;
    const n = gpr(data.getUint16(r + Rec.operand, true) & ~1);
    if (n < 0) continue;
    const source = variant.forms[1];
    const imm = data.getInt32(r + Rec.imm, true);
    const whole = target.bits === 64 || (target.bits === 32 && narrow);
    if (whole && source?.kind === 'immediate' && (name === 'add' || name === 'sub'))
      move(n, name === 'add' ? imm : -imm);
    else if (whole && (name === 'inc' || name === 'dec')) move(n, name === 'inc' ? 1 : -1);
    else if (whole && name === 'lea' && base >= 0 && index < 0) {
      const v = values[base]!;
      values[n] = { ...v, delta: v.delta + low };
    } else if (whole && name === 'mov' && source?.kind === 'register') {
      values[n] = values[gpr(data.getUint16(r + Rec.operand + 2, true) & ~1)] ?? values[n]!;
    } else lose(n, boundOf(name, variant, imm));
  }
  return { sites, steps: values.map((v, n) => (v.register === n ? v.delta : undefined)) };
}

/** The most that an instruction can leave in its destination. */
function boundOf(name: string, variant: Variant, imm: number): number {
  if (variant.forms[0]!.bits < 32) return -1;
  if (name === 'movzx') return 2 ** variant.forms[1]!.bits - 1;
  return name === 'and' && variant.forms[1]!.kind === 'immediate' && imm >= 0 ? imm : -1;
}

export const sitesOf = (data: DataView, interpreter: Interpreter, first: number, end: number, rip: number): Site[] =>
  walk(data, interpreter, first, end, rip).sites;

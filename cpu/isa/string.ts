/** MOVS CMPS STOS LODS SCAS with and without REP; Intel SDM vol. 2, "REP". */
import { Flag, setSubFlags } from '../flags.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { type I32, type I64, type Int, i32, i64, truncate, word } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { PAGE_SIZE, RepeatStep, State } from '../state.ts';
import { helper, type Lower, op, type Row, type RowOptions } from './row.ts';

const RAX = 0;
const RCX = 1;
const RSI = 6;
const RDI = 7;

type Width = 8 | 16 | 32 | 64;

/** Linear address of the source (DS or its override) or the destination (ES). */
function source(c: Ops): I64 {
  return linear(c, c.segmentBase(), RSI);
}
function destination(c: Ops): I64 {
  return linear(c, c.extraBase(), RDI);
}
function linear(c: Ops, base: I64, n: number): I64 {
  const offset = i64.and(c.register(n, 64) as I64, c.addressMask());
  return c.let(i64.and(i64.add(offset, base), c.get('ripMask') as I64));
}

/** Adds to a register with the address size: 32-bit results clear the upper half, 16-bit ones keep the rest. */
function advance(c: Ops, n: number, by: I64): void {
  const mask = c.addressMask();
  const v = c.let(i64.and(i64.add(c.register(n, 64) as I64, by), mask));
  c.if(
    i64.eq(mask, 0xffff),
    () => c.setRegister(n, 16, i32.wrap(v)),
    () => c.setRegister(n, 64, v),
  );
}

/** Plus or minus the element size, by DF. */
function stepOf(c: Ops, bits: Width): I64 {
  const down = i32.and(i32.shr_u(c.get('flagRest') as I32, 10), 1);
  return c.let(i64.extend_s(i32.sub(bits >> 3, i32.shl(down, bits === 8 ? 1 : bits === 16 ? 2 : bits === 32 ? 3 : 4))));
}

/** One element of the operation; what can fault comes before the registers move. */
type Element = (c: Ops, bits: Width, step: I64) => void;

const movs: Element = (c, bits, step) => {
  const v = c.load(bits, source(c));
  c.store(bits, destination(c), v, true);
  advance(c, RSI, step);
  advance(c, RDI, step);
};
const stos: Element = (c, bits, step) => {
  c.store(bits, destination(c), c.register(RAX, bits), true);
  advance(c, RDI, step);
};
const lods: Element = (c, bits, step) => {
  const v = c.load(bits, source(c));
  advance(c, RSI, step);
  c.setRegister(RAX, bits, v);
};
const compare = (c: Ops, bits: Width, a: Int, b: Int): void => {
  setSubFlags(c, bits, a, b, c.let<'i32' | 'i64'>(truncate(bits, word(bits).sub(a, b))) as Int);
};
/** The two values that SCAS or CMPS compares. */
type Pair = (c: Ops, bits: Width, step: I64) => readonly [Int, Int];

const scas: Pair = (c, bits, step) => {
  const b = c.load(bits, destination(c), true);
  advance(c, RDI, step);
  return [c.register(RAX, bits), b];
};
const cmps: Pair = (c, bits, step) => {
  const b = c.load(bits, destination(c), true); // read first by Intel's processors
  const a = c.load(bits, source(c));
  advance(c, RSI, step);
  advance(c, RDI, step);
  return [a, b];
};

const once =
  (element: Element, byte: boolean): Lower =>
  (c) => {
    const bits = byte ? 8 : c.size;
    element(c, bits, stepOf(c, bits));
  };

const left = (c: Ops): I64 => i64.and(c.register(RCX, 64) as I64, c.addressMask());

/** Whether the loop takes another element now: not when TF or a watchpoint wants each by itself, which is told there are more. */
function goesOn(c: Ops, more: I32): I32 {
  const step = c.let(c.get('repeatStep') as I32);
  c.if(i32.and(more, step), () => c.set('repeatStep', i32.const(RepeatStep.One | RepeatStep.Unfinished)));
  return i32.and(more, i32.eqz(step));
}

/** All elements in one go (a 32-bit count clears the upper half of RCX even when it is 0): registers are right after each, so a fault leaves what a restart needs. */
const repeated =
  (element: Element, byte: boolean): Lower =>
  (c) => {
    const bits = byte ? 8 : c.size;
    advance(c, RCX, i64.const(0));
    c.if(i64.ne(left(c), 0), () => {
      const step = stepOf(c, bits);
      c.loop((again) => {
        element(c, bits, step);
        advance(c, RCX, i64.const(-1));
        again(goesOn(c, c.let(i64.ne(left(c), 0))));
      });
    });
  };

const compareOnce =
  (pair: Pair, byte: boolean): Lower =>
  (c) => {
    const bits = byte ? 8 : c.size;
    const [a, b] = pair(c, bits, stepOf(c, bits));
    compare(c, bits, a, b);
  };

/** REPE and REPNE: a fault leaves the flags as they were before the first element (SDM vol. 2, REP). */
const compareWhile =
  (pair: Pair, byte: boolean, equal: boolean): Lower =>
  (c) => {
    const bits = byte ? 8 : c.size;
    advance(c, RCX, i64.const(0));
    c.if(i64.ne(left(c), 0), () => {
      const step = stepOf(c, bits);
      const zero: Int = bits === 64 ? i64.const(0) : i32.const(0);
      const first = c.variable<'i32' | 'i64'>(zero);
      const second = c.variable<'i32' | 'i64'>(zero);
      c.loop((again) => {
        const [a, b] = pair(c, bits, step);
        first.set(a);
        second.set(b);
        advance(c, RCX, i64.const(-1));
        const w = word(bits);
        again(goesOn(c, c.let(i32.and(i64.ne(left(c), 0), equal ? w.eq(a, b) : w.ne(a, b)))));
      });
      // Between the elements, too, the flags are as before the first one.
      const unfinished = i32.and(c.get('repeatStep') as I32, RepeatStep.Unfinished);
      c.if(i32.eqz(unfinished), () => compare(c, bits, first.value as Int, second.value as Int));
    });
  };

/** Registers of a run of REP MOVS or REP STOS. */
class Run {
  readonly bytes: number;
  private readonly h: HelperContext;
  private readonly mask: bigint;
  private readonly bits: number;
  private readonly single: boolean;
  private done = 0;
  constructor(h: HelperContext, byte: boolean) {
    this.h = h;
    this.single = h.get('repeatStep') !== 0;
    this.bits = byte ? 8 : h.size;
    this.bytes = this.bits / 8;
    this.mask = h.addressMask;
  }

  get left(): bigint {
    return this.h.register(RCX) & this.mask;
  }

  source(): bigint {
    return this.wrap((this.h.register(RSI) & this.mask) + this.h.segmentBase);
  }
  destination(): bigint {
    return this.wrap((this.h.register(RDI) & this.mask) + this.h.extraBase);
  }

  /** How many elements fit between `address` and the end of its page, and of the address space of the registers. */
  fitting(address: bigint, register: number): number {
    const inPage = Math.floor((PAGE_SIZE - Number(address & 0xfffn)) / this.bytes);
    const toWrap = this.mask - (this.h.register(register) & this.mask);
    return toWrap < BigInt(PAGE_SIZE) ? Math.min(inPage, Math.floor((Number(toWrap) + 1) / this.bytes)) : inPage;
  }

  /** There is another element to do now. */
  get goesOn(): boolean {
    if (this.left === 0n) return false;
    if (this.done === 0 || !this.single) return true;
    this.h.set('repeatStep', RepeatStep.One | RepeatStep.Unfinished);
    return false;
  }

  /** The elements have to be done one by one: downwards, checked, or because each is a step. */
  get byElement(): boolean {
    return this.single || this.h.checked || (this.h.get('flagRest') & Flag.DF) !== 0;
  }

  advance(n: number, registers: readonly number[]): void {
    const down = (this.h.get('flagRest') & Flag.DF) !== 0;
    const by = BigInt(n * this.bytes);
    this.done += n;
    for (const r of registers) this.add(r, down ? -by : by);
    this.add(RCX, -BigInt(n));
  }

  get width(): number {
    return this.bits;
  }

  private add(r: number, by: bigint): void {
    const v = (this.h.register(r) + by) & this.mask;
    this.h.setRegister(r, this.mask === 0xffffn ? 16 : 64, v);
  }

  private wrap(v: bigint): bigint {
    return v & this.h.get64('ripMask');
  }
}

const asCount = (left: bigint): number => (left > 0xffffffffn ? 0xffffffff : Number(left));

const repMovs = (byte: boolean) =>
  helper((h) => {
    const run = new Run(h, byte);
    run.advance(0, [RSI, RDI]);
    const memory = h.cpu.memory.bytes;
    while (run.goesOn) {
      const from = run.source();
      const to = run.destination();
      const n = run.byElement ? 0 : Math.min(run.fitting(from, RSI), run.fitting(to, RDI), asCount(run.left));
      if (n === 0) {
        h.store(run.width, to, h.load(run.width, from), true);
        run.advance(1, [RSI, RDI]);
        continue;
      }
      const size = n * run.bytes;
      const source = h.pageRun(from, size, false);
      const target = h.pageRun(to, size, true);
      // Where the destination overlaps the bytes still to be read, each element must see those stored before.
      if (target > source && target < source + size) copyForward(memory, source, target, size, run.bytes);
      else memory.copyWithin(target, source, source + size);
      run.advance(n, [RSI, RDI]);
    }
  });

function copyForward(memory: Uint8Array, from: number, to: number, size: number, element: number): void {
  for (let at = 0; at < size; at += element) memory.copyWithin(to + at, from + at, from + at + element);
}

const repStos = (byte: boolean) =>
  helper((h) => {
    const run = new Run(h, byte);
    run.advance(0, [RDI]);
    const memory = h.cpu.memory.bytes;
    const pattern = memory.slice(State.gpr, State.gpr + run.bytes);
    const uniform = pattern.every((b) => b === pattern[0]);
    while (run.goesOn) {
      const to = run.destination();
      const n = run.byElement ? 0 : Math.min(run.fitting(to, RDI), asCount(run.left));
      if (n === 0) {
        h.store(run.width, to, h.register(RAX), true);
        run.advance(1, [RDI]);
        continue;
      }
      const size = n * run.bytes;
      const target = h.pageRun(to, size, true);
      if (uniform) memory.fill(pattern[0]!, target, target + size);
      else for (let at = 0; at < size; at += run.bytes) memory.set(pattern, target + at);
      run.advance(n, [RDI]);
    }
  });

const string: RowOptions = { string: 'both' };
const hex = (n: number): string => n.toString(16).toUpperCase();

/** F3 and F2 mean the same for operations that do not compare. */
function copying(name: string, opcode: number, element: Element, rep: (byte: boolean) => Lower): Row[] {
  return [true, false].flatMap((byte, n) => {
    const all = rep(byte);
    return [
      op(`rep ${name}`, `F3 ${hex(opcode + n)}`, '', all, string),
      op(`rep ${name}`, `F2 ${hex(opcode + n)}`, '', all, string),
      op(name, hex(opcode + n), '', once(element, byte), string),
    ];
  });
}

function comparing(name: string, opcode: number, pair: Pair): Row[] {
  return [true, false].flatMap((byte, n) => [
    op(`repe ${name}`, `F3 ${hex(opcode + n)}`, '', compareWhile(pair, byte, true), string),
    op(`repne ${name}`, `F2 ${hex(opcode + n)}`, '', compareWhile(pair, byte, false), string),
    op(name, hex(opcode + n), '', compareOnce(pair, byte), string),
  ]);
}

export const stringRows: readonly Row[] = [
  ...copying('movs', 0xa4, movs, repMovs),
  ...comparing('cmps', 0xa6, cmps),
  ...copying('stos', 0xaa, stos, repStos),
  ...copying('lods', 0xac, lods, (byte) => repeated(lods, byte)),
  ...comparing('scas', 0xae, scas),
];

/**
 * The x87 instructions, D8 to DF and FWAIT (Intel SDM vol. 2). `x87-execute.ts` and `x87-memory.ts` hold the whole meanings in
 * TypeScript; the common rows get a lowering from `x87-lower.ts` that needs them in rare cases only.
 */
import { Vector } from '../exit.ts';
import { Fault } from '../fault.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { type I32, i32 } from '../ir/expr.ts';
import { FLAGS_ALL } from '../softfloat/env.ts';
import { fldenv, frstor, fsave, fstenv } from '../xsave.ts';
import { helper, type Lower, op, type Row } from './row.ts';
import { initialise } from './x87-control.ts';
import { executeRegister } from './x87-execute.ts';
import { knownMemory, knownRegister } from './x87-known.ts';
import * as x from './x87-lower.ts';
import { executeMemory } from './x87-memory.ts';
import { CONSTANTS } from './x87-move.ts';
import { SW_ES, X87 } from './x87-state.ts';

/** What FCOMI changes in RFLAGS: ZF PF CF from the comparison, OF SF AF cleared. */
const STATUS_FLAGS = 0x8d5;

/** #MF when an unmasked exception is pending: what every waiting instruction does first. */
export function checkPending(fpu: X87, h: HelperContext): void {
  if (fpu.sw & SW_ES) {
    h.raise(Vector.MF);
  }
}

/**
 * Last instruction pointer; opcode and operand pointer too when the instruction left an unmasked exception pending
 * (SDM vol. 1, 8.1.8 and 8.1.9, with CPUID's FDP_EXCPTN_ONLY and without fopcode compatibility).
 * @param address the operand's, if it is in memory: else the pointer stays
 */
function note(fpu: X87, h: HelperContext, address?: bigint): void {
  fpu.fip = h.rip;
  if (fpu.sw & SW_ES) {
    fpu.fop = ((h.opcode & 7) << 8) | h.modrm;
    if (address !== undefined) fpu.fdp = address;
  }
}

function registerForm(h: HelperContext): void {
  const fpu = new X87(h.view);
  checkPending(fpu, h);
  const flags = executeRegister(fpu, h.opcode, h.modrm, h.rflags);
  note(fpu, h);
  if (flags >= 0) {
    h.rflags = (h.rflags & ~STATUS_FLAGS) | flags;
  }
}

/** @param stores the operand is a destination */
const memoryForm =
  (opcode: number, reg: number, bytes: number, stores: boolean) =>
  (h: HelperContext): void => {
    const fpu = new X87(h.view);
    checkPending(fpu, h);
    const address = h.address();
    const buffer = new Uint8Array(16);
    const operand = new DataView(buffer.buffer);
    if (!stores) {
      // Ten bytes are two accesses.
      buffer.set(h.loadBytes(address, Math.min(8, bytes)));
      if (bytes === 10) buffer.set(h.loadBytes(h.addressAt(0, 8), 2), 8);
    }
    const { sw, tags } = fpu;
    if (executeMemory(fpu, opcode, reg, operand)) {
      try {
        // The hardware does the first of two stores even if the second faults.
        h.storeBytes(address, buffer.subarray(0, Math.min(8, bytes)));
        if (bytes === 10) h.storeBytes(h.addressAt(0, 8), buffer.subarray(8, 10));
      } catch (e) {
        // A page fault: nothing has happened. Not probed for earlier, as a blocked store does not touch memory at all.
        fpu.sw = sw;
        fpu.tags = tags;
        throw e;
      }
    }
    note(fpu, h, address);
  };

type Lowering = (slow: (h: HelperContext) => void) => Lower;

const SIZES: Readonly<Record<string, number>> = { Mw: 2, Md: 4, Mq: 8, Mt: 10 };

/** @param lower the lowering of the common case, given the meaning in TypeScript; without one, that is all there is */
function memory(name: string, encoding: string, operand: string, lower: Lowering = helper, stores = false): Row {
  const [opcode, digit] = encoding.split(' /');
  const slow = memoryForm(Number.parseInt(opcode!, 16), Number(digit), SIZES[operand]!, stores);
  const other = lower(slow);
  const whole: Lower = (c) => {
    if (c.x87) knownMemory(c, c.x87, Number.parseInt(opcode!, 16), Number(digit));
    else other(c);
  };
  // What is pending comes before the operand's segment.
  return op(name, encoding, operand, whole, { late: true });
}
const storing = (name: string, encoding: string, operand: string, lower?: Lowering): Row =>
  memory(name, encoding, operand, lower, true);

const ARITHMETIC = ['add', 'mul', 'com', 'comp', 'sub', 'subr', 'div', 'divr'];

const memoryArithmetic: readonly Row[] = [
  ...ARITHMETIC.map((name, n) => memory(`f${name}`, `D8 /${n}`, 'Md', x.memoryArithmetic(0xd8, n))),
  ...ARITHMETIC.map((name, n) => memory(`fi${name}`, `DA /${n}`, 'Md', x.memoryArithmetic(0xda, n))),
  ...ARITHMETIC.map((name, n) => memory(`f${name}`, `DC /${n}`, 'Mq', x.memoryArithmetic(0xdc, n))),
  ...ARITHMETIC.map((name, n) => memory(`fi${name}`, `DE /${n}`, 'Mw', x.memoryArithmetic(0xde, n))),
];

const moves: readonly Row[] = [
  memory('fld', 'D9 /0', 'Md', x.loadNumber(0xd9)),
  storing('fst', 'D9 /2', 'Md', x.storeSingle(false)),
  storing('fstp', 'D9 /3', 'Md', x.storeSingle(true)),
  memory('fild', 'DB /0', 'Md', x.loadNumber(0xdb)),
  storing('fisttp', 'DB /1', 'Md', x.storeInteger(32, true, true)),
  storing('fist', 'DB /2', 'Md', x.storeInteger(32, false, false)),
  storing('fistp', 'DB /3', 'Md', x.storeInteger(32, true, false)),
  memory('fld', 'DB /5', 'Mt', x.loadExtended),
  storing('fstp', 'DB /7', 'Mt', x.storeExtended),
  memory('fld', 'DD /0', 'Mq', x.loadNumber(0xdd)),
  storing('fisttp', 'DD /1', 'Mq', x.storeInteger(64, true, true)),
  storing('fst', 'DD /2', 'Mq', x.storeDouble(false)),
  storing('fstp', 'DD /3', 'Mq', x.storeDouble(true)),
  memory('fild', 'DF /0', 'Mw', x.loadNumber(0xdf)),
  storing('fisttp', 'DF /1', 'Mw', x.storeInteger(16, true, true)),
  storing('fist', 'DF /2', 'Mw', x.storeInteger(16, false, false)),
  storing('fistp', 'DF /3', 'Mw', x.storeInteger(16, true, false)),
  memory('fbld', 'DF /4', 'Mt'),
  memory('fild', 'DF /5', 'Mq', x.loadNumber(0xdf)),
  storing('fbstp', 'DF /6', 'Mt'),
  storing('fistp', 'DF /7', 'Mq', x.storeInteger(64, true, false)),
];

function register(name: string, encoding: string, lower: Lowering = helper): Row {
  const [opcode, modrm] = encoding.split(' ').map((byte) => Number.parseInt(byte, 16));
  const other = lower(registerForm);
  return op(name, encoding, '', (c) => {
    if (c.x87) knownRegister(c, c.x87, opcode!, modrm!);
    else other(c);
  });
}

/** D9 E0-FF one by one. */
const NULLARY: readonly (readonly [string, number])[] = [
  ['fchs', 0xe0],
  ['fabs', 0xe1],
  ['ftst', 0xe4],
  ['fxam', 0xe5],
  ['fld1', 0xe8],
  ['fldl2t', 0xe9],
  ['fldl2e', 0xea],
  ['fldpi', 0xeb],
  ['fldlg2', 0xec],
  ['fldln2', 0xed],
  ['fldz', 0xee],
  ['f2xm1', 0xf0],
  ['fyl2x', 0xf1],
  ['fptan', 0xf2],
  ['fpatan', 0xf3],
  ['fxtract', 0xf4],
  ['fprem1', 0xf5],
  ['fdecstp', 0xf6],
  ['fincstp', 0xf7],
  ['fprem', 0xf8],
  ['fyl2xp1', 0xf9],
  ['fsqrt', 0xfa],
  ['fsincos', 0xfb],
  ['frndint', 0xfc],
  ['fscale', 0xfd],
  ['fsin', 0xfe],
  ['fcos', 0xff],
];

/** FLD1 to FLDZ from the table of constants, the others by their lowering if they have one. */
function nullary(byte: number): Lowering | undefined {
  const value = byte >= 0xe8 && byte <= 0xee ? CONSTANTS[byte & 7] : undefined;
  return value ? x.constant(...value) : x.NULLARY[byte];
}

/** Eight register numbers from a ModRM byte on. */
const range = (opcode: string, first: number): string => `${opcode} ${first.toString(16).toUpperCase()}+r`;
/** The lowering of D8 (to ST(0)), DC and DE (to ST(i)) by reg field. */
const arithmeticForm = (n: number, toTop: boolean, pop = false): Lowering =>
  n === 2 || n === 3 ? x.stackCompare(n - 2) : x.stackArithmetic(n, toTop, pop);

const registers: readonly Row[] = [
  ...ARITHMETIC.map((name, n) => register(`f${name}`, range('D8', 0xc0 + 8 * n), arithmeticForm(n, true))),
  register('fld', 'D9 C0+r', x.loadRegister),
  register('fxch', 'D9 C8+r', x.exchange),
  register('fnop', 'D9 D0', x.NULLARY[0xd0]),
  register('fstp', 'D9 D8+r'),
  ...NULLARY.map(([name, byte]) => register(name, `D9 ${byte.toString(16).toUpperCase()}`, nullary(byte))),
  register('fcmovb', 'DA C0+r', x.conditionalMove(2)),
  register('fcmove', 'DA C8+r', x.conditionalMove(4)),
  register('fcmovbe', 'DA D0+r', x.conditionalMove(6)),
  register('fcmovu', 'DA D8+r', x.conditionalMove(10)),
  register('fucompp', 'DA E9', x.stackCompare(2)),
  register('fcmovnb', 'DB C0+r', x.conditionalMove(3)),
  register('fcmovne', 'DB C8+r', x.conditionalMove(5)),
  register('fcmovnbe', 'DB D0+r', x.conditionalMove(7)),
  register('fcmovnu', 'DB D8+r', x.conditionalMove(11)),
  register('fucomi', 'DB E8+r', x.flagsCompare(false)),
  register('fcomi', 'DB F0+r', x.flagsCompare(false)),
  // The manual leaves DC D0-DF, DD C8, DE D0 and DF C8-DF out; the hardware takes them as these.
  ...['add', 'mul', 'com', 'comp', 'subr', 'sub', 'divr', 'div'].map((name, n) =>
    register(`f${name}`, range('DC', 0xc0 + 8 * n), arithmeticForm(n, false)),
  ),
  register('ffree', 'DD C0+r', x.freeRegister),
  register('fxch', 'DD C8+r', x.exchange),
  register('fst', 'DD D0+r', x.storeRegister(false)),
  register('fstp', 'DD D8+r', x.storeRegister(true)),
  register('fucom', 'DD E0+r', x.stackCompare(0)),
  register('fucomp', 'DD E8+r', x.stackCompare(1)),
  register('faddp', 'DE C0+r', arithmeticForm(0, false, true)),
  register('fmulp', 'DE C8+r', arithmeticForm(1, false, true)),
  register('fcomp', 'DE D0+r', x.stackCompare(1)),
  register('fcompp', 'DE D9', x.stackCompare(2)),
  register('fsubrp', 'DE E0+r', arithmeticForm(4, false, true)),
  register('fsubp', 'DE E8+r', arithmeticForm(5, false, true)),
  register('fdivrp', 'DE F0+r', arithmeticForm(6, false, true)),
  register('fdivp', 'DE F8+r', arithmeticForm(7, false, true)),
  register('ffreep', 'DF C0+r'),
  register('fxch', 'DF C8+r', x.exchange),
  register('fstp', 'DF D0+r', x.storeRegister(true)),
  register('fstp', 'DF D8+r', x.storeRegister(true)),
  register('fucomip', 'DF E8+r', x.flagsCompare(true)),
  register('fcomip', 'DF F0+r', x.flagsCompare(true)),
];

const environmentBits = (h: HelperContext): 16 | 32 => (h.size === 16 ? 16 : 32);

/** Of a structure the first word is touched, then the last byte, then the others. */
function touchEnds(h: HelperContext, bytes: number, write: boolean): void {
  h.touch(h.address(), write, environmentBits(h) / 8);
  h.touch(h.addressAt(0, bytes - 1), write);
}

/**
 * `image` is that of the registers: what is read before the limit of the segment is loaded all the same, but for the
 * control word, which comes last.
 */
function loadImage(h: HelperContext, image: Uint8Array, load: (image: Uint8Array) => void): void {
  const controlWord = image.slice(0, 2);
  const inverse = image.map((byte) => ~byte);
  try {
    load(h.loadBytes(h.address(), image.length, image));
  } catch (e) {
    if (e instanceof Fault) {
      const bits = environmentBits(h);
      const environment = (7 * bits) / 8;
      const wasRead = bytesRead(h, inverse, image);
      image.set(controlWord);
      if (image.length > environment) {
        // Registers that were not read stay where they are, wherever TOP is now.
        fldenv(h, image.subarray(0, environment), bits);
        const now = fsave(h, bits);
        for (let at = environment; at < image.length; at += 10) {
          if (!wasRead.slice(at, at + 10).every(Boolean)) image.set(now.subarray(at, at + 10), at);
        }
      }
      load(image);
    }
    throw e;
  }
}

/** Which bytes a faulting load reads: those that come out the same whatever was there. */
function bytesRead(h: HelperContext, inverse: Uint8Array, image: Uint8Array): boolean[] {
  try {
    h.loadBytes(h.address(), inverse.length, inverse);
  } catch (e) {
    if (!(e instanceof Fault)) throw e;
  }
  return [...inverse].map((byte, i) => byte === image[i]);
}

/** Control instructions: the FN forms do not wait, and none of them moves the last instruction pointer. */
const control: readonly Row[] = [
  op('fwait', '9B', '', x.wait),
  op(
    'fldenv',
    'D9 /4',
    'M',
    helper((h) => {
      checkPending(new X87(h.view), h);
      const bits = environmentBits(h);
      const bytes = (7 * bits) / 8;
      touchEnds(h, bytes, false);
      loadImage(h, fstenv(h, bits), (image) => fldenv(h, image, bits));
    }),
  ),
  op('fldcw', 'D9 /5', 'Mw', x.loadControl, { late: true }),
  op(
    'fnstenv',
    'D9 /6',
    'M',
    helper((h) => {
      const image = fstenv(h, environmentBits(h));
      touchEnds(h, image.length, true);
      h.storeBytes(h.address(), image);
      const fpu = new X87(h.view);
      fpu.cw |= FLAGS_ALL;
      fpu.summarise();
    }),
  ),
  op('fnstcw', 'D9 /7', 'Mw', (c) => c.write(0, c.get('fcw'))),
  op('fnclex', 'DB E2', '', x.clearExceptions),
  op(
    'fninit',
    'DB E3',
    '',
    helper((h) => initialise(new X87(h.view))),
  ),
  // The 8087's FENI and FDISI and the 80287's FSETPM do nothing.
  op('feni', 'DB E0', '', () => undefined),
  op('fdisi', 'DB E1', '', () => undefined),
  op('fsetpm', 'DB E4', '', () => undefined),
  op(
    'frstor',
    'DD /4',
    'M',
    helper((h) => {
      checkPending(new X87(h.view), h);
      const bits = environmentBits(h);
      const bytes = (7 * bits) / 8 + 80;
      touchEnds(h, bytes, false);
      loadImage(h, fsave(h, bits), (image) => frstor(h, image, bits));
    }),
  ),
  op(
    'fnsave',
    'DD /6',
    'M',
    helper((h) => {
      const image = fsave(h, environmentBits(h));
      touchEnds(h, image.length, true);
      h.storeBytes(h.address(), image);
      initialise(new X87(h.view));
    }),
  ),
  op('fnstsw', 'DD /7', 'Mw', (c) => c.write(0, c.get('fsw'))),
  op('fnstsw', 'DF E0', '', (c) => c.setRegister(0, 16, c.get('fsw'))),
  op('emms', 'NP 0F 77', '', (c) => {
    x.raisePending(c);
    c.set('fsw', i32.and(c.get('fsw') as I32, ~0x3800));
    c.set('ftw', i32.const(0));
  }),
];

export const x87Rows: readonly Row[] = [...memoryArithmetic, ...moves, ...registers, ...control];

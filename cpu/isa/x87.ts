/**
 * The x87 instructions, D8 to DF and FWAIT (Intel SDM vol. 2). Each row calls TypeScript; `x87-execute.ts` and
 * `x87-memory.ts` hold the meanings, so that a row may get a lowering of its own without touching the others.
 */
import { Vector } from '../exit.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { type I32, i32 } from '../ir/expr.ts';
import { FLAGS_ALL } from '../softfloat/env.ts';
import { fldenv, frstor, fsave, fstenv } from '../xsave.ts';
import { helper, op, type Row } from './row.ts';
import { executeRegister } from './x87-execute.ts';
import { executeMemory } from './x87-memory.ts';
import { clearExceptions, initialise, loadControl } from './x87-ops.ts';
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
 */
function note(fpu: X87, h: HelperContext, address: bigint): void {
  fpu.fip = h.rip;
  if (fpu.sw & SW_ES) {
    fpu.fop = ((h.opcode & 7) << 8) | h.modrm;
    fpu.fdp = address;
  }
}

const registerForm = helper((h) => {
  const fpu = new X87(h.view);
  checkPending(fpu, h);
  const flags = executeRegister(fpu, h.opcode, h.modrm, h.rflags);
  note(fpu, h, 0n);
  if (flags >= 0) {
    h.rflags = (h.rflags & ~STATUS_FLAGS) | flags;
  }
});

/** @param stores the operand is a destination */
const memoryForm = (opcode: number, reg: number, bytes: number, stores: boolean) =>
  helper((h) => {
    const fpu = new X87(h.view);
    checkPending(fpu, h);
    const address = h.address();
    const buffer = new Uint8Array(16);
    const operand = new DataView(buffer.buffer);
    if (!stores) {
      buffer.set(h.loadBytes(address, bytes));
    }
    const { sw, tags } = fpu;
    if (executeMemory(fpu, opcode, reg, operand)) {
      try {
        h.storeBytes(address, buffer.subarray(0, bytes));
      } catch (e) {
        // A page fault: nothing has happened. Not probed for earlier, as a blocked store does not touch memory at all.
        fpu.sw = sw;
        fpu.tags = tags;
        throw e;
      }
    }
    note(fpu, h, address);
  });

const SIZES: Readonly<Record<string, number>> = { Mw: 2, Md: 4, Mq: 8, Mt: 10 };

function memory(name: string, encoding: string, operand: string, stores = false): Row {
  const [opcode, digit] = encoding.split(' /');
  const lower = memoryForm(Number.parseInt(opcode!, 16), Number(digit), SIZES[operand]!, stores);
  return op(name, encoding, operand, lower);
}

const ARITHMETIC = ['add', 'mul', 'com', 'comp', 'sub', 'subr', 'div', 'divr'];

const memoryArithmetic: readonly Row[] = [
  ...ARITHMETIC.map((name, n) => memory(`f${name}`, `D8 /${n}`, 'Md')),
  ...ARITHMETIC.map((name, n) => memory(`fi${name}`, `DA /${n}`, 'Md')),
  ...ARITHMETIC.map((name, n) => memory(`f${name}`, `DC /${n}`, 'Mq')),
  ...ARITHMETIC.map((name, n) => memory(`fi${name}`, `DE /${n}`, 'Mw')),
];

const moves: readonly Row[] = [
  memory('fld', 'D9 /0', 'Md'),
  memory('fst', 'D9 /2', 'Md', true),
  memory('fstp', 'D9 /3', 'Md', true),
  memory('fild', 'DB /0', 'Md'),
  memory('fisttp', 'DB /1', 'Md', true),
  memory('fist', 'DB /2', 'Md', true),
  memory('fistp', 'DB /3', 'Md', true),
  memory('fld', 'DB /5', 'Mt'),
  memory('fstp', 'DB /7', 'Mt', true),
  memory('fld', 'DD /0', 'Mq'),
  memory('fisttp', 'DD /1', 'Mq', true),
  memory('fst', 'DD /2', 'Mq', true),
  memory('fstp', 'DD /3', 'Mq', true),
  memory('fild', 'DF /0', 'Mw'),
  memory('fisttp', 'DF /1', 'Mw', true),
  memory('fist', 'DF /2', 'Mw', true),
  memory('fistp', 'DF /3', 'Mw', true),
  memory('fbld', 'DF /4', 'Mt'),
  memory('fild', 'DF /5', 'Mq'),
  memory('fbstp', 'DF /6', 'Mt', true),
  memory('fistp', 'DF /7', 'Mq', true),
];

const register = (name: string, encoding: string): Row => op(name, encoding, '', registerForm);

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

const registers: readonly Row[] = [
  ...ARITHMETIC.map((name, n) => register(`f${name}`, `D8 ${(0xc0 + 8 * n).toString(16).toUpperCase()}+r`)),
  register('fld', 'D9 C0+r'),
  register('fxch', 'D9 C8+r'),
  register('fnop', 'D9 D0'),
  register('fstp', 'D9 D8+r'),
  ...NULLARY.map(([name, byte]) => register(name, `D9 ${byte.toString(16).toUpperCase()}`)),
  register('fcmovb', 'DA C0+r'),
  register('fcmove', 'DA C8+r'),
  register('fcmovbe', 'DA D0+r'),
  register('fcmovu', 'DA D8+r'),
  register('fucompp', 'DA E9'),
  register('fcmovnb', 'DB C0+r'),
  register('fcmovne', 'DB C8+r'),
  register('fcmovnbe', 'DB D0+r'),
  register('fcmovnu', 'DB D8+r'),
  register('fucomi', 'DB E8+r'),
  register('fcomi', 'DB F0+r'),
  // The manual leaves DC D0-DF, DD C8, DE D0 and DF C8-DF out; the hardware takes them as these.
  ...['add', 'mul', 'com', 'comp', 'subr', 'sub', 'divr', 'div'].map((name, n) =>
    register(`f${name}`, `DC ${(0xc0 + 8 * n).toString(16).toUpperCase()}+r`),
  ),
  register('ffree', 'DD C0+r'),
  register('fxch', 'DD C8+r'),
  register('fst', 'DD D0+r'),
  register('fstp', 'DD D8+r'),
  register('fucom', 'DD E0+r'),
  register('fucomp', 'DD E8+r'),
  register('faddp', 'DE C0+r'),
  register('fmulp', 'DE C8+r'),
  register('fcomp', 'DE D0+r'),
  register('fcompp', 'DE D9'),
  register('fsubrp', 'DE E0+r'),
  register('fsubp', 'DE E8+r'),
  register('fdivrp', 'DE F0+r'),
  register('fdivp', 'DE F8+r'),
  register('ffreep', 'DF C0+r'),
  register('fxch', 'DF C8+r'),
  register('fstp', 'DF D0+r'),
  register('fstp', 'DF D8+r'),
  register('fucomip', 'DF E8+r'),
  register('fcomip', 'DF F0+r'),
];

const environmentBits = (h: HelperContext): 16 | 32 => (h.size === 16 ? 16 : 32);

/** Control instructions: the FN forms do not wait, and none of them moves the last instruction pointer. */
const control: readonly Row[] = [
  op(
    'fwait',
    '9B',
    '',
    helper((h) => checkPending(new X87(h.view), h)),
  ),
  op(
    'fldenv',
    'D9 /4',
    'M',
    helper((h) => {
      checkPending(new X87(h.view), h);
      const bits = environmentBits(h);
      fldenv(h, h.loadBytes(h.address(), (7 * bits) / 8), bits);
    }),
  ),
  op(
    'fldcw',
    'D9 /5',
    'Mw',
    helper((h) => {
      const fpu = new X87(h.view);
      checkPending(fpu, h);
      loadControl(fpu, Number(h.load(16, h.address())));
    }),
  ),
  op(
    'fnstenv',
    'D9 /6',
    'M',
    helper((h) => {
      h.storeBytes(h.address(), fstenv(h, environmentBits(h)));
      const fpu = new X87(h.view);
      fpu.cw |= FLAGS_ALL;
      fpu.summarise();
    }),
  ),
  op('fnstcw', 'D9 /7', 'Mw', (c) => c.write(0, c.get('fcw'))),
  op(
    'fnclex',
    'DB E2',
    '',
    helper((h) => clearExceptions(new X87(h.view))),
  ),
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
      frstor(h, h.loadBytes(h.address(), (7 * bits) / 8 + 80), bits);
    }),
  ),
  op(
    'fnsave',
    'DD /6',
    'M',
    helper((h) => {
      h.storeBytes(h.address(), fsave(h, environmentBits(h)));
      initialise(new X87(h.view));
    }),
  ),
  op('fnstsw', 'DD /7', 'Mw', (c) => c.write(0, c.get('fsw'))),
  op('fnstsw', 'DF E0', '', (c) => c.setRegister(0, 16, c.get('fsw'))),
  op('emms', 'NP 0F 77', '', (c) => {
    c.if(i32.and(c.get('fsw') as I32, SW_ES), () => c.raise(Vector.MF));
    c.set('fsw', i32.and(c.get('fsw') as I32, ~0x3800));
    c.set('ftw', i32.const(0));
  }),
];

export const x87Rows: readonly Row[] = [...memoryArithmetic, ...moves, ...registers, ...control];

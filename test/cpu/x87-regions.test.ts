import { expect } from 'chai';
import { State } from '../../cpu/state.ts';
import { EDGES } from './edge-doubles.ts';
import { DATA, Machine } from './machine.ts';

const EAGER = { interval: 20, threshold: 1, trace: 0 } as const;

/**
 * For every pair of values, in RSI and RDI, what `body` (12 bytes) does with them in ST(1) and ST(0); the status word, ST(0)
 * as a double and ST(1) are mixed into R10. EBP times; then UD2.
 *
 * again: xor esi, esi; outer: xor edi, edi; inner: fld qword [rbx+rsi*8]; fld qword [rbx+rdi*8]; BODY; fnstsw ax;
 * movzx ecx, ax; add r10, rcx; fstp qword [rbx+0x800]; fstp tbyte [rbx+0x808]; xor r10, [rbx+0x800]; rol r10, 7;
 * add r10, [rbx+0x808]; movzx ecx, word [rbx+0x810]; add r10, rcx; imul r10, r10, 0x1003; inc edi; cmp edi, r8d; jb inner;
 * inc esi; cmp esi, r8d; jb outer; dec ebp; jnz again; ud2
 */
const program = (body: string): string => {
  const filled = body.replace(/\s/g, '').padEnd(24, '90');
  expect(filled.length).to.equal(24);
  return `31f6 31ff dd04f3 dd04fb ${filled} dfe0 0fb7c8 4901ca dd9b00080000 dbbb08080000 4c339300080000 49c1c207
    4c039308080000 0fb78b10080000 4901ca 4d69d203100000 ffc7 4439c7 72b0 ffc6 4439c6 72a7 ffcd 75a1 0f0b`;
};

function run(m: Machine, code: string, fcw: number, top: number): object {
  m.reset(64);
  const { regs } = m.cpu;
  const { view } = regs;
  const begin = m.cpu.icount;
  const words = new BigUint64Array(0x123 + 1);
  EDGES.forEach((v, n) => {
    words[n] = v;
  });
  words[0x123] = 0x37fn;
  m.write(DATA, new Uint8Array(words.buffer));
  regs.rbx = BigInt(DATA);
  regs.gpr[8] = BigInt(EDGES.length - 1);
  regs.rbp = 2n;
  view.setUint32(State.fcw, fcw, true);
  view.setUint32(State.fsw, top << 11, true);
  view.setUint32(State.ftw, 0, true);
  for (const at of [State.fop, State.fdp, State.fdp + 4]) view.setUint32(at, 0, true);
  for (let at = State.st; at < State.st + 128; at += 4) view.setUint32(at, 0, true);
  m.load(code);
  const exit = m.cpu.run(10_000_000);
  const x87 = Buffer.from(view.buffer, view.byteOffset + State.fcw, State.st + 128 - State.fcw).toString('hex');
  const count = m.cpu.icount - begin;
  return { exit, gpr: [...regs.gpr], rip: regs.rip, flags: regs.rflags, count, x87 };
}

const BODIES: Readonly<Record<string, string>> = {
  'fadd, fmul': 'd8c1 d8c9',
  'fsub, fsubr': 'd8e1 dce1',
  'fdiv, fdivr': 'd8f1 dcf1',
  'fmul, faddp of a copy': 'd8c9 d9c1 dec1',
  'fxch, fsqrt, fchs': 'd9c9 d9fa d9e0',
  'fabs, frndint': 'd9e1 d9fc',
  'fcomi, fcmovb, fucom': 'dbf1 dac1 dde1',
  'ftst, fld1, fmulp': 'd9e4 d9e8 dec9',
  'fld1, fistp m32, fild m32': 'd8c1 db9300090000',
  'fist m16, fadd': 'df9300090000 d8c1',
  'fisttp m64, fld m80': 'dd8b00090000 db2cfb',
  'fst m32, fmul m32': 'd99300090000 d80cfb',
  'fld m32, fstp, fiadd': 'd904fb ddd9 da04fb',
  'fldcw, fnclex': 'd9ab18090000 d8c1 dbe2',
  'fld, ffree, fincstp': 'd9c0 ddc0 d9f7',
  'one more in every round': 'd9c1',
  'one less in every round': 'dec1',
};

describe('x87 in regions', () => {
  const controls = { 'all masked': 0x37f, 'double precision': 0x27f, 'rounding up': 0xb7f, unmasked: 0x372 };
  let slow: Machine;
  before(() => {
    slow = new Machine({ translate: 'off' });
  });
  for (const [name, body] of Object.entries(BODIES)) {
    it(name, () => {
      const fast = new Machine({ translate: EAGER });
      const { counters } = fast.cpu.translator!;
      const code = program(body);
      for (const fcw of Object.values(controls)) {
        for (const top of [0, 5]) expect(run(fast, code, fcw, top)).to.deep.equal(run(slow, code, fcw, top));
      }
      expect(counters.regions).to.be.greaterThan(0);
      expect(counters.failed).to.equal(0);
    });
  }
});

import { expect } from 'chai';
import { State } from '../../cpu/state.ts';
import { EDGES } from './edge-doubles.ts';
import { DATA, Machine } from './machine.ts';

const EAGER = { interval: 20, threshold: 1, trace: 0 } as const;

/**
 * For every pair of values, in RSI and RDI, what `body` (12 bytes) does with XMM0 and XMM1; the result, MXCSR and CF ZF PF
 * are mixed into RAX. EBP times; then UD2. `scalar`: with MOVSD in place of MOVUPS, the registers are mostly scalars.
 *
 * again: xor esi, esi; outer: xor edi, edi; inner: movups xmm0, [rbx+rsi*8]; movups xmm1, [rbx+rdi*8]; movups xmm2, xmm0;
 * BODY; mov ecx, 0; setb cl; setp ch; lea rax, [rax+rcx]; mov ecx, 0; sete cl; seta ch; lea rax, [rax+rcx*4];
 * movups [rbx+0x800], xmm0; xor rax, [rbx+0x800]; rol rax, 7; add rax, [rbx+0x808]; stmxcsr [rbx+0x810];
 * mov ecx, [rbx+0x810]; imul rax, rax, 0x1003; add rax, rcx; inc edi; cmp edi, r8d; jb inner; inc esi; cmp esi, r8d;
 * jb outer; dec ebp; jnz again; ud2
 */
const program = (body: string, scalar: boolean): string => {
  const filled = body.replace(/\s/g, '').padEnd(24, '90');
  expect(filled.length).to.equal(24);
  // MOVSD is a byte longer than MOVUPS.
  const [load, store, inner, outer, again] = scalar
    ? ['f20f10', 'f20f11', '91', '88', '82']
    : ['0f10', '0f11', '94', '8b', '85'];
  return `31f6 31ff ${load}04f3 ${load}0cfb 0f10d0 ${filled}
    b900000000 0f92c1 0f9ac5 488d0408 b900000000 0f94c1 0f97c5 488d0488
    ${store}8300080000 48338300080000 48c1c007 48038308080000 0fae9b10080000 8b8b10080000 4869c003100000 4801c8
    ffc7 4439c7 72${inner} ffc6 4439c6 72${outer} ffcd 75${again} 0f0b`;
};

function run(m: Machine, code: string, mxcsr: number): object {
  m.reset(64);
  const { regs } = m.cpu;
  const begin = m.cpu.icount;
  const words = new BigUint64Array(0x120 + 1);
  EDGES.forEach((v, n) => {
    words[n] = v;
  });
  words[0x120] = 0x1f80n;
  m.write(DATA, new Uint8Array(words.buffer));
  regs.rbx = BigInt(DATA);
  regs.gpr[8] = BigInt(EDGES.length - 1);
  regs.rbp = 2n;
  regs.view.setUint32(State.mxcsr, mxcsr, true);
  m.load(code);
  const exit = m.cpu.run(10_000_000);
  const vectors = Buffer.from(regs.view.buffer, regs.view.byteOffset + State.vector, 3 * 64).toString('hex');
  return {
    exit,
    gpr: [...regs.gpr],
    rip: regs.rip,
    flags: regs.rflags,
    mxcsr: regs.view.getUint32(State.mxcsr, true),
    count: m.cpu.icount - begin,
    vectors,
  };
}

const OPERATIONS: Readonly<Record<string, string>> = {
  addsd: 'f20f58c1',
  mulsd: 'f20f59c1',
  subsd: 'f20f5cc1',
  divsd: 'f20f5ec1',
  sqrtsd: 'f20f51c1',
  minsd: 'f20f5dc1',
  addss: 'f30f58c1',
  mulss: 'f30f59c1',
  subss: 'f30f5cc1',
  divss: 'f30f5ec1',
  sqrtss: 'f30f51c1',
  maxss: 'f30f5fc1',
  addpd: '660f58c1',
  mulpd: '660f59c1',
  divpd: '660f5ec1',
  addps: '0f58c1',
  subps: '0f5cc1',
  sqrtps: '0f51c1',
  haddpd: '660f7cc1',
  comisd: '660f2fc1',
  ucomiss: '0f2ec1',
  cmpltsd: 'f20fc2c101',
  'cvtsd2ss and back': 'f20f5ac0 f30f5ac0',
  cvtps2pd: '0f5ac1',
  cvtpd2ps: '660f5ac1',
  'cvttsd2si, cvtsi2ss': 'f2480f2cc8 f3480f2ac1',
  'roundsd, unpcklpd': '660f3a0bc104 660f14c1',
  'mulsd from memory, addsd': 'f20f5904fb f20f58c2',
  'ldmxcsr before addsd': '0fae9300090000 f20f58c1',
  'movsd, addsd, mulss': 'f20f10c1 f20f58c0 f30f59c1',
};

describe('floating point in regions', () => {
  const states = {
    'PE clear': 0x1f80,
    'PE set': 0x1fa0,
    'FTZ and DAZ': 0x9fe0,
    'rounding up': 0x5f80,
    unmasked: 0x1f20,
  };
  let slow: Machine;
  let fast: Machine;
  before(() => {
    slow = new Machine({ translate: 'off' });
    fast = new Machine({ translate: EAGER });
  });
  for (const [name, body] of Object.entries(OPERATIONS)) {
    it(name, () => {
      const { counters } = fast.cpu.translator!;
      const { regions } = counters;
      for (const scalar of [false, true]) {
        const code = program(body, scalar);
        for (const mxcsr of Object.values(states)) {
          expect(run(fast, code, mxcsr)).to.deep.equal(run(slow, code, mxcsr));
        }
      }
      expect(counters.regions).to.be.greaterThan(regions);
      expect(counters.failed).to.equal(0);
    });
  }
});

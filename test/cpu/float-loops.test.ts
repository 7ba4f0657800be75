import { expect } from 'chai';
import { State } from '../../cpu/state.ts';
import { EDGES } from './edge-doubles.ts';
import { DATA, Machine } from './machine.ts';

/** Traced, so that there is a copy of the loop without checks of addresses. */
const TRACED = { interval: 50, threshold: 1, trace: 20, free: true } as const;
const COUNT = 60;

/** L: BODY; add r9, 8; add rcx, 8; cmp rcx, r8; jne L; sub r9, 480; sub rcx, 480; dec ebp; jnz L; ud2 */
const loop = (body: string): string => {
  const bytes = body.replace(/\s/g, '').length / 2;
  const back = (by: number): string => (-(bytes + by) & 0xff).toString(16).padStart(2, '0');
  return `${body} 4983c108 4883c108 4c39c1 75${back(13)} 4981e9e0010000 4881e9e0010000 ffcd 75${back(31)} 0f0b`;
};

const BODIES: Readonly<Record<string, string>> = {
  'movsd xmm1, [r9]; mulsd xmm1, [rcx]; addsd xmm0, xmm1': 'f2410f1009 f20f5909 f20f58c1',
  'movsd xmm1, [r9]; divsd xmm1, [rcx]; subsd xmm0, xmm1': 'f2410f1009 f20f5e09 f20f5cc1',
  'movss xmm1, [r9]; mulss xmm1, [rcx]; addss xmm0, xmm1': 'f3410f1009 f30f5909 f30f58c1',
  'movsd xmm1, [r9]; mov [r9], rdx; mulsd xmm1, [rcx]; addsd xmm0, xmm1': 'f2410f1009 498911 f20f5909 f20f58c1',
  'movsd xmm1, [r9]; mulsd xmm1, [rcx]; movsd [rcx], xmm1': 'f2410f1009 f20f5909 f20f1109',
  'movsd xmm1, [r9]; movsd xmm2, xmm1; mulsd xmm2, [rcx]; addsd xmm0, xmm2': 'f2410f1009 f20f10d1 f20f5911 f20f58c2',
  'addsd xmm0, [r9]; addsd xmm0, [rcx]': 'f2410f5801 f20f5801',
};

/** Two arrays of ordinary numbers, with `odd` at one place. */
function run(m: Machine, code: string, odd: bigint, place: number, mxcsr: number): object {
  m.reset(64);
  const doubles = new Float64Array(512).map((_, n) => (n % 7) * 0.3 + 1.25);
  const words = new BigUint64Array(doubles.buffer);
  words[place] = odd;
  m.write(DATA, new Uint8Array(words.buffer));
  const { regs } = m.cpu;
  regs.gpr[9] = BigInt(DATA);
  regs.rcx = BigInt(DATA + 2048);
  regs.gpr[8] = BigInt(DATA + 2048 + 8 * COUNT);
  regs.rbp = 5n;
  regs.rdx = 0x3ff8000000000000n;
  regs.view.setUint32(State.mxcsr, mxcsr, true);
  for (let n = 0; n < 3 * 64; n += 8) regs.view.setBigUint64(State.vector + n, 0n, true);
  m.load(code);
  const begin = m.cpu.icount;
  const exit = m.cpu.run(100_000);
  return {
    exit,
    gpr: [...regs.gpr],
    rip: regs.rip,
    flags: regs.rflags,
    mxcsr: regs.view.getUint32(State.mxcsr, true),
    count: m.cpu.icount - begin,
    vectors: Buffer.from(regs.view.buffer, regs.view.byteOffset + State.vector, 3 * 64).toString('hex'),
    memory: Buffer.from(m.read(DATA, 4096)).toString('hex'),
  };
}

describe('floating point in loops of one block', () => {
  let slow: Machine;
  let traced: Machine;
  before(() => {
    slow = new Machine({ translate: 'off' });
    traced = new Machine({ translate: TRACED });
  });
  for (const [name, body] of Object.entries(BODIES)) {
    it(name, () => {
      const code = loop(body);
      const { counters } = traced.cpu.translator!;
      const { regions } = counters;
      for (const mxcsr of [0x1fa0, 0x9fe0]) {
        for (const odd of EDGES) {
          for (const place of [33, 256 + 37]) {
            const expected = run(slow, code, odd, place, mxcsr);
            expect(run(traced, code, odd, place, mxcsr)).to.deep.equal(expected);
          }
        }
      }
      expect(counters.regions).to.be.greaterThan(regions);
      expect(counters.failed).to.equal(0);
    });
  }
});

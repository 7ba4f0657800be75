import { expect } from 'chai';
import { DATA, Machine } from './machine.ts';

/** Traced, so that it is known what the loop touches: only then there is a copy of it without checks. */
const TRACED = { interval: 50, threshold: 1, trace: 20 } as const;

const JUMPS = {
  jne: 0x75,
  jb: 0x72,
  jbe: 0x76,
  ja: 0x77,
  jae: 0x73,
  jl: 0x7c,
  jle: 0x7e,
  jg: 0x7f,
  jge: 0x7d,
} as const;
const UP = ['jne', 'jb', 'jbe', 'jl', 'jle'] as const;
const DOWN = ['jne', 'ja', 'jae', 'jg', 'jge'] as const;

const hex = (n: number): string => (n & 0xff).toString(16).padStart(2, '0');

/** L: mov [rbx+rax], al; add rax, step; cmp rax, rdx (or rdx, rax, and the jump the other way round); jump L; ud2 */
function loop(jump: keyof typeof JUMPS, step: number, swapped: boolean): string {
  const mirrored = {
    jne: 'jne',
    jb: 'ja',
    jbe: 'jae',
    ja: 'jb',
    jae: 'jbe',
    jl: 'jg',
    jle: 'jge',
    jg: 'jl',
    jge: 'jle',
  } as const;
  const code = JUMPS[swapped ? mirrored[jump] : jump];
  return `880403 4883c0${hex(step)} ${swapped ? '4839c2' : '4839d0'} ${hex(code)}f4 0f0b`;
}

/** Runs the loop in pieces and tells how each ended, and what was left behind. */
function run(m: Machine, code: string, from: number, to: number, piece: number): object {
  m.reset(64);
  m.write(DATA, new Uint8Array(4096));
  m.cpu.regs.rbx = BigInt(DATA + 1024);
  m.cpu.regs.rax = BigInt(from);
  m.cpu.regs.rdx = BigInt(to);
  m.load(code);
  const before = m.cpu.icount;
  const steps: unknown[] = [];
  for (let done = 0; done < 8000; done += piece) {
    const { kind } = m.cpu.run(piece);
    steps.push([kind, m.cpu.icount - before, [...m.cpu.regs.gpr], m.cpu.regs.rip, m.cpu.regs.rflags]);
    if (kind !== 'budget') break;
  }
  return { steps, memory: Buffer.from(m.read(DATA, 4096)).toString('hex') };
}

describe('cpu: loops of one block', () => {
  let slow: Machine;
  let traced: Machine;
  before(() => {
    slow = new Machine({ translate: 'off' });
    traced = new Machine({ translate: TRACED });
  });

  for (const [jumps, sign] of [
    [UP, 1],
    [DOWN, -1],
  ] as const) {
    for (const jump of jumps) {
      for (const size of [1, 3, 8]) {
        it(`${jump} by ${sign * size} go round as often as they should`, () => {
          for (const swapped of [false, true]) {
            const code = loop(jump, sign * size, swapped);
            // Many rounds, few, the bound not met exactly, and a bound that is passed already.
            for (const distance of [2000, 1999, 37, 0, -5]) {
              const [from, to] = [sign > 0 ? 10 : 2010, (sign > 0 ? 10 : 2010) + sign * distance];
              for (const piece of [8000, 611]) {
                const expected = run(slow, code, from, to, piece);
                expect(run(traced, code, from, to, piece)).to.deep.equal(expected);
              }
            }
          }
          expect(traced.cpu.translator!.counters.failed).to.equal(0);
        });
      }
    }
  }
});

import { expect } from 'chai';
import { CODE, DATA, Machine } from './machine.ts';

const EAGER = { interval: 1, threshold: 1, trace: 0 } as const;

/** mov ecx, 1000; L: add rax, rcx; mov [rbx], rax; add rdx, [rbx]; dec ecx; jnz L; ud2 */
const LOOP = 'b9e8030000 4801c8 488903 480313 ffc9 75f3 0f0b';
const INSTRUCTIONS = 1 + 5 * 1000;

function looping(m: Machine): void {
  m.reset(64);
  m.cpu.regs.rbx = BigInt(DATA);
  m.load(LOOP);
}

describe('cpu: regions', () => {
  it('run what is hot, and count as the interpreter does', () => {
    const m = new Machine({ translate: EAGER });
    looping(m);
    expect(m.cpu.run(1_000_000)).to.include({ kind: 'exception', vector: 6 });
    expect(m.cpu.icount).to.equal(INSTRUCTIONS);
    expect(m.cpu.regs.rax).to.equal(500500n);
    expect(m.cpu.translator!.counters.regions).to.be.greaterThan(0);
    expect(m.cpu.translator!.counters.exits).to.be.lessThan(20);
  });

  it('keep to every budget', () => {
    const m = new Machine({ translate: EAGER });
    const slow = new Machine({ translate: 'off' });
    for (const budget of [1, 5, 11, 12, 13, 14, 100, 777, 4999]) {
      for (const each of [m, slow]) looping(each);
      for (let done = 0; done < INSTRUCTIONS; done += budget) {
        const exits = [m, slow].map((each) => each.cpu.run(budget));
        expect(exits[0]).to.deep.equal(exits[1]);
        expect(m.cpu.icount).to.equal(slow.cpu.icount);
        expect([...m.cpu.regs.gpr]).to.deep.equal([...slow.cpu.regs.gpr]);
        expect(m.cpu.regs.rip).to.equal(slow.cpu.regs.rip);
        expect(m.cpu.regs.rflags).to.equal(slow.cpu.regs.rflags);
      }
    }
  });

  it('are left at a breakpoint that is set while they are hot', () => {
    const m = new Machine({ translate: EAGER });
    looping(m);
    m.cpu.run(1000);
    m.cpu.addBreakpoint(m.map, CODE + 8);
    expect(m.cpu.run(1000)).to.deep.equal({ kind: 'breakpoint', address: BigInt(CODE + 8) });
    m.cpu.resumeOverBreakpoint = true;
    expect(m.cpu.run(1000)).to.deep.equal({ kind: 'breakpoint', address: BigInt(CODE + 8) });
    m.cpu.removeBreakpoint(m.map, CODE + 8);
    expect(m.cpu.run(10_000)).to.include({ kind: 'exception', vector: 6 });
    expect(m.cpu.icount).to.equal(INSTRUCTIONS);
  });

  it('are left when their code is written from outside, and at once', () => {
    const m = new Machine({ translate: EAGER });
    looping(m);
    m.cpu.run(1001);
    // add rax, rcx becomes int3 and two bytes more.
    m.write(CODE + 5, [0xcc]);
    expect(m.cpu.run(10_000)).to.deep.equal({ kind: 'interrupt', vector: 3 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 6));
  });

  it('begin anew where code was written between two runs', () => {
    const m = new Machine({ translate: EAGER });
    for (const [code, vector] of [
      ['90 0f0b', 6],
      ['90 f4', 13],
    ] as const) {
      m.reset(64);
      expect(m.run(code), code).to.include({ kind: 'exception', vector });
    }
  });

  it('are left when the loop overwrites its own code', () => {
    for (const translate of ['off', EAGER] as const) {
      const m = new Machine({ translate });
      m.reset(64);
      m.cpu.regs.rbx = BigInt(CODE + 11);
      // mov ecx, 100; L: add eax, 1; cmp ecx, 50 (imm8 at CODE+10); jne S; mov byte [rbx], ...: a jump becomes shorter
      // 0: b9 64000000; 5: 83c001; 8: 83f932; b: 7503 jne +3 (to 10); d: c60300 mov byte [rbx], 0; 10: ffc9; 12: 75f1; 14: ud2
      m.load('b964000000 83c001 83f932 7503 c60375 ffc9 75f1 0f0b');
      expect(m.cpu.run(10_000)).to.include({ kind: 'exception', vector: 6 });
      expect(m.cpu.regs.rax).to.equal(100n);
      expect(m.cpu.icount).to.equal(1 + 100 * 5 + 1);
    }
  });

  it('do not run where the page holds other code in another address space, or has gone', () => {
    const m = new Machine({ translate: EAGER });
    looping(m);
    m.cpu.run(1000);
    const { frame } = m.map.pages.get(CODE / 4096)!;
    m.mapPage(CODE);
    m.write(CODE, [...Buffer.from('90900f0b', 'hex')]);
    m.cpu.regs.rip = BigInt(CODE);
    m.cpu.flushTlb();
    expect(m.cpu.run(1000)).to.include({ kind: 'exception', vector: 6 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 2));
    m.map.pages.delete(CODE / 4096);
    m.cpu.flushTlb();
    m.cpu.regs.rip = BigInt(CODE + 5);
    expect(m.cpu.run(1000)).to.include({ kind: 'exception', vector: 14, address: BigInt(CODE + 5) });
    m.map.pages.set(CODE / 4096, { frame, perms: 7 });
    m.cpu.flushTlb();
    expect(m.cpu.run(10_000)).to.include({ kind: 'exception', vector: 6 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 18));
  });

  it('fault like the interpreter, in the middle of a loop', () => {
    const results = (['off', EAGER] as const).map((translate) => {
      const m = new Machine({ translate });
      looping(m);
      // The pointer walks out of the mapped pages: mov [rbx], rcx; add rbx, 8; add rax, rbx; jmp
      m.load('48890b 4883c308 4801d8 ebf4');
      const exit = m.cpu.run(100_000);
      return { exit, gpr: [...m.cpu.regs.gpr], rip: m.cpu.regs.rip, flags: m.cpu.regs.rflags, count: m.cpu.icount };
    });
    expect(results[0]!.exit.kind).to.equal('exception');
    expect(results[1]).to.deep.equal(results[0]);
  });

  it('stop for a watched page', () => {
    const m = new Machine({ translate: EAGER });
    looping(m);
    m.cpu.run(1000);
    m.cpu.addWatchpoint(m.map, DATA, 8, 'write');
    expect(m.cpu.run(1000)).to.deep.equal({ kind: 'watchpoint', address: BigInt(DATA), access: 'write' });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 11));
  });
});

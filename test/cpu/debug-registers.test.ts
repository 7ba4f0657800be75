import { expect } from 'chai';
import { CODE, DATA, Machine } from './machine.ts';

/** DR7 with breakpoint `n` of a kind (R/W) and length (LEN) switched on. */
const enable = (n: number, kind: number, length: number): number =>
  (1 << (2 * n)) | ((kind | (length << 2)) << (16 + 4 * n));
const EXECUTE = 0;
const WRITE = 1;
const ACCESS = 3;
const RF = 0x10000n;

describe('cpu: debug registers', () => {
  const m = new Machine();
  const debug = () => m.cpu.context.debugRegisters;
  beforeEach(() => {
    m.reset(64);
    Object.assign(debug(), { dr0: 0n, dr1: 0n, dr2: 0n, dr3: 0n, dr6: 0, dr7: 0 });
  });

  it('stop before an instruction, and RF lets it run', () => {
    m.load('90 90 ffc0 ebfa');
    debug().dr1 = BigInt(CODE + 2);
    debug().dr7 = enable(1, EXECUTE, 0);
    expect(m.cpu.run(100)).to.include({ kind: 'exception', vector: 1, dr6: 2 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 2));
    expect(m.cpu.regs.rflags & RF).to.equal(0n);
    expect(m.cpu.run(100)).to.include({ kind: 'exception', vector: 1, dr6: 2 });
    expect(m.cpu.regs.rax).to.equal(0n);
    m.cpu.regs.rflags |= RF;
    expect(m.cpu.run(100)).to.include({ kind: 'exception', vector: 1, dr6: 2 });
    expect(m.cpu.regs.rax).to.equal(1n);
    expect(debug().dr6).to.equal(2);
    debug().dr7 = 0;
    expect(m.cpu.run(100).kind).to.equal('budget');
  });

  it('trap after an access, alone or with TF', () => {
    // mov ebx, DATA; mov [rbx+5], al; mov al, [rbx+4]; nop
    m.load('bb00000200 884305 8a4304 90 90');
    debug().dr0 = BigInt(DATA + 4);
    debug().dr7 = enable(0, WRITE, 3);
    debug().dr3 = BigInt(DATA + 4);
    debug().dr7 |= enable(3, ACCESS, 0);
    expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 1 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 8));
    m.cpu.regs.rflags |= 0x100n;
    expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 0x4008 });
    expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 0x4000 });
  });

  it('belong to a context and go with it', () => {
    m.load('90 90 90 ebfb');
    debug().dr0 = BigInt(CODE + 1);
    debug().dr7 = enable(0, EXECUTE, 0);
    const first = m.cpu.context;
    const second = first.clone();
    expect(second.debugRegisters.dr7).to.equal(0);
    m.cpu.switchTo(second);
    expect(m.cpu.run(100).kind).to.equal('budget');
    m.cpu.switchTo(first);
    expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 1 });
  });

  it("leave the debugger's breakpoint at the same place to the debugger", () => {
    m.load('90 90 90');
    debug().dr0 = BigInt(CODE + 1);
    debug().dr7 = enable(0, EXECUTE, 0);
    m.cpu.addBreakpoint(m.map, CODE + 1);
    expect(m.cpu.run(100).kind).to.equal('breakpoint');
    m.cpu.resumeOverBreakpoint = true;
    expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 1 });
    m.cpu.regs.rflags |= RF;
    expect(m.cpu.run(1).kind).to.equal('breakpoint');
    m.cpu.resumeOverBreakpoint = true;
    m.cpu.regs.rflags |= RF;
    expect(m.cpu.run(1).kind).to.equal('budget');
    m.cpu.removeBreakpoint(m.map, CODE + 1);
  });

  it('stop a repeated instruction after the element that they watch', () => {
    // rep stosb; nop
    m.load('f3aa 90 90');
    m.cpu.regs.rdi = BigInt(DATA);
    m.cpu.regs.rcx = 16n;
    debug().dr0 = BigInt(DATA + 4);
    debug().dr7 = enable(0, WRITE, 0);
    const before = m.cpu.icount;
    expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 1 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE));
    expect(m.cpu.regs.rcx).to.equal(11n);
    expect(m.cpu.regs.rflags & RF).to.equal(RF);
    expect(m.cpu.icount).to.equal(before);
    expect(m.cpu.run(2).kind).to.equal('budget');
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 3));
    expect(m.cpu.icount - before).to.equal(2);
  });

  it('wait while MOV SS holds debug exceptions back', () => {
    // mov ss, [rbx]; nop; nop
    m.load('8e13 90 90 ebfc');
    m.write(DATA, [0x2b, 0]);
    m.cpu.regs.rbx = BigInt(DATA);
    debug().dr0 = BigInt(DATA);
    debug().dr7 = enable(0, ACCESS, 1);
    expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 1 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 3));
    m.cpu.regs.rip = BigInt(CODE);
    debug().dr0 = BigInt(CODE + 2);
    debug().dr7 = enable(0, EXECUTE, 0);
    expect(m.cpu.run(3).kind).to.equal('budget');
    expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 1 });
  });
});

describe('cpu: debug exceptions', () => {
  const m = new Machine();
  beforeEach(() => m.reset(64));

  it('come after each element of a repeated instruction under TF', () => {
    m.load('f3a4 90');
    Object.assign(m.cpu.regs, { rsi: BigInt(DATA), rdi: BigInt(DATA + 0x800), rcx: 3n });
    m.cpu.regs.rflags |= 0x100n;
    const before = m.cpu.icount;
    const seen: bigint[] = [];
    for (let n = 0; n < 3; n++) {
      expect(m.cpu.run(100)).to.include({ vector: 1, dr6: 0x4000 });
      seen.push(m.cpu.regs.rip - BigInt(CODE), m.cpu.regs.rcx, m.cpu.regs.rflags & RF);
    }
    expect(seen).to.deep.equal([0n, 2n, RF, 0n, 1n, RF, 2n, 0n, 0n]);
    expect(m.cpu.icount - before).to.equal(1);
  });

  it('skip the instruction after MOV SS', () => {
    m.load('8ed0 90 90');
    m.cpu.regs.rax = 0x2bn;
    m.cpu.regs.rflags |= 0x100n;
    expect(m.cpu.run(100)).to.include({ vector: 1 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 3));
  });

  it('leave a step whole where nothing asks for elements', () => {
    m.load('f3aa 90');
    m.cpu.regs.rdi = BigInt(DATA);
    m.cpu.regs.rcx = 5n;
    expect(m.cpu.step().kind).to.equal('budget');
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 2));
  });

  it('set RF in the image of a fault', () => {
    m.load('0f0b');
    expect(m.cpu.run(1)).to.include({ vector: 6 });
    expect(m.cpu.regs.rflags & RF).to.equal(RF);
  });
});

describe('cpu: watchpoints beside other exits', () => {
  it('are reported after the far transfer that touched them', () => {
    const m = new Machine();
    m.load('6a23 6820000100 48cb');
    const top = Number(m.cpu.regs.rsp);
    m.cpu.run(2);
    m.cpu.addWatchpoint(m.map, top - 8, 8, 'read');
    expect(m.cpu.run(10).kind).to.equal('cs-switch');
    expect(m.cpu.run(10)).to.include({ kind: 'watchpoint', access: 'read' });
  });
});

describe('cpu: alignment checks', () => {
  const m = new Machine();
  const AC = 0x40000n;
  beforeEach(() => {
    m.reset(64);
    m.cpu.regs.rbx = BigInt(DATA);
  });
  const aligned = (hex: string) => {
    m.cpu.regs.rflags |= AC;
    return m.run(`${hex} 0f0b`);
  };

  it('are made with AC set', () => {
    expect(aligned('8b4304')).to.include({ vector: 6 });
    expect(aligned('8b4301')).to.include({ vector: 17, errorCode: 0 });
    expect(aligned('8a4301')).to.include({ vector: 6 });
    expect(aligned('894302')).to.include({ vector: 17 });
  });

  it('are made of the stack too', () => {
    m.cpu.regs.rsp -= 4n;
    expect(aligned('50')).to.include({ vector: 17 });
  });

  it('begin with the POPF that sets AC, and end with it', () => {
    // pushf; or dword [rsp], 0x40000; popf; mov eax, [rbx+1]
    expect(m.run('9c 810c2400000400 9d 8b4301 0f0b')).to.include({ vector: 17 });
    expect(aligned('9c 812424fffffbff 9d 8b4301 0f0b')).to.include({ vector: 6 });
  });
});

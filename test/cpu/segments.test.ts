import { expect } from 'chai';
import { cpuid } from '../../cpu/cpuid.ts';
import { CODE, DATA, Machine } from './machine.ts';

/** A descriptor as modify_ldt makes them: base, limit, type and flags. */
const descriptor = (base: number, limit: number, type: number, big: boolean): bigint =>
  BigInt(limit & 0xffff) |
  (BigInt(base & 0xffffff) << 16n) |
  (BigInt(0xf0 | type) << 40n) |
  (BigInt((limit >> 16) & 15) << 48n) |
  (big ? 1n << 54n : 0n) |
  (BigInt(base >>> 24) << 56n);

const DATA_RW = 2;
const DATA_DOWN = 6;
const DATA_RO = 0;
const CODE_RX = 10;

describe('cpu: segments', () => {
  const m = new Machine();
  m.cpu.ldt = new BigUint64Array(8);

  /** mov ax, 7 (LDT entry 0); mov ds, ax; then `hex`. */
  const withData = (raw: bigint, hex: string) => {
    m.reset(32);
    m.cpu.ldt[0] = raw;
    return m.run(`66b80700 8ed8 ${hex} 0f0b`);
  };

  it('adds the base of DS', () => {
    m.write(DATA + 8, [0x78, 0x56, 0x34, 0x12]);
    expect(withData(descriptor(DATA, 0xfff, DATA_RW, true), 'a108000000')).to.include({ vector: 6 });
    expect(m.cpu.regs.rax).to.equal(0x12345678n);
  });

  it('checks limits to the byte', () => {
    const raw = descriptor(DATA, 0x10, DATA_RW, true);
    expect(withData(raw, 'a10d000000')).to.include({ vector: 6 });
    expect(withData(raw, 'a10e000000')).to.include({ vector: 13, errorCode: 0 });
    expect(withData(raw, 'a010000000')).to.include({ vector: 6 });
    expect(withData(raw, 'a011000000')).to.include({ vector: 13 });
  });

  it('expands downwards', () => {
    const raw = descriptor(DATA, 0xfff, DATA_DOWN, false);
    expect(withData(raw, 'a100100000')).to.include({ vector: 6 });
    expect(withData(raw, 'a1ff0f0000')).to.include({ vector: 13 });
  });

  it('refuses to write what is read-only', () => {
    const raw = descriptor(DATA, 0xfff, DATA_RO, true);
    expect(withData(raw, 'a100000000')).to.include({ vector: 6 });
    expect(withData(raw, 'a300000000')).to.include({ vector: 13 });
  });

  it('names the selector in the error code of a failed load', () => {
    expect(withData(0n, '')).to.include({ vector: 13, errorCode: 4 });
    expect(withData(descriptor(0, 1, DATA_RW, true) & ~(1n << 47n), '')).to.include({ vector: 11, errorCode: 4 });
    m.reset(32);
    expect(m.run('66b8ff0f 8ed8')).to.include({ vector: 13, errorCode: 0xffc });
    m.reset(32);
    expect(m.run('31c0 8ed0')).to.include({ vector: 13, errorCode: 0 });
  });

  it('checks string instructions too', () => {
    m.reset(32);
    m.cpu.loadSegment('es', 0);
    // rep stosb with a count of zero touches nothing; then one that does
    expect(m.run('f3aa 41 f3aa')).to.include({ vector: 13, errorCode: 0 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 3));
    expect(m.cpu.regs.rcx).to.equal(1n);
    m.reset(32);
    m.cpu.loadSegment('es', 0);
    m.cpu.regs.rsi = BigInt(DATA);
    expect(m.run('ac 0f0b')).to.include({ vector: 6 });
  });

  it('runs 16-bit code out of the LDT', () => {
    m.reset(32);
    m.cpu.ldt[1] = descriptor(CODE + 0x100, 0xffff, CODE_RX, false);
    // 16-bit: mov ax, 0x1234; mov bx, ax; jmp far 0x23:...
    m.write(CODE + 0x100, Buffer.from('b8341289c366ea200001002300', 'hex'));
    m.write(CODE + 0x20, [0x0f, 0x0b]);
    expect(m.run('ea00000000 0f00')).to.include({ vector: 6 });
    expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 0x20));
    expect(m.cpu.regs.rbx).to.equal(0x1234n);
    expect(m.cpu.regs.cs).to.equal(0x23);
  });

  it('has a 16-bit stack when SS is small', () => {
    m.reset(32);
    m.cpu.ldt[2] = descriptor(DATA, 0xffff, DATA_RW, false);
    // mov esp, 0xabcd0004; mov ax, 0x17; mov ss, ax; push 0x11223344; push eax (wraps)
    m.cpu.regs.rsp = 0xabcd0004n;
    m.mapPage(DATA + 0xf000);
    expect(m.run('66b81700 8ed0 6844332211 0f0b')).to.include({ vector: 6 });
    expect(m.cpu.regs.rsp).to.equal(0xabcd0000n);
    expect([...m.read(DATA, 4)]).to.deep.equal([0x44, 0x33, 0x22, 0x11]);
  });

  it('tells LAR and LSL of the user segments', () => {
    m.reset(64);
    m.run('b823000000 0f02d8 0f03c8 0f0b');
    expect(m.cpu.regs.rbx).to.equal(0x00cffb00n);
    expect(m.cpu.regs.rcx).to.equal(0xffffffffn);
  });

  it('keeps the entry instructions apart by vendor', () => {
    const outcome = (vendor: 'amd' | 'intel' | 'any', bits: 32 | 64, hex: string): string => {
      const cpu = new Machine({ vendor });
      cpu.reset(bits);
      const exit = cpu.run(hex);
      return exit.kind === 'exception' ? `#${exit.vector}` : exit.kind;
    };
    expect(outcome('intel', 32, '0f05')).to.equal('#6');
    expect(outcome('intel', 32, '0f34')).to.equal('sysenter');
    expect(outcome('amd', 32, '0f05')).to.equal('syscall');
    expect(outcome('amd', 32, '0f34')).to.equal('#6');
    expect(outcome('any', 32, '0f34')).to.equal('sysenter');
    expect(outcome('any', 64, '0f05')).to.equal('syscall');
  });

  it('names its vendor', () => {
    const name = (vendor: 'amd' | 'intel'): string => {
      const [, b, c, d] = cpuid({ vendor, avx512: false, xcr0: 7 }, 0, 0);
      return Buffer.from(Uint32Array.of(b, d, c).buffer).toString();
    };
    expect(name('amd')).to.equal('AuthenticAMD');
    expect(name('intel')).to.equal('GenuineIntel');
  });
});

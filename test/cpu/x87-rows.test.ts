import { expect } from 'chai';
import { Vector } from '../../cpu/exit.ts';
import { X87 } from '../../cpu/isa/x87-state.ts';
import { State, vectorOffset } from '../../cpu/state.ts';
import { initFpu } from '../../cpu/xsave.ts';
import { CODE, DATA, FpMachine } from './fp-machine.ts';

const code = (...hex: string[]): Uint8Array => Buffer.from(hex.join('').replace(/ /g, ''), 'hex');

const machines = { long: new FpMachine(true), compat: new FpMachine(false) };

function machine(long: boolean) {
  const m = long ? machines.long : machines.compat;
  m.data.fill(0);
  initFpu(m.regs);
  m.regs.rdi = BigInt(DATA);
  m.regs.rsi = BigInt(DATA + 0x40);
  m.regs.rsp = BigInt(DATA + 0xf00);
  const fpu = new X87(m.regs.view);
  const data = new DataView(m.data.buffer, m.data.byteOffset, m.data.byteLength);
  return { m, fpu, data };
}

for (const long of [true, false]) {
  describe(`x87 rows, ${long ? '64' : '32'}-bit`, () => {
    it('computes and stores', () => {
      const { m, data, fpu } = machine(long);
      data.setFloat64(0, 1.5, true);
      // fldl (%rdi); fmul %st,%st; fstpl 8(%rdi)
      expect(m.run(code('dd07', 'dcc8', 'dd5f08')).kind).to.equal('budget');
      expect(data.getFloat64(8, true)).to.equal(2.25);
      expect(fpu.tags).to.equal(0);
      expect(fpu.fip).to.equal(BigInt(CODE + 4));
    });

    it('raises #MF at the next waiting instruction, not at FNSTSW', () => {
      const { m, fpu, data } = machine(long);
      data.setUint16(0, 0x37b, true);
      // fldcw (%rdi); fld1; fldz; fdivp; fnstsw %ax; fwait
      const exit = m.run(code('d92f', 'd9e8', 'd9ee', 'def9', 'dfe0', '9b'));
      expect(exit).to.include({ kind: 'exception', vector: Vector.MF });
      expect(m.regs.rip).to.equal(BigInt(CODE + 10));
      expect(Number(m.regs.rax & 0xffffn) & 0x8084).to.equal(0x8084);
      expect(fpu.fop).to.equal(0x6f9);
      // fnclex; fwait
      expect(m.run(code('dbe2', '9b')).kind).to.equal('budget');
    });

    it('pops nothing when a store faults', () => {
      const { m, fpu } = machine(long);
      m.run(code('d9e8'));
      m.regs.rdi = 0x30000n;
      const exit = m.run(code('d91f'));
      expect(exit).to.include({ kind: 'exception', vector: Vector.PF });
      expect(fpu.tags).to.equal(0x80);
      expect(fpu.top).to.equal(7);
    });

    it('sets the flags of FCOMI', () => {
      const { m } = machine(long);
      // fldz; fld1; fucomi %st(1),%st
      m.run(code('d9ee', 'd9e8', 'dbe9'));
      expect(m.regs.rflags & 0x8d5n).to.equal(0n);
      // fxch; fucomi
      m.run(code('d9c9', 'dbe9'));
      expect(m.regs.rflags & 0x8d5n).to.equal(1n);
    });

    it('saves and restores with FNSAVE and FRSTOR in both sizes', () => {
      for (const prefix of ['', '66']) {
        const { m, fpu, data } = machine(long);
        m.run(code('d9e8', 'd9eb', `${prefix}dd37`));
        expect(fpu.sw).to.equal(0);
        expect(fpu.tags).to.equal(0);
        expect(data.getUint16(0, true)).to.equal(0x37f);
        expect(data.getUint16(prefix ? 2 : 4, true)).to.equal(0x3000);
        // The first register of the image is ST(0): pi.
        expect(data.getBigUint64(prefix ? 14 : 28, true)).to.equal(0xc90fdaa22168c235n);
        m.run(code(`${prefix}dd27`));
        expect(fpu.tags).to.equal(0xc0);
        expect(fpu.top).to.equal(6);
        expect(fpu.significand(0)).to.equal(0xc90fdaa22168c235n);
      }
    });

    it('masks all exceptions with FNSTENV and puts them back with FLDENV', () => {
      const { m, fpu, data } = machine(long);
      data.setUint16(0x80, 0x340, true);
      m.run(code('d9af80000000', 'd937'));
      expect(fpu.cw).to.equal(0x37f);
      expect(data.getUint32(0, true)).to.equal(0xffff0340);
      m.run(code('d927'));
      expect(fpu.cw).to.equal(0x340);
    });

    it('goes round through FXSAVE and FXRSTOR, leaving reserved memory alone', () => {
      const { m, fpu, data } = machine(long);
      m.data.fill(0x55);
      for (let i = 0; i < 16; i++) m.regs.view.setBigUint64(vectorOffset(i), BigInt(i + 1), true);
      m.run(code('d9e8', '0fae07'));
      expect(data.getUint8(4)).to.equal(0x80);
      expect(data.getUint32(24, true)).to.equal(0x1f80);
      expect(data.getUint32(160 + 16 * 7, true)).to.equal(8);
      expect(data.getUint32(160 + 16 * 8, true)).to.equal(long ? 9 : 0x55555555);
      expect(data.getUint32(420, true)).to.equal(0x55555555);
      m.run(code('dbe3', '0fae0f'));
      expect(fpu.tags).to.equal(0x80);
    });

    it('wants FXSAVE aligned and MXCSR clean', () => {
      const { m, data } = machine(long);
      m.regs.rdi = BigInt(DATA + 8);
      expect(m.run(code('0fae07'))).to.include({ kind: 'exception', vector: Vector.GP });
      data.setUint32(8, 0x10000, true);
      expect(m.run(code('0fae17'))).to.include({ kind: 'exception', vector: Vector.GP });
      expect(m.regs.view.getUint32(State.mxcsr, true)).to.equal(0x1f80);
    });

    it('has XSAVE, XSAVEC and XRSTOR', () => {
      const { m, data, fpu } = machine(long);
      m.regs.rax = 7n;
      m.regs.rdx = 0n;
      m.regs.view.setBigUint64(vectorOffset(3) + 16, 77n, true);
      m.run(code('d9e8', '0fae27'));
      expect(data.getUint32(512, true)).to.equal(5);
      expect(data.getBigUint64(576 + 48, true)).to.equal(77n);
      initFpu(m.regs);
      expect(m.run(code('0fae2f')).kind).to.equal('budget');
      expect(fpu.tags).to.equal(0x80);
      expect(m.regs.view.getBigUint64(vectorOffset(3) + 16, true)).to.equal(77n);
      m.run(code('0fc727'));
      expect(data.getBigUint64(520, true)).to.equal((1n << 63n) | 7n);
      expect(m.run(code('0fae2f')).kind).to.equal('budget');
      data.setUint8(513, 1);
      expect(m.run(code('0fae2f'))).to.include({ kind: 'exception', vector: Vector.GP });
    });

    it('tells XCR0', () => {
      const { m } = machine(long);
      m.regs.rcx = 0n;
      m.run(code('0f01d0'));
      expect([m.regs.rax, m.regs.rdx]).to.deep.equal([7n, 0n]);
    });

    it('shares its registers with MMX', () => {
      const { m, fpu, data } = machine(long);
      data.setBigUint64(0, 0x1122334455667788n, true);
      // fld1; movq (%rdi),%mm3
      m.run(code('d9e8', '0f6f1f'));
      expect(fpu.top).to.equal(0);
      expect(fpu.tags).to.equal(0xff);
      expect(fpu.signExponent(3)).to.equal(0xffff);
      expect(fpu.significand(3)).to.equal(0x1122334455667788n);
      m.run(code('0f77'));
      expect(fpu.tags).to.equal(0);
    });
  });
}

describe('the whole state over a system call', () => {
  it('comes back as it was', () => {
    const { m, data } = machine(false);
    const values = [1.5, -2.25, 3.125, 1e100, -1e-100, 0.1, Math.PI, -0];
    values.forEach((v, i) => {
      data.setFloat64(0x100 + 8 * i, v, true);
    });
    data.setBigUint64(0x200, 0x0102030405060708n, true);
    data.setBigUint64(0x210, 0x1112131415161718n, true);
    // Chop, 64 bits, all masked; MXCSR with FTZ.
    data.setUint16(0x40, 0x0f7f, true);
    data.setUint32(0x44, 0x9f80, true);
    const load = code(
      'dbe3 d92e dd8738010000 dd8730010000 dd8728010000 dd8720010000 dd8718010000 dd8710010000 dd8708010000 dd8700010000',
      '0fae5604 0f108700020000 0f10bf10020000',
    );
    const store = code(
      '0f118700030000 0f11bf10030000 0fae5e08 dd7e0c d97e0e dd9f00040000 dd9f08040000 dd9f10040000 dd9f18040000',
      'dd9f20040000 dd9f28040000 dd9f30040000 dd9f38040000 dbe3',
    );
    expect(m.run(load).kind).to.equal('budget');
    expect(m.run(store).kind).to.equal('budget');
    values.forEach((v, i) => {
      expect(Object.is(data.getFloat64(0x400 + 8 * i, true), v)).to.equal(true);
    });
    expect(data.getBigUint64(0x300, true)).to.equal(0x0102030405060708n);
    expect(data.getBigUint64(0x310, true)).to.equal(0x1112131415161718n);
    expect(data.getUint16(0x4e, true)).to.equal(0x0f7f);
    expect(data.getUint16(0x4c, true)).to.equal(0);
    expect(data.getUint32(0x48, true)).to.equal(0x9f80);
  });
});

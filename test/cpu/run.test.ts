import { expect } from 'chai';
import { PERM_R, PERM_X } from '../../cpu/mmu.ts';
import { CODE, DATA, Machine } from './machine.ts';

// Translated: every block as soon as it is met.
for (const [tier, translate] of [
  ['interpreted', 'off'],
  ['translated', { interval: 1, threshold: 1, trace: 0 }],
] as const) {
  describe(`cpu: the run loop, ${tier}`, () => {
    const m = new Machine({ translate });
    beforeEach(() => {
      m.map.pages.get(DATA / 4096)!.perms = 7;
      m.cpu.flushTlb();
      m.reset(64);
    });

    /** mov ecx, n; loop: add rax, rcx; dec ecx; jnz; ud2 */
    const LOOP = 'b964000000 31c0 4801c8 ffc9 75f9 0f0b';

    it('counts instructions exactly, whatever the budget', () => {
      for (const budget of [1, 2, 3, 7, 64, 1000]) {
        m.reset(64);
        m.load(LOOP);
        const start = m.cpu.icount;
        let left = 302;
        while (left > 0) {
          const n = Math.min(budget, left);
          const before = m.cpu.icount;
          expect(m.cpu.run(n).kind).to.equal('budget');
          expect(m.cpu.icount - before).to.equal(n);
          left -= n;
        }
        expect(m.cpu.run(10)).to.include({ kind: 'exception', vector: 6 });
        expect(m.cpu.icount - start).to.equal(302);
        expect(m.cpu.regs.rax).to.equal(5050n);
        expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 14));
      }
    });

    it('steps one instruction at a time', () => {
      m.load(LOOP);
      const rips: bigint[] = [];
      for (let i = 0; i < 6; i++) {
        expect(m.cpu.step().kind).to.equal('budget');
        rips.push(m.cpu.regs.rip - BigInt(CODE));
      }
      expect(rips).to.deep.equal([5n, 7n, 10n, 12n, 7n, 10n]);
    });

    it('completes a step onto a page that is not there', () => {
      m.load('e9fbff0f00');
      expect(m.cpu.step().kind).to.equal('budget');
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 0x100000));
      expect(m.cpu.step()).to.include({
        kind: 'exception',
        vector: 14,
        errorCode: 20,
        address: BigInt(CODE + 0x100000),
      });
    });

    it('stops before breakpoints and goes on over them', () => {
      m.load(LOOP);
      m.cpu.addBreakpoint(m.map, CODE + 10);
      expect(m.cpu.run(1000)).to.deep.equal({ kind: 'breakpoint', address: BigInt(CODE + 10) });
      expect(m.cpu.regs.rcx).to.equal(100n);
      expect(m.cpu.run(1000).kind).to.equal('breakpoint');
      expect(m.cpu.regs.rcx).to.equal(100n);
      const before = m.cpu.icount;
      m.cpu.resumeOverBreakpoint = true;
      expect(m.cpu.run(1000).kind).to.equal('breakpoint');
      expect(m.cpu.icount - before).to.equal(3);
      expect(m.cpu.regs.rcx).to.equal(99n);
      m.cpu.removeBreakpoint(m.map, CODE + 10);
      expect(m.cpu.run(1000).kind).to.equal('exception');
    });

    it('reports TF as a trap after each instruction', () => {
      m.load(LOOP);
      m.cpu.regs.rflags |= 0x100n;
      expect(m.cpu.run(1000)).to.include({ kind: 'exception', vector: 1, dr6: 0x4000 });
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 5));
      expect(m.cpu.run(1000)).to.include({ vector: 1 });
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 7));
    });

    it('traps after the instruction that follows POPF', () => {
      m.load('9c 810c2400010000 9d 90 90');
      expect(m.cpu.run(1000)).to.include({ kind: 'exception', vector: 1 });
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 10));
    });

    it('leaves registers and the count alone when an instruction faults', () => {
      m.map.pages.get(DATA / 4096)!.perms = PERM_R | PERM_X;
      // mov ebx, DATA; mov eax, [rbx]; add [rbx], eax
      m.load('bb00000200 8b03 0103');
      const before = m.cpu.icount;
      expect(m.cpu.run(100)).to.deep.equal({
        kind: 'exception',
        vector: 14,
        errorCode: 7,
        address: BigInt(DATA),
      });
      expect(m.cpu.icount - before).to.equal(2);
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 7));
    });

    it('keeps RSP when PUSH faults', () => {
      m.load('bc10000500 50');
      m.cpu.run(1);
      expect(m.cpu.run(10)).to.include({ vector: 14, errorCode: 6, address: 0x50008n });
      expect(m.cpu.regs.rsp).to.equal(0x50010n);
    });

    it('reports writes to watched memory after the instruction', () => {
      // mov ebx, DATA; mov [rbx], eax; mov [rbx+8], eax; mov eax, [rbx+8]; nop; ud2
      m.load('bb00000200 8903 894308 8b4308 90 0f0b');
      m.cpu.addWatchpoint(m.map, DATA + 8, 4, 'write');
      expect(m.cpu.run(100)).to.deep.equal({ kind: 'watchpoint', address: BigInt(DATA + 8), access: 'write' });
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 10));
      expect(m.cpu.run(100).kind).to.equal('exception');
      m.cpu.removeWatchpoint(m.map, DATA + 8, 4, 'write');
      m.cpu.addWatchpoint(m.map, DATA + 8, 4, 'access');
      m.load('bb00000200 8b4308 90 0f0b');
      expect(m.cpu.run(100)).to.deep.equal({ kind: 'watchpoint', address: BigInt(DATA + 8), access: 'read' });
      m.cpu.removeWatchpoint(m.map, DATA + 8, 4, 'access');
      expect(m.cpu.run(100).kind).to.equal('exception');
    });

    it('sees code that changes itself, in the running block too', () => {
      // mov byte [rip+1], 7 (the immediate of the next instruction); mov eax, 1; ud2
      m.load('c605010000000 7 b801000000 0f0b'.replace(/ /g, ''));
      expect(m.cpu.run(100).kind).to.equal('exception');
      expect(m.cpu.regs.rax).to.equal(7n);
      // A loop that patches its own increment: mov ecx,3; L: add eax,1; inc byte [rip-7 -> imm]; dec ecx; jnz L; ud2
      m.reset(64);
      m.load('b903000000 83c001 fe05f9ffffff ffc9 75f3 0f0b');
      const before = m.cpu.icount;
      expect(m.cpu.run(100)).to.include({ kind: 'exception', vector: 6 });
      expect(m.cpu.regs.rax).to.equal(6n);
      expect(m.cpu.icount - before).to.equal(13);
    });

    it('restarts REP MOVS where it faulted', () => {
      m.write(DATA, [1, 2, 3, 4]);
      // rep movsb from DATA to the last 16 bytes before an unmapped page
      m.load('f3a4 0f0b');
      m.cpu.regs.rsi = BigInt(DATA);
      m.cpu.regs.rdi = 0x3fff0n;
      m.cpu.regs.rcx = 20n;
      const before = m.cpu.icount;
      expect(m.cpu.run(10)).to.include({ vector: 14, errorCode: 6, address: 0x40000n });
      expect(m.cpu.regs.rcx).to.equal(4n);
      expect(m.cpu.regs.rdi).to.equal(0x40000n);
      expect(m.cpu.regs.rsi).to.equal(BigInt(DATA + 16));
      expect(m.cpu.icount).to.equal(before);
      m.mapPage(0x40000);
      expect(m.cpu.run(10)).to.include({ vector: 6 });
      expect(m.cpu.icount).to.equal(before + 1);
      m.map.pages.delete(0x40);
      m.cpu.flushPage(0x40);
    });

    it('crosses pages with loads, stores and instructions', () => {
      // mov rbx, DATA+0xffe; mov dword [rbx], 0x11223344; mov eax, [rbx]
      m.load('bbfe0f0200 c70344332211 8b03 0f0b');
      m.cpu.run(100);
      expect(m.cpu.regs.rax).to.equal(0x11223344n);
      expect([...m.read(DATA + 0xffe, 4)]).to.deep.equal([0x44, 0x33, 0x22, 0x11]);
      m.reset(64);
      m.write(CODE + 0xffd, [0xb8, 0x78, 0x56, 0x34, 0x12, 0x0f, 0x0b]);
      m.cpu.regs.rip = BigInt(CODE + 0xffd);
      expect(m.cpu.run(10)).to.include({ vector: 6 });
      expect(m.cpu.regs.rax).to.equal(0x12345678n);
    });

    it('changes between 64-bit and compatibility mode', () => {
      // push 0x23; lea eax, [rip+...]; push rax; retfq ; 32-bit: inc eax (40); jmp 0x33:...
      m.load('6a23 48c7c020000100 50 48cb');
      m.write(CODE + 0x20, Buffer.from('40ea30000100330090', 'hex'));
      m.write(CODE + 0x30, Buffer.from('48ffc00f0b', 'hex'));
      expect(m.cpu.run(100)).to.deep.equal({ kind: 'cs-switch', from: 0x33, to: 0x23 });
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 0x20));
      expect(m.cpu.regs.cs).to.equal(0x23);
      // DS is null: stack and code are all there is.
      expect(m.cpu.run(100)).to.deep.equal({ kind: 'cs-switch', from: 0x23, to: 0x33 });
      expect(m.cpu.run(100)).to.include({ vector: 6 });
      expect(m.cpu.regs.rax).to.equal(BigInt(CODE + 0x22));
    });

    it('refuses null segments outside 64-bit mode, and adds bases', () => {
      m.reset(32);
      m.cpu.loadSegment('ds', 0);
      m.load('a100000200');
      expect(m.cpu.run(10)).to.include({ kind: 'exception', vector: 13, errorCode: 0 });
      m.cpu.gdt[12] = 0x00cff3020010ffffn;
      m.reset(32);
      m.write(DATA + 0x14, [0x78, 0x56, 0x34, 0x12]);
      // mov ax, 0x63; mov gs, ax; mov eax, gs:[4]
      m.load('66b86300 8ee8 65a104000000 0f0b');
      m.cpu.gdt[12] = 0x00cff3020010ffffn;
      expect(m.cpu.run(10)).to.include({ vector: 6 });
      expect(m.cpu.regs.rax).to.equal(0x12345678n);
      expect(m.cpu.regs.gsBase).to.equal(0x20010n);
    });

    it('looks the second page of an instruction up each time', () => {
      const first = m.mapPage(0x60000);
      m.mapPage(0x61000);
      void first;
      m.write(0x60ffd, [0xb8, 1, 0, 0, 0, 0x0f, 0x0b]);
      m.cpu.regs.rip = 0x60ffdn;
      m.cpu.run(10);
      expect(m.cpu.regs.rax).to.equal(1n);
      m.mapPage(0x61000);
      m.write(0x61000, [2, 0, 0x0f, 0x0b]);
      m.cpu.flushPage(0x61);
      m.cpu.regs.rip = 0x60ffdn;
      m.cpu.run(10);
      expect(m.cpu.regs.rax).to.equal(0x020001n);
    });

    it('goes on in the new frame when a store to the running page replaces it', () => {
      // mov byte [rip+1], 7; jmp +0; mov eax, 1; ud2: the store makes the page another frame, as copy-on-write does.
      m.load('c6050300000007 eb00 b801000000 0f0b');
      const vpn = CODE / 4096;
      const old = m.map.pages.get(vpn)!;
      m.map.pages.set(vpn, { frame: old.frame, perms: PERM_R | PERM_X });
      const { translate } = m.map;
      m.map.translate = (page, access) => {
        if (page === vpn && access === 1) {
          const frame = m.cpu.memory.allocFrame();
          m.cpu.memory.frame(frame).set(m.cpu.memory.frame(old.frame));
          m.map.pages.set(vpn, { frame, perms: 7 });
          m.cpu.flushPage(vpn);
        }
        return translate.call(m.map, page, access);
      };
      m.cpu.flushTlb();
      expect(m.cpu.run(100).kind).to.equal('exception');
      expect(m.cpu.regs.rax).to.equal(7n);
      m.map.translate = translate;
    });

    it('stops at a breakpoint under TF, and traps after a far transfer', () => {
      m.load(LOOP);
      m.cpu.addBreakpoint(m.map, CODE);
      m.cpu.regs.rflags |= 0x100n;
      expect(m.cpu.run(10).kind).to.equal('breakpoint');
      m.cpu.removeBreakpoint(m.map, CODE);
      m.load('6a23 6820000100 48cb');
      expect(m.cpu.run(10)).to.include({ vector: 1 });
      expect(m.cpu.run(10)).to.include({ vector: 1 });
      expect(m.cpu.run(10).kind).to.equal('cs-switch');
      expect(m.cpu.run(10)).to.include({ vector: 1 });
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 0x20));
    });

    it('has SYSCALL and INT 0x80', () => {
      m.load('0f05 cd80');
      expect(m.cpu.run(10)).to.deep.equal({ kind: 'syscall' });
      expect(m.cpu.regs.rcx).to.equal(BigInt(CODE + 2));
      expect(m.cpu.regs.r11).to.equal(0x202n);
      expect(m.cpu.run(10)).to.deep.equal({ kind: 'interrupt', vector: 0x80 });
      expect(m.cpu.regs.rip).to.equal(BigInt(CODE + 4));
    });

    it('keeps contexts apart', () => {
      const first = m.cpu.regs;
      m.load('48ffc0 0f0b');
      m.cpu.run(1);
      expect(first.rax).to.equal(1n);
    });
  });
}

import { expect } from 'chai';
import {
  rt_sigframe,
  rt_sigframe_ia32,
  sigcontext_32,
  sigcontext_64,
  sigframe_ia32,
} from '../../../linux/abi/sigcontext.ts';
import { copy_from_user, copy_to_user, get_user_u32, get_user_u64 } from '../../../linux/mm/uaccess.ts';
import type { Task } from '../../../linux/task/task.ts';
import { int80, type Machine, result, scriptedMachine, syscall, USER } from '../task/scripted-machine.ts';

const SA_SIGINFO = 4,
  SA_RESTORER = 0x4000000,
  SA_RESTART = 0x10000000;
const HANDLER = USER + 0x100,
  RESTORER = USER + 0x200;

function sigaction64(m: Machine, task: Task, sig: number, flags: number): void {
  const b = new BigUint64Array([BigInt(HANDLER), BigInt(flags | SA_RESTORER), BigInt(RESTORER), 0n]);
  copy_to_user(task.mm, USER + 0x800, new Uint8Array(b.buffer));
  m.script(task, syscall(13, sig, USER + 0x800, 0, 8));
}

function sigaction32(m: Machine, task: Task, sig: number, flags: number): void {
  const b = new Uint32Array([HANDLER, flags, RESTORER, 0, 0]);
  copy_to_user(task.mm, USER + 0x800, new Uint8Array(b.buffer));
  m.script(task, int80(174, sig, USER + 0x800, 0, 8));
}

const bytesAt = (task: Task, at: number, n: number): Uint8Array => copy_from_user(task.mm, at, n) as Uint8Array;

describe('the 64-bit signal frame', () => {
  it('lies below the red zone, with the registers, and rt_sigreturn takes them back', () => {
    const m = scriptedMachine();
    const task = m.process();
    task.regs.rbx = 0x1122_3344_5566_7788n;
    sigaction64(m, task, 10, SA_SIGINFO);
    m.script(task, syscall(62, task.pid, 10));
    m.run(10);
    const { regs } = task;
    const frame = Number(regs.rsp);
    expect(frame % 16).to.equal(8);
    expect(frame).to.be.lessThan(USER + 0x4000 - 128 - 832);
    expect(regs.rip).to.equal(BigInt(HANDLER));
    expect([regs.rdi, regs.rsi, regs.rdx, regs.rax]).to.deep.equal([
      10n,
      BigInt(frame + rt_sigframe.info),
      BigInt(frame + rt_sigframe.uc),
      0n,
    ]);
    expect(get_user_u64(task.mm, frame)).to.equal(BigInt(RESTORER));
    expect(get_user_u64(task.mm, frame + rt_sigframe.uc_flags)).to.equal(7n);
    const sc = sigcontext_64.read(bytesAt(task, frame + rt_sigframe.mcontext, sigcontext_64.size));
    expect(sc).to.include({ bx: 0x1122_3344_5566_7788n, cs: 0x33, ss: 0x2b, ax: 0n, ip: BigInt(USER + 4) });
    expect(sc.fpstate % 64n).to.equal(0n);
    expect(get_user_u32(task.mm, Number(sc.fpstate) + 464)).to.equal(0x46505853);
    expect(get_user_u32(task.mm, Number(sc.fpstate) + 832)).to.equal(0x46505845);
    expect(get_user_u32(task.mm, frame + rt_sigframe.info + 16)).to.equal(task.pid);
    expect(task.blocked).to.equal(1n << 9n);

    m.script(task, (r) => {
      r.rbx = 0n;
      r.rsp += 8n;
      return syscall(15)(r);
    });
    m.run(10);
    expect(regs.rip).to.equal(BigInt(USER + 4));
    expect(regs.rbx).to.equal(0x1122_3344_5566_7788n);
    expect(regs.rsp).to.equal(BigInt(USER + 0x4000));
    expect(task.blocked).to.equal(0n);
  });

  it('without SA_RESTORER kills by SIGSEGV', () => {
    const m = scriptedMachine();
    const task = m.process();
    const b = new BigUint64Array([BigInt(HANDLER), 0n, 0n, 0n]);
    copy_to_user(task.mm, USER + 0x800, new Uint8Array(b.buffer));
    m.script(task, syscall(13, 10, USER + 0x800, 0, 8), syscall(62, task.pid, 10));
    expect(m.run(10)).to.include({ kind: 'exit', status: 11 });
  });
});

describe('the i386 signal frames', () => {
  it('non-rt: esp+4 is a multiple of 16, arguments in registers and on the stack, sigreturn takes it back', () => {
    const m = scriptedMachine();
    const task = m.process('ia32');
    sigaction32(m, task, 10, 0);
    m.script(task, int80(37, task.pid, 10));
    m.run(10);
    const { regs } = task;
    const frame = Number(regs.rsp);
    expect((frame + 4) % 16).to.equal(0);
    expect([regs.rax, regs.rdx, regs.rcx]).to.deep.equal([10n, 0n, 0n]);
    expect([regs.cs, regs.ss, regs.ds, regs.es]).to.deep.equal([0x23, 0x2b, 0x2b, 0x2b]);
    expect(get_user_u32(task.mm, frame + sigframe_ia32.sig)).to.equal(10);
    // No SA_RESTORER and no vDSO: the frame's own code.
    expect(get_user_u32(task.mm, frame)).to.equal(frame + sigframe_ia32.retcode);
    expect([...bytesAt(task, frame + sigframe_ia32.retcode, 8)]).to.deep.equal([0x58, 0xb8, 0x77, 0, 0, 0, 0xcd, 0x80]);
    const sc = sigcontext_32.read(bytesAt(task, frame + sigframe_ia32.sc, sigcontext_32.size));
    expect(sc).to.include({ cs: 0x23, ss: 0x2b, ip: USER + 4, sp: USER + 0x4000, sp_at_signal: USER + 0x4000 });
    expect((sc.fpstate + 112) % 64).to.equal(0);
    expect([...bytesAt(task, sc.fpstate, 12)]).to.deep.equal([0x7f, 3, 255, 255, 0, 0, 255, 255, 255, 255, 255, 255]);
    m.script(task, (r) => {
      r.rsp += 8n;
      return int80(119)(r);
    });
    m.run(10);
    expect(regs.rip).to.equal(BigInt(USER + 4));
    expect(regs.rsp).to.equal(BigInt(USER + 0x4000));
    // The call gives it RPL 3, and IRET takes that away again.
    expect(regs.fs).to.equal(0);
  });

  it('rt: siginfo in the compat layout, rt_sigreturn by int 0x80', () => {
    const m = scriptedMachine();
    const task = m.process('ia32');
    sigaction32(m, task, 10, SA_SIGINFO | SA_RESTORER);
    m.script(task, int80(37, task.pid, 10));
    m.run(10);
    const frame = Number(task.regs.rsp);
    expect(get_user_u32(task.mm, frame)).to.equal(RESTORER);
    expect(get_user_u32(task.mm, frame + rt_sigframe_ia32.pinfo)).to.equal(frame + rt_sigframe_ia32.info);
    expect(get_user_u32(task.mm, frame + rt_sigframe_ia32.info + 12)).to.equal(task.pid);
    m.script(task, (r) => {
      r.rsp += 4n;
      return int80(173)(r);
    });
    m.run(10);
    expect(task.regs.rip).to.equal(BigInt(USER + 4));
  });

  it('rt without SA_RESTORER and without a vDSO: the bare offset of the stub in the image', () => {
    const m = scriptedMachine();
    const task = m.process('ia32');
    sigaction32(m, task, 10, SA_SIGINFO);
    m.script(task, int80(37, task.pid, 10));
    m.run(10);
    const stub = task.kernel.vdso.image32!.symbols.__kernel_rt_sigreturn;
    expect(stub).to.be.within(1, 4095);
    expect(get_user_u32(task.mm, Number(task.regs.rsp))).to.equal(stub);
  });

  it('rt_sigreturn to a selector beyond the GDT: SIGSEGV with the selector as error code', () => {
    const m = scriptedMachine();
    const task = m.process('ia32');
    sigaction32(m, task, 10, SA_SIGINFO | SA_RESTORER);
    m.script(task, int80(37, task.pid, 10));
    m.run(10);
    const frame = Number(task.regs.rsp);
    const cs = frame + rt_sigframe_ia32.mcontext + sigcontext_32.offset.cs;
    copy_to_user(task.mm, cs, Uint8Array.of(0xff, 0, 0, 0));
    m.script(task, (r) => {
      r.rsp += 4n;
      return int80(173)(r);
    });
    expect(m.run(10)).to.include({ kind: 'exit', status: 11 });
    expect(task.errorCode).to.equal(0xfc);
    expect(task.trapNr).to.equal(13);
  });
});

describe('restarting', () => {
  const nanosleep = (m: Machine, task: Task): void => {
    copy_to_user(task.mm, USER + 0x900, new Uint8Array(new BigUint64Array([1n, 0n]).buffer));
    m.script(task, syscall(35, USER + 0x900, USER + 0x920));
  };

  it('an interrupted nanosleep fails with EINTR and tells the time that is left', () => {
    const m = scriptedMachine();
    const task = m.process();
    sigaction64(m, task, 10, SA_RESTART);
    m.run(2);
    const other = m.process();
    m.script(other, (r) => {
      r.rip += 0n;
      return { kind: 'budget' };
    });
    nanosleep(m, task);
    m.run(2);
    m.script(other, syscall(62, task.pid, 10));
    m.run(500_000);
    expect(task.regs.rip).to.equal(BigInt(HANDLER));
    const frame = Number(task.regs.rsp);
    const sc = sigcontext_64.read(bytesAt(task, frame + rt_sigframe.mcontext, sigcontext_64.size));
    expect(BigInt.asIntN(64, sc.ax)).to.equal(-4n);
    expect(Number(get_user_u64(task.mm, USER + 0x928))).to.be.greaterThan(900_000_000);
  });

  it('a stop and SIGCONT go on with restart_syscall: 219', () => {
    const m = scriptedMachine();
    const task = m.process();
    const other = m.process();
    nanosleep(m, task);
    m.script(other, syscall(62, task.pid, 19));
    const event = m.run(500_000);
    expect(event).to.include({ kind: 'group-stop', sig: 19 });
    expect(task.state).to.equal('stopped');
    m.script(other, syscall(62, task.pid, 18));
    m.run(500_000);
    expect(task.regs.rax).to.equal(219n);
    expect(task.regs.rip).to.equal(BigInt(USER));
    m.script(task, syscall(219));
    m.run(2_000_000_000);
    expect(result(task)).to.equal(0);
    expect(m.kernel.now()).to.be.at.least(1_000_000_000);
  });
});

describe('a debugger', () => {
  it('gets a signal before its delivery and can drop it', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.kernel.debug.pids.add(task.tgid);
    m.script(task, syscall(62, task.pid, 10));
    const event = m.run(10);
    expect(event.kind).to.equal('signal');
    expect(task.debugSignal?.signo).to.equal(10);
    task.debugSignal = undefined;
    expect(m.run(10)).to.deep.equal({ kind: 'budget' });
    m.script(task, syscall(62, task.pid, 10));
    expect(m.run(10).kind).to.equal('signal');
    expect(m.run(10)).to.include({ kind: 'exit', status: 10 });
  });

  it('a step over kill() of oneself ends at the handler', () => {
    const m = scriptedMachine();
    const task = m.process();
    sigaction64(m, task, 10, 0);
    m.run(2);
    m.script(task, syscall(62, task.pid, 10));
    expect(m.run(10, () => 'step')).to.include({ kind: 'step', task });
    expect(task.regs.rip).to.equal(BigInt(HANDLER));
  });

  it('catches a system call at entry and at its return', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.kernel.debug.pids.add(task.tgid);
    m.kernel.debug.catchSyscalls = new Set([39]);
    m.script(task, syscall(39));
    expect(m.run(10)).to.include({ kind: 'syscall-entry', nr: 39 });
    expect(result(task)).to.equal(-38);
    expect(m.run(10)).to.include({ kind: 'syscall-return', nr: 39 });
    expect(result(task)).to.equal(task.tgid);
  });
});

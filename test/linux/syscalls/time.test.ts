import { expect } from 'chai';
import { copy_from_user, copy_to_user, get_user_u32, get_user_u64 } from '../../../linux/mm/uaccess.ts';
import type { Task } from '../../../linux/task/task.ts';
import { int80, result, scriptedMachine, syscall, USER } from '../task/scripted-machine.ts';

const put64 = (task: Task, at: number, ...words: bigint[]): void => {
  copy_to_user(task.mm, at, new Uint8Array(new BigUint64Array(words).buffer));
};
const put32 = (task: Task, at: number, ...words: number[]): void => {
  copy_to_user(task.mm, at, new Uint8Array(new Uint32Array(words).buffer));
};
const BUF = USER + 0x400;

describe('clocks and sleeping', () => {
  it('nanosleep jumps to its end when nobody runs', () => {
    const m = scriptedMachine();
    const task = m.process();
    put64(task, BUF, 2n, 5n);
    m.script(task, syscall(35, BUF, 0));
    m.run(10);
    expect(result(task)).to.equal(0);
    expect(m.kernel.now()).to.be.within(2_000_000_005, 2_000_000_100);
    expect(m.kernel.idleNs).to.be.greaterThan(1_999_999_000);
    expect(m.kernel.cpu.tscOffset).to.equal(m.kernel.idleNs);
  });

  it('nanosleep of i386 reads two 32-bit words, and refuses a second of nanoseconds', () => {
    const m = scriptedMachine();
    const task = m.process('ia32');
    put32(task, BUF, 1, 0);
    m.script(task, int80(162, BUF, 0));
    m.run(10);
    expect(m.kernel.now()).to.be.greaterThan(1_000_000_000);
    put32(task, BUF, 0, 1_000_000_000);
    m.script(task, int80(162, BUF, 0));
    m.run(10);
    expect(result(task)).to.equal(-22);
  });

  it('clock_gettime counts from boot, clock_settime is refused', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(228, 1, BUF), syscall(228, 0, BUF + 16), syscall(227, 0, BUF));
    m.run(3);
    expect(result(task)).to.equal(-1);
    expect(get_user_u64(task.mm, BUF)).to.equal(0n);
    expect(get_user_u64(task.mm, BUF + 16)).to.equal(1_464_739_200n);
  });

  it('clock_nanosleep to a moment of CLOCK_REALTIME', () => {
    const m = scriptedMachine();
    const task = m.process();
    put64(task, BUF, 1_464_739_203n, 0n);
    m.script(task, syscall(230, 0, 1, BUF, 0));
    m.run(10);
    expect(result(task)).to.equal(0);
    expect(m.kernel.now()).to.be.within(3_000_000_000, 3_000_000_100);
  });
});

describe('timers', () => {
  it('alarm kills after its seconds, and a second one gives the rest', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(37, 10), syscall(37, 3), syscall(34));
    expect(m.run(100)).to.include({ kind: 'exit', status: 14 });
    expect(m.kernel.now()).to.be.within(3_000_000_000, 3_000_000_100);
    expect(m.lines[1]).to.equal(`${task.pid} alarm(3) = 10`);
  });

  it('setitimer repeats, getitimer tells the rest', () => {
    const m = scriptedMachine();
    const task = m.process();
    put64(task, BUF, 1n, 0n, 1n, 500_000n);
    m.script(task, syscall(38, 0, BUF, 0), syscall(36, 0, BUF + 64));
    m.run(2);
    expect(get_user_u64(task.mm, BUF + 64)).to.equal(1n);
    expect(get_user_u64(task.mm, BUF + 64 + 16)).to.equal(1n);
    expect(Number(get_user_u64(task.mm, BUF + 64 + 24))).to.be.within(499_990, 500_000);
  });

  it('POSIX timers have ids from 0, signal with their value and count overruns', () => {
    const m = scriptedMachine();
    const task = m.process();
    put64(task, BUF, 0x1234n, 0n);
    put32(task, BUF + 8, 10, 0);
    m.script(task, syscall(222, 1, BUF, BUF + 128), syscall(222, 1, BUF, BUF + 132));
    m.run(2);
    expect([get_user_u32(task.mm, BUF + 128), get_user_u32(task.mm, BUF + 132)]).to.deep.equal([0, 1]);
    // Blocked, fires three times, is then taken by rt_sigtimedwait.
    put64(task, BUF + 200, 1n << 9n);
    put64(task, BUF + 256, 0n, 1000n, 0n, 1000n);
    m.script(
      task,
      syscall(14, 0, BUF + 200, 0, 8),
      syscall(223, 0, 0, BUF + 256, 0),
      (r) => {
        m.kernel.cpu.icount += 3500;
        r.rip += 0n;
        return { kind: 'budget' };
      },
      syscall(128, BUF + 200, BUF + 300, 0, 8),
      syscall(225, 0),
    );
    m.run(5000);
    const info = copy_from_user(task.mm, BUF + 300, 32) as Uint8Array;
    const view = new DataView(info.buffer);
    expect(view.getInt32(0, true)).to.equal(10);
    expect(view.getInt32(8, true)).to.equal(-2);
    expect(view.getBigUint64(24, true)).to.equal(0x1234n);
    expect(result(task)).to.be.within(2, 3);
    m.script(task, syscall(226, 1), syscall(226, 1));
    m.run(2);
    expect(result(task)).to.equal(-22);
  });
});

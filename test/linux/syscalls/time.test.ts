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
    expect(m.kernel.now()).to.be.within(2_000_000_005, 2_000_001_000);
    expect(m.kernel.uncountedNs).to.be.greaterThan(1_999_999_000);
    expect(m.kernel.cpu.tscOffset).to.equal(m.kernel.uncountedNs);
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
    expect(m.kernel.now()).to.be.within(3_000_000_000, 3_000_001_000);
  });
});

describe('timers', () => {
  it('alarm kills after its seconds, and a second one gives the rest', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(37, 10), syscall(37, 3), syscall(34));
    expect(m.run(100)).to.include({ kind: 'exit', status: 14 });
    expect(m.kernel.now()).to.be.within(3_000_000_000, 3_000_001_000);
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

describe('CPU time', () => {
  const SECOND = 1_000_000_000;
  /** Runs in user mode for so many nanoseconds, as the script's CPU does when nothing is left of the script. */
  const burn = (m: ReturnType<typeof scriptedMachine>, ns: number): void => {
    m.run(ns);
  };
  const pending = (task: Task): string[] =>
    [5, 10, 14, 24, 26, 27]
      .filter((sig) => (task.group.sharedPending.set & (1n << BigInt(sig - 1))) !== 0n)
      .map(String);
  const blockAll = syscall(14, 0, BUF + 512, 0, 8);

  function machineWithAllBlocked() {
    const m = scriptedMachine();
    const task = m.process();
    put64(task, BUF + 512, (1n << 64n) - 1n);
    m.script(task, blockAll);
    m.run(1);
    return { m, task };
  }

  it('counts instructions as user time and each call as system time', () => {
    const { m, task } = machineWithAllBlocked();
    m.script(task, ...Array.from({ length: 9 }, () => syscall(39)));
    m.run(9);
    burn(m, 5000);
    expect(task.cpuTime).to.deep.equal({ user: 5010, system: 10 * 200 });
    expect(m.kernel.now()).to.equal(7010);
    m.script(task, syscall(228, 2, BUF));
    m.run(1);
    expect(get_user_u64(task.mm, BUF + 8)).to.equal(7211n);
  });

  it('ITIMER_VIRTUAL counts user time, ITIMER_PROF all', () => {
    for (const [which, sig, calls] of [
      [1, '26', 5000],
      [2, '27', 0],
    ] as const) {
      const { m, task } = machineWithAllBlocked();
      put64(task, BUF, 0n, 0n, 0n, 1000n);
      m.script(task, syscall(38, which, BUF, 0), ...Array.from({ length: calls }, () => syscall(39)));
      m.run(calls + 1);
      const left = SECOND / 1000 - (which === 1 ? calls : 0);
      burn(m, left - 1);
      expect(pending(task)).to.deep.equal([]);
      burn(m, 1);
      expect(pending(task)).to.deep.equal([sig]);
    }
  });

  it('POSIX timers run on the clock of a thread, of the process, of another process', () => {
    const { m, task } = machineWithAllBlocked();
    const other = m.process();
    for (const clock of [3, 2, (~other.pid << 3) | 2]) {
      put64(task, BUF + 256, 0n, 0n, 0n, 10_000n);
      m.script(task, syscall(222, clock, 0, BUF), syscall(223, clock < 0 ? 2 : 3 - clock, 0, BUF + 256, 0));
      m.run(2, (tid) => (tid === task.pid ? 'run' : 'hold'));
      expect(result(task), String(clock)).to.equal(0);
      m.run(9_990, (tid) => (tid === task.pid && clock > 0 ? 'run' : 'hold'));
      if (clock < 0) m.run(9_990, (tid) => (tid === other.pid ? 'run' : 'hold'));
      expect(pending(task)).to.deep.equal([]);
      m.run(400, (tid) => (tid === (clock < 0 ? other.pid : task.pid) ? 'run' : 'hold'));
      expect(pending(task), String(clock)).to.deep.equal(['14']);
      task.group.sharedPending.set = 0n;
      task.group.sharedPending.list.length = 0;
    }
    m.script(task, syscall(224, 0, BUF + 256), syscall(226, 0), syscall(226, 0));
    m.run(3, (tid) => (tid === task.pid ? 'run' : 'hold'));
    expect([get_user_u64(task.mm, BUF + 256 + 24), result(task)]).to.deep.equal([0n, -22]);
  });

  it('clocks that nobody can sleep on or have timers of', () => {
    const { m, task } = machineWithAllBlocked();
    const answers = (nr: number, ...clocks: number[]): number[] =>
      clocks.map((clock) => {
        put64(task, BUF, 0n, 1n);
        m.script(task, nr === 230 ? syscall(230, clock, 0, BUF, 0) : syscall(222, clock, 0, BUF + 64));
        m.run(3);
        return result(task);
      });
    const ownThread = (~task.pid << 3) | 6;
    expect(answers(230, 4, 5, 6, 3, 8, 9, ownThread, (~30000 << 3) | 2, 10)).to.deep.equal([
      -95, -95, -95, -95, -524, -524, -22, -22, -22,
    ]);
    expect(answers(222, 4, 5, 6, 8, (~30000 << 3) | 2, -1, 10)).to.deep.equal([-95, -95, -95, -524, -22, -22, -22]);
  });

  it('a sleep on the CPU clock of a process ends when that has spent so much', () => {
    const { m, task } = machineWithAllBlocked();
    const other = m.process();
    put64(task, BUF, 0n, 50_000n);
    m.script(task, syscall(230, (~other.pid << 3) | 2, 0, BUF, 0));
    m.run(1, (tid) => (tid === task.pid ? 'run' : 'hold'));
    m.run(49_999);
    expect(task.state).to.equal('blocked');
    m.run(2);
    expect(task.state).to.equal('running');
  });

  it('RLIMIT_CPU: SIGXCPU each second from the soft limit on, SIGKILL at the hard one', () => {
    const { m, task } = machineWithAllBlocked();
    put64(task, BUF, 1n, 3n);
    m.script(task, syscall(160, 0, BUF));
    m.run(1);
    burn(m, SECOND - 1000);
    expect(pending(task)).to.deep.equal([]);
    burn(m, 2000);
    expect(pending(task)).to.deep.equal(['24']);
    expect(task.group.rlimits[0]!.cur).to.equal(2n);
    expect(m.run(3 * SECOND)).to.include({ kind: 'exit', status: 9 });
    expect(m.kernel.now()).to.be.within(3 * SECOND, 3 * SECOND + 1000);
  });
});

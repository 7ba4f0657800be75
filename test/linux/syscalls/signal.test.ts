import { expect } from 'chai';
import { copy_to_user, get_user_u32 } from '../../../linux/mm/uaccess.ts';
import type { Task } from '../../../linux/task/task.ts';
import { int80, result, scriptedMachine, syscall, USER } from '../task/scripted-machine.ts';

const BUF = USER + 0x400;
const put = (task: Task, at: number, ...words: number[]): void => {
  copy_to_user(task.mm, at, new Uint8Array(new Uint32Array(words).buffer));
};

describe('rt_sigaction', () => {
  it('reads back what was set, in the layout of each ABI', () => {
    const m = scriptedMachine();
    const task = m.process();
    put(task, BUF, 0x1000, 0x4000000, 0x2000, 0x200, 0);
    m.script(task, int80(174, 10, BUF, 0, 8), int80(174, 10, 0, BUF + 64, 8), syscall(13, 10, 0, BUF + 128, 8));
    m.run(3);
    expect([0, 4, 8, 12].map((i) => get_user_u32(task.mm, BUF + 64 + i))).to.deep.equal([
      0x1000, 0x4000000, 0x2000, 0x200,
    ]);
    expect([0, 8, 16, 24].map((i) => get_user_u32(task.mm, BUF + 128 + i))).to.deep.equal([
      0x1000, 0x4000000, 0x2000, 0x200,
    ]);
  });

  it('refuses SIGKILL, number 65 and another size of the mask', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(13, 9, BUF, 0, 8), syscall(13, 65, BUF, 0, 8), syscall(13, 10, BUF, 0, 4));
    m.run(3);
    expect(m.lines.map((l) => l.replace(/.*= /, ''))).to.deep.equal(['-EINVAL', '-EINVAL', '-EINVAL']);
  });
});

describe('waiting for signals', () => {
  it('rt_sigtimedwait ends with EAGAIN at its timeout, and takes a signal that comes', () => {
    const m = scriptedMachine();
    const task = m.process();
    const other = m.process();
    put(task, BUF, 1 << 9, 0);
    put(task, BUF + 16, 0, 0, 1000, 0);
    m.script(task, syscall(128, BUF, 0, BUF + 16, 8));
    m.run(200_000);
    expect(result(task)).to.equal(-11);
    m.script(task, syscall(128, BUF, 0, 0, 8));
    m.script(other, syscall(62, task.pid, 10));
    m.run(400_000);
    expect(result(task)).to.equal(10);
    expect(task.blocked).to.equal(0n);
  });

  it('rt_sigsuspend puts the mask back after the handler', () => {
    const m = scriptedMachine();
    const task = m.process();
    const other = m.process();
    copy_to_user(
      task.mm,
      BUF,
      new Uint8Array(new BigUint64Array([BigInt(USER + 0x100), 0x4000000n, BigInt(USER + 0x200), 0n]).buffer),
    );
    put(task, BUF + 64, 1 << 9, 0);
    put(task, BUF + 72, 0, 0);
    m.script(task, syscall(13, 10, BUF, 0, 8), syscall(14, 2, BUF + 64, 0, 8), syscall(130, BUF + 72, 8));
    m.run(3);
    expect(task.state).to.equal('blocked');
    m.script(other, syscall(62, task.pid, 10));
    m.run(400_000);
    expect(task.regs.rip).to.equal(BigInt(USER + 0x100));
    m.script(task, (r) => {
      r.rsp += 8n;
      return syscall(15)(r);
    });
    m.run(400_000);
    expect(result(task)).to.equal(-4);
    expect(task.blocked).to.equal(1n << 9n);
  });
});

describe('queues', () => {
  it('a legacy signal is queued once, a real-time signal every time, lowest number first', () => {
    const m = scriptedMachine();
    const task = m.process();
    put(task, BUF, 0xffff_ffff, 0xffff_ffff);
    m.script(task, syscall(14, 0, BUF, 0, 8));
    for (const sig of [40, 10, 40, 10, 34]) m.script(task, syscall(62, task.pid, sig));
    m.run(6);
    expect(task.group.sharedPending.list.map((i) => i.signo)).to.deep.equal([40, 10, 40, 34]);
    const order: number[] = [];
    for (let i = 0; i < 4; i++) {
      m.script(task, syscall(128, BUF, 0, 0, 8));
      m.run(1);
      order.push(result(task));
    }
    expect(order).to.deep.equal([10, 34, 40, 40]);
  });

  it('SIGCHLD tells of the child; SIG_IGN reaps it', () => {
    const m = scriptedMachine();
    const task = m.process();
    copy_to_user(task.mm, BUF, new Uint8Array(new BigUint64Array([1n, 0x4000000n, 0n, 0n]).buffer));
    m.script(task, syscall(13, 17, BUF, 0, 8), syscall(57));
    m.run(2);
    const pid = result(task);
    m.script(m.kernel.tasks.get(pid)!, syscall(60, 0));
    m.script(task, syscall(61, -1, 0, 0, 0));
    m.run(300_000);
    m.run(300_000);
    expect(m.kernel.tasks.has(pid)).to.equal(false);
    expect(result(task)).to.equal(-10);
  });
});

import { expect } from 'chai';
import { copy_to_user, get_user_u32 } from '../../../linux/mm/uaccess.ts';
import type { Task } from '../../../linux/task/task.ts';
import { type Machine, result, scriptedMachine, syscall, USER } from '../task/scripted-machine.ts';

const WORD = USER + 0x400,
  OTHER = USER + 0x404,
  TIME = USER + 0x420;
const THREAD = 0x10f00;

function threads(m: Machine, n: number): [Task, ...Task[]] {
  const task = m.process();
  const all: [Task, ...Task[]] = [task];
  for (let i = 0; i < n; i++) {
    m.script(task, syscall(56, THREAD, USER + 0x2000 + i * 256, 0, 0, 0));
    m.run(1);
    all.push(m.kernel.tasks.get(result(task))!);
  }
  return all;
}

describe('futex', () => {
  it('FUTEX_WAIT with another value fails with EAGAIN, with a timeout with ETIMEDOUT', () => {
    const m = scriptedMachine();
    const task = m.process();
    copy_to_user(task.mm, TIME, new Uint8Array(new BigUint64Array([0n, 1000n]).buffer));
    m.script(task, syscall(202, WORD, 128, 5, 0, 0, 0), syscall(202, WORD, 128, 0, TIME, 0, 0));
    m.run(10);
    expect(m.lines.map((l) => l.replace(/.*= /, ''))).to.deep.equal(['-EAGAIN', '-110']);
  });

  it('FUTEX_WAKE wakes the longest sleeper first, a private and a shared word are one in private memory', () => {
    const m = scriptedMachine();
    const [task, a, b] = threads(m, 2) as [Task, Task, Task];
    m.script(a, syscall(202, WORD, 128, 0, 0, 0, 0));
    m.script(b, syscall(202, WORD, 128, 0, 0, 0, 0));
    m.run(300_000);
    expect([a.state, b.state]).to.deep.equal(['blocked', 'blocked']);
    m.script(task, syscall(202, WORD, 129, 1, 0, 0, 0));
    m.run(1);
    expect(result(task)).to.equal(1);
    expect([a.state, b.state]).to.deep.equal(['running', 'blocked']);
  });

  it('FUTEX_CMP_REQUEUE moves the others', () => {
    const m = scriptedMachine();
    const [task, a, b, c] = threads(m, 3) as [Task, Task, Task, Task];
    for (const t of [a, b, c]) m.script(t, syscall(202, WORD, 128, 0, 0, 0, 0));
    m.run(400_000);
    m.script(task, syscall(202, WORD, 132, 1, 10, OTHER, 0), syscall(202, OTHER, 129, 10, 0, 0, 0));
    m.run(300_000);
    expect(m.lines.slice(-5).some((l) => l.endsWith('= 3'))).to.equal(true);
    expect([a, b, c].map((t) => t.state)).to.deep.equal(['running', 'running', 'running']);
  });

  it('a robust list marks the words of a dead owner', () => {
    const m = scriptedMachine();
    const [task, a] = threads(m, 1) as [Task, Task];
    const head = USER + 0x500,
      lock = USER + 0x540;
    const words = new BigUint64Array([BigInt(lock), 8n, 0n]);
    copy_to_user(task.mm, head, new Uint8Array(words.buffer));
    copy_to_user(task.mm, lock, new Uint8Array(new BigUint64Array([BigInt(head), BigInt(a.pid)]).buffer));
    m.script(a, syscall(273, head, 24), syscall(60, 0));
    m.run(300_000);
    expect(get_user_u32(task.mm, lock + 8)).to.equal(0x4000_0000);
  });
});

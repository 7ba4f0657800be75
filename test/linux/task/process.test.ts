import { expect } from 'chai';
import { copy_to_user, get_user_u32 } from '../../../linux/mm/uaccess.ts';
import type { Task } from '../../../linux/task/task.ts';
import { int80, result, scriptedMachine, syscall, USER } from './scripted-machine.ts';

const CLONE_THREAD_FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000;

describe('processes', () => {
  it('getpid gives the tgid, an unknown number -ENOSYS', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(39));
    m.run();
    expect(result(task)).to.equal(task.tgid);
    m.script(task, syscall(400), int80(384));
    m.run();
    expect(result(task)).to.equal(-38);
  });

  it('int 0x80 clears r8 to r11 and answers in the whole of rax', () => {
    const m = scriptedMachine();
    const task = m.process();
    task.regs.r8 = 1n;
    task.regs.r11 = 2n;
    m.script(task, int80(6, -1));
    m.run();
    expect(result(task)).to.equal(-9);
    expect(task.regs.r8 + task.regs.r11).to.equal(0n);
  });

  it('fork makes a child with rax 0, wait4 reaps it with its status', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(57));
    m.run(10);
    const pid = result(task);
    const child = m.kernel.tasks.get(pid)!;
    expect(child.regs.rax).to.equal(0n);
    expect(child.group).to.not.equal(task.group);
    m.script(task, syscall(61, -1, USER, 0, 0));
    m.script(child, syscall(231, 5));
    const event = m.run();
    expect(event).to.include({ kind: 'exit', task: child, status: 0x500 });
    m.run();
    expect(result(task)).to.equal(pid);
    expect(get_user_u32(task.mm, USER)).to.equal(0x500);
    expect(m.kernel.tasks.has(pid)).to.equal(false);
  });

  it('wait4 without children fails with ECHILD', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(61, -1, 0, 0, 0));
    m.run();
    expect(result(task)).to.equal(-10);
  });

  it('vfork sleeps until the child is gone', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(58));
    m.run(10);
    expect(task.state).to.equal('blocked');
    const child = [...m.kernel.tasks.values()].find((t) => t !== task)!;
    expect(child.mm).to.equal(task.mm);
    m.script(child, syscall(60, 0));
    m.run();
    m.run();
    expect(result(task)).to.equal(child.pid);
  });

  it('exit_group ends every thread, and the machine is done', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(56, CLONE_THREAD_FLAGS, USER + 0x2000, 0, 0, 0));
    m.run(10);
    const thread = m.kernel.tasks.get(result(task)) as Task;
    expect(thread.tgid).to.equal(task.tgid);
    expect(thread.regs.rsp).to.equal(BigInt(USER + 0x2000));
    m.script(thread, syscall(231, 3));
    expect(m.run(1_000_000)).to.include({ kind: 'exit', status: 0x300 });
    expect(m.run()).to.deep.equal({ kind: 'done' });
    expect(m.kernel.exitStatus).to.equal(0x300);
  });

  it('clone with CLONE_CHILD_CLEARTID wakes the futex at exit', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(56, CLONE_THREAD_FLAGS | 0x200000 | 0x1000000, USER + 0x2000, 0, USER + 8, 0));
    m.run(10);
    const tid = result(task);
    expect(get_user_u32(task.mm, USER + 8)).to.equal(tid);
    m.script(task, syscall(202, USER + 8, 0, tid, 0, 0, 0));
    m.run(10);
    expect(task.state).to.equal('blocked');
    m.script(m.kernel.tasks.get(tid)!, syscall(60, 0));
    m.run();
    expect(result(task)).to.equal(0);
    expect(get_user_u32(task.mm, USER + 8)).to.equal(0);
  });

  it('strace prints one line per call, with the door if it is not syscall', () => {
    const m = scriptedMachine();
    const task = m.process();
    m.script(task, syscall(3, 77), int80(20));
    m.run();
    expect(m.lines).to.deep.equal([`${task.pid} close(77) = -EBADF`, `${task.pid} int80:getpid() = ${task.pid}`]);
  });
});

describe('set_thread_area', () => {
  it('takes the first free slot, writes its number and refuses others', () => {
    const m = scriptedMachine();
    const task = m.process('ia32');
    const view = new DataView(new ArrayBuffer(16));
    [0xffff_ffff, 0x1234_5000, 0xf_ffff, 0x51].forEach((w, i) => {
      view.setUint32(i * 4, w, true);
    });
    expect(writeUser(task, USER, new Uint8Array(view.buffer))).to.equal(0);
    m.script(task, int80(243, USER));
    m.run();
    expect(result(task)).to.equal(0);
    expect(get_user_u32(task.mm, USER)).to.equal(12);
    expect(task.tls[0]!.toString(16)).to.equal('12dff334' + '5000ffff');
    expect(m.kernel.cpu.gdt[12]).to.equal(task.tls[0]);
    writeUser(task, USER, Uint8Array.of(15, 0, 0, 0));
    m.script(task, int80(243, USER));
    m.run();
    expect(result(task)).to.equal(-22);
  });
});

const writeUser = (task: Task, at: number, bytes: Uint8Array): number => copy_to_user(task.mm, at, bytes);

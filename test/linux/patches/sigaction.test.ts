import { expect } from 'chai';
import { SA_IA32_ABI, SA_X32_ABI } from '../../../linux/abi/signal.ts';
import { copy_to_user, get_user_u32, get_user_u64 } from '../../../linux/mm/uaccess.ts';
import { send_signal } from '../../../linux/signal/queue.ts';
import type { Task } from '../../../linux/task/task.ts';
import { int80, type Machine, result, scriptedMachine, syscall, USER } from '../task/scripted-machine.ts';

const SA_RESTORER = 0x400_0000;
const ACT = USER + 0x800,
  OLD = USER + 0x900,
  SET = USER + 0xa00,
  INFO = USER + 0xb00;
const X32 = 0x4000_0000;

type Way = 'syscall' | 'int80' | 'x32';

/** Sets the handler of signal 10 from code that runs with `cs`. */
function setHandler(m: Machine, task: Task, way: Way, cs: number, flags = SA_RESTORER): void {
  m.kernel.cpu.loadSegment('cs', cs);
  const act =
    way === 'syscall'
      ? new BigUint64Array([BigInt(USER + 0x100), BigInt(flags), BigInt(USER + 0x200), 0n])
      : new Uint32Array([USER + 0x100, flags, USER + 0x200, 0, 0]);
  copy_to_user(task.mm, ACT, new Uint8Array(act.buffer));
  const step = way === 'int80' ? int80(174, 10, ACT, 0, 8) : syscall(way === 'x32' ? X32 + 512 : 13, 10, ACT, 0, 8);
  m.script(task, step);
  m.run(1);
  expect(result(task)).to.equal(0);
}

/** Which frame the signal gets when it comes while `cs` is loaded. */
function frameOf(patches: string, kernel: string, abi: '64' | 'ia32', way: Way, setCs: number, cs: number): string {
  const m = scriptedMachine(patches, kernel);
  const task = m.process(abi);
  setHandler(m, task, way, setCs);
  m.kernel.cpu.loadSegment('cs', cs);
  m.script(task, int80(37, task.pid, 10));
  m.run(10);
  expect(task.regs.rip).to.equal(BigInt(USER + 0x100));
  return task.regs.cs === 0x23 ? 'i386' : '64';
}

/** The flags of the handler of signal 10 in the kernel, and as rt_sigaction gives them back. */
function flagsOf(kernel: string, way: Way, cs: number, flags = SA_RESTORER): [number, number] {
  const m = scriptedMachine('all', kernel);
  const task = m.process();
  setHandler(m, task, way, cs, flags);
  m.script(task, int80(174, 10, 0, OLD, 8));
  m.run(1);
  return [task.sighand.actions[10]!.flags, get_user_u32(task.mm, OLD + 4)!];
}

describe('0006: the signal frame', () => {
  it('before: follows the program that was executed', () => {
    for (const [way, cs] of [
      ['int80', 0x23],
      ['int80', 0x33],
      ['syscall', 0x33],
    ] as const) {
      expect(frameOf('none', 'compat-cr', '64', way, cs, 0x23)).to.equal('64');
      expect(frameOf('none', 'compat-cr', 'ia32', way, cs, 0x33)).to.equal('i386');
    }
  });

  it('after: follows the call that set the handler, not the code that runs', () => {
    for (const kernel of ['compat-cr', 'v4.9', 'v4.12']) {
      for (const abi of ['64', 'ia32'] as const) {
        for (const cs of [0x23, 0x33]) {
          expect(frameOf('all', kernel, abi, 'int80', 0x23, cs)).to.equal('i386');
          expect(frameOf('all', kernel, abi, 'syscall', 0x33, cs)).to.equal('64');
        }
      }
    }
    expect(frameOf('0006', 'compat-cr', '64', 'int80', 0x23, 0x23)).to.equal('i386');
  });

  it('int 0x80 from CS 0x33 sets a 64-bit handler until v4.10', () => {
    expect(frameOf('all', 'compat-cr', '64', 'int80', 0x33, 0x23)).to.equal('64');
    expect(frameOf('all', 'v4.9', '64', 'int80', 0x33, 0x23)).to.equal('64');
    expect(frameOf('0006', 'v4.12', '64', 'int80', 0x33, 0x23)).to.equal('64');
    expect(frameOf('all', 'v4.12', '64', 'int80', 0x33, 0x23)).to.equal('i386');
  });

  it('so an x32 program gets x32 frames only from v4.10 on', () => {
    const x32 = (kernel: string): number => flagsOf(kernel, 'x32', 0x33)[0] & SA_X32_ABI;
    expect([x32('compat-cr'), x32('v4.9'), x32('v4.12')]).to.deep.equal([0, 0, SA_X32_ABI]);
  });

  it('shows its flags as posted, hides them as merged', () => {
    const marked = SA_RESTORER | SA_IA32_ABI;
    expect(flagsOf('compat-cr', 'int80', 0x23)).to.deep.equal([marked, marked]);
    expect(flagsOf('v4.9', 'int80', 0x23)).to.deep.equal([marked, SA_RESTORER]);
    expect(flagsOf('v4.12', 'int80', 0x23)).to.deep.equal([marked, SA_RESTORER]);
  });

  it('takes no flag from the user, and keeps the others', () => {
    const SA_RESETHAND = 0x8000_0000;
    const asked = SA_RESETHAND + SA_RESTORER + SA_IA32_ABI + SA_X32_ABI;
    for (const kernel of ['compat-cr', 'v4.9', 'v4.12']) {
      expect(flagsOf(kernel, 'syscall', 0x33, asked)[0]).to.equal(SA_RESETHAND + SA_RESTORER);
      expect(flagsOf(kernel, 'int80', 0x23, asked)[0]).to.equal(SA_RESETHAND + SA_RESTORER + SA_IA32_ABI);
    }
  });

  it('a failed call and a mere question change nothing', () => {
    const m = scriptedMachine('all', 'compat-cr');
    const task = m.process();
    setHandler(m, task, 'syscall', 0x33);
    m.kernel.cpu.loadSegment('cs', 0x23);
    m.script(task, int80(174, 10, 0, OLD, 8));
    m.run(1);
    expect(task.sighand.actions[10]!.flags).to.equal(SA_RESTORER);
  });

  it('the times of SIGCHLD: rt_sigtimedwait by int 0x80 in a 64-bit program', () => {
    const times = (patches: string): unknown[] => {
      const m = scriptedMachine(patches);
      const task = m.process();
      task.blocked = 1n << 16n;
      send_signal(task, { signo: 17, errno: 0, code: 1, layout: 'chld', pid: 5, uid: 0, utime: 9, stime: 7 }, false);
      copy_to_user(task.mm, SET, new Uint8Array(new BigUint64Array([1n << 16n]).buffer));
      m.script(task, int80(177, SET, INFO, 0, 8));
      m.run(1);
      expect(result(task)).to.equal(17);
      return [get_user_u64(task.mm, INFO + 24), get_user_u64(task.mm, INFO + 32)];
    };
    expect(times('none')).to.deep.equal([9n, 7n]);
    expect(times('0006')).to.deep.equal([9n | (7n << 32n), 0n]);
  });
});

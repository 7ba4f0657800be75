import { expect } from 'chai';
import { MAP_ANONYMOUS, MAP_PRIVATE } from '../../../linux/abi/mman.ts';
import { copy_to_user } from '../../../linux/mm/uaccess.ts';
import { bootOps } from '../../../linux/patches/series.ts';
import { TS_COMPAT } from '../../../linux/task/thread-info.ts';
import { int80, scriptedMachine, syscall, USER } from '../task/scripted-machine.ts';

const TIME = USER + 0x900;
const FOUR_GIB = 2n ** 32n;

/** RAX with which an interrupted nanosleep goes on after a stop. */
function restartNumber(kernel: string, abi: '64' | 'ia32', way: 'syscall' | 'int80'): bigint {
  const m = scriptedMachine('all', kernel);
  const task = m.process(abi);
  const other = m.process();
  const time = way === 'int80' ? new Uint32Array([1, 0]) : new BigUint64Array([1n, 0n]);
  copy_to_user(task.mm, TIME, new Uint8Array(time.buffer));
  m.kernel.switchTo(task);
  m.kernel.cpu.loadSegment('cs', 0x33);
  m.script(task, way === 'int80' ? int80(162, TIME, 0) : syscall(35, TIME, 0));
  m.run(2);
  m.script(other, syscall(62, task.pid, 19));
  expect(m.run(500_000)).to.include({ kind: 'group-stop', sig: 19 });
  m.script(other, syscall(62, task.pid, 18));
  m.run(500_000);
  expect(task.regs.rip).to.equal(BigInt(USER));
  return task.regs.rax;
}

describe('restart: restart_syscall by the entry', () => {
  it('before: the number of the program that was executed', () => {
    for (const kernel of ['v4.7-rc1', 'compat-cr', 'v4.9']) {
      expect(restartNumber(kernel, '64', 'int80')).to.equal(219n);
      expect(restartNumber(kernel, 'ia32', 'syscall')).to.equal(0n);
    }
  });

  it('after: the number of the call', () => {
    for (const abi of ['64', 'ia32'] as const) {
      expect(restartNumber('v4.12', abi, 'int80')).to.equal(0n);
      expect(restartNumber('v4.12', abi, 'syscall')).to.equal(219n);
    }
  });

  it('an x32 call keeps its bit in every kernel', () => {
    for (const kernel of ['v4.7-rc1', 'v4.12']) {
      const m = scriptedMachine('all', kernel);
      const task = m.process();
      task.origAx = 0x4000_0023n;
      expect(m.kernel.ops.get_nr_restart_syscall(task)).to.equal(0x4000_00dbn);
    }
  });
});

describe('mmap: the place by the entry', () => {
  const places = (kernel: string, abi: '64' | 'ia32', legacy = false): bigint[] => {
    const m = scriptedMachine('all', kernel);
    const task = m.process(abi);
    m.kernel.cpu.loadSegment('cs', 0x33);
    task.mm.arch_pick_mmap_layout(abi, legacy);
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    return [int80(192, 0, 4096, 3, flags, -1, 0), syscall(9, 0, 4096, 3, flags, -1, 0)].map((step) => {
      m.script(task, step);
      m.run(1);
      return task.regs.rax;
    });
  };

  it('before: by the program that was executed', () => {
    for (const kernel of ['compat-cr', 'v4.9']) {
      for (const at of places(kernel, '64')) expect(at > FOUR_GIB).to.equal(true);
      for (const at of places(kernel, 'ia32')) expect(at < FOUR_GIB).to.equal(true);
    }
  });

  it("after: a 32-bit call of a 64-bit program finds the place that an i386 program's finds", () => {
    expect(places('v4.12', '64')[0]).to.equal(places('v4.12', 'ia32')[0]);
    expect(places('v4.12', '64')[1]).to.equal(places('v4.9', '64')[1]! + 0x1000n);
  });

  it('after: bottom-up too', () => {
    expect(places('v4.12', '64', true)).to.deep.equal([0x5555_5000n, 0x2aaa_aaaa_b000n]);
  });

  it('execve of a 64-bit program ends the 32-bit call', () => {
    for (const [kernel, status] of [
      ['v4.9', TS_COMPAT],
      ['v4.12', 0],
    ] as const) {
      const task = scriptedMachine().process();
      task.threadInfo.status = TS_COMPAT;
      bootOps(kernel).set_personality(task, '64');
      expect(task.threadInfo.status).to.equal(status);
    }
  });
});

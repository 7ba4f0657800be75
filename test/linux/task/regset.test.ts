import { expect } from 'chai';
import {
  NT_386_TLS,
  NT_PRSTATUS,
  NT_X86_XSTATE,
  user_regs_struct,
  user_regs_struct32,
} from '../../../linux/abi/ptrace.ts';
import { find_regset, type UserRegset } from '../../../linux/ptrace/regset.ts';
import { task_user_regset_view, user_x86_32_view, user_x86_64_view } from '../../../linux/ptrace/regset-views.ts';
import type { Task } from '../../../linux/task/task.ts';
import { scriptedMachine, USER } from './scripted-machine.ts';

const ENXIO = 6;

function bytesOf(set: UserRegset, task: Task): Uint8Array {
  const bytes = set.get(task);
  if (typeof bytes === 'number') throw new Error(`${set.name}: ${bytes}`);
  return bytes;
}

describe('register sets', () => {
  it('have the sizes of v4.7', () => {
    expect(user_x86_64_view.regsets.map((r) => r.size)).to.deep.equal([216, 512, 8192, 832]);
    expect(user_x86_32_view.regsets.map((r) => r.size)).to.deep.equal([68, 108, 512, 832, 48, 8192]);
    for (const view of [user_x86_64_view, user_x86_32_view]) {
      const task = scriptedMachine().process();
      for (const set of view.regsets) {
        if (set.name === 'ioperm') expect(set.get(task)).to.equal(-ENXIO);
        else expect(bytesOf(set, task).length, set.name).to.equal(set.size);
      }
    }
  });

  it('have an xstate as large as the machine has it', () => {
    const m = scriptedMachine();
    const task = m.process();
    Object.assign(m.kernel.cpu, { xcr0: 0xe7 });
    const set = find_regset(task_user_regset_view(task), NT_X86_XSTATE)!;
    expect(set.size).to.equal(2688);
    const bytes = bytesOf(set, task);
    expect(bytes.length).to.equal(2688);
    expect(bytes[464], 'xfeatures in the software bytes').to.equal(0xe7);
    bytes[512]! |= 0x20;
    bytes[1088 + 8] = 0x5a; // k1
    expect(set.set!(task, bytes)).to.equal(0);
    expect(bytesOf(set, task)[1088 + 8]).to.equal(0x5a);
  });

  it('follow the program that was executed, in the unpatched kernel', () => {
    const m = scriptedMachine();
    const task = m.process('ia32');
    expect(task_user_regset_view(task).name).to.equal('i386');
    m.kernel.cpu.loadSegment('cs', 0x33);
    expect(task_user_regset_view(task).name).to.equal('i386');
    expect(task_user_regset_view(m.process()).name).to.equal('x86_64');
  });

  it('give and take general registers, and refuse selectors without RPL 3', () => {
    const m = scriptedMachine();
    const task = m.process();
    const set = find_regset(user_x86_64_view, NT_PRSTATUS)!;
    const bytes = bytesOf(set, task);
    expect(user_regs_struct.read(bytes)).to.include({ ip: BigInt(USER), cs: 0x33n, orig_ax: 2n ** 64n - 1n });
    user_regs_struct.writeTo(bytes, { ax: 77n, flags: 0xffff_ffffn });
    expect(set.set!(task, bytes)).to.equal(0);
    expect(task.regs.rax).to.equal(77n);
    expect(task.regs.rflags).to.equal(0x54fd7n);
    user_regs_struct.writeTo(bytes, { ss: 0x28n });
    expect(set.set!(task, bytes)).to.equal(-5);
  });

  it('of i386 cut registers to 32 bits; a number in orig_eax sets TS_COMPAT', () => {
    const m = scriptedMachine();
    const task = m.process();
    task.regs.rbx = 0x1_0000_0002n;
    const set = find_regset(user_x86_32_view, NT_PRSTATUS)!;
    const bytes = bytesOf(set, task);
    expect(user_regs_struct32.read(bytes)).to.include({ ebx: 2, orig_eax: 0xffff_ffff });
    user_regs_struct32.writeTo(bytes, { orig_eax: 11 });
    set.set!(task, bytes);
    expect(task.threadInfo.status).to.equal(2);
  });

  it('386_TLS reads empty slots as read_exec_only and seg_not_present', () => {
    const m = scriptedMachine();
    const task = m.process('ia32');
    const bytes = bytesOf(find_regset(user_x86_32_view, NT_386_TLS)!, task);
    expect([...new Uint32Array(bytes.buffer).subarray(0, 4)]).to.deep.equal([12, 0, 0, 0x28]);
  });
});

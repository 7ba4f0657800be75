import { expect } from 'chai';
import { NT_PRSTATUS } from '../../../linux/abi/ptrace.ts';
import { find_regset } from '../../../linux/ptrace/regset.ts';
import { task_user_regset_view } from '../../../linux/ptrace/regset-views.ts';
import { scriptedMachine } from '../task/scripted-machine.ts';

/** The size of NT_PRSTATUS as a tracer gets it. */
function prstatus(kernel: string, patches: string, abi: '64' | 'ia32', cs: number): number {
  const m = scriptedMachine(patches, kernel);
  const task = m.process(abi);
  m.kernel.cpu.loadSegment('cs', cs);
  return find_regset(task_user_regset_view(task), NT_PRSTATUS)!.size;
}

/** A code segment of the LDT. */
const LDT_CS = 0x0f;

describe('0005: the register view', () => {
  it('before: follows the program that was executed', () => {
    for (const cs of [0x23, 0x33, LDT_CS]) {
      expect(prstatus('compat-cr', 'none', '64', cs)).to.equal(216);
      expect(prstatus('v4.7-rc1', 'all', 'ia32', cs)).to.equal(68);
    }
  });

  it('after: follows CS, and only 0x33 is 64-bit', () => {
    for (const kernel of ['compat-cr', 'v4.9', 'v4.12']) {
      for (const abi of ['64', 'ia32'] as const) {
        expect(prstatus(kernel, '0005', abi, 0x33)).to.equal(216);
        expect(prstatus(kernel, 'all', abi, 0x23)).to.equal(68);
        expect(prstatus(kernel, 'all', abi, LDT_CS)).to.equal(68);
      }
    }
  });
});

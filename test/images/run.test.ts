import { expect } from 'chai';
import { kernelInfo, send_signal } from '../../linux/signal/queue.ts';
import { imageSetNames, unpackImageSet } from '../helpers/image-sets.ts';
import { expectedOutput, restoreSet } from './machine.ts';

const SIGCONT = 18;

/** The last ones do not come with the tests: IMAGE_SETS names a directory that has them. */
const sets = [
  'counter32-static',
  'counter32-norseq',
  'counter32-dynamic',
  'counter32-dynamic-norseq',
  'counter64-avx2',
  'counter64-norseq',
  'fpu32',
  'tree32',
  'mixed64-32-avx2',
  'mixed64-32',
  'restart32-nanosleep-norseq',
  'restart32-read-norseq',
  'restart32-restartsyscall',
].filter((name) => imageSetNames.includes(name));

describe('images that the real CRIU made run on to their end', () => {
  for (const name of sets) {
    for (const vdso of ['ours', 'image'] as const) {
      it(`${name}, the machine's vDSO: ${vdso}`, () => {
        const set = unpackImageSet(name);
        try {
          const machine = restoreSet(set.path, { vdso });
          let kind = '';
          while (kind !== 'done') {
            kind = machine.run().kind;
            expect(kind, machine.log()).not.to.equal('idle');
          }
          expect(machine.kernel.exitStatus, machine.log()).to.equal(0);
          expect(machine.read(`/srv/tasks/${name}/out.txt`)).to.equal(expectedOutput(set.path, name));
        } finally {
          set.remove();
        }
      });
    }
  }

  const laterKernels = [
    // compat-cr shows SA_IA32_ABI in what the program prints of its handlers.
    ['signals32', 'v4.9'],
    ['signals32-norseq', 'v4.12'],
    // Threads ask for stacks by int 0x80.
    ['threads32', 'v4.12'],
    ['threads32-norseq', 'v4.12'],
  ] as const;
  for (const [name, kernel] of laterKernels.filter(([set]) => imageSetNames.includes(set))) {
    it(`${name}, kernel ${kernel}`, () => {
      const set = unpackImageSet(name);
      try {
        const machine = restoreSet(set.path, { kernel });
        while (machine.run().kind !== 'done');
        expect(machine.kernel.exitStatus, machine.log()).to.equal(0);
        expect(machine.read(`/srv/tasks/${name}/out.txt`)).to.equal(expectedOutput(set.path, name));
      } finally {
        set.remove();
      }
    });
  }

  it('stopped32 stays stopped until SIGCONT', () => {
    const set = unpackImageSet('stopped32');
    try {
      const machine = restoreSet(set.path);
      while (machine.run().kind !== 'idle') {
        expect(machine.kernel.exitStatus, machine.log()).to.equal(undefined);
      }
      const [task] = machine.kernel.tasks.values();
      expect(task?.state).to.equal('stopped');
      send_signal(task!, kernelInfo(SIGCONT), true);
      while (machine.run().kind !== 'exit');
      expect(machine.kernel.exitStatus).to.equal(0);
      expect(machine.read('/srv/tasks/stopped32/out.txt')).to.equal(expectedOutput(set.path, 'stopped32'));
    } finally {
      set.remove();
    }
  });
});

import { expect } from 'chai';
import { kernelInfo, send_signal } from '../../linux/signal/queue.ts';
import { imageSetNames, unpackImageSet } from '../helpers/image-sets.ts';
import { expectedOutput, outputAtDump, restoreSet } from './machine.ts';

const SIGCONT = 18;
/** As wait(2) gives it. */
const SIGSEGV = 11;
const SA_IA32_ABI = 0x200_0000;

/** What a set's program writes to out.txt until the first process ends, and its status. */
function outcome(
  name: string,
  kernel: string,
  vdso: 'ours' | 'image',
  calls?: string[],
): { status: number | undefined; output: string } {
  const set = unpackImageSet(name);
  try {
    const machine = restoreSet(set.path, { kernel, vdso, ...(calls && { strace: (line) => calls.push(line) }) });
    while (machine.run().kind !== 'done');
    return { status: machine.kernel.exitStatus, output: machine.read(`/srv/tasks/${name}/out.txt`) };
  } finally {
    set.remove();
  }
}

function ofSet(name: string, read: (path: string) => string): string {
  const set = unpackImageSet(name);
  try {
    return read(set.path);
  } finally {
    set.remove();
  }
}
const whole = (name: string): string => ofSet(name, (path) => expectedOutput(path, name));
const dumped = (name: string): string => ofSet(name, (path) => outputAtDump(path, name));
const withAbi = (_all: string, before: string, flags: string): string =>
  before + ((Number.parseInt(flags, 16) | SA_IA32_ABI) >>> 0).toString(16).padStart(8, '0');

/** Some do not come with the tests: IMAGE_SETS names a directory that has them. */
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

  /** Sets that meet bugs of the posted series, or of v4.9, and run rightly from there on. */
  const later = [
    ['signals32', 'v4.9'],
    ['signals32', 'v4.12'],
    ['signals32-norseq', 'v4.9'],
    ['signals32-norseq', 'v4.12'],
    ['threads32', 'v4.12'],
    ['threads32-norseq', 'v4.12'],
  ] as const;
  for (const [name, kernel] of later.filter(([set]) => imageSetNames.includes(set))) {
    for (const vdso of ['ours', 'image'] as const) {
      it(`${name}, kernel ${kernel}, the machine's vDSO: ${vdso}`, () => {
        expect(outcome(name, kernel, vdso)).to.deep.equal({ status: 0, output: whole(name) });
      });
    }
  }

  /** What those bugs are. */
  for (const name of ['signals32', 'signals32-norseq'].filter((set) => imageSetNames.includes(set))) {
    for (const vdso of ['ours', 'image'] as const) {
      it(`${name}, kernel compat-cr, the machine's vDSO: ${vdso}: rt_sigaction gives SA_IA32_ABI back, and all else is right`, () => {
        const lines = whole(name).split('\n');
        const from = dumped(name).split('\n').length - 1;
        const marked = lines.map((line, i) => (i < from ? line : line.replace(/^(act sig \d+ flags )(\w+)/, withAbi)));
        expect(marked).not.to.deep.equal(lines);
        expect(outcome(name, 'compat-cr', vdso)).to.deep.equal({ status: 0, output: marked.join('\n') });
      });
    }
  }

  for (const name of ['threads32', 'threads32-norseq'].filter((set) => imageSetNames.includes(set))) {
    for (const kernel of ['compat-cr', 'v4.9']) {
      for (const vdso of ['ours', 'image'] as const) {
        it(`${name}, kernel ${kernel}, the machine's vDSO: ${vdso}: malloc of a thread gets memory above 4 GiB, and dies`, () => {
          const calls: string[] = [];
          const run = outcome(name, kernel, vdso, calls);
          expect(run.status).to.equal(SIGSEGV);
          expect(whole(name).startsWith(run.output)).to.equal(true);
          const died = calls.findIndex((line) => line.includes('killed by SIGSEGV'));
          const mapped = calls.slice(0, died).findLast((line) => line.includes('mmap2'));
          expect(mapped).to.match(/mmap2\(NULL, 2097152, 0x0, 0x4022, -1, 0\) = 0x7ff\w{9}$/);
        });
      }
    }
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

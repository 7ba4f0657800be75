import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CpuContext } from '../../cpu/context.ts';
import { Cpu, type CpuOptions } from '../../cpu/cpu.ts';
import { startProgram } from '../../linux/exec/init.ts';
import { Vfs } from '../../linux/fs/vfs.ts';
import { Kernel } from '../../linux/kernel.ts';
import { bootOps } from '../../linux/patches/series.ts';
import { vdsoShipped } from '../../linux/vdso/config.ts';
import { haveGcc } from '../helpers/build.ts';
import { compile } from './measure.ts';
import { FLAGS, MODES } from './workloads.ts';

const WORKLOADS = join(import.meta.dirname, 'workloads');
/** Enough to be in the middle of each workload's loops. */
const INSTRUCTIONS = 4_000_000;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as unknown as Kernel['log'];

/** Where a program stands after some instructions. */
function run(program: string, translate: CpuOptions['translate']): object {
  const cpu = new Cpu({ memoryLimit: 64 << 20, ...(translate && { translate }) });
  const vfs = new Vfs({ cpu, root: '/' });
  const kernel = new Kernel({ cpu, ops: bootOps(undefined, undefined), vdso: vdsoShipped('any'), vfs, log: silent });
  const task = startProgram(kernel, program, [program], [], { context: new CpuContext() });
  if (typeof task === 'number') throw new Error(`execve ${program}: ${task}`);
  kernel.run({ action: () => 'run', budget: INSTRUCTIONS });
  if (translate !== 'off') {
    expect(cpu.translator!.counters.regions).to.be.greaterThan(0);
    expect(cpu.translator!.counters.failed).to.equal(0);
  }
  const { gpr, rip, rflags } = task.regs;
  return {
    registers: [...gpr, rip, rflags],
    count: cpu.icount,
    memory: createHash('sha256').update(cpu.memory.touched).digest('hex'),
  };
}

describe('both tiers of the CPU do the same', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tiers-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of readdirSync(WORKLOADS).filter((name) => /^[hw]\d.*\.c$/.test(name))) {
    for (const bits of [64, 32] as const) {
      it(`${file}, ${bits} bits`, function () {
        if (!haveGcc()) this.skip();
        const program = join(folder, `${file}.${bits}`);
        compile(join('workloads', file), program, [...MODES[bits], ...FLAGS]);
        const interpreted = run(program, 'off');
        expect(run(program, undefined)).to.deep.equal(interpreted);
        expect(run(program, { interval: 100, threshold: 1, free: true })).to.deep.equal(interpreted);
      });
    }
  }
});

import { createHash } from 'node:crypto';
import { expect } from 'chai';
import type { CpuOptions } from '../../cpu/cpu.ts';
import { unpackImageSet } from '../helpers/image-sets.ts';
import { restoreSet } from './machine.ts';

/** How a journey ended: instructions, virtual time, and a hash of all memory that the machine ever handed out. */
function journey(
  path: string,
  budget: number,
  translate?: CpuOptions['translate'],
): { instructions: number; nanoseconds: number; memory: string } {
  const { kernel } = restoreSet(path, translate ? { translate } : {});
  while (kernel.run({ action: () => 'run', budget }).kind !== 'exit');
  return {
    instructions: kernel.cpu.icount,
    nanoseconds: kernel.now(),
    memory: createHash('sha256').update(kernel.cpu.memory.touched).digest('hex'),
  };
}

describe('the journey is deterministic', () => {
  for (const name of ['counter32-static', 'counter64-avx2']) {
    it(`${name}: same instruction count and memory, whatever the slices and the tier in which it runs`, () => {
      const set = unpackImageSet(name);
      try {
        const first = journey(set.path, 20_000_000);
        expect(first.instructions).to.be.greaterThan(10_000);
        expect(journey(set.path, 20_000_000)).to.deep.equal(first);
        expect(journey(set.path, 7_777)).to.deep.equal(first);
        expect(journey(set.path, 20_000_000, 'off')).to.deep.equal(first);
        expect(journey(set.path, 20_000_000, { interval: 100, threshold: 1, free: true })).to.deep.equal(first);
      } finally {
        set.remove();
      }
    });
  }
});

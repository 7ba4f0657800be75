import { expect } from 'chai';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MREMAP_FIXED, MREMAP_MAYMOVE } from '../../../linux/abi/mman.ts';
import { RandomPool } from '../../../linux/fs/random.ts';
import { dup_mm, mmput } from '../../../linux/mm/dup.ts';
import { do_madvise } from '../../../linux/mm/madvise.ts';
import type { Mm } from '../../../linux/mm/mm.ts';
import { do_mmap, do_munmap, exit_mmap } from '../../../linux/mm/mmap.ts';
import { do_mprotect } from '../../../linux/mm/mprotect.ts';
import { do_mremap } from '../../../linux/mm/mremap.ts';
import { get_user_u8, put_user_u8 } from '../../../linux/mm/uaccess.ts';
import type { Task } from '../../../linux/task/task.ts';
import { smallMachine } from '../helpers/small-machine.ts';

const BASE = 0x10_0000;
const PAGES = 64;

interface Page {
  prot: number;
  value: number;
}

/** Memory as a list of pages: what the mappings must agree with. */
type Model = (Page | undefined)[];

function check(task: Task, model: Model): void {
  const { vmas } = task.mm;
  for (let i = 0; i + 1 < vmas.length; i++) expect(vmas[i]!.end).to.be.at.most(vmas[i + 1]!.start);
  for (const vma of vmas) expect(vma.start).to.be.lessThan(vma.end);
  model.forEach((page, i) => {
    const at = BASE + i * 4096;
    const vma = task.mm.vmaAt(at);
    expect(vma === undefined ? undefined : vma.flags & 7, `page ${i}`).to.equal(page?.prot);
    const value = get_user_u8(task.mm, at + 5);
    expect(value, `page ${i}`).to.equal(page === undefined || page.prot === 0 ? undefined : page.value);
  });
}

/** One random call, made to the mappings and to the model. */
function step(task: Task, model: Model, random: RandomPool): void {
  const pick = (n: number): number => Number(random.next() % BigInt(n));
  const from = pick(PAGES);
  const count = 1 + pick(Math.min(12, PAGES - from));
  const at = BASE + from * 4096;
  const range = model.slice(from, from + count);
  const whole = range.every((p) => p !== undefined);
  const prot = [0, 1, 3, 5][pick(4)]!;
  switch (pick(7)) {
    case 0:
    case 1: {
      const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
      expect(do_mmap(task, at, count * 4096, prot, flags, undefined, 0)).to.equal(at);
      for (let i = 0; i < count; i++) model[from + i] = { prot, value: 0 };
      return;
    }
    case 2:
      expect(do_munmap(task.mm, at, count * 4096)).to.equal(0);
      model.fill(undefined, from, from + count);
      return;
    case 3: {
      expect(do_mprotect(task, at, count * 4096, prot)).to.equal(whole ? 0 : -12);
      for (const p of range) {
        if (p === undefined) break;
        p.prot = prot;
      }
      return;
    }
    case 4:
      for (const [i, p] of range.entries()) {
        if (p === undefined || p.prot !== 3) continue;
        p.value = pick(256);
        expect(put_user_u8(task.mm, at + i * 4096 + 5, p.value)).to.equal(0);
      }
      return;
    case 5:
      expect(do_madvise(task, at, count * 4096, 4)).to.equal(whole ? 0 : -12);
      for (const p of range) if (p !== undefined) p.value = 0;
      return;
    default: {
      const to = pick(PAGES - count + 1);
      if (to + count > from && from + count > to) return;
      const vma = task.mm.vmaAt(at);
      const fits = vma !== undefined && at + count * 4096 <= vma.end;
      const result = do_mremap(task, at, count * 4096, count * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + to * 4096);
      // Whatever was there goes, even when the move then fails.
      model.fill(undefined, to, to + count);
      expect(result > 0).to.equal(fits);
      if (!fits) return;
      for (const [i, p] of range.entries()) model[to + i] = p;
      model.fill(undefined, from, from + count);
    }
  }
}

describe('random calls', () => {
  it('leave what a list of pages says, and no page behind', () => {
    for (let seed = 1n; seed <= 12n; seed++) {
      const machine = smallMachine();
      const task = machine.task();
      const random = new RandomPool(seed);
      const idle = machine.memory.inUse;
      const model: Model = new Array(PAGES).fill(undefined);
      for (let i = 0; i < 150; i++) {
        step(task, model, random);
        if (i % 10 === 0) check(task, model);
        if (i % 40 === 39) {
          const child = dup_mm(task.mm) as Mm;
          const childModel = model.map((p) => p && { ...p });
          const childTask = { ...task, mm: child } as Task;
          for (let k = 0; k < 20; k++) step(childTask, childModel, random);
          check(childTask, childModel);
          check(task, model);
          mmput(child);
        }
      }
      exit_mmap(task.mm);
      expect(machine.memory.inUse).to.equal(idle);
    }
  });
});

import { expect } from 'chai';
import { EACCES, EINVAL, ENOMEM } from '../../../linux/abi/errno.ts';
import { MAP_32BIT, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from '../../../linux/abi/mman.ts';
import { do_madvise, do_mincore } from '../../../linux/mm/madvise.ts';
import { do_brk, do_mmap, do_munmap, exit_mmap } from '../../../linux/mm/mmap.ts';
import { do_mprotect } from '../../../linux/mm/mprotect.ts';
import { copy_from_user, copy_to_user, get_user_u8, put_user_u8 } from '../../../linux/mm/uaccess.ts';
import type { Task } from '../../../linux/task/task.ts';
import { fakeFile, LIMITS, maps, smallMachine } from '../helpers/small-machine.ts';

const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
const anon = (task: Task, at: number, len: number, prot = 3, flags = 0): number =>
  do_mmap(task, at, len, prot, ANON | flags, undefined, 0);

describe('mmap', () => {
  it('goes down from mmap_base, each ABI from its own', () => {
    const machine = smallMachine();
    expect(anon(machine.task('64'), 0, 0x1000)).to.equal(0x7fff_f7ff_e000);
    expect(anon(machine.task('ia32'), 0, 0x1000)).to.equal(0xf7ff_d000);
    expect(anon(machine.task('x32'), 0, 0x1000)).to.equal(0xf7ff_d000);
  });

  it('goes up from the legacy base when the stack has no limit', () => {
    const limits = LIMITS.map((l, i) => (i === 3 ? { cur: l.max, max: l.max } : l));
    const machine = smallMachine();
    expect(anon(machine.task('64', limits), 0, 0x1000)).to.equal(0x2aaa_aaaa_b000);
    expect(anon(machine.task('ia32', limits), 0, 0x1000)).to.equal(0x5555_5000);
  });

  it('takes a free hint rounded down, and another place for one that is taken', () => {
    const task = smallMachine().task();
    expect(anon(task, 0x5000_0123, 0x2000)).to.equal(0x5000_0000);
    expect(anon(task, 0x5000_1000, 0x1000)).to.equal(0x7fff_f7ff_e000);
    expect(anon(task, 1, 0x1000)).to.equal(0x7fff_f7ff_d000);
  });

  it('places MAP_32BIT between 1 and 2 GiB, bottom-up', () => {
    const task = smallMachine().task();
    expect(anon(task, 0, 0x1000, 3, MAP_32BIT)).to.equal(0x4000_0000);
    expect(anon(task, 0, 0x1000, 3, MAP_32BIT)).to.equal(0x4000_1000);
  });

  it('refuses what does not fit', () => {
    const task = smallMachine().task('ia32');
    expect(anon(task, 0, 0)).to.equal(-EINVAL);
    expect(anon(task, 0, 0xffff_f000)).to.equal(-ENOMEM);
    expect(anon(task, 0xffff_e000, 0x1000, 3, MAP_FIXED)).to.equal(-ENOMEM);
    expect(anon(task, 0x1001, 0x1000, 3, MAP_FIXED)).to.equal(-EINVAL);
    expect(do_mmap(task, 0, 0x1000, 3, MAP_ANONYMOUS, undefined, 0)).to.equal(-EINVAL);
  });

  it('merges neighbours that are alike and splits what MAP_FIXED cuts', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x3000);
    anon(task, 0x1_3000, 0x1000);
    expect(maps(task.mm)).to.deep.equal(['10000-14000 rw-p']);
    anon(task, 0x1_1000, 0x1000, 1, MAP_FIXED);
    expect(maps(task.mm)).to.deep.equal(['10000-11000 rw-p', '11000-12000 r--p', '12000-14000 rw-p']);
    anon(task, 0x1_1000, 0x1000, 3, MAP_FIXED);
    expect(maps(task.mm)).to.deep.equal(['10000-14000 rw-p']);
  });

  it('does not merge two halves that were used apart', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x1000);
    anon(task, 0x1_2000, 0x1000);
    put_user_u8(task.mm, 0x1_0000, 1);
    put_user_u8(task.mm, 0x1_2000, 1);
    anon(task, 0x1_1000, 0x1000);
    expect(maps(task.mm)).to.have.length(2);
  });

  it('maps a file privately: reads share its frame, a write makes a copy', () => {
    const machine = smallMachine();
    const task = machine.task();
    const file = fakeFile(machine, 2);
    const at = do_mmap(task, 0, 0x2000, 3, MAP_PRIVATE, file, 0);
    expect(get_user_u8(task.mm, at + 0x1000)).to.equal(2);
    expect(put_user_u8(task.mm, at + 0x1000, 9)).to.equal(0);
    expect(get_user_u8(task.mm, at + 0x1000)).to.equal(9);
    expect(machine.memory.bytes[file.inode.pageFrame(1) * 4096]).to.equal(2);
    expect(file.dirty).to.deep.equal([]);
    expect(file.count).to.equal(2);
    do_munmap(task.mm, at, 0x2000);
    expect(file.count).to.equal(1);
  });

  it('maps a file shared: a write goes to its frame and marks it dirty', () => {
    const machine = smallMachine();
    const task = machine.task();
    const file = fakeFile(machine, 3);
    const at = do_mmap(task, 0, 0x2000, 3, MAP_SHARED, file, 0x1000);
    expect(get_user_u8(task.mm, at)).to.equal(2);
    put_user_u8(task.mm, at, 7);
    expect(machine.memory.bytes[file.inode.pageFrame(1) * 4096]).to.equal(7);
    expect(file.dirty).to.deep.equal([1]);
  });

  it('checks how the file was opened', () => {
    const machine = smallMachine();
    const task = machine.task();
    const readOnly = fakeFile(machine, 1, { writable: false });
    expect(do_mmap(task, 0, 0x1000, 3, MAP_SHARED, readOnly, 0)).to.equal(-EACCES);
    const at = do_mmap(task, 0, 0x1000, 1, MAP_SHARED, readOnly, 0);
    expect(do_mprotect(task, at, 0x1000, 3)).to.equal(-EACCES);
    expect(do_mmap(task, 0, 0x1000, 1, MAP_PRIVATE, fakeFile(machine, 1, { readable: false }), 0)).to.equal(-EACCES);
  });

  it('honours RLIMIT_AS and RLIMIT_DATA', () => {
    const limit = (index: number, pages: bigint) =>
      LIMITS.map((l, i) => (i === index ? { cur: pages * 4096n, max: pages * 4096n } : l));
    const task = smallMachine().task('64', limit(9, 2n));
    expect(anon(task, 0, 0x3000)).to.equal(-ENOMEM);
    expect(anon(task, 0, 0x2000)).to.be.greaterThan(0);
    const data = smallMachine().task('64', limit(2, 1n));
    expect(anon(data, 0, 0x2000)).to.equal(-ENOMEM);
    expect(anon(data, 0, 0x2000, 1)).to.be.greaterThan(0);
  });
});

describe('munmap', () => {
  it('cuts a hole and ignores what is not mapped', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x4000);
    expect(do_munmap(task.mm, 0x1_1000, 0x1000)).to.equal(0);
    expect(do_munmap(task.mm, 0x100_0000, 0x1000)).to.equal(0);
    expect(maps(task.mm)).to.deep.equal(['10000-11000 rw-p', '12000-14000 rw-p']);
    expect(do_munmap(task.mm, 0x1_0001, 0x1000)).to.equal(-EINVAL);
    expect(do_munmap(task.mm, 0x1_0000, 0)).to.equal(-EINVAL);
    expect(get_user_u8(task.mm, 0x1_1000)).to.equal(undefined);
  });

  it('gives the memory back', () => {
    const machine = smallMachine();
    const task = machine.task();
    const before = machine.memory.inUse;
    anon(task, 0x1_0000, 0x4_0000);
    copy_to_user(task.mm, 0x1_0000, new Uint8Array(0x4_0000).fill(1));
    expect(machine.memory.inUse).to.equal(before + 0x40);
    exit_mmap(task.mm);
    expect(maps(task.mm)).to.deep.equal([]);
    expect(machine.memory.inUse).to.equal(before);
    const again = machine.task();
    anon(again, 0x1_0000, 0x4_0000);
    copy_to_user(again.mm, 0x1_0000, new Uint8Array(0x4_0000));
    expect(machine.memory.inUse).to.equal(before + 0x40);
    expect(copy_from_user(again.mm, 0x1_0000, 0x4_0000)).to.deep.equal(new Uint8Array(0x4_0000));
  });
});

describe('mprotect', () => {
  it('splits, merges back and stops at a hole', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x4000);
    expect(do_mprotect(task, 0x1_1000, 0x2000, 1)).to.equal(0);
    expect(maps(task.mm)).to.deep.equal(['10000-11000 rw-p', '11000-13000 r--p', '13000-14000 rw-p']);
    expect(do_mprotect(task, 0x1_0000, 0x4000, 3)).to.equal(0);
    expect(maps(task.mm)).to.deep.equal(['10000-14000 rw-p']);
    expect(do_mprotect(task, 0x1_3000, 0x2000, 5)).to.equal(-ENOMEM);
    expect(maps(task.mm)).to.deep.equal(['10000-13000 rw-p', '13000-14000 r-xp']);
    expect(do_mprotect(task, 0x1_0000, 0x1000, 0x10)).to.equal(-EINVAL);
  });

  it('takes effect on pages that are there', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x1000);
    put_user_u8(task.mm, 0x1_0000, 5);
    do_mprotect(task, 0x1_0000, 0x1000, 1);
    expect(put_user_u8(task.mm, 0x1_0000, 6)).to.equal(-14);
    do_mprotect(task, 0x1_0000, 0x1000, 0);
    expect(get_user_u8(task.mm, 0x1_0000)).to.equal(undefined);
    do_mprotect(task, 0x1_0000, 0x1000, 3);
    expect(get_user_u8(task.mm, 0x1_0000)).to.equal(5);
  });
});

describe('brk', () => {
  it('grows, shrinks and stays when something is in the way', () => {
    const task = smallMachine().task();
    task.mm.startBrk = task.mm.brk = 0x60_0000;
    expect(do_brk(task, 0)).to.equal(0x60_0000);
    expect(do_brk(task, 0x60_1800)).to.equal(0x60_1800);
    expect(maps(task.mm)).to.deep.equal(['600000-602000 rw-p']);
    expect(do_brk(task, 0x60_0001)).to.equal(0x60_0001);
    expect(maps(task.mm)).to.deep.equal(['600000-601000 rw-p']);
    anon(task, 0x60_4000, 0x1000);
    expect(do_brk(task, 0x60_4000)).to.equal(0x60_0001);
    expect(do_brk(task, 0x60_3000)).to.equal(0x60_3000);
  });
});

describe('madvise and mincore', () => {
  it('DONTNEED forgets private pages; mincore tells what is there', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x2000);
    put_user_u8(task.mm, 0x1_0000, 5);
    anon(task, 0x2_0000, 0x1000);
    expect(do_mincore(task, 0x1_0000, 0x2000, 0x2_0000)).to.equal(0);
    expect(copy_from_user(task.mm, 0x2_0000, 2)).to.deep.equal(Uint8Array.of(1, 0));
    expect(do_madvise(task, 0x1_0000, 0x1000, 4)).to.equal(0);
    expect(get_user_u8(task.mm, 0x1_0000)).to.equal(0);
    expect(do_madvise(task, 0x1_0000, 0x3000, 4)).to.equal(-ENOMEM);
    expect(do_madvise(task, 0x1_0000, 0x1000, 99)).to.equal(-EINVAL);
  });

  it('DONTDUMP splits the mapping', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x3000);
    do_madvise(task, 0x1_1000, 0x1000, 16);
    expect(maps(task.mm)).to.have.length(3);
    do_madvise(task, 0x1_1000, 0x1000, 17);
    expect(maps(task.mm)).to.have.length(1);
  });
});

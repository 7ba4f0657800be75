import { expect } from 'chai';
import { EFAULT, EINVAL, ENOMEM } from '../../../linux/abi/errno.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE, MREMAP_FIXED, MREMAP_MAYMOVE } from '../../../linux/abi/mman.ts';
import { do_mmap } from '../../../linux/mm/mmap.ts';
import { do_mremap } from '../../../linux/mm/mremap.ts';
import { get_user_u8, put_user_u8 } from '../../../linux/mm/uaccess.ts';
import type { Task } from '../../../linux/task/task.ts';
import { maps, smallMachine } from '../helpers/small-machine.ts';

const anon = (task: Task, at: number, len: number): number =>
  do_mmap(task, at, len, 3, MAP_PRIVATE | MAP_ANONYMOUS, undefined, 0);
const FIXED = MREMAP_MAYMOVE | MREMAP_FIXED;

describe('mremap', () => {
  it('grows in place, moves when it must, and shrinks', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x1000);
    put_user_u8(task.mm, 0x1_0000, 7);
    expect(do_mremap(task, 0x1_0000, 0x1000, 0x2000, 0, 0)).to.equal(0x1_0000);
    expect(maps(task.mm)).to.deep.equal(['10000-12000 rw-p']);
    do_mmap(task, 0x1_2000, 0x1000, 1, MAP_PRIVATE | MAP_ANONYMOUS, undefined, 0);
    expect(do_mremap(task, 0x1_0000, 0x2000, 0x3000, 0, 0)).to.equal(-ENOMEM);
    const moved = do_mremap(task, 0x1_0000, 0x2000, 0x3000, MREMAP_MAYMOVE, 0);
    expect(moved).to.equal(0x7fff_f7ff_c000);
    expect(get_user_u8(task.mm, moved)).to.equal(7);
    expect(get_user_u8(task.mm, 0x1_0000)).to.equal(undefined);
    expect(do_mremap(task, moved, 0x3000, 0x1000, 0, 0)).to.equal(moved);
    expect(maps(task.mm)).to.deep.equal(['12000-13000 r--p', '7ffff7ffc000-7ffff7ffd000 rw-p']);
  });

  it('moves to a fixed place over what is there, and remembers where the memory was first', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x2000);
    anon(task, 0x5_0000, 0x2000);
    put_user_u8(task.mm, 0x1_0000, 7);
    expect(do_mremap(task, 0x1_0000, 0x1000, 0x1000, FIXED, 0x5_0000)).to.equal(0x5_0000);
    expect(get_user_u8(task.mm, 0x5_0000)).to.equal(7);
    expect(maps(task.mm)).to.deep.equal(['11000-12000 rw-p', '50000-51000 rw-p', '51000-52000 rw-p']);
  });

  it('refuses nonsense', () => {
    const task = smallMachine().task();
    anon(task, 0x1_0000, 0x2000);
    expect(do_mremap(task, 0x1_0000, 0x2000, 0x2000, 4, 0)).to.equal(-EINVAL);
    expect(do_mremap(task, 0x1_0000, 0x2000, 0x2000, MREMAP_FIXED, 0x5_0000)).to.equal(-EINVAL);
    expect(do_mremap(task, 0x1_0001, 0x2000, 0x2000, 0, 0)).to.equal(-EINVAL);
    expect(do_mremap(task, 0x1_0000, 0x2000, 0, 0, 0)).to.equal(-EINVAL);
    expect(do_mremap(task, 0x1_0000, 0x2000, 0x2000, FIXED, 0x1_1000)).to.equal(-EINVAL);
    expect(do_mremap(task, 0x9_0000, 0x1000, 0x2000, 0, 0)).to.equal(-EFAULT);
    expect(do_mremap(task, 0x1_1000, 0x2000, 0x3000, 0, 0)).to.equal(-EFAULT);
  });
});

import { expect } from 'chai';
import { Access, PERM_R, PERM_W, PERM_X, PF_INSTR, PF_PRESENT, PF_USER, PF_WRITE } from '../../../cpu/mmu.ts';
import { MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_PRIVATE, MAP_SHARED } from '../../../linux/abi/mman.ts';
import { asAddr } from '../../../linux/addr.ts';
import { dup_mm } from '../../../linux/mm/dup.ts';
import { classifyFault, VSYSCALL_VPN } from '../../../linux/mm/fault.ts';
import type { Mm } from '../../../linux/mm/mm.ts';
import { do_mmap } from '../../../linux/mm/mmap.ts';
import {
  access_process_vm,
  copy_from_user,
  copy_to_user,
  get_user_u8,
  put_user_u8,
  strncpy_from_user,
} from '../../../linux/mm/uaccess.ts';
import { VM_GROWSDOWN, VM_READ, VM_WRITE, Vma } from '../../../linux/mm/vma.ts';
import { fakeFile, maps, smallMachine } from '../helpers/small-machine.ts';

const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
const frameOf = (translation: number): number => Math.floor(translation / 8);

describe('page faults', () => {
  it('give zeroed pages, neighbours in neighbouring frames', () => {
    const task = smallMachine().task();
    do_mmap(task, 0x10_0000, 0x2_0000, 7, ANON, undefined, 0);
    const first = task.mm.translate(0x100, Access.Read);
    const fourth = task.mm.translate(0x103, Access.Write);
    expect(first % 8).to.equal(PERM_R + PERM_W + PERM_X);
    expect(frameOf(fourth)).to.equal(frameOf(first) + 3);
  });

  it('carry the error code of the hardware', () => {
    const machine = smallMachine();
    const task = machine.task();
    const { mm } = task;
    do_mmap(task, 0x10_0000, 0x1000, 1, ANON, undefined, 0);
    expect(mm.translate(0x100, Access.Write)).to.equal(-1 - (PF_USER + PF_WRITE));
    mm.translate(0x100, Access.Read);
    expect(mm.translate(0x100, Access.Write)).to.equal(-1 - (PF_USER + PF_WRITE + PF_PRESENT));
    expect(mm.translate(0x100, Access.Fetch)).to.equal(-1 - (PF_USER + PF_INSTR + PF_PRESENT));
    expect(mm.translate(0x101, Access.Read)).to.equal(-1 - PF_USER);
    expect(classifyFault(mm, 0x10_1000, PF_USER)).to.deep.include({ sig: 11, code: 1 });
    expect(classifyFault(mm, 0x10_0000, PF_USER + PF_WRITE)).to.deep.include({ sig: 11, code: 2 });
    expect(classifyFault(mm, 0xffff_8000_0000_0000n, PF_USER)).to.deep.equal({ sig: 11, code: 1, errorCode: 5 });
  });

  it('are SIGBUS beyond the end of a file', () => {
    const machine = smallMachine();
    const task = machine.task();
    const at = do_mmap(task, 0, 0x2000, 1, MAP_PRIVATE, fakeFile(machine, 1), 0);
    expect(task.mm.translate(at / 4096 + 1, Access.Read)).to.equal(-1 - PF_USER);
    expect(classifyFault(task.mm, at + 0x1000, PF_USER)).to.deep.include({ sig: 7, code: 2 });
  });

  it('grow a stack to its limit, a page ahead as the guard', () => {
    const task = smallMachine().task();
    const { mm } = task;
    const top = 0x7fff_0000_0000;
    mm.vmas.push(
      new Vma(asAddr(top - 0x2000), asAddr(top), VM_READ | VM_WRITE | VM_GROWSDOWN | 0x70, (top - 0x2000) / 4096),
    );
    expect(put_user_u8(mm, top - 0x8000, 1)).to.equal(0);
    expect(mm.vmas[0]!.start).to.equal(top - 0x9000);
    expect(put_user_u8(mm, top - 0x80_0000, 1)).to.equal(-14);
    expect(put_user_u8(mm, top - 0x7f_f000, 1)).to.equal(0);
    expect(do_mmap(task, top, 0x1000, 3, ANON | MAP_GROWSDOWN, undefined, 0)).to.equal(top);
  });

  it('know the vsyscall page of 64-bit programs only', () => {
    const machine = smallMachine();
    const { mm } = machine.task();
    const frame = frameOf(mm.translate(VSYSCALL_VPN, Access.Read));
    expect([...machine.memory.bytes.subarray(frame * 4096, frame * 4096 + 3)]).to.deep.equal([0x48, 0xc7, 0xc0]);
    expect(mm.translate(VSYSCALL_VPN, Access.Fetch)).to.equal(-1 - (PF_USER + PF_INSTR + PF_PRESENT));
    expect(machine.task('ia32').mm.translate(VSYSCALL_VPN, Access.Read)).to.be.lessThan(0);
  });
});

describe('fork', () => {
  it('shares private pages until somebody writes', () => {
    const machine = smallMachine();
    const task = machine.task();
    do_mmap(task, 0x10_0000, 0x2000, 3, ANON, undefined, 0);
    put_user_u8(task.mm, 0x10_0000, 1);
    const child = dup_mm(task.mm) as Mm;
    const frame = frameOf(task.mm.translate(0x100, Access.Read));
    expect(frameOf(child.translate(0x100, Access.Read))).to.equal(frame);
    expect(child.translate(0x100, Access.Read) % 8).to.equal(PERM_R);
    put_user_u8(child, 0x10_0000, 2);
    expect(get_user_u8(task.mm, 0x10_0000)).to.equal(1);
    expect(frameOf(task.mm.translate(0x100, Access.Write))).to.equal(frame);
    expect(task.mm.translate(0x100, Access.Write) % 8).to.equal(PERM_R + PERM_W);
    expect(machine.kernel.frames.count(frame)).to.equal(1);
  });

  it('shares the pages of shared mappings for good', () => {
    const machine = smallMachine();
    const task = machine.task();
    const file = fakeFile(machine, 1);
    const at = do_mmap(task, 0, 0x1000, 3, MAP_SHARED, file, 0);
    const child = dup_mm(task.mm) as Mm;
    put_user_u8(child, at, 42);
    expect(get_user_u8(task.mm, at)).to.equal(42);
    expect(file.count).to.equal(3);
  });
});

describe('access_process_vm', () => {
  it('writes read-only private memory on a copy', () => {
    const machine = smallMachine();
    const task = machine.task();
    const file = fakeFile(machine, 1);
    const at = do_mmap(task, 0, 0x1000, 5, MAP_PRIVATE, file, 0);
    expect(access_process_vm(task.mm, at, Uint8Array.of(0xcc))).to.equal(1);
    expect(get_user_u8(task.mm, at)).to.equal(0xcc);
    expect(machine.memory.bytes[file.inode.pageFrame(0) * 4096]).to.equal(1);
    expect(put_user_u8(task.mm, at, 0)).to.equal(-14);
    expect(task.mm.translate(at / 4096, Access.Fetch) % 8).to.equal(PERM_R + PERM_X);
  });

  it('reads as far as there is memory', () => {
    const task = smallMachine().task();
    do_mmap(task, 0x10_0000, 0x1000, 0, ANON, undefined, 0);
    expect(access_process_vm(task.mm, 0x10_0ff0, 0x20)).to.have.length(0x10);
    expect(access_process_vm(task.mm, 0x20_0000, 4)).to.have.length(0);
    expect(maps(task.mm)).to.deep.equal(['100000-101000 ---p']);
  });
});

describe('uaccess', () => {
  it('copies across pages, and strings up to their NUL', () => {
    const task = smallMachine().task();
    do_mmap(task, 0x10_0000, 0x2000, 3, ANON, undefined, 0);
    expect(copy_to_user(task.mm, 0x10_0ffd, Buffer.from('hello\0'))).to.equal(0);
    expect(strncpy_from_user(task.mm, 0x10_0ffd, 4096)).to.equal('hello');
    expect(strncpy_from_user(task.mm, 0x10_0ffd, 3)).to.equal(-36);
    expect(strncpy_from_user(task.mm, 0x30_0000, 3)).to.equal(-14);
    expect(copy_from_user(task.mm, 0x10_1ffe, 4)).to.equal(-14);
    expect(copy_from_user(task.mm, 0x7fff_ffff_f000, 1)).to.equal(-14);
  });
});

import { expect } from 'chai';
import { readElfHeader, readProgramHeaders } from '../../../linux/abi/elf.ts';
import { access_process_vm, copy_from_user } from '../../../linux/mm/uaccess.ts';
import { vdsoFromImage, vdsoShipped } from '../../../linux/vdso/config.ts';
import type { VdsoImage } from '../../../linux/vdso/image.ts';
import { arch_setup_additional_pages } from '../../../linux/vdso/map.ts';
import { maps, smallMachine } from '../helpers/small-machine.ts';

const bytesAt = (image: VdsoImage, at: number, count: number): string =>
  Buffer.from(image.bytes.subarray(at, at + count)).toString('hex');
const soname = (image: VdsoImage): boolean =>
  Buffer.from(image.bytes).includes(image.kind === '32' ? 'linux-gate.so.1\0' : 'linux-vdso.so.1\0');

describe('the vDSO images', () => {
  const { image64, image32, imageX32 } = vdsoShipped('amd');

  it('have one PT_LOAD, PT_DYNAMIC, PT_NOTE and PT_GNU_EH_FRAME each', () => {
    for (const image of [image64!, image32!, imageX32!]) {
      const header = readElfHeader(image.bytes)!;
      const types = readProgramHeaders(image.bytes, header).map((p) => p.type);
      expect(types).to.deep.equal([1, 2, 4, 0x6474_e550]);
      expect(image.size % 4096).to.equal(0);
      expect(soname(image)).to.equal(true);
    }
    expect(image64!.size).to.equal(0x2000);
    expect(image32!.size).to.equal(0x1000);
    expect([image64!.kind, image32!.kind, imageX32!.kind]).to.deep.equal(['64', '32', 'x32']);
  });

  it('offer the functions of Linux, and what images of later kernels use', () => {
    const names = (image: VdsoImage): string[] =>
      [...image.symbols.all.keys()].filter((n) => !n.startsWith('LINUX')).sort();
    expect(names(image64!)).to.deep.equal([
      '__vdso_clock_gettime',
      '__vdso_getcpu',
      '__vdso_gettimeofday',
      '__vdso_time',
      'clock_gettime',
      'getcpu',
      'gettimeofday',
      'time',
    ]);
    expect(names(image32!)).to.deep.equal([
      '__kernel_rt_sigreturn',
      '__kernel_sigreturn',
      '__kernel_vsyscall',
      '__vdso_clock_getres',
      '__vdso_clock_gettime',
      '__vdso_clock_gettime64',
      '__vdso_getcpu',
      '__vdso_gettimeofday',
      '__vdso_time',
    ]);
    expect(names(imageX32!)).to.include('__vdso_clock_gettime');
  });

  it('have the bytes that gdb, libgcc and CRIU look for', () => {
    const { symbols } = image32!;
    expect(bytesAt(image32!, symbols.__kernel_sigreturn!, 8)).to.equal('58b877000000cd80');
    expect(bytesAt(image32!, symbols.__kernel_rt_sigreturn!, 7)).to.equal('b8ad000000cd80');
    expect(bytesAt(image32!, symbols.int80_landing_pad!, 4)).to.equal('5d5a59c3');
    expect(readElfHeader(image32!.bytes)!.entry).to.equal(symbols.__kernel_vsyscall);
  });

  it('enter the kernel by the fast instruction of the CPU', () => {
    const call = (vendor: 'amd' | 'intel' | 'any'): string => {
      const image = vdsoShipped(vendor).image32!;
      return bytesAt(image, image.symbols.__kernel_vsyscall!, 13);
    };
    expect(call('amd')).to.equal('51525589cd0f05cd805d5a59c3');
    expect(call('any')).to.equal('51525589cd0f05cd805d5a59c3');
    expect(call('intel')).to.equal('51525589e50f34cd805d5a59c3');
  });

  it('can come from a CRIU image, with its own number of vvar pages', () => {
    const config = vdsoFromImage(undefined, image32!.bytes, 6);
    expect(config.image32!.symVvarStart).to.equal(-0x6000);
    expect(config.image32!.symbols).to.deep.equal(image32!.symbols);
    const machine = smallMachine({ vdso: config });
    const task = machine.task('ia32');
    expect(arch_setup_additional_pages(task)).to.equal(0);
    expect(maps(task.mm)).to.deep.equal(['f7ff7000-f7ffd000 r--p [vvar]', 'f7ffd000-f7ffe000 r-xp [vdso]']);
    expect(copy_from_user(task.mm, 0xf7ff_7000, 16)).to.deep.equal(new Uint8Array(16));
  });
});

describe('exec maps [vvar] and [vdso]', () => {
  it('below mmap_base for each ABI', () => {
    const machine = smallMachine();
    const place = (abi: '64' | 'ia32' | 'x32'): string[] => {
      const task = machine.task(abi);
      expect(arch_setup_additional_pages(task)).to.equal(0);
      return maps(task.mm);
    };
    expect(place('64')).to.deep.equal([
      '7ffff7ffb000-7ffff7ffd000 r--p [vvar]',
      '7ffff7ffd000-7ffff7fff000 r-xp [vdso]',
    ]);
    expect(place('ia32')).to.deep.equal(['f7ffb000-f7ffd000 r--p [vvar]', 'f7ffd000-f7ffe000 r-xp [vdso]']);
    expect(place('x32')).to.deep.equal(['f7ffb000-f7ffd000 r--p [vvar]', 'f7ffd000-f7ffe000 r-xp [vdso]']);
  });

  it('with the clock offsets in [vvar], which a tracer cannot read', () => {
    const task = smallMachine().task();
    arch_setup_additional_pages(task);
    const vvar = task.mm.vdso! - 0x2000;
    const words = copy_from_user(task.mm, vvar, 16) as Uint8Array;
    expect(new DataView(words.buffer).getBigUint64(0, true)).to.equal(1_000_000_000n);
    expect(access_process_vm(task.mm, vvar, 16)).to.have.length(0);
    expect(Buffer.from(access_process_vm(task.mm, task.mm.vdso!, 4)).toString('latin1')).to.equal('\x7fELF');
  });

  it('not at all when the vDSO is off', () => {
    const task = smallMachine({ vdso: { ...vdsoShipped(), vdso32Enabled: false } }).task('ia32');
    expect(arch_setup_additional_pages(task)).to.equal(0);
    expect(task.mm.vmas).to.have.length(0);
  });
});

import { expect } from 'chai';
import { EEXIST, EFAULT, EINVAL, ENOMEM } from '../../../linux/abi/errno.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MREMAP_FIXED, MREMAP_MAYMOVE } from '../../../linux/abi/mman.ts';
import { ARCH_MAP_VDSO_32, ARCH_MAP_VDSO_64, ARCH_MAP_VDSO_X32 } from '../../../linux/abi/prctl.ts';
import { sys_arch_prctl } from '../../../linux/entry/arch-prctl.ts';
import { do_mmap, do_munmap } from '../../../linux/mm/mmap.ts';
import { do_mremap } from '../../../linux/mm/mremap.ts';
import { copy_from_user, get_user_u8 } from '../../../linux/mm/uaccess.ts';
import { bootOps } from '../../../linux/patches/series.ts';
import type { Task } from '../../../linux/task/task.ts';
import { TS_COMPAT } from '../../../linux/task/thread-info.ts';
import { vdsoShipped } from '../../../linux/vdso/config.ts';
import { arch_setup_additional_pages } from '../../../linux/vdso/map.ts';
import { maps, type SmallMachine, smallMachine } from '../helpers/small-machine.ts';

const FIXED = MREMAP_MAYMOVE | MREMAP_FIXED;

function machineOf(kernel: string, patches = 'all'): SmallMachine {
  return smallMachine({ ops: bootOps(kernel, patches) });
}

function withVdso(machine: SmallMachine, abi: '64' | 'ia32'): Task {
  const task = machine.task(abi);
  arch_setup_additional_pages(task);
  return task;
}

/** As the restorer does it: nothing is left of the program's vDSO. */
function bare(machine: SmallMachine): Task {
  const task = withVdso(machine, '64');
  for (const vma of [...task.mm.vmas]) do_munmap(task.mm, vma.start, vma.end - vma.start);
  return task;
}

describe('base: mremap hook', () => {
  const move = (patches: string, compat: boolean): Task => {
    const machine = machineOf('compat-cr', patches);
    const task = withVdso(machine, 'ia32');
    const pad = machine.kernel.vdso.image32!.symbols.int80_landing_pad!;
    task.regs.rip = BigInt(task.mm.vdso! + pad);
    if (compat) task.threadInfo.status = TS_COMPAT;
    const from = task.mm.vdso!;
    expect(do_mremap(task, from, 0x1000, 0x1000, FIXED, 0x5000_0000)).to.equal(0x5000_0000);
    return task;
  };

  it('before: context.vdso and the landing place stay behind', () => {
    const task = move('none', true);
    expect(task.mm.vdso).to.equal(0xf7ff_d000);
    expect(task.regs.rip).to.equal(0xf7ff_d000n + BigInt(vdsoShipped().image32!.symbols.int80_landing_pad!));
  });

  it('after: both follow', () => {
    const task = move('base', true);
    expect(task.mm.vdso).to.equal(0x5000_0000);
    expect(task.regs.rip).to.equal(0x5000_0000n + BigInt(vdsoShipped().image32!.symbols.int80_landing_pad!));
  });

  it('after: only a 32-bit system call lands at the new place', () => {
    const task = move('base', false);
    expect(task.mm.vdso).to.equal(0x5000_0000);
    expect(task.regs.rip).to.equal(0xf7ff_d000n + BigInt(vdsoShipped().image32!.symbols.int80_landing_pad!));
  });

  it('refuses to move a part, and leaves the old mapping whole', () => {
    for (const [patches, result] of [
      ['none', 0x5000_0000],
      ['base', -EINVAL],
    ] as const) {
      const task = withVdso(machineOf('compat-cr', patches), '64');
      const vdso = task.mm.vdso!;
      const before = maps(task.mm);
      expect(do_mremap(task, vdso, 0x1000, 0x1000, FIXED, 0x5000_0000)).to.equal(result);
      if (result < 0) {
        expect(get_user_u8(task.mm, vdso)).to.equal(0x7f);
        expect(maps(task.mm).length).to.be.at.least(before.length);
        expect(get_user_u8(task.mm, 0x5000_0000)).to.equal(undefined);
      }
    }
  });

  it('does not ask [vvar], and lets nobody grow either', () => {
    const task = withVdso(machineOf('compat-cr'), '64');
    const vdso = task.mm.vdso!;
    expect(do_mremap(task, vdso, 0x2000, 0x3000, MREMAP_MAYMOVE, 0)).to.equal(-EFAULT);
    expect(do_mremap(task, vdso - 0x2000, 0x1000, 0x1000, FIXED, 0x6000_0000)).to.equal(0x6000_0000);
    expect(task.mm.vdso).to.equal(vdso);
    expect(do_mremap(task, vdso, 0x2000, 0x1000, 0, 0)).to.equal(vdso);
    expect(do_mremap(task, vdso, 0x1000, 0x1000, FIXED, 0x5000_0000)).to.equal(-EINVAL);
  });
});

describe('0001: unmap [vdso] when [vvar] fails', () => {
  const fail = (kernel: string, patches: string): Task => {
    const machine = machineOf(kernel, patches);
    const task = bare(machine);
    machine.kernel.faults.failVvarOnce = true;
    expect(sys_arch_prctl(task, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(-ENOMEM);
    expect(task.mm.vdso).to.equal(undefined);
    return task;
  };

  it('before: the text stays', () => {
    expect(maps(fail('compat-cr', '0002,0003').mm)).to.deep.equal(['50002000-50003000 r-xp [vdso]']);
  });

  it('after: nothing stays; as merged the image is forgotten too', () => {
    const posted = fail('compat-cr', '0001,0002,0003');
    expect(maps(posted.mm)).to.deep.equal([]);
    expect(posted.mm.vdsoImage?.kind).to.equal('32');
    expect(fail('v4.9', 'all').mm.vdsoImage).to.equal(undefined);
  });

  it('works again the next time', () => {
    const task = fail('compat-cr', 'all');
    expect(sys_arch_prctl(task, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(0);
  });
});

describe('0002: map_vdso() takes an address', () => {
  it('changes nothing that a program sees', () => {
    for (const abi of ['64', 'ia32', 'x32'] as const) {
      const [before, after] = ['none', '0002'].map((patches) => {
        const task = machineOf('compat-cr', patches).task(abi);
        return [arch_setup_additional_pages(task), task.mm.vdso, maps(task.mm)];
      });
      expect(after).to.deep.equal(before);
    }
  });

  it('neither where a vDSO is off', () => {
    const shipped = vdsoShipped();
    for (const [abi, vdso, pieces] of [
      ['ia32', { ...shipped, vdso32Enabled: false }, 0],
      ['ia32', { ...shipped, vdso64Enabled: false }, 2],
      ['64', { ...shipped, vdso64Enabled: false }, 0],
      ['64', { ...shipped, vdso32Enabled: false }, 2],
      ['x32', { ...shipped, vdso64Enabled: false }, 0],
      ['x32', { ...shipped, vdso32Enabled: false }, 2],
    ] as const) {
      for (const patches of ['none', '0002']) {
        const task = smallMachine({ ops: bootOps('compat-cr', patches), vdso }).task(abi);
        expect(arch_setup_additional_pages(task)).to.equal(0);
        expect(task.mm.vmas).to.have.length(pieces);
      }
    }
  });
});

describe('0003: ARCH_MAP_VDSO_*', () => {
  it('before: -EINVAL', () => {
    const task = bare(machineOf('v4.7-rc1'));
    expect(sys_arch_prctl(task, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(-EINVAL);
    expect(maps(task.mm)).to.deep.equal([]);
  });

  it('after: [vvar] at the address, [vdso] behind it, and context.vdso is the new one', () => {
    const task = bare(machineOf('compat-cr'));
    expect(sys_arch_prctl(task, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(0);
    expect(maps(task.mm)).to.deep.equal(['50000000-50002000 r--p [vvar]', '50002000-50003000 r-xp [vdso]']);
    expect(task.mm.vdso).to.equal(0x5000_2000);
    expect(copy_from_user(task.mm, 0x5000_2000, 5)).to.deep.equal(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1));
  });

  it('returns 0 as posted, the size of the image as merged', () => {
    expect(sys_arch_prctl(bare(machineOf('compat-cr')), ARCH_MAP_VDSO_64, 0)).to.equal(0);
    expect(sys_arch_prctl(bare(machineOf('v4.9')), ARCH_MAP_VDSO_64, 0)).to.equal(0x2000);
    expect(sys_arch_prctl(bare(machineOf('v4.9')), ARCH_MAP_VDSO_32, 0)).to.equal(0x1000);
    expect(sys_arch_prctl(bare(machineOf('v4.9')), ARCH_MAP_VDSO_X32, 0)).to.equal(0x1000);
  });

  it('as posted maps a second vDSO, as merged refuses while a piece of one is there', () => {
    const twice = withVdso(machineOf('compat-cr'), '64');
    const old = twice.mm.vdso!;
    expect(get_user_u8(twice.mm, old + 4)).to.equal(2);
    expect(sys_arch_prctl(twice, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(0);
    expect(twice.mm.vmas).to.have.length(4);
    expect(twice.mm.vdso).to.equal(0x5000_2000);
    // The old mapping keeps the page that was read; the other one comes from an image that has no second page.
    expect(get_user_u8(twice.mm, old + 4)).to.equal(2);
    expect(get_user_u8(twice.mm, old + 0x1000)).to.equal(undefined);

    const once = withVdso(machineOf('v4.9'), '64');
    expect(sys_arch_prctl(once, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(-EEXIST);
    do_munmap(once.mm, once.mm.vdso!, 0x2000);
    expect(sys_arch_prctl(once, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(-EEXIST);
  });

  it('takes the address as a hint, rounded up', () => {
    const task = bare(machineOf('compat-cr'));
    expect(sys_arch_prctl(task, ARCH_MAP_VDSO_32, 0x5000_0001)).to.equal(0);
    expect(task.mm.vdso).to.equal(0x5000_3000);
    const taken = bare(machineOf('compat-cr'));
    do_mmap(taken, 0x5000_1000, 0x1000, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, undefined, 0);
    expect(sys_arch_prctl(taken, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(0);
    expect(taken.mm.vdso).to.equal(0x7fff_f7ff_e000);
    const beyond = bare(machineOf('compat-cr'));
    expect(sys_arch_prctl(beyond, ARCH_MAP_VDSO_32, 0x7fff_ffff_f000)).to.equal(0);
    expect(beyond.mm.vdso).to.equal(0x7fff_f7ff_e000);
  });

  it('maps nothing, and says 0, when the 32-bit vDSO is off (as posted)', () => {
    const machine = smallMachine({ ops: bootOps('compat-cr'), vdso: { ...vdsoShipped(), vdso32Enabled: false } });
    const task = bare(machine);
    expect(sys_arch_prctl(task, ARCH_MAP_VDSO_32, 0)).to.equal(0);
    expect(maps(task.mm)).to.deep.equal([]);
  });

  it('nor a 64-bit or x32 one when those are off; as merged they come', () => {
    const vdso = { ...vdsoShipped(), vdso64Enabled: false };
    for (const [code, size] of [
      [ARCH_MAP_VDSO_64, 0x2000],
      [ARCH_MAP_VDSO_X32, 0x1000],
    ] as const) {
      const posted = bare(smallMachine({ ops: bootOps('compat-cr'), vdso }));
      expect(sys_arch_prctl(posted, code, 0)).to.equal(0);
      expect(maps(posted.mm)).to.deep.equal([]);
      const merged = bare(smallMachine({ ops: bootOps('v4.9'), vdso }));
      expect(sys_arch_prctl(merged, code, 0x5000_0000)).to.equal(size);
      expect(maps(merged.mm)).to.have.length(2);
      // The i386 one is another switch's.
      const other = bare(smallMachine({ ops: bootOps('compat-cr'), vdso }));
      expect(sys_arch_prctl(other, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(0);
      expect(maps(other.mm)).to.have.length(2);
    }
  });

  it('as merged maps it although it is off', () => {
    const machine = smallMachine({ ops: bootOps('v4.9'), vdso: { ...vdsoShipped(), vdso32Enabled: false } });
    const task = bare(machine);
    expect(sys_arch_prctl(task, ARCH_MAP_VDSO_32, 0x5000_0000)).to.equal(0x1000);
    expect(maps(task.mm)).to.deep.equal(['50000000-50002000 r--p [vvar]', '50002000-50003000 r-xp [vdso]']);
  });

  it('is -EINVAL for an image that is not configured, and for an unknown code', () => {
    const machine = smallMachine({ ops: bootOps('compat-cr'), vdso: { ...vdsoShipped(), imageX32: undefined } });
    const task = bare(machine);
    expect(sys_arch_prctl(task, ARCH_MAP_VDSO_X32, 0)).to.equal(-EINVAL);
    expect(sys_arch_prctl(task, 0x2004, 0)).to.equal(-EINVAL);
  });
});

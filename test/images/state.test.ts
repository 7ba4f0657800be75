import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ImageDir } from '../../criu/image-dir.ts';
import { loadBlob } from '../../criu/restore/blob.ts';
import type { Task } from '../../linux/task/task.ts';
import { unpackImageSet } from '../helpers/image-sets.ts';
import { restoreSet } from './machine.ts';

const rows = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [range, prot, offset, , , name] = line.split(/ +/);
      return [range, prot, offset, name ?? ''].join(' ').trim();
    });

/**
 * The maps of the dump as this kernel prints them: one [vvar] where later ones have two mappings, a stack without its lowest
 * page, which is its guard, and no border between a RELRO segment and its neighbour, as mappings merge.
 */
function mapsAtDump(set: string): string[] {
  const lines: string[] = [];
  for (const line of rows(readFileSync(join(set, 'maps.at-dump.txt'), 'utf8'))) {
    const [range, prot, offset, name] = line.replace('[vvar_vclock]', '[vvar]').split(' ');
    const [start, end] = range!.split('-');
    const before = lines.at(-1)?.split(' ');
    const joins = name === '[vvar]' || follows(before, start!, offset!);
    if (name !== undefined && before?.[3] === name && before[1] === prot && joins) {
      lines.splice(-1, 1, `${before[0]!.split('-')[0]}-${end} ${prot} ${before[2]} ${name}`);
    } else {
      const shown = name === '[stack]' ? (Number.parseInt(start!, 16) + 4096).toString(16) : start;
      lines.push(`${shown}-${end} ${prot} ${offset} ${name ?? ''}`.trim());
    }
  }
  return lines;
}

/** In memory and in the file. */
function follows(before: readonly string[] | undefined, start: string, offset: string): boolean {
  const [first, end] = before?.[0]?.split('-').map((hex) => Number.parseInt(hex, 16)) ?? [0, 0];
  const size = Number.parseInt(offset, 16) - Number.parseInt(before?.[2] ?? '0', 16);
  return end === Number.parseInt(start, 16) && first! + size === end;
}

function runTo(machine: ReturnType<typeof restoreSet>, task: Task, address: number): void {
  machine.kernel.cpu.addBreakpoint(task.mm, address);
  expect(machine.run(), machine.log()).to.include({ kind: 'breakpoint', address });
  machine.kernel.cpu.removeBreakpoint(task.mm, address);
}

for (const name of ['counter32-norseq', 'counter32-dynamic', 'counter64-avx2', 'fpu32']) {
  describe(`the task of ${name} when the restorer has left it`, () => {
    let set: ReturnType<typeof unpackImageSet>;
    let machine: ReturnType<typeof restoreSet>;
    let task: Task;
    before(() => {
      set = unpackImageSet(name);
      machine = restoreSet(set.path, { vdso: 'image' });
      task = [...machine.kernel.tasks.values()][0]!;
      const dir = ImageDir.open(join(set.path, 'images'));
      runTo(machine, task, Number(dir.core(task.pid).thread_info!.gpregs.ip));
    });
    after(() => set.remove());

    it('has the memory map of the dump, and nothing of the restorer', () => {
      const maps = rows(machine.read(`/proc/${task.pid}/maps`)).filter((line) => !line.endsWith('[vsyscall]'));
      expect(maps).to.deep.equal(mapsAtDump(set.path).filter((line) => !line.endsWith('[vsyscall]')));
    });

    it('has the registers of the image', () => {
      const { gpregs, tls } = ImageDir.open(join(set.path, 'images')).core(task.pid).thread_info!;
      const { regs } = task;
      const names = ['bp', 'bx', 'ax', 'cx', 'dx', 'si', 'di', 'sp'] as const;
      for (const register of names) {
        expect(regs[`r${register}`], register).to.equal(gpregs[register]);
      }
      expect([regs.cs, regs.ss]).to.deep.equal([Number(gpregs.cs), Number(gpregs.ss)]);
      expect([regs.fsBase & 0xffffn, regs.rflags & 0xcd5n]).to.deep.equal([
        gpregs.fs_base & 0xffffn,
        gpregs.flags & 0xcd5n,
      ]);
      if (gpregs.gs !== 0n) {
        expect(regs.gs).to.equal(Number(gpregs.gs));
        expect(regs.gsBase).to.equal(BigInt(tls[0]!.base_addr));
      }
    });

    it('has its own names, program and descriptors', () => {
      const dir = ImageDir.open(join(set.path, 'images'));
      const mm = dir.mm(task.pid);
      expect(task.comm).to.equal(dir.core(task.pid).tc?.comm);
      expect(task.mm.exeFile?.path).to.equal(dir.files().get(mm.exe_file_id)?.reg?.name);
      expect([...task.files.numbers()]).to.deep.equal(dir.fdinfo(dir.ids(task.pid).files_id).map((each) => each.fd));
      expect(BigInt(task.mm.brk)).to.equal(mm.mm_brk);
    });
  });
}

describe('the restorer in the guest', () => {
  let set: ReturnType<typeof unpackImageSet>;
  before(() => {
    set = unpackImageSet('counter32-norseq');
  });
  after(() => set.remove());

  const label = (task: Task, name: string): number => {
    const { entry, symbols } = loadBlob();
    return Number(task.regs.rip) - entry + symbols.get(name)!;
  };

  it('begins in a 64-bit task with a 64-bit vDSO and ends in CS 0x23', () => {
    const machine = restoreSet(set.path);
    const task = [...machine.kernel.tasks.values()][0]!;
    const [toCompat, sigreturn] = [label(task, 'restorer_to_compat'), label(task, 'restorer_compat_sigreturn')];
    expect(task.regs.cs).to.equal(0x33);
    expect(task.mm.vdsoImage?.kind).to.equal('64');
    expect(rows(machine.read(`/proc/${task.pid}/maps`)).join('\n')).to.match(/\[vvar\]\n.*\[vdso\]/);
    runTo(machine, task, toCompat);
    expect(task.regs.cs).to.equal(0x33);
    expect(task.mm.vdsoImage?.kind).to.equal('32');
    runTo(machine, task, sigreturn);
    expect(task.regs.cs).to.equal(0x23);
  });

  it('runs the same way every time', () => {
    const counts = [0, 1].map(() => {
      const machine = restoreSet(set.path);
      machine.run();
      return machine.kernel.cpu.icount;
    });
    expect(counts[0]).to.equal(counts[1]);
  });

  it('says why it gives up: a kernel without ARCH_MAP_VDSO_32', () => {
    const machine = restoreSet(set.path, { kernel: 'v4.7-rc1' });
    expect(machine.run().kind).to.equal('exit');
    expect(machine.kernel.exitStatus).to.equal(0x100);
    expect(machine.log()).to.equal('restorer: arch_prctl(ARCH_MAP_VDSO_32) failed: errno 22\n');
  });

  it('needs the mremap hook of the vDSO: without it the first fast system call comes back to where the vDSO was', () => {
    const machine = restoreSet(set.path, { vdso: 'image', patches: '0001,0002,0003' });
    machine.run();
    expect(machine.kernel.exitStatus).to.equal(11);
  });

  it('may be told to write jumps where the vDSO could be moved', () => {
    const machine = restoreSet(set.path, { vdso: 'image', vdsoProxy: true });
    expect(machine.run().kind, machine.log()).to.equal('exit');
    expect(machine.kernel.exitStatus).to.equal(0);
  });
});

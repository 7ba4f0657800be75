import { expect } from 'chai';
import { v4_7 } from '../../../linux/kernel-ops.ts';
import { PatchError } from '../../../linux/patches/patch.ts';
import { bootOps, kernelNamed, kernels, replacedBy } from '../../../linux/patches/series.ts';

describe('the series', () => {
  it('has four kernels', () => {
    expect(kernels.map((k) => k.name)).to.deep.equal(['v4.7-rc1', 'compat-cr', 'v4.9', 'v4.12']);
    expect(kernelNamed('compat-cr').series.map((p) => p.id)).to.deep.equal([
      'base',
      '0001',
      '0002',
      '0003',
      '0004',
      '0005',
      '0006',
    ]);
  });

  it('turns all on by default', () => {
    const series = ['base', '0001', '0002', '0003', '0004', '0005', '0006'];
    expect(bootOps().patches).to.deep.equal(series);
    expect(bootOps('v4.9').patches).to.deep.equal(series);
    expect(bootOps('v4.12').patches).to.deep.equal([...series, 'restart', 'sigaction', 'mmap']);
    expect(bootOps('v4.7-rc1').patches).to.deep.equal([]);
    expect(bootOps('compat-cr', 'none').arch_prctl).to.deep.equal(v4_7.arch_prctl);
    expect(bootOps('compat-cr', '0003,0002').patches).to.deep.equal(['0002', '0003']);
  });

  it('refuses the rest in one line', () => {
    expect(() => bootOps('v4.8')).to.throw(
      PatchError,
      "unknown kernel 'v4.8' (known: v4.7-rc1, compat-cr, v4.9, v4.12)",
    );
    expect(() => bootOps('compat-cr', '0007')).to.throw(PatchError, "kernel compat-cr has no patch '0007'");
    expect(() => bootOps('v4.7-rc1', '0001')).to.throw(PatchError, "has no patch '0001' (it has: none)");
    expect(() => bootOps('compat-cr', '0003')).to.throw(
      PatchError,
      'patch 0003 needs patch 0002: it maps at an address of its own choice',
    );
    expect(() => bootOps('v4.12', 'sigaction')).to.throw(PatchError, 'patch sigaction needs patch 0006: it changes');
  });

  it('refuses a patch without what it rests on, in every kernel that has it, and takes it with that', () => {
    for (const kernel of kernels) {
      for (const patch of kernel.series) {
        for (const { id, why } of patch.requires) {
          const all = kernel.series.map((p) => p.id);
          const message = `patch ${patch.id} needs patch ${id}: ${why}`;
          expect(() => bootOps(kernel.name, patch.id)).to.throw(PatchError, message);
          expect(() => bootOps(kernel.name, all.filter((other) => other !== id).join(','))).to.throw(
            PatchError,
            message,
          );
          expect(bootOps(kernel.name, `${id},${patch.id}`).patches).to.deep.equal([id, patch.id]);
        }
        if (patch.requires.length === 0) expect(bootOps(kernel.name, patch.id).patches).to.deep.equal([patch.id]);
      }
    }
    const needs = new Set(
      kernels.flatMap(({ series }) => series.flatMap((p) => p.requires.map(({ id }) => `${p.id} ${id}`))),
    );
    expect([...needs]).to.deep.equal(['0003 0002', 'sigaction 0006']);
  });

  it('says of each patch what it replaces, and in a paragraph why', () => {
    const replaced = kernelNamed('compat-cr').series.map((patch) => [patch.id, ...replacedBy(patch)]);
    expect(replaced).to.deep.equal([
      ['base', 'special_mapping_mremap'],
      ['0001', 'vvar_map_failed'],
      ['0002', 'setup_vdso'],
      ['0003', 'arch_prctl'],
      ['0004', 'compat_pr_reg_size'],
      ['0005', 'task_user_regset_view'],
      ['0006', 'is_ia32_compat_frame', 'is_x32_frame', 'siginfo_has_x32_times', 'sigaction_compat_abi'],
    ]);
    for (const { series } of kernels) for (const patch of series) expect(patch.about).to.match(/^.{80,}\.$/);
  });

  it('does not change after boot', () => {
    expect(Object.isFrozen(bootOps())).to.equal(true);
    expect(Object.isFrozen(v4_7)).to.equal(true);
  });
});

import { expect } from 'chai';
import { v4_7 } from '../../../linux/kernel-ops.ts';
import { PatchError } from '../../../linux/patches/patch.ts';
import { bootOps, kernelNamed, kernels } from '../../../linux/patches/series.ts';

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

  it('turns on by default what this build has', () => {
    const series = ['base', '0001', '0002', '0003', '0005', '0006'];
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
    expect(() => bootOps('compat-cr', '0004')).to.throw(
      PatchError,
      'patch 0004 (x86/coredump: use pr_reg size, rather that TIF_IA32 flag) is not in this build yet',
    );
    expect(() => bootOps('compat-cr', '0003')).to.throw(PatchError, 'patch 0003 needs patch 0002');
    expect(() => bootOps('v4.12', 'sigaction')).to.throw(PatchError, 'patch sigaction needs patch 0006');
  });

  it('does not change after boot', () => {
    expect(Object.isFrozen(bootOps())).to.equal(true);
    expect(Object.isFrozen(v4_7)).to.equal(true);
  });
});

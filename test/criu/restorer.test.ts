import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadBlob } from '../../criu/restore/blob.ts';
import { restorerHeader, restorerStructs } from '../../criu/restorer/args.ts';

const directory = join(import.meta.dirname, '..', '..', 'criu', 'restorer');

describe('the restorer blob', () => {
  it('was built with the header that args.ts gives', () => {
    expect(readFileSync(join(directory, 'task-restore-args.h'), 'utf8')).to.equal(restorerHeader());
  });

  it('is small and begins with its entry', () => {
    const { image, entry } = loadBlob();
    expect(image.length).to.be.lessThan(4 * 4096);
    expect(entry).to.be.lessThan(256);
  });

  it('has labels on the instructions that matter', () => {
    const { image, symbols } = loadBlob();
    const bytes = (name: string, size: number): string => {
      const at = symbols.get(name) ?? Number.NaN;
      return Buffer.from(image.subarray(at, at + size)).toString('hex');
    };
    expect(bytes('restorer_to_compat', 2), 'lretq').to.equal('48cb');
    expect(bytes('restorer_compat_sigreturn', 7), 'mov $173, %eax; int $0x80').to.equal('b8ad000000cd80');
    expect(bytes('restorer_native_sigreturn', 7), 'mov $15, %eax; syscall').to.equal('b80f0000000f05');
    for (const name of [
      'restorer_start',
      'restorer_task',
      'restorer_map_vdso',
      'restorer_move_vdso',
      'restorer_proxy_vdso',
    ]) {
      expect(symbols.has(name), name).to.equal(true);
    }
  });

  it('gives prctl_mm_map and iovec the sizes that the kernel wants', () => {
    expect(restorerStructs.restore_mm_map.size).to.equal(104);
    expect(restorerStructs.restore_iovec.size).to.equal(16);
    expect(restorerStructs.restore_sigaction.offset.mask).to.equal(24);
    expect(restorerStructs.restore_compat_sigaction.offset.signo).to.equal(20);
  });
});

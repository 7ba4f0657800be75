import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadBlob } from '../../criu/restore/blob.ts';
import { restorerHeader, restorerStructs } from '../../criu/restorer/args.ts';
import { haveGcc } from '../helpers/build.ts';

const directory = join(import.meta.dirname, '..', '..', 'criu', 'restorer');

/** The compiler that the committed blob was built with: another one may order its code otherwise. */
const GCC = '12';

describe('the restorer blob', () => {
  it('is what its sources build', function () {
    if (!haveGcc() || execFileSync('gcc', ['-dumpversion'], { encoding: 'utf8' }).trim().split('.')[0] !== GCC) {
      if (process.env['CI']) throw new Error(`gcc ${GCC} is missing`);
      process.stderr.write(`SKIPPED LOUDLY: gcc ${GCC} is not the host's\n`);
      this.skip();
    }
    const out = mkdtempSync(join(tmpdir(), 'restorer-'));
    try {
      execFileSync('sh', [join(directory, 'build.sh'), out], { stdio: 'pipe' });
      for (const name of ['restorer.elf', 'task-restore-args.h']) {
        expect(readFileSync(join(out, name)).equals(readFileSync(join(directory, name))), name).to.equal(true);
      }
    } finally {
      rmSync(out, { recursive: true });
    }
  });

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

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../helpers/build.ts';
import { type ProgramEnd, type ProgramRun, runProgram } from './machine.ts';

const GUESTS = resolve(import.meta.dirname, 'guests');
const MiB = 2 ** 20;
const build = (name: string, ...flags: string[]): string =>
  buildC(name, readFileSync(join(GUESTS, `${name}.c`), 'utf8'), ['-w', ...flags]);

/** Every file below a directory with what it is, its times and its bytes. */
function fingerprint(path: string): string {
  const script = 'find . -printf "%p %y %m %u %s %T@ %C@ %l\\n" | sort; find . -type f -exec md5sum {} + | sort -k2';
  return execFileSync('sh', ['-c', script], { cwd: path, encoding: 'utf8' });
}

describe('guests that mean harm', () => {
  before(function () {
    if (!haveGcc()) this.skip();
  });

  describe('random system calls', () => {
    for (const [bits, seed] of [
      ['64', 1],
      ['64', 7000],
      ['32', 2],
      ['32', 7000],
    ] as const) {
      it(`in ${bits} bits, seed ${seed}: nothing of ours breaks`, () => {
        const program = build('hostile', `-m${bits}`);
        const cwd = mkdtempSync(join(tmpdir(), 'hostile-'));
        const end = runProgram({
          argv: [program, String(seed), '12', '300'],
          cwd,
          memory: 256 * MiB,
          collectBugs: true,
        });
        rmSync(cwd, { recursive: true });
        expect(end.bugs.map((bug) => bug.message)).to.deep.equal([]);
        expect(end.stdout).to.match(/survived\n$/);
      });
    }
  });

  describe('taking more than there is', () => {
    let program: string;
    const take = (what: string, options: Partial<ProgramRun> = {}): ProgramEnd => {
      const cwd = mkdtempSync(join(tmpdir(), 'exhaust-'));
      try {
        return runProgram({ argv: [program, what], cwd, memory: 96 * MiB, limit: 4e9, ...options });
      } finally {
        rmSync(cwd, { recursive: true });
      }
    };
    before(() => {
      program = build('exhaust');
    });
    it('memory: the process that holds most is killed', () => expect(take('memory').stdout).to.equal('child 9\n'));
    it('files in memory', () =>
      expect(take('tmpfs').stdout).to.equal('No space left on device after more than 16 MiB: 1\nchild 0\n'));
    it('processes', () =>
      expect(take('forks').stdout).to.equal('Resource temporarily unavailable after more than 1000: 1\nchild 0\n'));
    it('open files', () =>
      expect(take('files').stdout).to.match(/^Too many open files at 1\n(Too many open files in system\n)+/));
    it('bytes in pipes', () => expect(take('pipes').stdout).to.equal('bounded: 1\nchild 0\n'));
    it('names', () => expect(take('names', { inodes: 5000 }).stdout).to.equal('No space left on device\nchild 0\n'));
    it('sockets in sockets, epolls in epolls', () =>
      expect(take('nesting').stdout).to.match(
        /^Too many references: cannot splice\n0 -1 Too many levels of symbolic links\n/,
      ));
    it('sparse files that go to --upper', () => {
      const upper = mkdtempSync(join(tmpdir(), 'upper-'));
      try {
        expect(take('sparse', { upper }).stdout).to.equal('0\n0\n1\n3\nchild 0\n');
      } finally {
        rmSync(upper, { recursive: true });
      }
    });
    it('mappings', () =>
      expect(take('mappings').stdout).to.equal(
        'Cannot allocate memory at max_map_count: 1\nCannot allocate memory after a few copies: 1\nchild f\n',
      ));
    it('messages and semaphores', () =>
      expect(take('queues').stdout).to.equal('Cannot allocate memory\n0\nNo space left on device\nchild 0\n'));
    it('extended attributes', () =>
      expect(take('attributes').stdout).to.equal('No space left on device\n0\nchild 0\n'));
    it('descriptors in an epoll, timers, locks', () =>
      expect(take('many').stdout).to.equal(
        'Too many open files, 1\n0\nResource temporarily unavailable, 1\n2000\nchild 0\n',
      ));
    it('directories in directories', () =>
      expect(take('deep').stdout).to.equal('15000\n-1 File name too long\n-1 File name too long\n0\nchild 0\n'));
    it('timers that nobody hears do not keep the server from its other work', () =>
      expect(() => take('timers', { limit: 5e8 })).to.throw('no end after'));
  });

  it('do not get out of --root and --upper, and change nothing below --root', () => {
    const top = mkdtempSync(join(tmpdir(), 'escape-'));
    const [root, upper, secret] = [join(top, 'root'), join(top, 'upper'), join(top, 'secret')];
    for (const path of [root, upper, join(root, 'tmp'), join(root, 'proc'), join(root, 'dev')]) mkdirSync(path);
    writeFileSync(secret, 'SECRET\n');
    writeFileSync(join(root, 'program'), readFileSync(build('escape', '-static')));
    chmodSync(join(root, 'program'), 0o755);
    for (const name of ['original', 'gone', 'moved']) writeFileSync(join(root, name), `${name}\n`);
    symlinkSync(secret, join(root, 'absolute'));
    symlinkSync('../secret', join(root, 'relative'));
    symlinkSync('../../../../../../../../../../..', join(root, 'upwards'));
    const before = fingerprint(root);
    const end = runProgram({ argv: ['/program', secret], root, upper });
    expect(end.stdout, end.stderr).to.equal('contained\n');
    expect(end.status).to.equal(0);
    expect(fingerprint(root)).to.equal(before);
    expect(readFileSync(secret, 'utf8')).to.equal('SECRET\n');
    expect(execFileSync('ls', ['-A', top], { encoding: 'utf8' })).to.equal('root\nsecret\nupper\n');
    // A second run starts from the upper directory that the first one left behind.
    const again = runProgram({ argv: ['/program', secret], root, upper });
    expect(again.stdout).to.equal('contained\n');
    expect(fingerprint(root)).to.equal(before);
    expect(readFileSync(secret, 'utf8')).to.equal('SECRET\n');
    expect(execFileSync('ls', ['-A', top], { encoding: 'utf8' })).to.equal('root\nsecret\nupper\n');
    rmSync(top, { recursive: true });
  });
});

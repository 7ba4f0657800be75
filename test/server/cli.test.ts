import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { cli } from '../helpers/gdb.ts';
import { unpackImageSet } from '../helpers/image-sets.ts';

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Result {
  return spawnSync(process.execPath, cli(args), { encoding: 'utf8', timeout: 60_000 });
}

/** One clear line (beside the log), and the status. */
function expectLine(result: Result, status: number, line: RegExp): void {
  expect(result.stderr, `status ${result.status}`).to.match(line);
  const lines = result.stderr.trim().split('\n');
  expect(
    lines.filter((each) => !each.startsWith('{')),
    result.stderr,
  ).to.have.length(1);
  expect(result.status).to.equal(status);
}

describe('the command line', () => {
  let set: ReturnType<typeof unpackImageSet>;
  let empty: string;
  before(() => {
    set = unpackImageSet('counter32-static');
    empty = mkdtempSync(join(tmpdir(), 'empty-'));
  });
  after(() => {
    set.remove();
    rmSync(empty, { recursive: true });
  });

  it('prints its help', () => {
    const help = run('--help');
    expect(help.status).to.equal(0);
    expect(help.stdout).to.include('restore').and.include('exec').and.include('patches');
    expect(run('restore', '--help').stdout).to.include('--listen').and.include('127.0.0.1:1234');
  });

  it('wrong usage is 2', () => {
    expect(run().status).to.equal(2);
    expectLine(run('frobnicate'), 2, /unknown command 'frobnicate'/);
    expectLine(run('restore'), 2, /missing required argument 'images-dir'/);
    expectLine(run('restore', '--nonsense', 'x'), 2, /unknown option '--nonsense'/);
    expectLine(run('restore', '--listen', 'nowhere', 'x'), 2, /--listen.*expected \[HOST\]:PORT/);
    expectLine(run('exec', '--cpu', 'z80', 'x'), 2, /--cpu.*amd, intel, any/);
    expectLine(run('exec', '--kernel', 'v9', '/bin/true'), 2, /unknown kernel 'v9'/);
    expectLine(run('exec', '--patches', '0009', '/bin/true'), 2, /no patch '0009'/);
    expectLine(run('exec', '--inherit-fd', 'x', '/bin/true'), 2, /fd\[N\]:NAME/);
    expectLine(run('exec', '--seed', '-', '/bin/true'), 2, /expected a number/);
    expectLine(run('exec', '--vdso', 'image', '/bin/true'), 2, /no image here/);
  });

  it('bad input is 1, with one line that names it', () => {
    const missing = join(empty, 'none');
    const text = join(empty, 'text');
    writeFileSync(text, 'no ELF file');
    expectLine(run('restore', missing), 1, /none: no such directory of images/);
    expectLine(run('restore', empty), 1, /inventory\.img/);
    expectLine(run('show', missing), 1, /none/);
    expectLine(run('show', text), 1, /text: offset 0: /);
    expectLine(run('exec', '--root', missing, '/bin/true'), 1, /--root .*none: no such file/);
    expectLine(run('exec', '--root', text, '/bin/true'), 1, /--root .*not a directory/);
    expectLine(run('exec', '--upper', join(text, 'x'), '/bin/true'), 1, /--upper/);
    expectLine(run('exec', '--run', missing), 1, /none: no such program/);
    expectLine(run('exec', '--run', text), 1, /text: E(ACCES|NOEXEC)/);
    expectLine(run('exec', '--vdso', text, '/bin/true'), 1, /--vdso .*no ELF file of a vDSO/);
    expectLine(run('exec', '--vdso', missing, '/bin/true'), 1, /--vdso .*no such file/);
  });

  it('says which program is missing in --root', () => {
    const result = run('restore', '--run', '--root', empty, join(set.path, 'images'));
    expectLine(result, 1, /counter-m32s|\/srv/);
  });

  it('a busy port is 1, in the words of gdbserver', async () => {
    const busy = createServer();
    await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
    const { port } = busy.address() as { port: number };
    const result = run('restore', '--listen', `:${port}`, '--root', join(set.path, 'root'), join(set.path, 'images'));
    busy.close();
    expectLine(result, 1, new RegExp(`127\\.0\\.0\\.1:${port}: Can't bind address: Address already in use\\.`));
  });

  it('lists kernels and patches', () => {
    const { stdout, status } = run('patches');
    expect(status).to.equal(0);
    expect(stdout).to.match(/kernel +compat-cr .*\(default\)/);
    expect(stdout).to.match(/0003 +/);
  });

  it('show prints JSON', () => {
    const { stdout } = run('show', join(set.path, 'images', 'inventory.img'));
    expect(JSON.parse(stdout)).to.have.property('magic', 'INVENTORY');
  });
});

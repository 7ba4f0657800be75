import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { runProgram } from './machine.ts';
import { mayChroot, mayMount, runNative } from './native.ts';
import { MORE, ROWS, type Row } from './rows.ts';

const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', HOME: '/', PYTHONDONTWRITEBYTECODE: '1' };

/** In CI nothing is skipped. */
function missing(what: string): void {
  if (process.env['CI']) throw new Error(`${what}; .ci/run should have seen to it`);
  process.stderr.write(`SKIPPED LOUDLY: ${what}\n`);
}

/** The same program in the same fresh folder: ours first, since it leaves nothing behind. */
function compare(row: Row, root: string): void {
  const folder = mkdtempSync(join(root, 'tmp', 'row-'));
  try {
    for (const [name, text] of Object.entries(row.files ?? {})) writeFileSync(join(folder, name), text);
    const cwd = root === '/' ? folder : folder.slice(root.length);
    const run = { argv: row.args, root, cwd, input: row.input ?? '', env };
    const ours = runProgram(run);
    const native = runNative(run);
    expect(native.error, 'the native run').to.equal(undefined);
    expect(ours.stdout, ours.stderr).to.equal(native.stdout);
    if (!row.ignoreStderr) expect(ours.stderr).to.equal(native.stderr);
    expect(ours.status, ours.stderr).to.equal(native.status ?? 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const program = (row: Row): string => (row.args[0] === 'sh' ? row.name.slice(0, row.name.indexOf(':')) : row.args[0]!);
const NOT_IN_BIN = /^(gcc's cc1|coreutils|gzip|xz)$/;

describe('programs of Debian, amd64', () => {
  for (const row of [...ROWS, ...MORE]) {
    it(row.name, function () {
      const name = program(row);
      if (!NOT_IN_BIN.test(name) && !existsSync(`/usr/bin/${name}`)) {
        missing(`there is no /usr/bin/${name}`);
        this.skip();
      }
      compare(row, '/');
    });
  }
});

describe('programs of Debian, i386', () => {
  const root = process.env['I386_ROOT'] ?? '';
  let mounts = false;
  before(function () {
    mounts = mayMount();
    if (existsSync(join(root, '.packages')) && mayChroot()) return;
    missing('I386_ROOT names no tree made by test/exec/i386-root.sh, or this is not root');
    this.skip();
  });
  for (const row of ROWS) {
    it(row.name, function () {
      if (row.proc && !mounts) {
        missing('nobody may mount /proc in the i386 tree');
        this.skip();
      }
      mkdirSync(join(root, 'tmp'), { recursive: true });
      compare(row, root);
    });
  }
});

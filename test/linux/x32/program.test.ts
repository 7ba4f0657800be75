/** x32 programs: CONFIG_X86_X32_ABI=y. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { runProgram } from '../helpers/run-guest.ts';

describe('x32', () => {
  let program: string;
  before(function () {
    if (!haveGcc()) this.skip();
    const source = readFileSync(join(import.meta.dirname, 'program.c'), 'utf8');
    program = buildC('x32', source, [
      '-mx32',
      '-nostdlib',
      '-static',
      '-no-pie',
      '-ffreestanding',
      '-fno-stack-protector',
      '-w',
    ]);
  });

  it('system calls, vDSO, signal frames and siginfo', () => {
    for (const kernel of ['v4.7-rc1', 'v4.12']) {
      const run = runProgram(program, { kernel });
      expect(run.output).to.equal('x32\n');
      expect(run.status, kernel).to.equal(42 << 8);
    }
  });

  it('the series takes its handlers for 64-bit ones, because of their CS; without 0006 it does not', () => {
    // The handler's frame is a 64-bit one: siginfo is not where x32 looks, and rt_sigreturn 513 reads something else.
    for (const kernel of ['compat-cr', 'v4.9']) expect(runProgram(program, { kernel }).status).to.equal(11);
    expect(runProgram(program, { kernel: 'compat-cr', patches: 'base,0001,0002,0003,0004,0005' }).status).to.equal(
      42 << 8,
    );
  });
});

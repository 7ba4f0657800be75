/** A debugger outside of the machine and tracers inside do not disturb each other. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Kernel } from '../../linux/kernel.ts';
import type { StopEvent } from '../../linux/task/run.ts';
import { haveGcc } from '../helpers/build.ts';
import { runProgram } from '../linux/helpers/run-guest.ts';
import { buildGuest, recordingOf } from './build.ts';

describe('a guest tracer under a debugger outside of the machine', () => {
  let folder: string;
  before(function () {
    if (!haveGcc()) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'ptrace-'));
  });
  after(() => {
    if (folder) rmSync(folder, { recursive: true });
  });

  /** Attached to every process, it lets every signal through. */
  const follow = (seen: string[]): ((kernel: Kernel, event: StopEvent) => void) => {
    return (kernel, event) => {
      if (event.kind === 'fork' || event.kind === 'vfork') kernel.debug.pids.add(event.child.tgid);
      if (event.kind === 'signal') seen.push(`${event.info.signo} ${event.task.ptrace !== 0 ? 'traced' : 'free'}`);
    };
  };

  for (const name of ['events', 'signals', 'threads', 'syscalls']) {
    it(`${name}: prints the same`, () => {
      const seen: string[] = [];
      const run = runProgram(buildGuest(name, '64', folder), { limit: 3_000_000_000, debugger: follow(seen) });
      expect(run.output).to.equal(readFileSync(recordingOf(name, '64'), 'utf8'));
      // What the tracer drops never gets there; what it lets through does.
      if (name === 'signals') {
        expect(seen).to.include('10 traced');
        expect(seen).not.to.include('5 traced');
      }
    });
  }
});

/** Tracers as guests: the programs of guests/ under chosen kernels, against what a real Linux printed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { haveGcc } from '../helpers/build.ts';
import { runProgram } from '../linux/helpers/run-guest.ts';
import { type Bits, buildGuest, recordingOf } from './build.ts';
import { ROWS } from './table.ts';

/** The recording with the exceptions, each of which has to change something. */
function expected(row: (typeof ROWS)[number], bits: Bits): string {
  let text = readFileSync(recordingOf(row.name, bits), 'utf8');
  for (const { reason, change } of row.exceptions ?? []) {
    const next = change(text);
    if (next === text) throw new Error(`${row.name}: nothing in it is concerned by the exception: ${reason}`);
    text = next;
  }
  return text;
}

describe('ptrace, by guests', () => {
  let folder: string;
  before(function () {
    if (!haveGcc()) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'ptrace-'));
  });
  after(() => {
    if (folder) rmSync(folder, { recursive: true });
  });

  for (const row of ROWS) {
    for (const bits of ['64', '32'] as const) {
      for (const { kernel, patches } of row.kernels ?? [{ kernel: 'compat-cr' }]) {
        it(`${row.name}, ${bits}-bit, on ${kernel}${patches ? ` with ${patches}` : ''}`, () => {
          const program = buildGuest(row.name, bits, folder);
          const run = runProgram(program, { kernel, limit: 3_000_000_000, ...(patches && { patches }) });
          expect(run.output).to.equal(expected(row, bits));
          expect(run.status).to.equal(0);
        });
      }
    }
  }
});

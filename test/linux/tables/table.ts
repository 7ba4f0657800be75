/** Tables of facts as tests: a guest program prints a line `name: answer` per row, and a column is a kernel with patches. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { type GuestOptions, runProgram } from '../helpers/run-guest.ts';

export interface Column extends GuestOptions {
  readonly kernel: string;
}

export interface Table {
  /** A C file of this folder. */
  readonly source: string;
  readonly bits: 64 | 32;
  readonly columns: readonly Column[];
  /** What each row of the table says: of every column, or of all alike. */
  readonly rows: Readonly<Record<string, string | readonly string[]>>;
}

const nameOf = ({ kernel, patches, vendor }: Column): string =>
  kernel + (patches === undefined ? '' : ` with ${patches}`) + (vendor === undefined ? '' : `, ${vendor}`);

const here = (name: string): string => join(import.meta.dirname, name);

/** A test per cell; the program runs once per column. */
export function describeTable(title: string, { source, bits, columns, rows }: Table): void {
  describe(title, () => {
    let program: string;
    before(function () {
      if (!haveGcc()) this.skip();
      const flags = [`-m${bits}`, '-O1', '-w', '-static', '-no-pie', `-I${import.meta.dirname}`];
      program = buildC(source.replace('.c', ''), readFileSync(here(source), 'utf8'), flags);
    });

    columns.forEach((column, i) => {
      describe(nameOf(column), () => {
        let answers: Map<string, string>;
        before(() => {
          const run = runProgram(program, { limit: 3_000_000_000, ...column });
          const lines = run.output.trim().split('\n');
          answers = new Map(
            lines.map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
          );
          expect([...answers.keys()], run.output).to.deep.equal(Object.keys(rows));
          expect(run.status, run.output).to.equal(0);
        });
        for (const [name, cells] of Object.entries(rows)) {
          const cell = typeof cells === 'string' ? cells : cells[i]!;
          it(`${name}: ${cell}`, () => {
            expect(answers.get(name)).to.equal(cell);
          });
        }
      });
    });
  });
}

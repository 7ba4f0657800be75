/** (e) The core files of a real Linux 6.18, as readelf listed them, against the model's. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { XCR0, xstateSize } from '../../cpu/xsave.ts';
import { PF_R, PF_W, PF_X, PT_LOAD } from '../../linux/abi/elf.ts';
import { haveGcc } from '../helpers/build.ts';
import { readCore } from '../helpers/core-file.ts';
import { runProgram } from '../linux/helpers/run-guest.ts';

const PROGRAMS = join(import.meta.dirname, 'programs');

interface Recorded {
  readonly class: number;
  readonly machine: number;
  /** Owner, size, name as readelf prints them. */
  readonly notes: readonly (readonly [owner: string, size: number, name: string])[];
  /** Rights of the mappings of the program itself and of the stack. */
  readonly program: readonly string[];
}

const TYPES: Readonly<Record<number, string>> = {
  1: 'NT_PRSTATUS',
  2: 'NT_FPREGSET',
  3: 'NT_PRPSINFO',
  6: 'NT_AUXV',
  1179208773: 'NT_FILE',
  1397311305: 'NT_SIGINFO',
  1189489535: 'NT_PRXFPREG',
  514: 'NT_X86_XSTATE',
};

function parse(text: string): Map<string, Recorded> {
  const found = new Map<string, Recorded>();
  for (const part of text.split(/^== /m).slice(1)) {
    const notes = [...part.matchAll(/^ {2}(CORE|LINUX) +0x(\w+)\t(NT_\w+|Unknown note type: \(0x\w+\))/gm)].map(
      (m) => [m[1]!, Number.parseInt(m[2]!, 16), m[3]!] as const,
    );
    const loads = [...part.matchAll(/^ {2}LOAD .* ([R ][W ][E ]) 0x1000$/gm)].map((m) => m[1]!);
    found.set(part.slice(0, part.indexOf('\n')), {
      class: part.includes('ELF64') ? 2 : 1,
      machine: part.includes('Intel 80386') ? 3 : 62,
      notes,
      program: loads,
    });
  }
  return found;
}

/** What v4.7 has otherwise. */
const EXCEPTIONS: readonly { reason: string; change(note: Recorded['notes'][number]): Recorded['notes'] }[] = [
  {
    reason: 'the note with the layout of XSAVE is newer',
    change: (note) => (note[2].includes('0x00000205') ? [] : [note]),
  },
  {
    reason: 'the CPU has fewer state components',
    change: (note) => [note[2] === 'NT_X86_XSTATE' ? [note[0], xstateSize(XCR0), note[2]] : note],
  },
  {
    reason: 'v4.7 has no AT_HWCAP2, AT_MINSIGSTKSZ, AT_RSEQ_FEATURE_SIZE and AT_RSEQ_ALIGN',
    change: ([owner, size, name]) => [[owner, name === 'NT_AUXV' ? size - (size >= 0x170 ? 64 : 32) : size, name]],
  },
  {
    reason: 'where the program lies is part of the note',
    change: (note) => [note[2] === 'NT_FILE' ? [note[0], -1, note[2]] : note],
  },
];

describe('what a real Linux dumped', () => {
  const recorded = parse(readFileSync(join(PROGRAMS, 'e_core.txt'), 'utf8'));
  let built: string;
  before(function () {
    if (!haveGcc()) this.skip();
    built = mkdtempSync(join(tmpdir(), 'native-'));
    execFileSync('sh', [join(PROGRAMS, 'build.sh'), built], { stdio: 'inherit' });
  });
  after(() => {
    if (built) rmSync(built, { recursive: true });
  });

  it('is four kinds', () => {
    expect([...recorded.keys()]).to.deep.equal(['crash64', 'crash64to32', 'crash32', 'crash32to64']);
  });

  for (const [name, wanted] of recorded) {
    it(`${name}: class, machine and notes`, () => {
      const run = runProgram(join(built, name), { core: 2n ** 64n - 1n, kernel: 'compat-cr' });
      const core = readCore(run.read('/tmp/core'));
      expect([core.class, core.machine]).to.deep.equal([wanted.class, wanted.machine]);
      const notes = EXCEPTIONS.reduce((list, { change }) => list.flatMap(change), [...wanted.notes]);
      expect(notes).to.not.deep.equal(wanted.notes);
      expect(
        core.notes.map((n) => [n.owner, TYPES[n.type] === 'NT_FILE' ? -1 : n.desc.length, TYPES[n.type]]),
      ).to.deep.equal(notes);
      // The stack, as the last mapping of the program.
      const rights = (flags: number): string =>
        (flags & PF_R ? 'R' : ' ') + (flags & PF_W ? 'W' : ' ') + (flags & PF_X ? 'E' : ' ');
      const loads = core.segments.filter((p) => p.type === PT_LOAD).map((p) => rights(p.flags));
      const stack = wanted.class === 2 ? -2 : -1;
      expect(wanted.program.at(stack)).to.equal(wanted.class === 2 ? 'RW ' : 'RWE');
      // Without PT_GNU_STACK the stack of a 64-bit program can be executed, too, before v5.8.
      expect(loads.at(stack)).to.equal('RWE');
    });
  }
});

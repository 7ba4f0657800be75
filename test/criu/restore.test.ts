import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { XCR0, xstateSize } from '../../cpu/xsave.ts';
import { ImageDir } from '../../criu/image-dir.ts';
import { ImageError } from '../../criu/image-error.ts';
import { readPages } from '../../criu/pagemap.ts';
import { ArgumentArea } from '../../criu/restore/arguments.ts';
import { fullTagWord, xsaveImage } from '../../criu/restore/fpu.ts';
import { findLayout } from '../../criu/restore/memory.ts';
import { buildSigframe } from '../../criu/restore/sigframe.ts';
import { planVdso } from '../../criu/restore/vdso.ts';
import { restorerStructs } from '../../criu/restorer/args.ts';
import { dumpedVdso, vdsoOfImage } from '../../criu/vdso-of-image.ts';
import { fpx_sw_bytes, rt_sigframe_ia32, sigcontext_32 } from '../../linux/abi/sigcontext.ts';
import { vdsoImage } from '../../linux/vdso/image.ts';
import { unpackImageSet } from '../helpers/image-sets.ts';

let set: ReturnType<typeof unpackImageSet>;
before(() => {
  set = unpackImageSet('counter32-static');
});
after(() => set.remove());
const images = (): string => join(set.path, 'images');
const PID = 16921;

describe('a directory of images', () => {
  it('has a tree, cores, files and pages', () => {
    const dir = ImageDir.open(images());
    expect(dir.tree.map((entry) => entry.pid)).to.deep.equal([PID]);
    expect(dir.core(PID).thread_info?.gpregs.ip).to.equal(0xf7fb85e9n);
    expect(dir.files().get(3)?.reg?.name).to.equal('/srv/tasks/counter32-static/out.txt');
    const pages = dir.pages(PID);
    expect(pages.runs.at(-1)).to.deep.equal({ address: 0xff96c000, pages: 3, offset: 11 * 4096 });
    expect(Buffer.from(readPages(pages, 0xf7fb8001, 3)).toString()).to.equal('ELF');
  });

  const spoilt: [what: string, spoil: (path: string) => void, message: RegExp][] = [
    ['no inventory', (path) => rmSync(join(path, 'inventory.img')), /inventory\.img: missing$/],
    [
      'pages cut',
      (path) => truncateSync(join(path, 'pages-1.img'), 50_000),
      /pages-1\.img: offset 50000: too short: 50000 bytes, expected 57344 by pagemap-16921\.img/,
    ],
    ['no pages', (path) => rmSync(join(path, 'pages-1.img')), /pages-1\.img: missing/],
    [
      'mm cut',
      (path) => truncateSync(join(path, 'mm-16921.img'), 100),
      /mm-16921\.img: offset 12: truncated: 502 bytes of mm_entry expected, 88 left/,
    ],
    [
      'garbage behind',
      (path) =>
        writeFileSync(
          join(path, 'mm-16921.img'),
          Buffer.concat([readFileSync(join(path, 'mm-16921.img')), Buffer.alloc(7)]),
        ),
      /mm-16921\.img: offset \d+: mm_entry: the required field mm_start_code is missing/,
    ],
  ];
  for (const [what, spoil, message] of spoilt) {
    it(`says what is wrong: ${what}`, () => {
      const parent = mkdtempSync(join(tmpdir(), 'images-'));
      const path = join(parent, 'images');
      cpSync(images(), path, { recursive: true });
      spoil(path);
      const use = (): void => {
        const dir = ImageDir.open(path);
        dir.mm(PID);
        dir.pages(PID);
      };
      expect(use).to.throw(ImageError, message);
      rmSync(parent, { recursive: true });
    });
  }
});

describe('the state of the FPU', () => {
  const fpregs = () => ImageDir.open(images()).core(PID).thread_info!.fpregs;

  it('becomes an XSAVE image', () => {
    const bytes = xsaveImage(fpregs(), XCR0) as Uint8Array;
    expect(bytes.length).to.equal(xstateSize(XCR0));
    const view = new DataView(bytes.buffer);
    expect(view.getUint16(0, true)).to.equal(0x37f);
    expect(view.getUint32(24, true)).to.equal(0x1f80);
    expect(view.getBigUint64(512, true)).to.equal(2n);
  });

  it('is refused by name when the machine cannot hold it', () => {
    const state = fpregs();
    state.xsave!.xstate_bv = 0x22n;
    expect(xsaveImage(state, XCR0), 'in its initial state').to.be.instanceOf(Uint8Array);
    state.xsave!.opmask_reg[3] = 1n;
    expect(xsaveImage(state, XCR0)).to.equal('AVX-512 opmask state');
  });

  it('lets a PKRU be that leaves key 0 alone', () => {
    const state = fpregs();
    state.xsave!.xstate_bv = 0x202n;
    state.xsave!.pkru = [0x55555554, 0];
    expect(xsaveImage(state, XCR0)).to.be.instanceOf(Uint8Array);
    state.xsave!.pkru = [3, 0];
    expect(xsaveImage(state, XCR0)).to.equal('PKRU state');
  });

  it('has a full tag word: valid, zero, special, empty', () => {
    const bytes = new Uint8Array(512);
    const view = new DataView(bytes.buffer);
    view.setUint16(2, 5 << 11, true); // TOP = 5: ST(0) is R5
    view.setUint8(4, 0b1110_0000);
    view.setBigUint64(32, 1n << 63n, true); // ST(0) = 1.0
    view.setUint16(40, 0x3fff, true);
    view.setBigUint64(64, 1n << 63n, true); // ST(2) = infinity
    view.setUint16(72, 0x7fff, true);
    expect(fullTagWord(bytes).toString(2)).to.equal('1001001111111111');
  });
});

describe('the frame of rt_sigreturn', () => {
  it('of a 32-bit thread has its FXSAVE image on 64 bytes', () => {
    const { gpregs, fpregs } = ImageDir.open(images()).core(PID).thread_info!;
    const state = {
      gpregs,
      xsave: xsaveImage(fpregs, XCR0) as Uint8Array,
      xcr0: XCR0,
      mask: 0x8000n,
      sas: { sp: 0n, size: 0n, flags: 2 },
    };
    const { bytes, frame } = buildSigframe(state, true, 0x13000);
    const at = frame - 0x13000;
    const context = sigcontext_32.read(bytes, at + rt_sigframe_ia32.mcontext);
    expect([context.ip, context.cs, context.ss, context.gs, context.ax]).to.deep.equal([
      0xf7fb85e9, 0x23, 0x2b, 0x63, 0xfffffffc,
    ]);
    expect((context.fpstate + 112) % 64).to.equal(0);
    const software = fpx_sw_bytes.read(bytes, context.fpstate - 0x13000 + 112 + 464);
    expect(software.magic1).to.equal(0x46505853);
    expect(software.extended_size).to.equal(948);
    const end = new DataView(bytes.buffer).getUint32(context.fpstate - 0x13000 + 112 + 832, true);
    expect(end).to.equal(0x46505845);
    expect(new DataView(bytes.buffer).getBigUint64(at + rt_sigframe_ia32.sigmask, true)).to.equal(0x8000n);
  });
});

describe('the place of the restorer', () => {
  const sizes = { text: 7000, frames: 4096, args: 100, stacks: 0x4000, park: 0x8000 };

  it('is the lowest hole that is large enough', () => {
    expect(findLayout(sizes, [{ start: 0x8048000, end: 0x8049000 }], 0xc0000000)).to.deep.equal({
      text: 0x10000,
      frames: 0x12000,
      args: 0x13000,
      stacks: 0x14000,
      end: 0x18000,
      park: 0x18000,
    });
    const low = [
      { start: 0x40000, end: 0x50000 },
      { start: 0x11000, end: 0x30000 },
    ];
    expect(findLayout(sizes, low, 0xc0000000)?.text).to.equal(0x30000);
    expect(findLayout({ ...sizes, args: 0x1000 }, [{ start: 0x10000, end: 0xbfff1000 }], 0xc0000000)).to.equal(
      undefined,
    );
  });
});

describe('the arguments of the blob', () => {
  it('keep their places when they are replaced', () => {
    const area = new ArgumentArea(0x13000);
    const first = area.add(restorerStructs.task_restore_args.write({}));
    const rows = area.array(restorerStructs.restore_rlimit, [{ cur: 1n, max: 2n }]);
    area.patch(first, restorerStructs.task_restore_args.write({ rlimits: rows, rlimit_count: 1 }));
    const bytes = area.bytes();
    expect(first).to.equal(0x13000n);
    expect(restorerStructs.task_restore_args.read(bytes).rlimits).to.equal(rows);
    expect(restorerStructs.restore_rlimit.read(bytes, Number(rows) - 0x13000).max).to.equal(2n);
    expect(area.array(restorerStructs.restore_rlimit, [])).to.equal(0n);
  });
});

describe('the vDSO', () => {
  it('of the dump is found by its mark', () => {
    const { vdso32, vdso64, vvarPages } = vdsoOfImage(images());
    expect([vdso32?.length, vdso64, vvarPages]).to.deep.equal([8192, undefined, 6]);
  });

  it('is moved in place when it is the same, else it gets jumps', () => {
    const dir = ImageDir.open(images());
    const dumped = dumpedVdso(dir, PID, dir.mm(PID).vmas)!;
    const same = vdsoImage(dumped.bytes, 6)!;
    expect(planVdso(dumped, same, false)).to.deep.equal({ inPlace: true, jumps: [], missing: [] });
    const forced = planVdso(dumped, same, true);
    expect(forced).to.have.property('inPlace', false);
    const other = {
      ...same,
      symVvarStart: -2 * 4096,
      symbols: { ...same.symbols, all: new Map([['__vdso_time', 0x777]]) },
    };
    const plan = planVdso(dumped, other, false);
    expect(plan).to.have.property('inPlace', false);
    const time = BigInt(dumped.address + (same.symbols.all.get('__vdso_time') ?? 0));
    expect(plan).to.have.deep.property('jumps', [{ from: time, to_offset: 0x777n }]);
    expect(plan).to.have.property('missing').with.length(6);
  });
});

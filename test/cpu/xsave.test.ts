import { expect } from 'chai';
import { cpuid } from '../../cpu/cpuid.ts';
import { initialise } from '../../cpu/isa/x87-control.ts';
import { loadConstant } from '../../cpu/isa/x87-move.ts';
import { X87 } from '../../cpu/isa/x87-state.ts';
import { CONTEXT_SIZE, opmaskOffset, State, vectorOffset } from '../../cpu/state.ts';
import {
  abridgedTag,
  componentsInUse,
  fldenv,
  frstor,
  fsave,
  fstenv,
  fxrstor,
  fxsave,
  initFpu,
  tagWord,
  xrstor,
  xsave,
} from '../../cpu/xsave.ts';

const blank = () => {
  const regs = { view: new DataView(new ArrayBuffer(CONTEXT_SIZE)) };
  initFpu(regs);
  return regs;
};

/** A state with something in every field. */
function filled() {
  const regs = blank();
  const fpu = new X87(regs.view);
  for (let i = 0; i < 7; i++) loadConstant(fpu, i);
  fpu.fop = 0x123;
  fpu.fip = 0x1122334455n;
  fpu.fdp = 0x66778899aan;
  regs.view.setUint32(State.mxcsr, 0x9fa1, true);
  for (let i = 0; i < 16; i++) {
    for (let b = 0; b < 32; b++) regs.view.setUint8(vectorOffset(i) + b, i * 16 + b);
  }
  return regs;
}
const content = (regs: { view: DataView }) => Buffer.from(regs.view.buffer).toString('hex');

describe('FXSAVE and XSAVE images', () => {
  it('has the layout of the manual', () => {
    const image = fxsave(filled());
    const v = new DataView(image.buffer);
    expect(image.length).to.equal(512);
    expect(v.getUint16(0, true)).to.equal(0x37f);
    expect((v.getUint16(2, true) >> 11) & 7).to.equal(1);
    expect(image[4]).to.equal(0xfe);
    expect(v.getUint16(6, true)).to.equal(0x123);
    expect(v.getBigUint64(8, true)).to.equal(0x1122334455n);
    expect(v.getUint32(24, true)).to.equal(0x9fa1);
    expect(v.getUint32(28, true)).to.equal(0xffff);
    // ST(6) holds the first constant: 1.0.
    expect(v.getBigUint64(32 + 96, true)).to.equal(1n << 63n);
    expect(v.getUint16(40 + 96, true)).to.equal(0x3fff);
    expect(image[160 + 16 * 3 + 5]).to.equal(3 * 16 + 5);
  });
  it('goes round through both FXSAVE forms', () => {
    const to = blank();
    expect(fxrstor(to, fxsave(filled()))).to.equal(true);
    expect(fxsave(to)).to.deep.equal(fxsave(filled()));
    const narrow = blank();
    expect(fxrstor(narrow, fxsave(filled(), false), false)).to.equal(true);
    expect(new X87(narrow.view).fip).to.equal(0x22334455n);
  });
  it('goes round through XSAVE', () => {
    const image = xsave(filled());
    expect(image.length).to.equal(832);
    expect(image[512]).to.equal(7);
    expect(image[576 + 16 * 2 + 1]).to.equal(2 * 16 + 17);
    const to = blank();
    expect(xrstor(to, image)).to.equal(true);
    expect(content(to)).to.equal(content(filled()));
  });
  describe('with AVX-512', () => {
    const ALL = 0xe7;
    function wide() {
      const regs = filled();
      for (let n = 0; n < 32; n++) {
        for (let b = n < 16 ? 32 : 0; b < 64; b++) regs.view.setUint8(vectorOffset(n) + b, n * 5 + b);
      }
      for (let n = 0; n < 8; n++) regs.view.setBigUint64(opmaskOffset(n), BigInt(n + 1) << 40n, true);
      return regs;
    }
    it('leaves FCS and FDS out, and FDP without an exception, as CPUID tells', () => {
      const leaf = (vendor: 'amd' | 'intel' | 'any'): number => cpuid({ vendor, avx512: false, xcr0: 7 }, 7, 0)[1];
      expect([leaf('intel') & 0x2040, leaf('any') & 0x2040, leaf('amd') & 0x2040]).to.deep.equal([0x2040, 0x2040, 0]);
    });
    it('has the offsets that CPUID tells', () => {
      const machine = { vendor: 'intel', avx512: true, xcr0: ALL } as const;
      expect(cpuid(machine, 0xd, 0)).to.deep.equal([ALL, 2688, 2688, 0]);
      expect([5, 6, 7].map((n) => cpuid(machine, 0xd, n).slice(0, 2))).to.deep.equal([
        [64, 1088],
        [512, 1152],
        [1024, 1664],
      ]);
      expect(cpuid({ ...machine, avx512: false, xcr0: 7 }, 0xd, 5)).to.deep.equal([0, 0, 0, 0]);
      const image = xsave(wide(), ALL);
      expect(image.length).to.equal(2688);
      expect(image[512]).to.equal(ALL);
      expect(image[1088 + 8 * 3 + 5]).to.equal(4);
      expect(image[1152 + 32 * 2 + 1]).to.equal(2 * 5 + 33);
      expect(image[1664 + 64 * 3 + 7]).to.equal(19 * 5 + 7);
    });
    it('goes round', () => {
      const to = blank();
      expect(xrstor(to, xsave(wide(), ALL), ALL)).to.equal(true);
      expect(content(to)).to.equal(content(wide()));
      expect(xrstor(to, xsave(blank(), ALL), ALL)).to.equal(true);
      expect(componentsInUse(to)).to.equal(0);
    });
    it('restores the compacted format, where components lie close together', () => {
      const image = xsave(wide(), ALL);
      const compact = new Uint8Array(2688);
      compact.set(image.subarray(0, 576));
      compact.set(image.subarray(1088, 1152), 576); // opmask, without AVX before it
      compact.set(image.subarray(1664, 2688), 640);
      const view = new DataView(compact.buffer);
      view.setBigUint64(512, 0xa3n, true);
      view.setBigUint64(520, 0xa3n | (1n << 63n), true);
      const to = blank();
      expect(xrstor(to, compact, ALL)).to.equal(true);
      expect(componentsInUse(to)).to.equal(0xa3);
      expect(xsave(to, 0x80).subarray(1664)).to.deep.equal(image.subarray(1664));
      expect(xsave(to, 0x20).subarray(1088, 1152)).to.deep.equal(image.subarray(1088, 1152));
    });
    it('is refused by a machine without it', () => {
      expect(xrstor(blank(), xsave(wide(), ALL), 7)).to.equal(false);
      expect(xrstor(blank(), xsave(wide(), ALL), 7, true, 16, ALL), 'but not when only the mask lacks it').to.equal(
        true,
      );
    });
    it('leaves the upper registers alone outside 64-bit mode', () => {
      const to = wide();
      expect(xrstor(to, xsave(blank(), ALL), ALL, true, 8)).to.equal(true);
      expect(componentsInUse(to) & 0xe0).to.equal(0xc0); // zmm8-15 and zmm16-31
      expect(to.view.getBigUint64(opmaskOffset(3), true)).to.equal(0n);
    });
  });

  it('tells the components in use', () => {
    expect(xsave(blank())[512]).to.equal(0);
    const regs = blank();
    regs.view.setUint8(vectorOffset(9) + 20, 1);
    expect(xsave(regs)[512]).to.equal(4);
    expect(xsave(filled(), 3)[512]).to.equal(3);
  });
  it('gives absent components their initial configuration', () => {
    const image = xsave(filled());
    image[512] = 0;
    const to = filled();
    expect(xrstor(to, image)).to.equal(true);
    const want = blank();
    want.view.setUint32(State.mxcsr, 0x9fa1, true);
    expect(content(to)).to.equal(content(want));
  });
  it('leaves components outside the mask alone', () => {
    const to = filled();
    expect(xrstor(to, xsave(blank()), 0)).to.equal(true);
    expect(content(to)).to.equal(content(filled()));
    expect(xrstor(to, xsave(blank()), 4)).to.equal(true);
    expect(to.view.getUint8(vectorOffset(3) + 1)).to.equal(49);
    expect(to.view.getUint8(vectorOffset(3) + 17)).to.equal(0);
  });
  for (const [what, at, value] of [
    ['an unknown component', 513, 1],
    ['XCOMP_BV without bit 63', 520, 1],
    ['reserved header bytes', 528, 1],
    ['a reserved MXCSR bit', 26, 1],
  ] as const) {
    it(`refuses ${what} and changes nothing`, () => {
      const image = xsave(filled());
      image[at] = value;
      const to = blank();
      expect(xrstor(to, image)).to.equal(false);
      expect(content(to)).to.equal(content(blank()));
    });
  }
  it('takes the compacted format', () => {
    const image = xsave(filled());
    new DataView(image.buffer).setBigUint64(520, (1n << 63n) | 7n, true);
    const to = blank();
    expect(xrstor(to, image)).to.equal(true);
    expect(content(to)).to.equal(content(filled()));
    image[512] = 5;
    expect(xrstor(to, image)).to.equal(true);
    expect(to.view.getUint32(State.mxcsr, true)).to.equal(0x1f80);
  });
  it('refuses FXRSTOR with a reserved MXCSR bit', () => {
    const image = fxsave(filled());
    image[27] = 1;
    expect(fxrstor(blank(), image)).to.equal(false);
  });
});

describe('FSAVE images', () => {
  it('has the 32-bit layout', () => {
    const image = fsave(filled());
    const v = new DataView(image.buffer);
    expect(image.length).to.equal(108);
    expect(v.getUint32(0, true)).to.equal(0xffff037f);
    expect(v.getUint32(8, true)).to.equal(0xffff0000 + tagWord(new X87(filled().view)));
    expect(v.getUint32(12, true)).to.equal(0x22334455);
    expect(v.getUint32(16, true)).to.equal(0x123 << 16);
    expect(v.getUint16(28 + 60 + 8, true)).to.equal(0x3fff);
  });
  for (const bits of [16, 32] as const) {
    it(`goes round in the ${bits}-bit form`, () => {
      const to = blank();
      frstor(to, fsave(filled(), bits), bits);
      expect(fsave(to, bits)).to.deep.equal(fsave(filled(), bits));
      expect(fstenv(to, bits).length).to.equal(bits === 16 ? 14 : 28);
    });
  }
  it('recomputes the exception summary', () => {
    const to = blank();
    const image = fstenv(blank());
    image[0] = 0x7e;
    image[4] = 1;
    fldenv(to, image);
    expect(new X87(to.view).sw & 0x8080).to.equal(0x8080);
  });
  it('turns tag words into abridged ones', () => {
    expect(abridgedTag(0xffff)).to.equal(0);
    expect(abridgedTag(0x0000)).to.equal(0xff);
    expect(abridgedTag(0x3ffe)).to.equal(0x81);
    const fpu = new X87(blank().view);
    initialise(fpu);
    loadConstant(fpu, 6);
    expect(tagWord(fpu)).to.equal(0x7fff);
  });
});

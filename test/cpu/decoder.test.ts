import { expect } from 'chai';
import { Code, CpuidFeature, DecoderOptions, Decoder as Iced, Mnemonic } from 'iced-x86';
import { Decoder } from '../../cpu/decode/decoder.ts';
import { buildTable, compileRow } from '../../cpu/decode/encoding.ts';
import { allRows } from '../../cpu/isa/all.ts';
import { avx512Rows } from '../../cpu/isa/avx512.ts';

const rows = allRows.map(compileRow);
const wideRows = avx512Rows().map(compileRow);
const decoder = new Decoder(buildTable(rows, true), buildTable(rows, false), () => ({
  long: buildTable(wideRows, true),
  compat: buildTable(wideRows, false),
}));

/** What the CPU claims to have, so that every instruction of theirs has a row. */
const OURS = new Set<CpuidFeature>([
  CpuidFeature.INTEL8086,
  CpuidFeature.INTEL186,
  CpuidFeature.INTEL286,
  CpuidFeature.INTEL386,
  CpuidFeature.INTEL486,
  CpuidFeature.X64,
  CpuidFeature.CMOV,
  CpuidFeature.CX8,
  CpuidFeature.CMPXCHG16B,
  CpuidFeature.CPUID,
  CpuidFeature.TSC,
  CpuidFeature.RDTSCP,
  CpuidFeature.SYSCALL,
  CpuidFeature.SEP,
  CpuidFeature.FPU,
  CpuidFeature.FPU287,
  CpuidFeature.FPU387,
  CpuidFeature.MMX,
  CpuidFeature.FXSR,
  CpuidFeature.SSE,
  CpuidFeature.SSE2,
  CpuidFeature.SSE3,
  CpuidFeature.SSSE3,
  CpuidFeature.SSE4_1,
  CpuidFeature.SSE4_2,
  CpuidFeature.POPCNT,
  CpuidFeature.LZCNT,
  CpuidFeature.BMI1,
  CpuidFeature.BMI2,
  CpuidFeature.ADX,
  CpuidFeature.MOVBE,
  CpuidFeature.AVX,
  CpuidFeature.AVX2,
  CpuidFeature.FMA,
  CpuidFeature.F16C,
  CpuidFeature.AVX512F,
  CpuidFeature.AVX512CD,
  CpuidFeature.AVX512BW,
  CpuidFeature.AVX512DQ,
  CpuidFeature.AVX512VL,
  CpuidFeature.XSAVE,
  CpuidFeature.CLFSH,
]);

/** Ours are #UD for reasons of their own: test registers, privileged modes, what user mode has not. */
const NOT_FOR_US = /^(rsm|ud\d|mov|skinit|loadall.*|storeall|umov|xbts|ibts|getsec.*|undoc|monitor|mwait)$/;
/** The manual calls them invalid; which register it is, our handlers look at. */
const GATHER = /gather/; // registers that must differ, and the SIB byte
const CHECKED_LATER = new Set(['8C /r', '8E /r', '0F 20 /r', '0F 22 /r', '0F 21 /r', '0F 23 /r']);

function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What is wrong with our reading of these bytes, going by iced. */
function compare(bytes: Uint8Array, bits: 16 | 32 | 64): string | undefined {
  const oracle = new Iced(bits, bytes, DecoderOptions.None);
  const theirs = oracle.decode();
  const status = decoder.decode(bytes, 0, bytes.length, bits === 64, bits === 32);
  try {
    const ours = decoder.instruction;
    if (theirs.code === Code.INVALID) {
      return status === 'ok' && !CHECKED_LATER.has(ours.row.row.encoding) && !GATHER.test(ours.row.row.name)
        ? `${ours.row.row.name} is accepted`
        : undefined;
    }
    const name = Mnemonic[theirs.mnemonic]!.toLowerCase();
    if (status !== 'ok') {
      const features = [...theirs.cpuidFeatures()] as CpuidFeature[];
      return features.every((f) => OURS.has(f)) && !NOT_FOR_US.test(name) ? `${name} has no row` : undefined;
    }
    if (ours.length !== theirs.length) return `${name} has ${theirs.length} bytes, not ${ours.length}`;
    return ours.isMemory && theirs.memoryIndexScale !== 1 << ours.scale && theirs.memoryIndex !== 0
      ? `${name} has the scale ${theirs.memoryIndexScale}`
      : undefined;
  } finally {
    theirs.free();
    oracle.free();
  }
}

const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');

describe('cpu: the decoder against iced-x86', () => {
  const PREFIXES = [
    [],
    [0x66],
    [0xf2],
    [0xf3],
    [0x66, 0xf3],
    [0x48],
    [0x66, 0x48],
    [0x41],
    [0x67],
    [0xf0],
    [0x65],
    [0xf3, 0x48],
    [0x2e],
    [0x67, 0x66],
    [0xf2, 0x66],
    [0xf0, 0x66],
    [0xf2, 0xf3],
    [0x48, 0x66],
    [0x26, 0x64, 0x67],
  ];
  for (const bits of [16, 32, 64] as const) {
    it(`reads the legacy maps alike (${bits}-bit)`, () => {
      const random = numbers(bits);
      const wrong = new Map<string, string>();
      for (const prefix of PREFIXES) {
        if (bits !== 64 && prefix.some((b) => (b & 0xf0) === 0x40)) continue;
        for (const map of [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]]) {
          for (let opcode = 0; opcode < 256; opcode++) {
            for (let k = 0; k < 20; k++) {
              const reg = k & 7;
              const modrm =
                k < 8
                  ? 0xc0 | (reg << 3) | random(8)
                  : k < 16
                    ? (random(3) << 6) | (reg << 3) | random(8)
                    : random(256);
              const tail = Array.from({ length: 18 }, () => random(256));
              const bytes = Uint8Array.from([...prefix, ...map, opcode, modrm, ...tail]);
              const problem = compare(bytes, bits);
              if (problem !== undefined) wrong.set(problem, hex(bytes));
            }
          }
        }
      }
      expect([...wrong]).to.deep.equal([]);
    });

    it(`reads EVEX alike (${bits}-bit)`, () => {
      const random = numbers(bits + 2);
      const wrong = new Map<string, string>();
      for (let n = 0; n < 3 * 8 * 256 * 24; n++) {
        const form = (n >> 8) & 7;
        const map = 1 + (Math.floor(n / 2048) % 3);
        const bytes = Uint8Array.from([
          0x62,
          (bits === 64 ? random(16) << 4 : 0xf0) | (random(64) ? map : random(16)),
          ((form & 4) << 5) | ((random(2) ? 15 : random(16)) << 3) | (random(64) ? 4 : 0) | (form & 3),
          random(2) ? 8 | (random(3) << 5) | random(8) : random(256),
          n & 255,
          random(2) ? 0xc0 | random(64) : random(192),
          ...Array.from({ length: 16 }, () => random(256)),
        ]);
        const problem = compare(bytes, bits);
        if (problem !== undefined) wrong.set(problem, hex(bytes));
      }
      expect([...wrong]).to.deep.equal([]);
    });

    it(`reads VEX alike (${bits}-bit)`, () => {
      const random = numbers(bits + 1);
      const wrong = new Map<string, string>();
      for (let n = 0; n < 3 * 16 * 256 * 8; n++) {
        const opcode = n & 255;
        const form = (n >> 8) & 15;
        const map = 1 + (Math.floor(n / 4096) % 3);
        const vvvv = random(2) ? 15 : random(16);
        const bytes = Uint8Array.from([
          0xc4,
          (bits === 64 ? random(8) << 5 : 0xe0) | map,
          ((form & 8) << 4) | (vvvv << 3) | (form & 7),
          opcode,
          random(2) ? 0xc0 | random(64) : random(192),
          ...Array.from({ length: 18 }, () => random(256)),
        ]);
        const problem = compare(bytes, bits);
        if (problem !== undefined) wrong.set(problem, hex(bytes));
      }
      expect([...wrong]).to.deep.equal([]);
    });
  }

  it('refuses more than 15 bytes', () => {
    const long = Uint8Array.from([...Array.from({ length: 15 }, () => 0x66), 0x90, 0, 0]);
    expect(decoder.decode(long, 0, long.length, true, true)).to.equal('too-long');
    expect(decoder.decode(long, 1, long.length, true, true)).to.equal('ok');
  });

  it('has each encoding once', () => {
    const seen = new Map<string, string>();
    const twice: string[] = [];
    for (const { row, mod } of [...rows, ...wideRows]) {
      if (row.name.startsWith('vzero') && wideRows.some((r) => r.row === row)) continue; // instead of the others
      const key = `${row.encoding} ${row.options.mode ?? ''} ${mod ?? ''}`;
      if (seen.has(key)) twice.push(`${key}: ${seen.get(key)} and ${row.name}`);
      seen.set(key, row.name);
    }
    expect(twice).to.deep.equal([]);
  });
});

/** CPUID, leaf by leaf; Intel SDM vol. 2, CPUID. A feature is announced here when its rows exist. */
import type { Cpu } from './cpu.ts';
import { COMPONENTS, compactedSize, xstateSize } from './xsave.ts';

/** EAX, EBX, ECX, EDX. */
export type Leaf = readonly [number, number, number, number];

const bits = (names: readonly string[], table: Readonly<Record<string, number>>): number =>
  names.reduce((word, name) => word | (1 << table[name]!), 0);

/** Bit numbers by register of leaf. */
const EDX1 = {
  fpu: 0, vme: 1, de: 2, pse: 3, tsc: 4, msr: 5, pae: 6, mce: 7, cx8: 8, apic: 9, sep: 11, mtrr: 12, pge: 13, mca: 14,
  cmov: 15, pat: 16, pse36: 17, clfsh: 19, mmx: 23, fxsr: 24, sse: 25, sse2: 26,
} as const; // biome-ignore format: one bit per name reads as a table
const ECX1 = {
  sse3: 0,
  pclmulqdq: 1,
  ssse3: 9,
  fma: 12,
  cx16: 13,
  sse4_1: 19,
  sse4_2: 20,
  movbe: 22,
  popcnt: 23,
  aes: 25,
  xsave: 26,
  osxsave: 27,
  avx: 28,
  f16c: 29,
  rdrand: 30,
  hypervisor: 31,
} as const;
const EBX7 = {
  fsgsbase: 0,
  bmi1: 3,
  avx2: 5,
  fdpExceptionOnly: 6,
  bmi2: 8,
  erms: 9,
  zeroFcsFds: 13,
  avx512f: 16,
  avx512dq: 17,
  rdseed: 18,
  adx: 19,
  clflushopt: 23,
  clwb: 24,
  avx512cd: 28,
  sha: 29,
  avx512bw: 30,
  avx512vl: 31,
} as const;
const ECX7 = { rdpid: 22 } as const;
/** Leaf D, subleaf 1. */
const EAXD1 = { xsaveopt: 0, xsavec: 1, xgetbv1: 2 } as const;
const EDX81 = { syscall: 11, nx: 20, mmxext: 22, rdtscp: 27, lm: 29 } as const;
const ECX81 = { lahf: 0, abm: 5, prefetchw: 8 } as const;

/** What a CPU made with `avx512` has besides. */
export const AVX512_FEATURES = ['avx512f', 'avx512dq', 'avx512cd', 'avx512bw', 'avx512vl'] as const;

/** What every CPU has. */
export const FEATURES = {
  edx1: [
    'fpu',
    'vme',
    'de',
    'pse',
    'tsc',
    'msr',
    'pae',
    'mce',
    'cx8',
    'apic',
    'sep',
    'mtrr',
    'pge',
    'mca',
    'cmov',
    'pat',
    'pse36',
    'clfsh',
    'mmx',
    'fxsr',
    'sse',
    'sse2',
  ],
  ecx1: [
    'sse3',
    'pclmulqdq',
    'ssse3',
    'fma',
    'cx16',
    'sse4_1',
    'sse4_2',
    'movbe',
    'popcnt',
    'aes',
    'xsave',
    'osxsave',
    'avx',
    'f16c',
    'rdrand',
  ],
  ebx7: ['bmi1', 'avx2', 'bmi2', 'rdseed', 'adx', 'clflushopt', 'clwb', 'sha'],
  ecx7: ['rdpid'],
  eaxD1: ['xsaveopt', 'xsavec', 'xgetbv1'],
  edx81: ['syscall', 'nx', 'rdtscp', 'lm'],
  ecx81: ['lahf', 'abm', 'prefetchw'],
} as const;

const VENDOR: Record<Cpu['vendor'], string> = { amd: 'AuthenticAMD', intel: 'GenuineIntel', any: 'GenuineIntel' };
const BRAND = 'compat-gdbserver virtual CPU';

function text(s: string, at: number): number {
  let word = 0;
  for (let n = 3; n >= 0; n--) word = (word << 8) | (s.charCodeAt(at + n) || 0);
  return word;
}

/** Family 6, model 60; AMD family 15h. */
const signature = (vendor: Cpu['vendor']): number => (vendor === 'amd' ? 0x00600f20 : 0x000306c3);

const NONE: Leaf = [0, 0, 0, 0];

function xstate(xcr0: number, subleaf: number): Leaf {
  if (subleaf === 0) return [xcr0, xstateSize(xcr0), xstateSize(xcr0), 0];
  // EBX: the size of an image in the compacted form of all that XCR0 enables.
  if (subleaf === 1) return [bits(FEATURES.eaxD1, EAXD1), compactedSize(xcr0), 0, 0];
  const component = COMPONENTS.find((c) => xcr0 & c.feature && c.feature === 2 ** subleaf);
  return component ? [component.size, component.offset, 0, 0] : NONE;
}

/** The x87 unit stores no selectors, and the operand's address only with an exception. AMD's manual reserves both bits. */
const X87_SAVES_LESS = ['fdpExceptionOnly', 'zeroFcsFds'] as const;

function leaf7(vendor: Cpu['vendor'], avx512: boolean, subleaf: number): Leaf {
  if (subleaf !== 0) return NONE;
  const intel = vendor === 'amd' ? 0 : bits(X87_SAVES_LESS, EBX7);
  const wide = avx512 ? bits(AVX512_FEATURES, EBX7) : 0;
  return [0, bits(FEATURES.ebx7, EBX7) | intel | wide, bits(FEATURES.ecx7, ECX7), 0];
}

/** The registers that CPUID leaves for EAX and ECX. */
export function cpuid(cpu: Pick<Cpu, 'vendor' | 'avx512' | 'xcr0'>, leaf: number, subleaf: number): Leaf {
  const { vendor } = cpu;
  const name = VENDOR[vendor];
  const edx1 = bits(FEATURES.edx1, EDX1);
  switch (leaf) {
    case 0:
      return [0xd, text(name, 0), text(name, 8), text(name, 4)];
    case 1:
      // One processor, CLFLUSH line of 64 bytes.
      return [signature(vendor), 0x00010800, bits(FEATURES.ecx1, ECX1), edx1];
    case 7:
      return leaf7(vendor, cpu.avx512, subleaf);
    case 0xd:
      return xstate(cpu.xcr0, subleaf);
    case 0x80000000:
      return [0x80000008, text(name, 0), text(name, 8), text(name, 4)];
    case 0x80000001: {
      // AMD repeats most of leaf 1's EDX here.
      const repeated = vendor === 'amd' ? edx1 & 0x0183f3ff : 0;
      return [signature(vendor), 0, bits(FEATURES.ecx81, ECX81), repeated | bits(FEATURES.edx81, EDX81)];
    }
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const at = (leaf - 0x80000002) * 16;
      return [text(BRAND, at), text(BRAND, at + 4), text(BRAND, at + 8), text(BRAND, at + 12)];
    }
    case 0x80000007:
      // Invariant TSC.
      return [0, 0, 0, 1 << 8];
    case 0x80000008:
      return [0x3028, 0, 0, 0];
    default:
      return NONE;
  }
}

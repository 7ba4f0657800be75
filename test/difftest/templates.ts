import {
  CodeExt,
  Decoder,
  DecoderOptions,
  EncodingKind,
  Formatter,
  FormatterSyntax,
  Code as IcedCode,
  CpuidFeature as IcedFeature,
  Mnemonic,
  type OpCodeInfo,
  OpCodeOperandKind,
  RflagsBits,
} from 'iced-x86';
import { XCR0, XFEATURE_AVX512 } from '../../cpu/xsave.ts';
import { announced } from './emulate.ts';
import {
  type Environment,
  type EvexTemplate,
  encode,
  type RegisterFile,
  type Special,
  type Template,
} from './encode.ts';
import { encodeEvex } from './encode-evex.ts';
import type { Mode } from './protocol.ts';
import { Random } from './random.ts';

/** What cannot be compared with the host, by mnemonic, and why; its rows need not be met. */
export const NOT_COMPARED: readonly (readonly [mnemonic: RegExp, why: string])[] = [
  [/^cpuid$/, 'the answers are ours'],
  [/^rdtscp?$/, 'the time differs'],
  [/^(rdrand|rdseed|rdpid)$/, 'a random number, or the number of the processor'],
  [/^xgetbv$/, 'the host has more components'],
  [/^(sgdt|sidt|sldt|str|smsw)$/, 'the host has UMIP: its kernel answers'],
  [/^sysenter$/, "the return address is the kernel's"],
];

/** Encodings of other processors, and what the host has but this CPU never announces. */
const EXCLUDED =
  /^(xbegin|xend|xabort|xtest|vm(call|clear|func|launch|load|mcall|ptrld|ptrst|read|resume|run|save|write|xoff|xon|gexit)|monitorx?|u?mwaitx?|u?monitor|tpause|enclu|enclv|encls|pconfig|wrpkru|rdpkru|clzero|movdir\w+|enqcmds?|ptwrite|clac|stac|clui|stui|testui|uiret|senduipi|serialize|getsec|hreset|seam\w+|td\w+|cldemote|rd[fg]sbase|wr[fg]sbase|incssp.|rdssp.|saveprevssp|rstorssp|wruss.|wrss.|setssbsy|clrssbsy|endbr\w+|skinit|stgi|clgi|invlpga|invpcid|pvalidate|rmp\w+|psmash|bnd\w+|lwpval|rsm|xsaves\w*|xrstors\w*|loadall\w*|storeall|xbts|ibts|umov|smint|dmint|rdm|svdc|rsdc|svldt|rsldt|svts|rsts)$/;

/** The feature names (of iced) that the engine may have. */
const FEATURES =
  /^(INTEL8086(_ONLY)?|INTEL186|INTEL286(_ONLY)?|INTEL386(_ONLY)?|INTEL486|X64|FPU|FPU287|FPU387|FPU_SSE\d|FPU_SSE3|CMOV|CX8|CMPXCHG16B|MULTIBYTENOP|MMX|SSE\d?|SSE4_\d|SSSE3|POPCNT|LZCNT|MOVBE|BMI1|BMI2|ADX|AVX|AVX2|FMA|F16C|AES|PCLMULQDQ|SHA|CLFSH|CLFLUSHOPT|CLWB|PREFETCHW|PAUSE|FXSR|SYSCALL|SEP|MSR|XSAVE|XSAVEOPT|XSAVEC|CPUID|TSC|RDTSCP|INVLPG|WBNOINVD|RDPMC|UNKNOWN|HLE_or_RTM|AVX512(F|CD|BW|DQ|VL))$/;

export interface Encoding extends Template {
  readonly code: number;
  readonly mnemonic: string;
  readonly features: readonly string[];
  readonly floating: 'integer' | 'vector' | 'x87' | 'sse-fp';
  /** Runs with all of AVX-512's state. */
  readonly wide: boolean;
}

const featureName = new Map(Object.entries(IcedFeature).map(([name, value]) => [value as number, name]));
const kindName = new Map(Object.entries(OpCodeOperandKind).map(([name, value]) => [value as number, name]));

/** Every encoding of the legacy and VEX maps, by iced-x86's tables: an account of the instruction set that is not ours. */
export const allEncodings = (): Encoding[] => encodings(false);

/** The EVEX and opmask encodings; and those once more that have upper halves to clear, save or restore. */
export const wideEncodings = (): Encoding[] => [
  ...encodings(true),
  ...encodings(false)
    .filter(({ vex, features }) => vex || features.some((feature) => /^XSAVE/.test(feature)))
    .map((encoding) => ({
      ...encoding,
      wide: true,
      name: `${encoding.name}+zmm`,
      features: encoding.vex ? encoding.features : [...encoding.features, 'AVX512F'],
      components: XCR0 | XFEATURE_AVX512,
    })),
];

function encodings(wide: boolean): Encoding[] {
  const found: Encoding[] = [];
  for (const [name, code] of Object.entries(IcedCode)) {
    if (typeof code !== 'number') continue;
    const info = CodeExt.opCode(code);
    const template = isWide(info) === wide ? templateOf(name, info) : undefined;
    info.free();
    if (!template) continue;
    const encoding = classify(template, code, wide);
    if (!encoding) continue;
    found.push(encoding);
    // Rows of their own, which chance would seldom meet. F2 repeats like F3 where nothing is compared.
    const forced = encoding.repeat.length > 0 ? [0xf2, 0xf3] : /^bs[fr]$/.test(encoding.mnemonic) ? [0xf2] : [];
    for (const prefix of forced) {
      found.push({ ...encoding, forced: prefix, name: `${encoding.name}+${prefix.toString(16)}` });
    }
  }
  return found;
}

const kindsOf = (info: OpCodeInfo): string[] =>
  Array.from({ length: info.opCount }, (_, i) => kindName.get(info.opKind(i))!);
const isWide = (info: OpCodeInfo): boolean =>
  info.encoding === EncodingKind.EVEX || kindsOf(info).some((kind) => kind.startsWith('k_'));

function templateOf(name: string, info: OpCodeInfo): Template | undefined {
  if (!info.isInstruction || info.isRmGroup || info.table > 3) return undefined;
  const encoded: readonly EncodingKind[] = [EncodingKind.Legacy, EncodingKind.VEX, EncodingKind.EVEX];
  if (!encoded.includes(info.encoding)) return undefined;
  if (info.fwait) return undefined; // two instructions
  const kinds = kindsOf(info);
  if (kinds.some((kind) => /^(tr_|bnd_|kp1|zmmp3|xmmp3|tmm|sibmem|xbegin|mem_mpx|mem_mib)/.test(kind))) {
    return undefined;
  }
  const vex = info.encoding !== EncodingKind.Legacy;
  const modes: Mode[] = [];
  if (info.mode64 && info.intelDecoder64) modes.push(64);
  if (info.mode32 && info.intelDecoder32) modes.push(32);
  if (info.mode16 && info.intelDecoder16) modes.push(16);
  const vsib = kinds.find((kind) => kind.startsWith('mem_vsib'));
  let opcode = info.opCode;
  let exactModrm = -1;
  if (info.opCodeLength === 2) {
    exactModrm = opcode & 255;
    opcode >>= 8;
  }
  let immediate: number | 'a' = 0;
  for (const kind of kinds) {
    if (kind === 'mem_offs') immediate = 'a';
    const match = /^imm(\d+)(?!_const)/.exec(kind) ?? /^br\d+_(\d)$/.exec(kind) ?? /^farbr(\d)_2$/.exec(kind);
    if (match && typeof immediate === 'number') {
      if (kind.startsWith('farbr')) immediate = Number(match[1]) + 2;
      else immediate += kind.startsWith('br') ? Number(match[1]) : Number(match[1]) === 4 ? 0 : Number(match[1]) / 8;
    }
    if (/_is[45]$/.test(kind) && typeof immediate === 'number') immediate += 1;
  }
  const implicit: number[] = [];
  for (const kind of kinds) {
    if (kind === 'seg_rSI') implicit.push(6);
    if (kind === 'es_rDI' || kind === 'seg_rDI') implicit.push(7);
    if (kind === 'seg_rBX_al') implicit.push(3);
  }
  if (info.isStackInstruction) implicit.push(4, 5);
  const repeat: number[] = [];
  if (info.canUseRepPrefix) repeat.push(0xf3);
  if (info.canUseRepnePrefix) repeat.push(0xf2);
  const size = info.operandSize;
  const w64 = size === 64 && !info.defaultOpSize64;
  if (w64 && !vex) modes.splice(0, modes.length, ...modes.filter((mode) => mode === 64));
  const control = kinds.find((kind) => /^(cr|dr)_reg$/.test(kind)) !== undefined;
  return {
    name,
    vex,
    map: info.table,
    opcode,
    plusRegister: kinds.some((kind) => kind.endsWith('_opcode')),
    prefix: [0, 0, 0x66, 0xf3, 0xf2][info.mandatoryPrefix]!,
    w: vex ? (info.isWIG ? -1 : info.W) : w64 ? 1 : size === 32 || size === 16 ? 0 : -1,
    l: vex ? (info.isLIG ? -1 : info.L) : 0,
    vvvv: kinds.some((kind) => kind.endsWith('_vvvv')),
    modrm:
      exactModrm >= 0 ||
      info.isGroup ||
      kinds.some((kind) => /(_reg|_rm|_or_mem|_reg_mem)$/.test(kind) || kind === 'mem'),
    digit: info.isGroup ? info.groupIndex : -1,
    exactModrm,
    form: control
      ? 'reg'
      : kinds.includes('mem') || vsib !== undefined
        ? 'mem'
        : kinds.some((kind) => kind.endsWith('_or_mem'))
          ? 'any'
          : 'reg',
    immediate,
    branch: kinds.some((kind) => kind.startsWith('br')),
    farImmediate: kinds.some((kind) => kind.startsWith('farbr')),
    operandSize: vex ? 0 : size,
    addressSize: info.addressSize / 8,
    lock: info.canUseLockPrefix,
    repeat,
    forced: 0,
    vsib: vsib === undefined ? 0 : vsib.includes('32') ? 32 : 64,
    bitOffset: /^Bt[sc r]?/.test(name) && info.table === 1,
    implicit,
    special: specialOf(name),
    components: XCR0,
    opmask: kinds.some((kind) => kind.startsWith('k_')),
    evex: info.encoding === EncodingKind.EVEX ? evexTemplate(info, kinds) : undefined,
    modes,
  };
}

function evexTemplate(info: OpCodeInfo, kinds: readonly string[]): EvexTemplate {
  const file = (...places: RegExp[]): RegisterFile => {
    const kind = kinds.find((k) => places.some((place) => place.test(k))) ?? 'xmm';
    return /^[xyz]mm/.test(kind) ? 'vector' : kind.startsWith('k') ? 'opmask' : 'general';
  };
  return {
    broadcast: info.canBroadcast,
    rounding: info.canUseRoundingControl || info.canSuppressAllExceptions,
    mask: info.canUseOpMaskRegister,
    needsMask: info.requireOpMaskRegister,
    zeroing: info.canUseZeroingMasking,
    reg: file(/_reg$/),
    rm: file(/_rm$/, /_or_mem$/),
    v: file(/_vvvv$/),
    unit: [1, 1],
  };
}

/** N of disp8*N, as iced decodes a displacement of 1. */
function displacementUnit(template: Template, environment: Environment, broadcast: boolean): number {
  for (let seed = 1; seed < 400; seed++) {
    const { code } = encodeEvex(template, new Random(seed), environment, 0x10000000, false, true);
    if (code[0] !== 0x62 || (code[5]! & 0xc7) < 0x40 || code[5]! >= 0x80) continue;
    if (((code[3]! & 0x10) !== 0) !== broadcast) continue;
    const bytes = Uint8Array.from(code);
    bytes[(code[5]! & 7) === 4 ? 7 : 6] = 1;
    const decoder = new Decoder(environment.mode, bytes, 0);
    const instruction = decoder.decode();
    const unit = Number(instruction.memoryDisplacement);
    instruction.free();
    decoder.free();
    return unit;
  }
  return 1;
}

function specialOf(name: string): Special | undefined {
  const mnemonic = mnemonicOf(name);
  if (/^(jmp|call)_m16/i.test(name) || /^l[defgs]s$/.test(mnemonic)) return 'far';
  if (/^(lar|lsl|verr|verw)$/.test(mnemonic) || /^Mov_Sreg/.test(name)) return 'selector';
  if (/^Pop[wdq]_[CDEFGS]S$/.test(name)) return 'pop-segment';
  if (/^retf/.test(mnemonic)) return 'far-return';
  if (/^iret/.test(mnemonic)) return 'iret';
  if (/^fxrstor/.test(mnemonic)) return 'fxrstor';
  if (/^xrstor/.test(mnemonic)) return 'xrstor';
  return /^f?xsave/.test(mnemonic) ? 'xsave' : undefined;
}

/** What iced says of one sample of the template; undefined when it is not ours to test. */
function classify(from: Template, code: number, wide: boolean): Encoding | undefined {
  let template = from;
  const mode = template.modes[0];
  if (mode === undefined) return undefined;
  const environment: Environment = { mode, selectors: [0x2b, mode === 64 ? 0x33 : 0x23, 0x2b, 0x2b, 0, 0] };
  for (let seed = 1; seed < 12; seed++) {
    const sample = Uint8Array.from(
      template.evex
        ? encodeEvex(template, new Random(seed), environment, 0x10000000, false, true).code
        : encode(template, new Random(seed), environment, 0x10000000).code,
    );
    const decoder = new Decoder(mode, sample, 0);
    const instruction = decoder.decode();
    const same = instruction.code === code;
    const features = [...instruction.cpuidFeatures()].map((feature) => featureName.get(feature)!);
    instruction.free();
    decoder.free();
    if (!same) continue;
    const mnemonic = mnemonicOf(template.name);
    if (EXCLUDED.test(mnemonic) || NOT_COMPARED.some(([name]) => name.test(mnemonic))) return undefined;
    if (!features.every((feature) => FEATURES.test(feature))) return undefined;
    const x87 = features.some((feature) => feature.startsWith('FPU'));
    const vector = features.some((feature) => /^(MMX|SSE|SSSE|AVX|FMA|F16C|AES|PCLMUL|SHA|FXSR|XSAVE)/.test(feature));
    const floating = x87 ? 'x87' : vector ? (/[ps][sd]$|^v?cvt|^vf/.test(mnemonic) ? 'sse-fp' : 'vector') : 'integer';
    if (template.evex) {
      const unit = [
        displacementUnit(template, environment, false),
        displacementUnit(template, environment, true),
      ] as const;
      template = { ...template, evex: { ...template.evex, unit } };
    }
    return { ...template, code, mnemonic, features, floating, wide };
  }
  return undefined;
}

function mnemonicOf(name: string): string {
  return name
    .replace(/^E?VEX_/, '')
    .split('_')[0]!
    .toLowerCase();
}

export interface Facts {
  readonly text: string;
  readonly length: number;
  readonly code: number;
  readonly undefinedFlags: number;
}

const FLAG_BITS: readonly (readonly [number, number])[] = [
  [RflagsBits.OF, 0x800],
  [RflagsBits.SF, 0x80],
  [RflagsBits.ZF, 0x40],
  [RflagsBits.AF, 0x10],
  [RflagsBits.CF, 1],
  [RflagsBits.PF, 4],
];

/** With what stands behind it in memory. */
function padded(code: Uint8Array): Uint8Array {
  const out = new Uint8Array(code.length + 16).fill(0xcc);
  out.set(code);
  return out;
}

/** Disassembly of one instruction, and which flags it leaves undefined. */
export function factsOf(code: Uint8Array, mode: Mode, rip: number): Facts {
  const decoder = new Decoder(mode, padded(code), DecoderOptions.None);
  decoder.ip = BigInt(rip);
  const instruction = decoder.decode();
  const text = new Formatter(FormatterSyntax.Gas);
  const undefinedBits = instruction.rflagsUndefined;
  let undefinedFlags = 0;
  for (const [bit, flag] of FLAG_BITS) if (undefinedBits & bit) undefinedFlags |= flag;
  const facts = { text: text.format(instruction), length: instruction.length, code: instruction.code, undefinedFlags };
  text.free();
  instruction.free();
  decoder.free();
  return facts;
}

/** How long the first instruction is; 0 when it does not exist. */
export function lengthOf(code: Uint8Array, mode: Mode): number {
  const decoder = new Decoder(mode, padded(code), DecoderOptions.None);
  const instruction = decoder.decode();
  const length = instruction.code === IcedCode.INVALID ? 0 : instruction.length;
  instruction.free();
  decoder.free();
  return length;
}

/** May bytes that came about by chance run on the host and be compared? `wide`: with AVX-512. */
export function isComparable(code: Uint8Array, mode: Mode, wide: boolean): boolean {
  const decoder = new Decoder(mode, padded(code), DecoderOptions.None);
  const instruction = decoder.decode();
  const mnemonic = (Mnemonic[instruction.mnemonic] ?? '').toLowerCase();
  const features = [...instruction.cpuidFeatures()].map((feature) => featureName.get(feature)!);
  const invalid = instruction.code === IcedCode.INVALID;
  instruction.free();
  decoder.free();
  if (invalid) return true;
  if (EXCLUDED.test(mnemonic) || NOT_COMPARED.some(([name]) => name.test(mnemonic))) return false;
  return features.every(
    (feature) => FEATURES.test(feature) && announced(feature) && (wide || !feature.startsWith('AVX512')),
  );
}

import {
  CodeExt,
  Decoder,
  DecoderOptions,
  EncodingKind,
  Formatter,
  FormatterSyntax,
  Code as IcedCode,
  CpuidFeature as IcedFeature,
  type OpCodeInfo,
  OpCodeOperandKind,
  RflagsBits,
} from 'iced-x86';
import { encode, type Template } from './encode.ts';
import { Random } from './random.ts';

/** Encodings that need an operating system, differ from run to run (RDRAND ...), or cannot be stepped over. */
const EXCLUDED =
  /^(syscall|sysenter|sysexit|sysret|int|int1|int3|into|iret\w?|retf|rdtsc\w?|cpuid|rdrand|rdseed|rdpid|rdpmc|xgetbv|xsetbv|f?xsave\w*|f?xrstor\w*|fn?stenv|fldenv|fn?save|frstor|xbegin|xend|xabort|xtest|vm\w+call|vmfunc|hlt|ud[012]\w*|monitorx?|u?mwaitx?|u?monitor|tpause|enclu|enclv|encls|pconfig|wrpkru|rdpkru|clzero|movdir\w+|enqcmds?|ptwrite|cl(ac|ui)|st(ac|ui)|testui|uiret|senduipi|serialize|getsec|hreset|seam\w+|td\w+|cldemote|prefetch\w*|rd[fg]sbase|wr[fg]sbase|incssp.|rdssp.|saveprevssp|rstorssp|wruss.|wrss.|setssbsy|clrssbsy|endbr\w+|(ld|st)mxcsr_|sgdt|sidt|smsw|sldt|str|lar|lsl|verr|verw|lss|skinit|stgi|clgi|invlpg\w*|pvalidate|rmp\w+|psmash|bnd\w+|lwpval)$/;

/** The feature names (of iced) that the engine may have. */
const FEATURES =
  /^(INTEL8086(_ONLY)?|INTEL186|INTEL286(_ONLY)?|INTEL386(_ONLY)?|INTEL486|X64|FPU|FPU287|FPU387|FPU_SSE\d|FPU_SSE3|CMOV|CX8|CMPXCHG16B|MULTIBYTENOP|MMX|SSE\d?|SSE4_\d|SSSE3|POPCNT|LZCNT|MOVBE|BMI1|BMI2|ADX|AVX|AVX2|FMA|F16C|AES|PCLMULQDQ|SHA|CLFSH|CLFLUSHOPT|CLWB|PREFETCHW|PAUSE|FXSR|RDTSCP)$/;

export interface Encoding extends Template {
  readonly code: number;
  readonly mnemonic: string;
  readonly features: readonly string[];
  readonly floating: 'integer' | 'vector' | 'x87' | 'sse-fp';
}

const featureName = new Map(Object.entries(IcedFeature).map(([name, value]) => [value as number, name]));
const kindName = new Map(Object.entries(OpCodeOperandKind).map(([name, value]) => [value as number, name]));

/** Every encoding of the legacy and VEX maps, by iced-x86's tables: an account of the instruction set that is not ours. */
export function allEncodings(): Encoding[] {
  const encodings: Encoding[] = [];
  for (const [name, code] of Object.entries(IcedCode)) {
    if (typeof code !== 'number') continue;
    const info = CodeExt.opCode(code);
    const template = templateOf(name, info);
    info.free();
    if (!template) continue;
    const found = classify(template, code);
    if (found) encodings.push(found);
  }
  return encodings;
}

function templateOf(name: string, info: OpCodeInfo): Template | undefined {
  if (!info.isInstruction || info.isRmGroup || info.table > 3) return undefined;
  if (info.encoding !== EncodingKind.Legacy && info.encoding !== EncodingKind.VEX) return undefined;
  if (/_SS$/.test(name)) return undefined; // the trap comes one instruction late
  if (info.fwait || info.mustBeCpl0 || info.isPrivileged || info.isInputOutput) return undefined;
  const kinds: string[] = [];
  for (let i = 0; i < info.opCount; i++) kinds.push(kindName.get(info.opKind(i))!);
  if (kinds.some((kind) => /^(farbr|cr_|dr_|tr_|bnd_|k_|kp1|zmm|tmm|sibmem|xbegin|mem_mpx|mem_mib)/.test(kind))) {
    return undefined;
  }
  const vex = info.encoding === EncodingKind.VEX;
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
    const match = /^imm(\d+)(?!_const)/.exec(kind) ?? /^br\d+_(\d)$/.exec(kind);
    if (match && typeof immediate === 'number') {
      immediate += kind.startsWith('br') ? Number(match[1]) : Number(match[1]) === 4 ? 0 : Number(match[1]) / 8;
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
    form:
      kinds.includes('mem') || vsib !== undefined
        ? 'mem'
        : kinds.some((kind) => kind.endsWith('_or_mem'))
          ? 'any'
          : 'reg',
    immediate,
    operand16: !vex && size === 16,
    addressSize: info.addressSize / 8,
    lock: info.canUseLockPrefix,
    repeat,
    vsib: vsib === undefined ? 0 : vsib.includes('32') ? 32 : 64,
    bitOffset: /^Bt[sc r]?/.test(name) && info.table === 1,
    implicit,
    long: info.mode64 && info.intelDecoder64,
    compat: info.mode32 && info.intelDecoder32 && !w64,
  };
}

/** What iced says of one sample of the template; undefined when it is not ours to test. */
function classify(template: Template, code: number): Encoding | undefined {
  const compat = !template.long;
  if (compat && !template.compat) return undefined;
  for (let seed = 1; seed < 8; seed++) {
    const sample = encode(template, new Random(seed), compat, 0x10000000).code;
    const decoder = new Decoder(compat ? 32 : 64, sample, 0);
    const instruction = decoder.decode();
    const same = instruction.code === code;
    const features = [...instruction.cpuidFeatures()].map((feature) => featureName.get(feature)!);
    instruction.free();
    decoder.free();
    if (!same) continue;
    const mnemonic = mnemonicOf(template.name);
    if (EXCLUDED.test(mnemonic) || !features.every((feature) => FEATURES.test(feature))) return undefined;
    const x87 = features.some((feature) => feature.startsWith('FPU'));
    const vector = features.some((feature) => /^(MMX|SSE|SSSE|AVX|FMA|F16C|AES|PCLMUL|SHA)/.test(feature));
    const floating = x87 ? 'x87' : vector ? (/[ps][sd]$|^v?cvt|^vf/.test(mnemonic) ? 'sse-fp' : 'vector') : 'integer';
    return { ...template, code, mnemonic, features, floating };
  }
  return undefined;
}

function mnemonicOf(name: string): string {
  return name.replace(/^VEX_/, '').split('_')[0]!.toLowerCase();
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

/** Disassembly of one case, and which flags the instruction leaves undefined. */
export function factsOf(code: Uint8Array, compat: boolean, rip: number): Facts {
  const decoder = new Decoder(compat ? 32 : 64, code, DecoderOptions.None);
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

/** System calls, CPUID, time stamps, segment registers, and what is refused at CPL 3; Intel SDM vol. 2. */
import { cpuid } from '../cpuid.ts';
import { type Exit, Vector } from '../exit.ts';
import { Flag, setFromWord, statusWord } from '../flags.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { type I32, type I64, i32, i64, select } from '../ir/expr.ts';
import { gprOffset, Segment } from '../state.ts';
import {
  arpl,
  lar,
  loadFarPointer,
  lsl,
  moveFromSegment,
  moveToSegment,
  popSegment,
  pushSegment,
  verify,
} from './far.ts';
import { helper, type Lower, op, type Row } from './row.ts';

const SYSCALL: Exit = { kind: 'syscall' };
const SYSENTER: Exit = { kind: 'sysenter' };

/** RCX and R11 get RIP and RFLAGS; what else SYSCALL does is the kernel's entry. Intel has it in 64-bit mode only. */
const syscall = helper((h) => {
  if (!h.long && h.cpu.vendor === 'intel') h.raise(Vector.UD);
  h.storeNextRip(gprOffset(1));
  h.view.setUint32(gprOffset(11), h.rflags & ~Flag.RF, true);
  h.view.setUint32(gprOffset(11) + 4, 0, true);
  h.exit(SYSCALL);
});

/** AMD has no SYSENTER in long mode, which includes compatibility mode. */
const sysenter = helper((h) => {
  if (h.cpu.vendor === 'amd') h.raise(Vector.UD);
  h.exit(SYSENTER);
});

const cpuidHelper = helper((h) => {
  const leaf = cpuid(h.cpu, Number(h.register(0) & 0xffffffffn), Number(h.register(1) & 0xffffffffn));
  leaf.forEach((v, n) => {
    h.setRegister([0, 3, 1, 2][n]!, 32, BigInt(v >>> 0));
  });
});

function timeStamp(h: HelperContext): void {
  const ticks = BigInt(h.cpu.retiredBefore(h.record) + h.cpu.tscOffset);
  h.setRegister(0, 32, ticks & 0xffffffffn);
  h.setRegister(2, 32, (ticks >> 32n) & 0xffffffffn);
}
const rdtsc = helper(timeStamp);
/** IA32_TSC_AUX is 0 on the only processor. */
const rdtscp = helper((h) => {
  timeStamp(h);
  h.setRegister(1, 32, 0n);
});

/** CMPXCHG8B: EDX:EAX against memory, ECX:EBX into it. Only ZF changes. */
const cmpxchg8b: Lower = (c) => {
  const pair = (high: number, low: number): I64 =>
    c.let(i64.or(i64.shl(i64.extend_u(c.register(high, 32) as I32), 32), i64.extend_u(c.register(low, 32) as I32)));
  const expected = pair(2, 0);
  const replacement = pair(1, 3);
  let found: I64 = expected;
  c.modify(0, (old) => {
    found = old as I64;
    return select(replacement, found, i64.eq(found, expected));
  });
  const equal = c.let(i64.eq(found, expected));
  c.if(i32.eqz(equal), () => {
    c.setRegister(0, 32, i32.wrap(found));
    c.setRegister(2, 32, i32.wrap(i64.shr_u(found, 32)));
  });
  const others = i32.and(statusWord(c), ~Flag.ZF);
  setFromWord(c, c.let(i32.or(others, i32.shl(equal, 6))));
};

const cmpxchg16b = helper((h) => {
  const at = h.address(0);
  if (h.linearOf(at) & 15n) h.raise(Vector.GP);
  h.probe(at, 16);
  const old = h.loadBytes(at, 16);
  const view = new DataView(old.buffer);
  const low = view.getBigUint64(0, true);
  const high = view.getBigUint64(8, true);
  const equal = low === h.register(0) && high === h.register(2);
  const next = new Uint8Array(16);
  const out = new DataView(next.buffer);
  out.setBigUint64(0, equal ? h.register(3) : low, true);
  out.setBigUint64(8, equal ? h.register(1) : high, true);
  h.storeBytes(at, next);
  if (!equal) {
    h.setRegister(0, 64, low);
    h.setRegister(2, 64, high);
  }
  h.rflags = equal ? h.rflags | Flag.ZF : h.rflags & ~Flag.ZF;
});

/** What the kernel of the time lets a program see with SGDT and SIDT (there is no UMIP). */
const descriptorTable = (limit: number, base: bigint) =>
  helper((h) => {
    const bytes = new Uint8Array(h.long ? 10 : 6);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, limit, true);
    if (h.long) view.setBigUint64(2, base, true);
    else view.setUint32(2, Number(base & 0xffffffffn), true);
    h.storeBytes(h.address(0), bytes);
  });

const storeWord = (v: (h: HelperContext) => bigint) =>
  helper((h) => {
    if (h.isMemory(0)) h.store(16, h.address(0), v(h));
    else h.write(0, v(h));
  });
const LDT_SELECTOR = 0x50n;
const TSS_SELECTOR = 0x40n;
const CR0 = 0x80050033n;

const xlat: Lower = (c) => {
  const offset = i64.add(c.register(3, 64) as I64, i64.extend_u(c.register(0, 8) as I32));
  const masked = i64.and(i64.add(i64.and(offset, c.addressMask()), c.segmentBase()), c.get('ripMask') as I64);
  c.setRegister(0, 8, c.load(8, c.let(masked)));
};
/** SALC: AL = CF ? FF : 0. */
const salc: Lower = (c) => c.setRegister(0, 8, i32.and(i32.sub(0, i32.and(statusWord(c), 1)), 0xff));

const refused: Lower = (c) => c.raise(Vector.GP);
/** Intel has SYSRET in 64-bit mode only, as SYSCALL. */
const sysret = helper((h) => h.raise(!h.long && h.cpu.vendor === 'intel' ? Vector.UD : Vector.GP));
/** CR0, CR2, CR3, CR4 and CR8 exist; DR4 and DR5 are names of DR6 and DR7. */
const CONTROL = [0, 2, 3, 4, 8];
const DEBUG = [0, 1, 2, 3, 4, 5, 6, 7];
const existing = (operand: number, registers: readonly number[]) =>
  helper((h) => h.raise(registers.includes(h.slot(operand)) ? Vector.GP : Vector.UD));
const ends = { ends: true } as const;
const only32 = { mode: '32' } as const;
const segments: readonly [name: string, number][] = [
  ['es', Segment.ES],
  ['cs', Segment.CS],
  ['ss', Segment.SS],
  ['ds', Segment.DS],
];
const hex = (n: number): string => n.toString(16).padStart(2, '0').toUpperCase();

export const systemRows: readonly Row[] = [
  op('syscall', '0F 05', '', syscall, ends),
  op('sysenter', '0F 34', '', sysenter, ends),
  op('cpuid', '0F A2', '', cpuidHelper),
  op('rdtsc', '0F 31', '', rdtsc),
  op('rdtscp', '0F 01 F9', '', rdtscp),
  op('cmpxchg16b', 'REX.W 0F C7 /1', 'Mdq', cmpxchg16b, { lock: true }),
  op('cmpxchg8b', '0F C7 /1', 'Mq', cmpxchg8b, { lock: true }),
  op('xlat', 'D7', '', xlat, { string: 'source' }),
  op('salc', 'D6', '', salc, only32),

  op('mov', '8C /r', 'Ev Sw', moveFromSegment),
  op('mov', '8E /r', 'Sw Ew', moveToSegment, ends),
  ...segments.map(([s, n]) => op(`push ${s}`, hex(0x06 + 8 * n), '', pushSegment(n), only32)),
  ...segments
    .filter(([s]) => s !== 'cs')
    .map(([s, n]) => op(`pop ${s}`, hex(0x07 + 8 * n), '', popSegment(n), { ...only32, ...ends })),
  op('push fs', '0F A0', '', pushSegment(Segment.FS), { osz: 'd64' }),
  op('pop fs', '0F A1', '', popSegment(Segment.FS), { osz: 'd64', ends: true }),
  op('push gs', '0F A8', '', pushSegment(Segment.GS), { osz: 'd64' }),
  op('pop gs', '0F A9', '', popSegment(Segment.GS), { osz: 'd64', ends: true }),
  op('les', 'C4 /r', 'Gv M', loadFarPointer(Segment.ES), { ...only32, ...ends }),
  op('lds', 'C5 /r', 'Gv M', loadFarPointer(Segment.DS), { ...only32, ...ends }),
  op('lss', '0F B2 /r', 'Gv M', loadFarPointer(Segment.SS), ends),
  op('lfs', '0F B4 /r', 'Gv M', loadFarPointer(Segment.FS), ends),
  op('lgs', '0F B5 /r', 'Gv M', loadFarPointer(Segment.GS), ends),
  op('lar', '0F 02 /r', 'Gv Ew', lar),
  op('lsl', '0F 03 /r', 'Gv Ew', lsl),
  op('arpl', '63 /r', 'Ew Gw', arpl, only32),
  op(
    'sldt',
    '0F 00 /0',
    'Ev',
    storeWord((h) => (h.cpu.ldt.length > 0 ? LDT_SELECTOR : 0n)),
  ),
  op(
    'str',
    '0F 00 /1',
    'Ev',
    storeWord(() => TSS_SELECTOR),
  ),
  op('lldt', '0F 00 /2', 'Ew', refused, ends),
  op('ltr', '0F 00 /3', 'Ew', refused, ends),
  op('verr', '0F 00 /4', 'Ew', verify(false)),
  op('verw', '0F 00 /5', 'Ew', verify(true)),
  op('sgdt', '0F 01 /0', 'M', descriptorTable(0x7f, 0xffff88003fc09000n)),
  op('sidt', '0F 01 /1', 'M', descriptorTable(0xfff, 0xffffffffff57a000n)),
  op('lgdt', '0F 01 /2', 'M', refused, { ends: true, addressOnly: true }),
  op('lidt', '0F 01 /3', 'M', refused, { ends: true, addressOnly: true }),
  op(
    'smsw',
    '0F 01 /4',
    'Ev',
    storeWord(() => CR0),
  ),
  op('lmsw', '0F 01 /6', 'Ew', refused, ends),
  op('invlpg', '0F 01 /7', 'M', refused, { ends: true, addressOnly: true }),
  op('swapgs', '0F 01 F8', '', refused, { ends: true, mode: '64' }),

  op('clflush', 'NP 0F AE /7', 'Mb', (c) => void c.read(0)),
  op('clflushopt', '66 0F AE /7', 'Mb', (c) => void c.read(0)),
  op('xsetbv', 'NP 0F 01 D1', '', refused, ends),

  // Privileged, or in need of an IOPL that Linux gives no one without iopl(2).
  ...['F4', 'FA', 'FB', '6C', '6D', '6E', '6F', 'EC', 'ED', 'EE', 'EF'].map((b) =>
    op('privileged', b, '', refused, ends),
  ),
  op('in', 'E4', 'AL Ib', refused, ends),
  op('in', 'E5', 'EAX Ib', refused, ends),
  op('out', 'E6', 'Ib AL', refused, ends),
  op('out', 'E7', 'Ib EAX', refused, ends),
  ...['06', '08', '09', '30', '32', '33', '35'].map((b) => op('privileged', `0F ${b}`, '', refused, ends)),
  op('sysret', '0F 07', '', sysret, ends),
  op('mov', '0F 20 /r', 'Rq Cq', existing(1, CONTROL), ends),
  op('mov', '0F 21 /r', 'Rq Dq', existing(1, DEBUG), ends),
  op('mov', '0F 22 /r', 'Cq Rq', existing(0, CONTROL), ends),
  op('mov', '0F 23 /r', 'Dq Rq', existing(0, DEBUG), ends),
];

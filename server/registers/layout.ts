/**
 * A register layout: rows in the order of gdb's register numbers. target.xml, `g`, `G`, `p`, `P` and the expedited
 * registers of a stop reply all come from the rows.
 */
import { readFtag, writeFtag } from './ftag.ts';
import { FX, stateView, type UserReg, userRegOffset } from './state.ts';

export interface RegisterRow {
  readonly name: string;
  readonly bits: number;
  /** A type of gdb's or one that the feature's `types` declares. */
  readonly type: string;
  readonly group?: 'general' | 'float' | 'vector' | 'system';
  readonly read: (state: Uint8Array, out: Uint8Array) => void;
  readonly write: (state: Uint8Array, value: Uint8Array) => void;
}

export interface Feature {
  readonly name: string;
  /** XML of the types that the rows use. */
  readonly types: string;
  readonly rows: readonly RegisterRow[];
}

export interface RegisterLayout {
  readonly name: 'amd64-linux' | 'i386-linux';
  readonly bits: 32 | 64;
  /** BFD's names. */
  readonly architecture: string;
  readonly compatible: string;
  readonly features: readonly Feature[];
  readonly rows: readonly RegisterRow[];
  /** Register numbers sent with each stop. */
  readonly expedited: readonly number[];
  readonly xml: string;
}

/** Bytes at an offset of the state block, as they are. */
export function plain(
  name: string,
  bits: number,
  type: string,
  offset: number,
  group?: RegisterRow['group'],
): RegisterRow {
  const size = bits / 8;
  return {
    name,
    bits,
    type,
    ...(group && { group }),
    read: (state, out) => out.set(state.subarray(offset, offset + size)),
    write: (state, value) => state.set(value.subarray(0, size), offset),
  };
}

/** A slot of user_regs_struct at its full width. */
export const full = (name: string, type: string, slot: UserReg): RegisterRow =>
  plain(name, 64, type, userRegOffset(slot));

/**
 * The low half of a slot. A write that changes nothing leaves the upper half alone (gdb writes all registers back
 * after a function call); any other extends as `putreg32()` of arch/x86/kernel/ptrace.c does.
 */
export function low(name: string, type: string, slot: UserReg, extend: 'zero' | 'sign' = 'zero'): RegisterRow {
  const offset = userRegOffset(slot);
  return {
    name,
    bits: 32,
    type,
    read: (state, out) => out.set(state.subarray(offset, offset + 4)),
    write: (state, value) => {
      if (value.every((byte, i) => i >= 4 || byte === state[offset + i])) return;
      state.set(value.subarray(0, 4), offset);
      state.fill(extend === 'sign' && (value[3]! & 0x80) !== 0 ? 0xff : 0, offset + 4, offset + 8);
    },
  };
}

/** A 16-bit field of the FXSAVE image in a 32-bit register. */
function half(name: string, offset: number, mask = 0xffff): RegisterRow {
  return {
    name,
    bits: 32,
    type: 'int',
    group: 'float',
    read: (state, out) => {
      const value = stateView(state).getUint16(offset, true) & mask;
      out.set([value & 0xff, value >> 8, 0, 0]);
    },
    write: (state, value) => stateView(state).setUint16(offset, ((value[1]! << 8) | value[0]!) & mask, true),
  };
}

/** st0-st7 and the control registers, in gdb's order. */
export function x87Rows(): RegisterRow[] {
  const st = Array.from({ length: 8 }, (_, i) => plain(`st${i}`, 80, 'i387_ext', FX.st(i), 'float'));
  return [
    ...st,
    half('fctrl', FX.fcw),
    half('fstat', FX.fsw),
    { name: 'ftag', bits: 32, type: 'int', group: 'float', read: readFtag, write: writeFtag },
    half('fiseg', FX.fcs),
    plain('fioff', 32, 'int', FX.fip, 'float'),
    half('foseg', FX.fds),
    plain('fooff', 32, 'int', FX.fdp, 'float'),
    half('fop', FX.fop, 0x7ff),
  ];
}

export const EFLAGS_TYPE = flagsType('i386_eflags', [
  ['CF', 0],
  ['', 1],
  ['PF', 2],
  ['AF', 4],
  ['ZF', 6],
  ['SF', 7],
  ['TF', 8],
  ['IF', 9],
  ['DF', 10],
  ['OF', 11],
  ['NT', 14],
  ['RF', 16],
  ['VM', 17],
  ['AC', 18],
  ['VIF', 19],
  ['VIP', 20],
  ['ID', 21],
]);

const MXCSR_TYPE = flagsType('i386_mxcsr', [
  ['IE', 0],
  ['DE', 1],
  ['ZE', 2],
  ['OE', 3],
  ['UE', 4],
  ['PE', 5],
  ['DAZ', 6],
  ['IM', 7],
  ['DM', 8],
  ['ZM', 9],
  ['OM', 10],
  ['UM', 11],
  ['PM', 12],
  ['FZ', 15],
]);

function flagsType(id: string, fields: readonly (readonly [name: string, bit: number])[]): string {
  const lines = fields.map(([name, bit]) => `<field name="${name}" start="${bit}" end="${bit}"/>`);
  return `<flags id="${id}" size="4">${lines.join('')}</flags>`;
}

const VECTOR_TYPES = [
  ['v8bf16', 'bfloat16', 8],
  ['v4f', 'ieee_single', 4],
  ['v2d', 'ieee_double', 2],
  ['v16i8', 'int8', 16],
  ['v8i16', 'int16', 8],
  ['v4i32', 'int32', 4],
  ['v2i64', 'int64', 2],
] as const;

const VEC128_FIELDS = [
  ['v8_bfloat16', 'v8bf16'],
  ['v4_float', 'v4f'],
  ['v2_double', 'v2d'],
  ['v16_int8', 'v16i8'],
  ['v8_int16', 'v8i16'],
  ['v4_int32', 'v4i32'],
  ['v2_int64', 'v2i64'],
  ['uint128', 'uint128'],
] as const;

/** With the types of its members. A type is known only in the feature that declares it. */
const VEC128_TYPE = [
  ...VECTOR_TYPES.map(([id, type, n]) => `<vector id="${id}" type="${type}" count="${n}"/>`),
  `<union id="vec128">${VEC128_FIELDS.map(([n, t]) => `<field name="${n}" type="${t}"/>`).join('')}</union>`,
].join('');

/** org.gnu.gdb.i386.sse with `count` registers. */
export function sseFeature(count: number): Feature {
  const xmm = Array.from({ length: count }, (_, i) => plain(`xmm${i}`, 128, 'vec128', FX.xmm(i)));
  const mxcsr = plain('mxcsr', 32, 'i386_mxcsr', FX.mxcsr, 'vector');
  return { name: 'org.gnu.gdb.i386.sse', types: VEC128_TYPE + MXCSR_TYPE, rows: [...xmm, mxcsr] };
}

/** org.gnu.gdb.i386.avx: the upper halves. */
export function avxFeature(count: number): Feature {
  const rows = Array.from({ length: count }, (_, i) => plain(`ymm${i}h`, 128, 'uint128', FX.ymmh(i)));
  return { name: 'org.gnu.gdb.i386.avx', types: '', rows };
}

/** @param count 8: no registers from 16 on */
export function avx512Feature(count: 8 | 16): Feature {
  const list = (from: number, to: number, row: (i: number) => RegisterRow): RegisterRow[] =>
    Array.from({ length: to - from }, (_, n) => row(from + n));
  const high = count === 16 ? 32 : 16;
  return {
    name: 'org.gnu.gdb.i386.avx512',
    types: `${VEC128_TYPE}<vector id="v2ui128" type="uint128" count="2"/>`,
    rows: [
      ...list(16, high, (i) => plain(`xmm${i}`, 128, 'vec128', FX.hi16(i))),
      ...list(16, high, (i) => plain(`ymm${i}h`, 128, 'uint128', FX.hi16(i) + 16)),
      ...list(0, 8, (i) => plain(`k${i}`, 64, 'uint64', FX.k(i))),
      ...list(0, count, (i) => plain(`zmm${i}h`, 256, 'v2ui128', FX.zmmh(i))),
      ...list(16, high, (i) => plain(`zmm${i}h`, 256, 'v2ui128', FX.hi16(i) + 32)),
    ],
  };
}

/**
 * Completes a layout. `<osabi>` makes `catch syscall`, `$_siginfo` and `info proc` work; `<compatible>` lets gdb take
 * the description whatever the class of the program file is.
 */
export function makeLayout(
  init: Pick<RegisterLayout, 'name' | 'bits' | 'architecture' | 'compatible' | 'features'> & {
    readonly expedite: readonly string[];
  },
): RegisterLayout {
  const { expedite, ...layout } = init;
  const rows = layout.features.flatMap((feature) => feature.rows);
  let regnum = 0;
  const features = layout.features.map((feature) => {
    const regs = feature.rows.map((row) => {
      const group = row.group ? ` group="${row.group}"` : '';
      return `<reg name="${row.name}" bitsize="${row.bits}" type="${row.type}" regnum="${regnum++}"${group}/>`;
    });
    return `<feature name="${feature.name}">${feature.types}\n${regs.join('\n')}\n</feature>`;
  });
  const xml = [
    '<?xml version="1.0"?>',
    '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
    '<target version="1.0">',
    `<architecture>${layout.architecture}</architecture>`,
    '<osabi>GNU/Linux</osabi>',
    `<compatible>${layout.compatible}</compatible>`,
    ...features,
    '</target>',
    '',
  ].join('\n');
  return Object.freeze({
    ...layout,
    rows,
    xml,
    expedited: expedite.map((name) => rows.findIndex((r) => r.name === name)),
  });
}

/** The bytes of one register, as a `p` reply has them. */
export function readRow(row: RegisterRow, state: Uint8Array): Uint8Array {
  const out = new Uint8Array(row.bits / 8);
  row.read(state, out);
  return out;
}

/** The bytes of a `g` reply. */
export function readAll(layout: RegisterLayout, state: Uint8Array): Uint8Array {
  const out = new Uint8Array(layout.rows.reduce((sum, row) => sum + row.bits / 8, 0));
  let at = 0;
  for (const row of layout.rows) {
    row.read(state, out.subarray(at, at + row.bits / 8));
    at += row.bits / 8;
  }
  return out;
}

/** Takes the bytes of a `G` packet; a short one sets the first registers only. */
export function writeAll(layout: RegisterLayout, state: Uint8Array, bytes: Uint8Array): void {
  let at = 0;
  for (const row of layout.rows) {
    const size = row.bits / 8;
    if (at + size > bytes.length) return;
    row.write(state, bytes.subarray(at, at + size));
    at += size;
  }
}

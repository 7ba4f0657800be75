/** Packed integer arithmetic, comparisons, logic, shifts and shuffles (MMX, SSE2 to SSE4.2, AVX, AVX2), from `simd-table.ts`. */
import type { I64, V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { i8x16, i64x2 } from '../ir/vector.ts';
import { type Lower, op, type Row, sse } from './row.ts';
import {
  countOf,
  each1,
  each2,
  eachImm,
  eachImm2,
  hex2,
  imm8,
  joined,
  lanesOf,
  readMmx,
  vex,
  writeLanes,
  writeMmx,
} from './simd-forms.ts';
import { type KernelImm, pslldq, psrldq, shuffleWords } from './simd-kernels.ts';
import {
  PACKED,
  PACKED_IMM,
  PACKED_UNARY,
  type Packed2,
  SHIFTS,
  SHUFFLES,
  type ShiftLine,
  WIDENING,
  type Widening,
} from './simd-table.ts';

const MAPS = ['', '0F', '0F 38', '0F 3A'] as const;

function mmxBinary(line: Packed2): Lower {
  const { kernel, mmx } = line;
  return (c) => {
    const a = readMmx(c, 0);
    const b = readMmx(c, 1);
    if (mmx === 'join') {
      const both = c.let(joined(a, b));
      writeMmx(c, 0, kernel(c, both, both));
    } else if (typeof mmx === 'function') {
      writeMmx(c, 0, mmx(c, a, b));
    } else {
      writeMmx(c, 0, kernel(c, a, b));
    }
  };
}

/** PUNPCKH of MMX: the upper half of what the low halves interleave to. */
function mmxHigh(line: Packed2): Lower {
  const size = [1, 2, 4][line.opcode - 0x68]!;
  const lanes = Array.from({ length: 16 }, (_, i) => {
    const k = 8 + (i % 8);
    return Math.floor(k / (2 * size)) * size + (k % size) + (Math.floor(k / size) % 2) * 16;
  });
  return (c) => writeMmx(c, 0, i8x16.shuffle(readMmx(c, 0), readMmx(c, 1), lanes));
}

function packed2(line: Packed2): Row[] {
  const prefix = line.prefix ? '66' : 'NP';
  const code = `${MAPS[line.map]} ${hex2(line.opcode)} /r`;
  const rows = sse(line.name, `${prefix} ${code}`, 'Vx Hx Wx', each2(line.kernel));
  if (line.mmx === undefined) return rows;
  const source = line.map === 1 && line.opcode <= 0x62 ? 'Pq Qd' : 'Pq Qq';
  return [op(line.name, `NP ${code}`, source, line.mmx === 'high' ? mmxHigh(line) : mmxBinary(line)), ...rows];
}

/** Shift by a register: the count is a whole xmm/m128 (or mm/m64). */
const shiftBy =
  (kernel: KernelImm): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const count = countOf(c, i64x2.extract(c.readVector(2, 0), 0));
    writeLanes(
      c,
      0,
      a.map((value) => kernel(c, value, count)),
    );
  };

function shiftRows({ name, opcode, group, digit, kernel }: ShiftLine): Row[] {
  const group1 = `0F ${hex2(group)} /${digit}`;
  const legacy: Lower = (c) => {
    const imm = imm8(c, 1);
    c.writeVector(0, c.let(kernel(c, c.readVector(0), imm)));
  };
  return [
    ...sse(name, `66 0F ${hex2(opcode)} /r`, 'Vx Hx Wdq', shiftBy(kernel)),
    op(name, `NP 0F ${hex2(opcode)} /r`, 'Pq Qq', (c) => {
      const a = readMmx(c, 0);
      const count = countOf(c, c.read(1) as I64);
      writeMmx(c, 0, kernel(c, a, count));
    }),
    op(name, `66 ${group1}`, 'Ux Ib', legacy),
    op(name, `NP ${group1}`, 'Nq Ib', (c) => writeMmx(c, 0, kernel(c, readMmx(c, 0), imm8(c, 1)))),
    ...vex(`v${name}`, `66.0F.WIG ${hex2(group)} /${digit}`, 'Hx Ux Ib', eachImm(kernel)),
  ];
}

/** PSLLDQ, PSRLDQ: whole lanes by bytes. */
function byteShift(name: string, digit: number, kernel: KernelImm): Row[] {
  return [
    op(name, `66 0F 73 /${digit}`, 'Ux Ib', (c) => {
      const imm = imm8(c, 1);
      c.writeVector(0, c.let(kernel(c, c.readVector(0), imm)));
    }),
    ...vex(`v${name}`, `66.0F.WIG 73 /${digit}`, 'Hx Ux Ib', eachImm(kernel)),
  ];
}

const SIZES: Readonly<Record<number, string>> = { 2: 'w', 4: 'd', 8: 'q', 16: 'dq' };

function widening({ name, opcode, bytes, kernel }: Widening): Row[] {
  const low: Lower = (c) => c.writeVector(0, c.let(kernel(c, c.readVector(1, 0))));
  const both = (c: Ops): void => {
    const source = c.readVector(1, 0);
    const upper = i8x16.shuffle(
      source,
      source,
      Array.from({ length: 16 }, (_, i) => (i + bytes) % 16),
    );
    writeLanes(c, 0, [kernel(c, source), kernel(c, upper)]);
  };
  const code = `${hex2(opcode)} /r`;
  return [
    ...sse(name, `66 0F 38 ${code}`, `Vdq W${SIZES[bytes]}`, low, { vex: '128', align: 'never' }),
    ...vex(`v${name}`, `66.0F38.WIG ${code}`, `Vqq W${SIZES[bytes * 2]}`, both, {}, [256]),
  ];
}

const unaryMmx =
  (kernel: (c: Ops, a: V128) => V128): Lower =>
  (c) =>
    writeMmx(c, 0, kernel(c, readMmx(c, 1)));

export const simdIntRows: readonly Row[] = [
  ...PACKED.flatMap(packed2),
  ...PACKED_UNARY.flatMap(({ name, map, opcode, kernel, mmx, no256 }) => {
    const code = `${MAPS[map]} ${hex2(opcode)} /r`;
    const rows = sse(name, `66 ${code}`, 'Vx Wx', each1(kernel), no256 ? { vex: '128' } : {});
    return mmx ? [op(name, `NP ${code}`, 'Pq Qq', unaryMmx(kernel)), ...rows] : rows;
  }),
  ...WIDENING.flatMap(widening),
  ...SHIFTS.flatMap(shiftRows),
  ...byteShift('psrldq', 3, psrldq),
  ...byteShift('pslldq', 7, pslldq),
  ...SHUFFLES.flatMap(({ name, prefix, kernel }) => sse(name, `${hex2(prefix)} 0F 70 /r`, 'Vx Wx Ib', eachImm(kernel))),
  op('pshufw', 'NP 0F 70 /r', 'Pq Qq Ib', (c) => {
    const imm = imm8(c, 2);
    writeMmx(c, 0, shuffleWords(0)(c, readMmx(c, 1), imm));
  }),
  ...PACKED_IMM.flatMap(({ name, map, opcode, prefix, kernel, upper, mmx }) => {
    const code = `${MAPS[map]} ${hex2(opcode)} /r`;
    const rows = sse(name, `${prefix ? '66' : 'NP'} ${code}`, 'Vx Hx Wx Ib', eachImm2(kernel, upper));
    if (!mmx) return rows;
    // PALIGNR of MMX: sixteen bytes shifted right, the low eight kept
    const lower: Lower = (c) => {
      const imm = imm8(c, 2);
      writeMmx(c, 0, psrldq(c, c.let(joined(readMmx(c, 1), readMmx(c, 0))), imm));
    };
    return [op(name, `NP ${code}`, 'Pq Qq Ib', lower), ...rows];
  }),
];

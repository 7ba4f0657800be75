/** The opmask instructions: VEX encodings on k0 to k7; Intel SDM vol. 2, KADDW to KXORW. */
import { type I32, type I64, type Int, i32, i64, select, truncate, word, zeroExtend } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { type Lower, op, type Row } from './row.ts';
import { imm8 } from './simd-forms.ts';
import { setZeroCarry } from './simd-lane.ts';

type Size = 'b' | 'w' | 'd' | 'q';
/** Prefix and W of each size, for most of the opcodes. */
const FORMS: readonly (readonly [Size, string, string])[] = [
  ['b', '.66', 'W0'],
  ['w', '', 'W0'],
  ['d', '.66', 'W1'],
  ['q', '', 'W1'],
];
/** With general registers. */
const GENERAL: readonly (readonly [Size, string, string])[] = [
  ['b', '.66', 'W0'],
  ['w', '', 'W0'],
  ['d', '.F2', 'W0'],
  ['q', '.F2', 'W1'],
];

type Words = ReturnType<typeof word>;

/** Two sources, a result of the same size. */
const binary =
  (f: (o: Words, a: Int, b: Int) => Int): Lower =>
  (c) => {
    const bits = c.bits(0);
    c.write(0, truncate(bits, f(word(bits), c.read(1), c.read(2))));
  };

const copy: Lower = (c) => {
  const v = c.read(1);
  c.write(0, c.bits(0) === 64 ? zeroExtend(v) : v);
};

/** KUNPCK: the first source above the second. */
const unpack: Lower = (c) => {
  const half = c.bits(0) / 2;
  const high = c.read(1);
  const low = c.read(2);
  if (half === 32) c.write(0, i64.or(i64.shl(i64.extend_u(high as I32), 32), i64.extend_u(low as I32)));
  else c.write(0, i32.or(i32.shl(high as I32, half), low as I32));
};

const shift =
  (left: boolean): Lower =>
  (c) => {
    const bits = c.bits(0);
    const count = c.let(i64.extend_u(imm8(c, 2)));
    const v = zeroExtend(c.read(1));
    const shifted = left ? i64.shl(v, count) : i64.shr_u(v, count);
    const r = select(shifted, i64.const(0), i64.lt_u(count, bits));
    c.write(0, bits === 64 ? r : truncate(bits, i32.wrap(r)));
  };

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** ZF and CF; the other status flags become 0. */
function flags(c: Ops, f: (a: I64, b: I64, all: bigint) => readonly [zero: I32, carry: I32]): void {
  const a = c.let(zeroExtend(c.read(0)));
  const b = c.let(zeroExtend(c.read(1)));
  setZeroCarry(c, ...f(a, b, ones(c.bits(0))));
}
const kortest: Lower = (c) => flags(c, (a, b, all) => [i64.eqz(i64.or(a, b)), i64.eq(i64.or(a, b), i64.const(all))]);
const ktest: Lower = (c) => flags(c, (a, b) => [i64.eqz(i64.and(a, b)), i64.eqz(i64.and(b, i64.xor(a, -1)))]);

const LOGIC: readonly (readonly [name: string, opcode: string, lower: Lower])[] = [
  ['kand', '41', binary((o, a, b) => o.and(a, b))],
  ['kandn', '42', binary((o, a, b) => o.and(o.not(a), b))],
  ['kor', '45', binary((o, a, b) => o.or(a, b))],
  ['kxnor', '46', binary((o, a, b) => o.not(o.xor(a, b)))],
  ['kxor', '47', binary((o, a, b) => o.xor(a, b))],
  ['kadd', '4A', binary((o, a, b) => o.add(a, b))],
];
const not: Lower = (c) => c.write(0, truncate(c.bits(0), word(c.bits(0)).not(c.read(1))));

export function avx512OpmaskRows(): Row[] {
  const each = FORMS.flatMap(([s, pp, w]): Row[] => {
    const code = (length: string, opcode: string): string => `VEX.${length}${pp}.0F.${w} ${opcode} /r`;
    return [
      ...LOGIC.map(([name, opcode, lower]) => op(`${name}${s}`, code('L1', opcode), `K${s} X${s} T${s}`, lower)),
      op(`knot${s}`, code('LZ', '44'), `K${s} T${s}`, not),
      op(`kmov${s}`, code('LZ', '90'), `K${s} Y${s}`, copy),
      op(`kmov${s}`, code('LZ', '91'), `M${s} K${s}`, copy),
      op(`kortest${s}`, code('LZ', '98'), `K${s} T${s}`, kortest),
      op(`ktest${s}`, code('LZ', '99'), `K${s} T${s}`, ktest),
    ];
  });
  const general = GENERAL.flatMap(([s, pp, w]): Row[] => {
    const r = s === 'q' ? 'q' : 'd';
    return [
      op(`kmov${s}`, `VEX.LZ${pp}.0F.${w} 92 /r`, `K${s} R${r}`, (c) => {
        const v = c.read(1);
        c.write(0, truncate(c.bits(0), v));
      }),
      op(`kmov${s}`, `VEX.LZ${pp}.0F.${w} 93 /r`, `G${r} T${s}`, copy),
    ];
  });
  const shifts = (['b', 'w', 'd', 'q'] as const).flatMap((s, n): Row[] =>
    (['30', '32'] as const).map((opcode) =>
      op(
        `kshift${opcode === '30' ? 'r' : 'l'}${s}`,
        `VEX.LZ.66.0F3A.${n & 1 ? 'W1' : 'W0'} ${Number(opcode) + (n >> 1)} /r`,
        `K${s} T${s} Ib`,
        shift(opcode === '32'),
      ),
    ),
  );
  return [
    ...each,
    ...general,
    ...shifts,
    op('kunpckbw', 'VEX.L1.66.0F.W0 4B /r', 'Kw Xb Tb', unpack),
    op('kunpckwd', 'VEX.L1.0F.W0 4B /r', 'Kd Xw Tw', unpack),
    op('kunpckdq', 'VEX.L1.0F.W1 4B /r', 'Kq Xd Td', unpack),
  ];
}

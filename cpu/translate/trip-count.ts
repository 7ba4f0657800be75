/**
 * How many rounds a loop goes on at least, when its condition compares a register that moves steadily with one that does not,
 * or with a number.
 */
import { type I32, type I64, type Int, i32, i64, select, word } from '../ir/expr.ts';
import type { Comparand, Flags } from './flag-keeper.ts';
import { local } from './region-code.ts';
import type { Values } from './values.ts';

/** A register at the head of the loop plus a number, or the number alone. */
interface Linear {
  readonly register: number;
  readonly delta: bigint;
  readonly step: number;
}

export interface TripCount {
  readonly bits: number;
  /** The loop goes on as long as `moving` compares so with `fixed`; see Intel SDM vol. 1, appendix B. */
  readonly condition: number;
  readonly moving: Linear;
  readonly fixed: Linear;
}

const JCC = ['jo', 'jno', 'jb', 'jae', 'je', 'jne', 'jbe', 'ja', 'js', 'jns', 'jp', 'jnp', 'jl', 'jge', 'jle', 'jg'];
/** The same with the operands exchanged. */
const MIRROR: Readonly<Record<number, number>> = { 2: 7, 7: 2, 3: 6, 6: 3, 12: 15, 15: 12, 13: 14, 14: 13, 5: 5 };
/** Conditions by the direction in which the loop may go. */
const UP = [5, 2, 6, 12, 14];
const DOWN = [5, 3, 7, 13, 15];

/**
 * @param name of the jump at the end of the loop
 * @param repeats whether it is taken for another round
 */
export function tripCount(values: Values, flags: Flags, name: string, repeats: boolean): TripCount | undefined {
  const cc = JCC.indexOf(name);
  const known = flags.kind === 'carried' && (cc === 4 || cc === 5) ? flags.under : flags;
  if (cc < 0 || known.kind !== 'sub' || known.bits < 32 || !known.of) return undefined;
  const again = repeats ? cc : cc ^ 1;
  const [a, b] = known.of.map((side) => linear(values, side));
  if (!a || !b || (a.step !== 0) === (b.step !== 0)) return undefined;
  const condition = a.step !== 0 ? again : MIRROR[again];
  const [moving, fixed] = a.step !== 0 ? [a, b] : [b, a];
  if (condition === undefined || !(moving.step > 0 ? UP : DOWN).includes(condition)) return undefined;
  return { bits: known.bits, condition, moving, fixed };
}

function linear(values: Values, side: Comparand | undefined): Linear | undefined {
  if (side === undefined) return undefined;
  if (typeof side === 'bigint') return { register: -1, delta: side, step: 0 };
  const source = values.sourceOf(side);
  const step = source && values.moved(source.register);
  return step === undefined ? undefined : { register: source!.register, delta: BigInt(source!.delta), step };
}

/** Rounds after which the loop goes on for certain, from its head: unsigned, of the comparison's width. */
export function rounds({ bits, condition, moving, fixed }: TripCount): Int {
  const w = word(bits);
  const bias = condition >= 12 ? 1n << BigInt(bits - 1) : 0n;
  const number = (n: bigint): Int => (bits === 64 ? i64.const(n) : i32.const(Number(BigInt.asIntN(32, n))));
  const value = ({ register, delta }: Linear): Int => {
    if (register < 0) return number(delta + bias);
    const r = local('i64', register);
    return w.add(bits === 64 ? r : i32.wrap(r), number(delta + bias));
  };
  const [x, y] = [value(moving), value(fixed)];
  const [from, to] = moving.step > 0 ? [x, y] : [y, x];
  const step = number(BigInt(Math.abs(moving.step)));
  const distance = w.sub(to, from);
  if (condition === 5) return w.div_u(distance, step);
  const upTo = condition === 6 || condition === 14 || condition === 3 || condition === 13;
  const count = w.add(w.div_u(upTo ? distance : w.sub(distance, number(1n)), step), number(1n));
  const holds = upTo ? w.le_u(from, to) : w.lt_u(from, to);
  return bits === 64 ? select(count as I64, i64.const(0), holds) : select(count as I32, i32.const(0), holds);
}

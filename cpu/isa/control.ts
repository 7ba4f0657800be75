/** JMP, Jcc, LOOP, CALL, RET and their far forms, IRET, INT; Intel SDM vol. 2. */
import { type Exit, Vector } from '../exit.ts';
import { condition, Flag, zero } from '../flags.ts';
import { type I64, type Int, i32, i64, zeroExtend } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { farCall, farJump, farReturn, iret } from './far.ts';
import { helper, type Lower, op, type Row } from './row.ts';

const jcc =
  (cc: number): Lower =>
  (c) =>
    c.branch(condition(c, cc));

/** RIP to jump to, from an operand of the operand size. */
const target = (v: Int): I64 => zeroExtend(v);

/** A near transfer to a non-canonical address faults before anything else happens, as on Intel's processors. */
function canonical(c: Ops, rip: I64): I64 {
  if (c.size === 64) c.if(i64.ne(i64.shr_s(i64.shl(rip, 16), 16), rip), () => c.raise(Vector.GP));
  return rip;
}

/** The same where nothing but RSP changes. */
const jumpTarget = (c: Ops, rip: I64): I64 => (c.size === 64 && c.canonicalLater?.() ? rip : canonical(c, rip));

const jmpIndirect: Lower = (c) => c.jump(jumpTarget(c, c.let(target(c.read(0)))));

/** CALL stores the return address, then finds that the target is beyond the limit or not canonical, then moves RSP. */
function pushReturn(c: Ops, checkTarget: () => void): void {
  const sp = c.let(c.register(4, 64) as I64);
  const rip = c.nextRip();
  c.push(c.size, c.size === 64 ? rip : i32.wrap(rip));
  const moved = c.let(c.register(4, 64) as I64);
  c.setRegister(4, 64, sp);
  checkTarget();
  c.setRegister(4, 64, moved);
}
const call: Lower = (c) => {
  if (c.checked) pushReturn(c, () => c.checkTarget());
  else c.push(c.size, c.size === 64 ? c.nextRip() : i32.wrap(c.nextRip()));
  c.branch();
};
const callIndirect: Lower = (c) => {
  const to = c.let(target(c.read(0)));
  if (c.size === 64 || c.checked) {
    pushReturn(c, () => {
      canonical(c, to);
      c.checkTarget(to);
    });
  } else c.push(c.size, i32.wrap(c.nextRip()));
  c.jump(to);
};

const ret: Lower = (c) => {
  const top = c.pop(c.size);
  const to = jumpTarget(c, c.let(target(top.value)));
  c.checkTarget(to);
  top.commit();
  c.jump(to);
};
const retAndRelease: Lower = (c) => {
  const top = c.pop(c.size);
  const extra = c.let(i64.and(zeroExtend(c.read(0)), 0xffff));
  const to = canonical(c, c.let(target(top.value)));
  c.checkTarget(to);
  top.commit();
  const sp = c.register(4, 64) as I64;
  const mask = c.get('stackMask') as I64;
  c.setRegister(4, 64, i64.or(i64.and(sp, c.get('stackKeep') as I64), i64.and(i64.add(sp, extra), mask)));
  c.jump(to);
};

/** rCX by the address size. */
function counter(c: Ops): I64 {
  return c.let(i64.and(c.register(1, 64) as I64, c.addressMask()));
}

/** LOOPcc: the count goes down without flags. A 32-bit count clears the upper half, a 16-bit one keeps the rest. */
const loop =
  (when: 'always' | 'equal' | 'unequal'): Lower =>
  (c) => {
    const mask = c.addressMask();
    const old = c.let(c.register(1, 64) as I64);
    const left = c.let(i64.and(i64.sub(old, 1), mask));
    const more = i64.ne(left, 0);
    const taken = c.let(when === 'always' ? more : i32.and(more, when === 'equal' ? zero(c) : i32.eqz(zero(c))));
    c.if(taken, () => c.checkTarget());
    c.if(
      i64.eq(mask, 0xffff),
      () => c.setRegister(1, 16, i32.wrap(left)),
      () => c.setRegister(1, 64, left),
    );
    c.branch(taken);
  };
const jcxz: Lower = (c) => c.branch(i64.eqz(counter(c)));

/** The gates that Linux opens to user mode (arch/x86/kernel/traps.c, trap_init): INT3, INTO, INT 0x80. */
const USER_GATES: readonly number[] = [Vector.BP, Vector.OF, 0x80];
const IDT = 2;
const SYSTEM_CALL: Exit = { kind: 'interrupt', vector: 0x80 };
const interrupt = helper((h) => {
  const vector = h.imm & 0xff;
  if (!USER_GATES.includes(vector)) h.raise(Vector.GP, vector * 8 + IDT);
  h.exit(vector === 0x80 ? SYSTEM_CALL : { kind: 'interrupt', vector });
});
const int3 = helper((h) => h.exit({ kind: 'interrupt', vector: Vector.BP }));
const int1 = helper((h) => h.exit({ kind: 'interrupt', vector: Vector.DB }));
const into = helper((h) => {
  if (h.rflags & Flag.OF) h.exit({ kind: 'interrupt', vector: Vector.OF });
});
const ud: Lower = (c) => c.raise(Vector.UD);

/** BOUND: the index against a pair in memory, as signed numbers. */
const bound = helper((h) => {
  const { size } = h;
  const at = h.address(1);
  const index = BigInt.asIntN(size, h.read(0));
  // Below the lower bound the upper one is not read any more.
  if (index < BigInt.asIntN(size, h.load(size, at))) h.raise(Vector.BR);
  if (index > BigInt.asIntN(size, h.load(size, h.addressAt(1, size / 8)))) h.raise(Vector.BR);
});

const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const hex = (n: number): string => n.toString(16).padStart(2, '0').toUpperCase();
const near = { osz: 'f64', ends: true } as const;
const ends = { ends: true } as const;
const only32 = { mode: '32', ends: true } as const;

export const controlRows: readonly Row[] = [
  ...CONDITIONS.flatMap((cc, n) => [
    op(`j${cc}`, hex(0x70 + n), 'Jb', jcc(n), near),
    op(`j${cc}`, `0F ${hex(0x80 + n)}`, 'Jz', jcc(n), near),
  ]),
  op('loopne', 'E0', 'Jb', loop('unequal'), near),
  op('loope', 'E1', 'Jb', loop('equal'), near),
  op('loop', 'E2', 'Jb', loop('always'), near),
  op('jcxz', 'E3', 'Jb', jcxz, near),
  op('jmp', 'EB', 'Jb', (c) => c.branch(), near),
  op('jmp', 'E9', 'Jz', (c) => c.branch(), near),
  op('call', 'E8', 'Jz', call, near),
  op('call', 'FF /2', 'Ev', callIndirect, near),
  op('jmp', 'FF /4', 'Ev', jmpIndirect, near),
  op('ret', 'C3', '', ret, near),
  op('ret', 'C2', 'Iw', retAndRelease, near),
  op('call', '9A', 'Ap', farCall, only32),
  op('jmp', 'EA', 'Ap', farJump, only32),
  op('call', 'FF /3', 'M', farCall, ends),
  op('jmp', 'FF /5', 'M', farJump, ends),
  op('retf', 'CB', '', farReturn, ends),
  op('retf', 'CA', 'Iw', farReturn, ends),
  op('iret', 'CF', '', iret, ends),
  op('int', 'CD', 'Ib', interrupt, ends),
  op('int3', 'CC', '', int3, ends),
  op('int1', 'F1', '', int1, ends),
  op('into', 'CE', '', into, only32),
  op('bound', '62 /r', 'Gv M', bound, { mode: '32' }),
  op('ud2', '0F 0B', '', ud, ends),
  op('ud1', '0F B9 /r', 'Gv Ev', ud, { ends: true, addressOnly: true }),
  op('ud0', '0F FF /r', 'Gv Ev', ud, { ends: true, addressOnly: true }),
];

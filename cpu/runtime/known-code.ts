/**
 * Decoding again what was decoded before. The bytes of an instruction up to its displacement say all of its record but for
 * the displacement, the immediate and the place in the block: what was once found out about them is kept as a template
 * (decode/known-code.ts), and most of a program's code is made by filling templates in, here.
 */
import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { define, type FunctionOps, type Variable } from '../ir/function.ts';
import { Mode } from '../segment.ts';
import { KNOWN_CLASSES, KNOWN_SLOTS, KNOWN_SLOTS_LOG2, KNOWN_STATE } from '../state.ts';

/** What a byte is, by the opcode map that it stands in: 256 for each map and mode. */
export const ByteClass = { Unknown: 0, Plain: 1, Modrm: 2, Prefix: 3, Escape: 4, Vex2: 5, Vex3: 6 } as const;
export const CLASSES_OF_MODE = 8 * 256;

/**
 * Between the function and its caller, in bytes from KNOWN_STATE. In and out: where the next instruction's records go, its
 * offset from the start of the block, and how many more there may be. Out: the key that was not found and its bytes.
 */
export const KnownState = { record: 0, offset: 4, left: 8, keyBytes: 12, key: 16 } as const;

/** A slot of the hash table: key i64, address of the template or 0 u32. */
export const SLOT_SIZE = 16;
/** The bytes of a template before its records, its key among them. */
export const Template = { length: 0, disp: 1, imm: 2, flags: 3, key: 8, records: 16 } as const;
export const TemplateFlag = { RipBase: 1, Relative: 2, Ea: 4, Ends: 8 } as const;
/** How the displacement and the immediate stand in the code. */
export const Field = { None: 0, S8: 1, S16: 2, U16: 3, S32: 4, I64: 5 } as const;
export const FIELD_BYTES = [0, 1, 2, 2, 4, 8] as const;

/** The longest key: its bytes and the mode fill 64 bits. */
export const MAX_KEY = 7;
/** Room that an instruction under construction may look at. */
export const CODE_SLACK = 16;
const MAX_PREFIXES = 4;
const HASH = 0x9e3779b97f4a7c15n;

const state = (f: FunctionOps, field: keyof typeof KnownState): I32 =>
  f.load(32, i32.const(KNOWN_STATE), KnownState[field]) as I32;

/** Address of a key's slot. */
function slotOf(f: FunctionOps, key: I64): I32 {
  const hash = i32.wrap(i64.shr_u(i64.mul(key, i64.const(HASH)), 64 - KNOWN_SLOTS_LOG2));
  return f.let(i32.add(i32.mul(hash, SLOT_SIZE), KNOWN_SLOTS));
}

const byte = (f: FunctionOps, at: I32, offset = 0): I32 => f.load(8, at, offset) as I32;

/** The field at `at`, sign-extended as its kind has it. */
function field(f: FunctionOps, kind: I32, at: I32): I64 {
  const v: Variable<'i64'> = f.variable(i64.extend_s(i32.extend8_s(byte(f, at))));
  f.if(i32.gt_u(kind, Field.S8), () => {
    v.set(i64.extend_s(f.load(32, at) as I32));
    f.if(i32.eq(kind, Field.I64), () => v.set(f.load(64, at) as I64));
    f.if(i32.eq(kind, Field.S16), () => v.set(i64.extend16_s(v.value)));
    f.if(i32.eq(kind, Field.U16), () => v.set(i64.and(v.value, 0xffff)));
  });
  return v.value;
}

function addTo(f: FunctionOps, record: I32, at: number, v: I64): void {
  f.store(64, record, i64.add(f.load(64, record, at) as I64, v), at);
}

/**
 * Makes records of the instructions from the host address `code` on, as long as they are known and begin before `last`.
 * 1: the last one ends the block. 0: the next one has to be decoded.
 */
export const decodeKnown = define('decodeKnown', ['i32', 'i32', 'i32'], ['i32'], (f, code, last, mode) => {
  const at = f.variable(code);
  const record = f.variable(state(f, 'record'));
  const offset = f.variable(state(f, 'offset'));
  const left = f.variable(state(f, 'left'));
  const classes = f.let(i32.add(KNOWN_CLASSES, i32.mul(i32.eqz(i32.and(mode, Mode.Long)), CLASSES_OF_MODE)));
  const done = (result: number): void => {
    f.store(32, i32.const(KNOWN_STATE), record.value, KnownState.record);
    f.store(32, i32.const(KNOWN_STATE), offset.value, KnownState.offset);
    f.store(32, i32.const(KNOWN_STATE), left.value, KnownState.left);
    f.return(i32.const(result));
  };
  f.store(32, i32.const(KNOWN_STATE), i32.const(0), KnownState.keyBytes);
  f.loop((again) => {
    f.if(i32.or(i32.ge_u(at.value, last), i32.eqz(left.value)), () => done(0));
    // How many bytes there are up to the displacement.
    const end = f.variable(at.value);
    const b = f.variable(byte(f, end.value));
    const kind = f.variable(byte(f, i32.add(classes, b.value)));
    const next = (map: I32, skip = 1): void => {
      end.set(i32.add(end.value, skip));
      b.set(byte(f, end.value));
      kind.set(byte(f, i32.add(i32.add(classes, i32.shl(map, 8)), b.value)));
    };
    f.if(i32.eq(kind.value, ByteClass.Prefix), () =>
      f.loop((more) => {
        next(i32.const(0));
        const few = i32.lt_u(i32.sub(end.value, at.value), MAX_PREFIXES);
        more(i32.and(i32.eq(kind.value, ByteClass.Prefix), few));
      }),
    );
    f.if(i32.ge_u(kind.value, ByteClass.Escape), () => {
      f.if(
        i32.eq(kind.value, ByteClass.Escape),
        () => {
          next(i32.const(1));
          // 0F 38 and 0F 3A: maps 2 and 3.
          f.if(i32.eq(kind.value, ByteClass.Escape), () => next(i32.shr_u(i32.sub(b.value, 0x34), 1)));
        },
        () =>
          f.if(
            i32.eq(kind.value, ByteClass.Vex2),
            () => next(i32.const(5), 2),
            () => next(i32.add(i32.and(byte(f, end.value, 1), 3), 4), 3),
          ),
      );
    });
    f.if(i32.gt_u(i32.sub(kind.value, 1), ByteClass.Modrm - 1), () => done(0));
    f.if(i32.eq(kind.value, ByteClass.Modrm), () => {
      end.set(i32.add(end.value, 1));
      const modrm = byte(f, end.value);
      f.if(i32.and(i32.lt_u(modrm, 0xc0), i32.eq(i32.and(modrm, 7), 4)), () => end.set(i32.add(end.value, 1)));
    });
    const bytes = f.let(i32.add(i32.sub(end.value, at.value), 1));
    f.if(i32.gt_u(bytes, MAX_KEY), () => done(0));
    const mask = i64.sub(i64.shl(i64.const(1), i64.extend_u(i32.shl(bytes, 3))), 1);
    const key = f.let(i64.or(i64.and(f.load(64, at.value) as I64, mask), i64.shl(i64.extend_u(mode), 56)));
    // Each key has two slots.
    const slot = f.variable(slotOf(f, key));
    f.if(i64.ne(f.load(64, slot.value) as I64, key), () => {
      slot.set(i32.xor(slot.value, SLOT_SIZE));
      f.if(i64.ne(f.load(64, slot.value) as I64, key), () => {
        f.store(32, i32.const(KNOWN_STATE), bytes, KnownState.keyBytes);
        f.store(64, i32.const(KNOWN_STATE), key, KnownState.key);
        done(0);
      });
    });
    const template = f.load(32, slot.value, 8) as I32;
    const flags = byte(f, template, Template.flags);
    const isEa = f.let(i32.and(flags, TemplateFlag.Ea));
    const to = f.variable(offset.value).value;
    const length = byte(f, template, Template.length);
    offset.set(i32.add(to, length));
    const following = f.let(i64.extend_u(offset.value));
    const copy = (from: number, target: I32): void => {
      for (let n = 0; n < RECORD_SIZE; n += 8)
        f.store(64, target, f.load(64, template, Template.records + from + n), n);
      f.store(16, target, to, Rec.offset);
      f.store(16, target, offset.value, Rec.next);
    };
    copy(0, record.value);
    end.set(i32.add(end.value, 1));
    const disp = byte(f, template, Template.disp);
    f.if(disp, () => {
      addTo(f, record.value, Rec.disp, field(f, disp, end.value));
      end.set(i32.add(end.value, i32.add(i32.mul(i32.eq(disp, Field.S32), 3), 1)));
    });
    f.if(i32.and(flags, TemplateFlag.RipBase), () => addTo(f, record.value, Rec.disp, following));
    f.if(isEa, () => {
      record.set(i32.add(record.value, RECORD_SIZE));
      copy(RECORD_SIZE, record.value);
    });
    const imm = byte(f, template, Template.imm);
    f.if(imm, () => addTo(f, record.value, Rec.imm, field(f, imm, end.value)));
    f.if(i32.and(flags, TemplateFlag.Relative), () => addTo(f, record.value, Rec.imm, following));
    record.set(i32.add(record.value, RECORD_SIZE));
    left.set(i32.sub(left.value, 1));
    f.if(i32.and(flags, TemplateFlag.Ends), () => done(1));
    at.set(i32.add(at.value, length));
    again(i32.const(1));
  });
  return [i32.const(0)];
});

/** Puts the templates from `start` to `end`, one after the other, into the hash table. */
export const enterTemplates = define('enterTemplates', ['i32', 'i32'], [], (f, start, end) => {
  const at = f.variable(start);
  f.loop((again) => {
    const key = f.load(64, at.value, Template.key) as I64;
    const slot = f.variable(slotOf(f, key));
    // Into the second slot when the first is another's; it may be another's as well.
    f.if(f.load(32, slot.value, 8) as I32, () => slot.set(i32.xor(slot.value, SLOT_SIZE)));
    f.store(64, slot.value, key);
    f.store(32, slot.value, at.value, 8);
    const two = i32.ne(i32.and(byte(f, at.value, Template.flags), TemplateFlag.Ea), 0);
    at.set(i32.add(i32.add(at.value, Template.records + RECORD_SIZE), i32.mul(two, RECORD_SIZE)));
    again(i32.lt_u(at.value, end));
  });
  return [];
});

/** Numbers the instructions of the records from `start` to `end` from the last one on: `remaining`. */
export const numberRecords = define('numberRecords', ['i32', 'i32', 'i32'], [], (f, start, end, count) => {
  const record = f.variable(start);
  const remaining = f.variable(count);
  f.loop((again) => {
    f.store(16, record.value, remaining.value, Rec.remaining);
    // The effective address belongs to the instruction after it.
    const isEa = i32.eq(f.load(16, record.value, Rec.handler) as I32, Pseudo.ea);
    remaining.set(i32.sub(i32.add(remaining.value, isEa), 1));
    record.set(i32.add(record.value, RECORD_SIZE));
    again(i32.lt_u(record.value, end));
  });
  return [];
});

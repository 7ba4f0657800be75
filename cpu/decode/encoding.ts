/** Encodings and operand notations of the rows, parsed into what the decoder tests. */
import type { Row } from '../isa/row.ts';

/** Opcode maps: one byte, 0F, 0F 38, 0F 3A; VEX and EVEX have three each of their own. */
export const MAPS = { '': 0, '0F': 1, '0F38': 2, '0F3A': 3 } as const;

/** A mandatory prefix as a number: none, 66, F3, F2 (also VEX.pp). */
export const PREFIXES = ['NP', '66', 'F3', 'F2'] as const;

export interface Operand {
  /** The letter of appendix A, or `#` for a fixed register or constant. */
  readonly place: string;
  /** The size letter(s), '' when there is none. */
  readonly size: string;
  /** For `#`: register number, or the constant. */
  readonly fixed: number;
}

export interface CompiledRow {
  readonly row: Row;
  readonly map: number;
  readonly opcode: number;
  /** 8 for `+r` in the opcode. */
  readonly span: number;
  readonly prefix: number | undefined;
  readonly w: 0 | 1 | undefined;
  readonly hasModrm: boolean;
  readonly digit: number | undefined;
  /** Second opcode byte where ModRM is fixed (x87): first value and how many. */
  readonly modrm: readonly [first: number, count: number] | undefined;
  /** VEX or EVEX. */
  readonly vex: boolean;
  readonly vexL: 0 | 1 | undefined;
  readonly evex: boolean;
  /** EVEX: a bit for each vector length that exists (128, 256, 512); 0 for scalars, whose length does not count. */
  readonly lengths: number;
  /** What ModRM.mod has to say: memory, register or either. */
  readonly mod: 'memory' | 'register' | undefined;
  readonly operands: readonly Operand[];
  /** Does the meaning depend on the operand size at all? */
  readonly sized: boolean;
  readonly usesVvvv: boolean;
  /** Handler numbers by variant, filled as they are met. */
  readonly handlers: (number | undefined)[];
  readonly checkedHandlers: (number | undefined)[];
}

/** Vector lengths by their name in an EVEX encoding. */
const LENGTHS: Readonly<Record<string, number>> = { LIG: 0, 128: 1, 256: 2, 512: 4, Y: 6, X: 7 };

const FIXED: Record<string, { fixed: number; size: string }> = {
  AL: { fixed: 0, size: 'b' },
  CL: { fixed: 1, size: 'b' },
  AX: { fixed: 0, size: 'w' },
  DX: { fixed: 2, size: 'w' },
  EAX: { fixed: 0, size: 'd' },
  rAX: { fixed: 0, size: 'v' },
};

function parseOperand(text: string): Operand {
  const named = FIXED[text];
  if (named) return { place: '#', ...named };
  if (text === '1') return { place: 'I', size: '1', fixed: 1 };
  return { place: text[0]!, size: text.slice(1), fixed: 0 };
}

/** What the decoder tests of a row; throws when the notation of its encoding is wrong. */
export function compileRow(row: Row): CompiledRow {
  const tokens = row.encoding.split(' ').filter((t) => t !== '');
  let map = 0;
  let prefix: number | undefined;
  let w: 0 | 1 | undefined;
  let vex = false;
  let vexL: 0 | 1 | undefined;
  let evex = false;
  let lengths = 0;
  let span = 1;
  let hasModrm = false;
  let digit: number | undefined;
  const bytes: number[] = [];
  for (const t of tokens) {
    if (/^E?VEX\./.test(t)) {
      vex = true;
      evex = t[0] === 'E';
      prefix = 0;
      for (const part of t.slice(evex ? 5 : 4).split('.')) {
        if (evex && part in LENGTHS) lengths = LENGTHS[part]!;
        else if (part === '128' || part === 'LZ') vexL = 0;
        else if (part === '256' || part === 'L1') vexL = 1;
        else if (part === 'W0') w = 0;
        else if (part === 'W1') w = 1;
        else if (part in MAPS) map = MAPS[part as keyof typeof MAPS];
        else if (PREFIXES.includes(part as never)) prefix = PREFIXES.indexOf(part as never);
      }
    } else if (t === 'REX.W') w = 1;
    else if (t === 'REX.W0') w = 0;
    else if (!vex && bytes.length === 0 && PREFIXES.includes(t as never)) prefix = PREFIXES.indexOf(t as never);
    else if (t === '/r') hasModrm = true;
    else if (/^\/[0-7]$/.test(t)) {
      hasModrm = true;
      digit = Number(t[1]);
    } else if (/^[0-9A-F]{2}(\+r)?$/i.test(t)) {
      bytes.push(Number.parseInt(t, 16));
      if (t.endsWith('+r')) span = 8;
    } else throw new Error(`${row.name}: what is ${t} in ${row.encoding}?`);
  }
  if (!vex && bytes.length > 1 && bytes[0] === 0x0f) {
    map = 1;
    if (bytes.length > 2 && bytes[1] === 0x38) map = 2;
    if (bytes.length > 2 && bytes[1] === 0x3a) map = 3;
    bytes.splice(0, map === 1 ? 1 : 2);
  }
  const operands = row.operands
    .split(' ')
    .filter((t) => t !== '')
    .map(parseOperand);
  const places = operands.map((o) => o.place).join('');
  let modrm: readonly [number, number] | undefined;
  if (bytes.length > 1) {
    modrm = [bytes[1]!, span];
    span = 1;
    hasModrm = true;
  }
  return {
    row,
    map,
    opcode: bytes[0]!,
    span,
    prefix,
    w,
    hasModrm,
    digit,
    modrm,
    vex,
    vexL,
    evex,
    lengths,
    mod: /M/.test(places) ? 'memory' : /[RUNT]/.test(places) ? 'register' : undefined,
    operands,
    sized:
      operands.some((o) => 'vz'.includes(o.size) && o.size !== '') ||
      operands.some((o) => 'JA'.includes(o.place) || (o.place === 'M' && o.size === '')) ||
      operands.length === 0,
    usesVvvv: /[HBX]/.test(places),
    handlers: [],
    checkedHandlers: [],
  };
}

/** Candidates by map and opcode: legacy maps 0-3, VEX maps 4-7, EVEX maps 8-11. */
export type OpcodeTable = readonly (readonly CompiledRow[] | undefined)[];

/** The rows of 64-bit mode (`long`) or of compatibility mode by map and opcode. */
export function buildTable(rows: readonly CompiledRow[], long: boolean): OpcodeTable {
  const table: CompiledRow[][] = [];
  for (const r of rows) {
    if (r.row.options.mode === (long ? '32' : '64')) continue;
    for (let i = 0; i < r.span; i++) {
      const at = ((r.map + (r.evex ? 8 : r.vex ? 4 : 0)) << 8) | (r.opcode + i);
      const list = table[at] ?? [];
      list.push(r);
      table[at] = list;
    }
  }
  return table;
}

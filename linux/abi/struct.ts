/**
 * `struct()`: one list of fields gives a C structure's size, offsets, reader and writer. Little endian, as x86 is.
 * Readers and writers are compiled; those of structures with arrays in them by binary-parser.
 */
import { Parser } from 'binary-parser';

export type ScalarType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'u64' | 'i64';
/** `[name, type]`, or `[name, type, count]` for an array (`u8` arrays are bytes). A name that begins with `_` is padding. */
export type Field =
  | readonly [name: string, type: ScalarType]
  | readonly [name: string, type: ScalarType, count: number];

type Wide = 'u64' | 'i64';
type ValueOf<F extends Field> = F extends readonly [string, infer T, number]
  ? T extends 'u8'
    ? Uint8Array
    : T extends Wide
      ? bigint[]
      : number[]
  : F extends readonly [string, Wide]
    ? bigint
    : number;
type Named<F extends Field> = F[0] extends `_${string}` ? never : F[0];

/** The TypeScript value of a structure with these fields. */
export type StructValue<Fs extends readonly Field[]> = {
  [F in Fs[number] as Named<F>]: ValueOf<F>;
};

export interface Struct<Fs extends readonly Field[]> {
  readonly name: string;
  readonly size: number;
  /** offsetof() of every field. */
  readonly offset: { readonly [F in Fs[number] as F[0]]: number };
  /** Reads one structure at `at`; the bytes must be there. */
  read(bytes: Uint8Array, at?: number): StructValue<Fs>;
  /** A new buffer of `size` bytes with the given fields; the others are zero. */
  write(value: Partial<StructValue<Fs>>): Uint8Array;
  /** Writes only the given fields into `bytes`. */
  writeTo(bytes: Uint8Array, value: Partial<StructValue<Fs>>, at?: number): void;
}

/** The value type of a `Struct`: `type Timespec = ValueOfStruct<typeof timespec>`. */
export type ValueOfStruct<S> = S extends Struct<infer Fs> ? StructValue<Fs> : never;

const WIDTH: Record<ScalarType, number> = { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, u64: 8, i64: 8 };
const PARSER_TYPE = {
  u8: 'uint8',
  i8: 'int8',
  u16: 'uint16le',
  i16: 'int16le',
  u32: 'uint32le',
  i32: 'int32le',
  u64: 'uint64le',
  i64: 'int64le',
} as const;

const GETTER: Record<ScalarType, string> = {
  u8: 'getUint8',
  i8: 'getInt8',
  u16: 'getUint16',
  i16: 'getInt16',
  u32: 'getUint32',
  i32: 'getInt32',
  u64: 'getBigUint64',
  i64: 'getBigInt64',
};

export interface StructOptions {
  /** The largest alignment of a member: 8 as on x86-64 (default), 4 as on i386, 1 for packed. */
  readonly align?: 1 | 4 | 8;
}

interface Placed {
  readonly name: string;
  readonly type: ScalarType;
  readonly count: number | undefined;
  readonly at: number;
}

/** Lays a structure out as the C compiler would. */
export function struct<const Fs extends readonly Field[]>(
  name: string,
  fields: Fs,
  options: StructOptions = {},
): Struct<Fs> {
  const maxAlign = options.align ?? 8;
  const placed: Placed[] = [];
  let end = 0;
  let structAlign = 1;
  for (const [field, type, count] of fields as readonly (readonly [string, ScalarType, number?])[]) {
    const align = Math.min(WIDTH[type], maxAlign);
    structAlign = Math.max(structAlign, align);
    const at = Math.ceil(end / align) * align;
    placed.push({ name: field, type, count, at });
    end = at + WIDTH[type] * (count ?? 1);
  }
  const size = Math.ceil(end / structAlign) * structAlign;
  const parser = makeParser(placed, size);
  // Parsed, it has a shape as a literal has; what gets many names one by one becomes a hash table in V8.
  const offset = JSON.parse(JSON.stringify(Object.fromEntries(placed.map((p) => [p.name, p.at]))));
  let writer: Writer | undefined;
  const writeTo: Struct<Fs>['writeTo'] = (bytes, value, at = 0) => {
    writer ??= makeWriter(placed);
    writer(new DataView(bytes.buffer, bytes.byteOffset + at, size), value as Record<string, unknown>, writeField);
  };
  return {
    name,
    size,
    offset,
    read: (bytes, at = 0) =>
      parser.parse(bytes.length === size ? bytes : bytes.subarray(at, at + size)) as StructValue<Fs>,
    write: (value) => {
      const bytes = new Uint8Array(size);
      writeTo(bytes, value);
      return bytes;
    },
    writeTo,
  };
}

interface Reader {
  parse(bytes: Uint8Array): unknown;
}

/**
 * A structure of numbers alone: one expression, compiled at the first use. The bytes are copied to where a view is already:
 * V8 has to move small arrays out of its heap to make one.
 */
function makeReader(placed: readonly Placed[], size: number): Reader {
  let read: ((view: DataView) => unknown) | undefined;
  const room = new Uint8Array(size);
  const view = new DataView(room.buffer);
  const fields = placed
    .filter((p) => !p.name.startsWith('_'))
    .map((p) => `${p.name}: view.${GETTER[p.type]}(${p.at}, true)`);
  return {
    parse(bytes) {
      read ??= new Function('view', `return { ${fields.join(', ')} };`) as (view: DataView) => unknown;
      if (bytes.length < size) throw new RangeError(`a structure of ${size} bytes in ${bytes.length}`);
      room.set(bytes);
      return read(view);
    },
  };
}

function makeParser(placed: readonly Placed[], size: number): Reader {
  if (placed.every((p) => p.count === undefined)) return makeReader(placed, size);
  const parser = new Parser();
  let position = 0;
  for (const p of placed) {
    const bytes = WIDTH[p.type] * (p.count ?? 1);
    if (p.name.startsWith('_')) continue;
    if (p.at > position) parser.seek(p.at - position);
    position = p.at + bytes;
    if (p.count === undefined) parser[PARSER_TYPE[p.type]](p.name, {});
    else if (p.type === 'u8')
      parser.buffer(p.name, { length: p.count, formatter: (b: unknown) => Uint8Array.from(b as Uint8Array) });
    else parser.array(p.name, { type: PARSER_TYPE[p.type], length: p.count });
  }
  return parser;
}

type Writer = (view: DataView, value: Record<string, unknown>, field: typeof writeField) => void;

/** One line per field, compiled at the first use: signal frames are written often. */
function makeWriter(placed: readonly Placed[]): Writer {
  const lines = placed.map((p) => {
    const value = `value[${JSON.stringify(p.name)}]`;
    const place = JSON.stringify(p);
    let line = `field(view, ${place}, ${value})`;
    if (p.count === undefined) {
      const bits = WIDTH[p.type] * 8;
      line =
        bits === 64
          ? `view.setBigUint64(${p.at}, BigInt(${value}), true)`
          : `view.setUint${bits}(${p.at}, Number(${value}), true)`;
    }
    return `if (${value} !== undefined) ${line};`;
  });
  return new Function('view', 'value', 'field', lines.join('\n')) as Writer;
}

function writeField(view: DataView, p: Placed, value: unknown): void {
  if (p.count === undefined) {
    writeScalar(view, p.type, p.at, value as number | bigint);
    return;
  }
  const items = value as ArrayLike<number | bigint>;
  const n = Math.min(items.length, p.count);
  for (let i = 0; i < n; i++) writeScalar(view, p.type, p.at + i * WIDTH[p.type], items[i]!);
}

function writeScalar(view: DataView, type: ScalarType, at: number, value: number | bigint): void {
  switch (type) {
    case 'u8':
    case 'i8':
      view.setUint8(at, Number(value));
      return;
    case 'u16':
    case 'i16':
      view.setUint16(at, Number(value), true);
      return;
    case 'u32':
    case 'i32':
      view.setUint32(at, Number(value), true);
      return;
    case 'u64':
    case 'i64':
      view.setBigUint64(at, BigInt(value), true);
      return;
  }
}

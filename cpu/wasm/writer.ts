/** Bytes of WebAssembly: a growing buffer with LEB128, and the sections of a module. */

/** Of the `if` or `br_if` at an offset: how its condition goes nearly always. */
export interface BranchHint {
  readonly at: number;
  readonly likely: boolean;
}

export class ByteWriter {
  bytes = new Uint8Array(256);
  length = 0;
  readonly hints: BranchHint[] = [];

  u8(v: number): void {
    if (this.length === this.bytes.length) this.grow(1);
    this.bytes[this.length++] = v;
  }

  raw(...values: number[]): void {
    for (const v of values) this.u8(v);
  }

  append(other: Uint8Array): void {
    if (this.length + other.length > this.bytes.length) this.grow(other.length);
    this.bytes.set(other, this.length);
    this.length += other.length;
  }

  /** Says how the condition of the `if` or `br_if` that is written next goes nearly always. */
  hint(likely: boolean): void {
    this.hints.push({ at: this.length, likely });
  }

  /** Appends code with its hints. */
  appendCode(other: ByteWriter): void {
    for (const { at, likely } of other.hints) this.hints.push({ at: this.length + at, likely });
    this.append(other.take());
  }

  /** Unsigned LEB128 of a number below 2^32. */
  uleb(v: number): void {
    let rest = v;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  /** Signed LEB128 of an i32. */
  sleb(v: number): void {
    let rest = v | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && !(low & 0x40)) || (rest === -1 && low & 0x40)) {
        this.u8(low);
        return;
      }
      this.u8(low | 0x80);
    }
  }

  /** Signed LEB128 of an i64. */
  sleb64(v: bigint): void {
    if (v >= -0x80000000n && v <= 0x7fffffffn) {
      this.sleb(Number(v));
      return;
    }
    let rest = BigInt.asIntN(64, v);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && !(low & 0x40)) || (rest === -1n && low & 0x40)) {
        this.u8(low);
        return;
      }
      this.u8(low | 0x80);
    }
  }

  name(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.uleb(encoded.length);
    this.append(encoded);
  }

  take(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private grow(needed: number): void {
    const bigger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + needed));
    bigger.set(this.bytes);
    this.bytes = bigger;
  }
}

export const ValueType = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
type TypeName = keyof typeof ValueType;

export interface FunctionType {
  readonly params: readonly TypeName[];
  readonly results: readonly TypeName[];
}

export interface FunctionBody {
  readonly type: FunctionType;
  readonly export?: string;
  /** Types of the locals after the parameters. */
  readonly locals: readonly TypeName[];
  readonly code: Uint8Array;
  /** By offset in `code`, in that order. */
  readonly hints?: readonly BranchHint[];
}

export interface ModuleSpec {
  readonly imports: readonly { readonly name: string; readonly type: FunctionType }[];
  /** Import a function table, to call what later modules export. */
  readonly table?: boolean;
  readonly functions: readonly FunctionBody[];
  readonly memoryPages: number;
}

function section(out: ByteWriter, id: number, fill: (w: ByteWriter) => void): void {
  const w = new ByteWriter();
  fill(w);
  out.u8(id);
  out.uleb(w.length);
  out.append(w.take());
}

/** Assembles a module that imports everything from `env`; functions are numbered after the imports. */
export function assemble(spec: ModuleSpec): Uint8Array<ArrayBuffer> {
  const types: FunctionType[] = [];
  const keys: string[] = [];
  const typeIndex = (t: FunctionType): number => {
    const key = `${t.params.join()}>${t.results.join()}`;
    const found = keys.indexOf(key);
    if (found >= 0) return found;
    keys.push(key);
    types.push(t);
    return types.length - 1;
  };
  // Type 0 is that of the handlers called through the table.
  typeIndex(HANDLER_TYPE);
  for (const i of spec.imports) typeIndex(i.type);
  for (const f of spec.functions) typeIndex(f.type);

  const out = new ByteWriter();
  out.raw(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  section(out, 1, (w) => {
    w.uleb(types.length);
    for (const t of types) {
      w.u8(0x60);
      w.uleb(t.params.length);
      for (const p of t.params) w.u8(ValueType[p]);
      w.uleb(t.results.length);
      for (const r of t.results) w.u8(ValueType[r]);
    }
  });
  section(out, 2, (w) => {
    w.uleb(spec.imports.length + 1 + (spec.table ? 1 : 0));
    for (const i of spec.imports) {
      w.name('env');
      w.name(i.name);
      w.u8(0);
      w.uleb(typeIndex(i.type));
    }
    w.name('env');
    w.name('memory');
    w.raw(2, 1);
    w.uleb(spec.memoryPages);
    w.uleb(spec.memoryPages);
    if (spec.table) {
      w.name('env');
      w.name('table');
      w.raw(1, 0x70, 0, 0);
    }
  });
  section(out, 3, (w) => {
    w.uleb(spec.functions.length);
    for (const f of spec.functions) w.uleb(typeIndex(f.type));
  });
  section(out, 7, (w) => {
    const exported = spec.functions.filter((f) => f.export !== undefined);
    w.uleb(exported.length);
    for (const f of exported) {
      w.name(f.export!);
      w.u8(0);
      w.uleb(spec.imports.length + spec.functions.indexOf(f));
    }
  });
  writeHints(out, spec);
  section(out, 10, (w) => {
    w.uleb(spec.functions.length);
    for (const f of spec.functions) writeBody(w, f);
  });
  return out.bytes.slice(0, out.length);
}

/** A handler outside the main function: takes the record, returns what to do next (interp/abi.ts). */
export const HANDLER_TYPE: FunctionType = { params: ['i32'], results: ['i32'] };

/** The section of branch hints (WebAssembly's branch hinting proposal); offsets are from the start of a function's body. */
function writeHints(out: ByteWriter, spec: ModuleSpec): void {
  const hinted = spec.functions.filter((f) => f.hints && f.hints.length > 0);
  if (hinted.length === 0) return;
  section(out, 0, (w) => {
    w.name('metadata.code.branch_hint');
    w.uleb(hinted.length);
    for (const f of hinted) {
      const before = new ByteWriter();
      writeLocals(before, f.locals);
      w.uleb(spec.imports.length + spec.functions.indexOf(f));
      w.uleb(f.hints!.length);
      for (const { at, likely } of f.hints!) {
        w.uleb(before.length + at);
        w.raw(1, likely ? 1 : 0);
      }
    }
  });
}

function writeBody(w: ByteWriter, f: FunctionBody): void {
  const body = new ByteWriter();
  writeLocals(body, f.locals);
  body.append(f.code);
  body.u8(0x0b);
  w.uleb(body.length);
  w.append(body.take());
}

function writeLocals(body: ByteWriter, locals: readonly TypeName[]): void {
  const runs: [TypeName, number][] = [];
  for (const t of locals) {
    const last = runs.at(-1);
    if (last && last[0] === t) last[1]++;
    else runs.push([t, 1]);
  }
  body.uleb(runs.length);
  for (const [t, n] of runs) {
    body.uleb(n);
    body.u8(ValueType[t]);
  }
}

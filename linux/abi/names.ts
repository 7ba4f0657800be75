/**
 * File names are bytes on Linux and strings here: a byte that is no part of valid UTF-8 stands as a lone surrogate,
 * U+DC80 to U+DCFF, as PEP 383 has it. So every name comes back as the bytes that it was.
 */
const encoder = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ESCAPED = /[\udc80-\udcff]/;
const LONE = /(?:[\ud800-\udbff][\udc00-\udfff])|[\udc80-\udcff]/g;

/** The length of the valid UTF-8 sequence at `at`, 0 when there is none. */
function sequence(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const length =
    first < 0x80
      ? 1
      : first >= 0xc2 && first < 0xe0
        ? 2
        : first >= 0xe0 && first < 0xf0
          ? 3
          : first >= 0xf0 && first < 0xf5
            ? 4
            : 0;
  if (length <= 1) return length;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return at + length <= bytes.length ? length : 0;
  } catch {
    return 0;
  }
}

/** Where the first NUL of `bytes` from `from` on is, when only bytes below 0x80 come before it; -1 else, also at `end`. */
export function asciiEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === 0) return at;
    if (byte >= 0x80) return -1;
  }
  return -1;
}
/** Bytes below 0x80 as text. */
export const asciiSlice: (bytes: Uint8Array, from: number, end: number) => string = (bytes, from, end) =>
  Buffer.prototype.latin1Slice.call(bytes, from, end);

/** The bytes of a file name as a string; those that are no UTF-8 become lone surrogates. */
export function decodeName(bytes: Uint8Array): string {
  const plain = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  if (!plain.includes('\ufffd')) return plain;
  let out = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequence(bytes, at);
    out += length === 0 ? String.fromCharCode(0xdc00 + bytes[at]!) : strict.decode(bytes.subarray(at, at + length));
    at += Math.max(1, length);
  }
  return out;
}

/** The bytes that `decodeName` made the string of. */
export function encodeName(name: string): Uint8Array {
  if (!ESCAPED.test(name)) return encoder.encode(name);
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const match of name.matchAll(LONE)) {
    if (match[0].length === 2) continue;
    parts.push(encoder.encode(name.slice(from, match.index)), Uint8Array.of(match[0].charCodeAt(0) - 0xdc00));
    from = match.index + 1;
  }
  parts.push(encoder.encode(name.slice(from)));
  return Uint8Array.from(Buffer.concat(parts));
}

/** A path for the host's calls. */
export const hostPath = (path: string): string | Buffer => (ESCAPED.test(path) ? Buffer.from(encodeName(path)) : path);

/**
 * Text forms of the protocol (gdb manual, "Overview" of the Remote Protocol): hex, binary escapes, run lengths.
 * A payload is a string with one character per byte (latin1).
 */

export const toHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** @returns undefined if it is no hex text of whole bytes */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Buffer.from(text, 'hex');
}

export const textToHex = (text: string): string => Buffer.from(text, 'utf8').toString('hex');

/** Text in UTF-8 from its hex digits. */
export function hexToText(text: string): string | undefined {
  const bytes = fromHex(text);
  return bytes && Buffer.from(bytes).toString('utf8');
}

/** @returns undefined unless the whole text is a hex number of at most 64 bits */
export function parseHex(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** @returns undefined unless the whole text is a hex number of at most 32 bits */
export function parseHexNumber(text: string | undefined): number | undefined {
  const value = parseHex(text);
  return value !== undefined && value <= 0xffff_ffffn ? Number(value) : undefined;
}

export const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

export const bytesOf = (payload: string): Uint8Array => Buffer.from(payload, 'latin1');

/** Escapes what binary data may not hold: `$`, `#`, `}` and `*`. */
export const escapeBinary = (data: string): string =>
  data.replace(/[$#}*]/g, (c) => `}${String.fromCharCode(c.charCodeAt(0) ^ 0x20)}`);

/** How much of `data` fits into a packet of `limit` characters once escaped. */
export function fitEscaped(data: Uint8Array, limit: number): number {
  let size = 0;
  for (let i = 0; i < data.length; i++) {
    const c = data[i]!;
    size += c === 0x24 || c === 0x23 || c === 0x7d || c === 0x2a ? 2 : 1;
    if (size > limit) return i;
  }
  return data.length;
}

/** Run-length encoding: a character, `*`, and the number of further repeats + 29, which must not be `#` or `$`. */
export function runLengthEncode(payload: string): string {
  return payload.replace(/([^}*])\1{3,}/gs, (run, c: string) => {
    let out = '';
    let left = run.length;
    while (left > 0) {
      let repeats = Math.min(left - 1, 97);
      if (repeats < 3) return out + c.repeat(left);
      if (repeats === 6 || repeats === 7) repeats = 5;
      out += `${c}*${String.fromCharCode(repeats + 29)}`;
      left -= repeats + 1;
    }
    return out;
  });
}

/** Undoes escapes and run lengths of what came in. */
export function decodePayload(raw: string): string {
  if (!raw.includes('}') && !raw.includes('*')) return raw;
  let out = '';
  let last = '';
  for (let i = 0; i < raw.length; i++) {
    const c = raw[i]!;
    if (c === '*' && last !== '' && i + 1 < raw.length) {
      out += last.repeat(Math.max(0, raw.charCodeAt(++i) - 29));
      continue;
    }
    last = c === '}' && i + 1 < raw.length ? String.fromCharCode(raw.charCodeAt(++i) ^ 0x20) : c;
    out += last;
  }
  return out;
}

import type { DecodedMessage, DecodedValue, Field, FieldType, MessageType, Show } from './proto/message.ts';
import { flagText } from './proto/show.ts';

/** A decoded message in the form in which `crit --pretty` prints it; `pretty` false leaves numbers as numbers. */
export function shown(type: MessageType, value: DecodedMessage, pretty = true, inHex = false): DecodedMessage {
  const result: DecodedMessage = {};
  for (const [name, field] of Object.entries(type.fields)) {
    const found = value[name];
    if (found === undefined || (Array.isArray(found) && found.length === 0)) {
      continue;
    }
    const asHex = inHex || field.show?.as === 'hex';
    if (!Array.isArray(found)) {
      result[name] = shownValue(field, found, pretty, asHex);
    } else if (pretty && field.show?.as === 'ip') {
      result[name] = [ipAddress(found.map(Number))];
    } else {
      result[name] = found.map((each) => shownValue(field, each, pretty, asHex));
    }
  }
  return result;
}

function shownValue(field: Field, value: DecodedValue, pretty: boolean, asHex: boolean): DecodedValue {
  if (value instanceof Uint8Array) {
    return field.show?.as === 'unix-name' ? quotedPrintable(value) : base64Lines(value);
  }
  if (typeof value === 'object') {
    return shown(nestedType(field.type), value, pretty, asHex);
  }
  if (typeof field.type === 'object' && field.type.kind === 'enum') {
    const name = Object.entries(field.type.values).find(([, number]) => number === value)?.[0];
    return name ?? value;
  }
  if (!pretty || (typeof value !== 'number' && typeof value !== 'bigint')) {
    return value;
  }
  if (asHex) {
    return `0x${value.toString(16)}`;
  }
  return field.show === undefined ? value : shownNumber(field.show, value);
}

function shownNumber(show: Show, value: number | bigint): DecodedValue {
  const wide = BigInt(value);
  switch (show.as) {
    case 'dev':
      return `${wide >> 20n}:${wide & 0xfffffn}`;
    case 'odev':
      return `${((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn)}:${(wide & 0xffn) | ((wide >> 12n) & ~0xffn)}`;
    case 'flags':
      return flagText(show, wide);
    case 'names':
      return show.names[Number(value)] ?? value;
    default:
      return value;
  }
}

function nestedType(type: FieldType): MessageType {
  const nested = typeof type === 'function' ? type() : type;
  if (typeof nested !== 'object' || nested.kind !== 'message') {
    throw new TypeError('a message value in a field of another type');
  }
  return nested;
}

/** One u32 is an IPv4 address in network order, four are an IPv6 address. */
function ipAddress(words: readonly number[]): string {
  const bytes = words.flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24]);
  if (words.length === 1) {
    return bytes.join('.');
  }
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bytes[2 * index] ?? 0) * 256 + (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** base64 as Python's encodebytes: lines of 76 characters, a newline at the end of each. */
export function base64Lines(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return (text.match(/.{1,76}/g) ?? []).map((line) => `${line}\n`).join('');
}

/** RFC 2045 quoted-printable of a socket's name, which may hold zero bytes. */
function quotedPrintable(bytes: Uint8Array): string {
  let result = '';
  let column = 0;
  bytes.forEach((byte, index) => {
    if (byte === 0x0a) {
      result += '\n';
      column = 0;
      return;
    }
    const next = bytes[index + 1];
    const lineEnds = next === undefined || next === 0x0a;
    const blank = byte === 0x20 || byte === 0x09;
    const loneDot = byte === 0x2e && column === 0 && (lineEnds || next === 0);
    const literal = (byte > 0x20 && byte < 0x7f && byte !== 0x3d && !loneDot) || (blank && !lineEnds);
    const piece = literal ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    if (column + piece.length > 75 && !lineEnds) {
      result += '=\n';
      column = 0;
    }
    result += piece;
    column += piece.length;
  });
  return result;
}

/** JSON as Python's json.dump(indent=4) writes it: ASCII only, numbers of any size exact. */
export function toJson(value: unknown, indent = ''): string {
  if (typeof value === 'bigint') {
    return value.toString();
  }
  if (typeof value === 'string') {
    return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) =>
      c === '\u007f' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  }
  if (value === null || typeof value !== 'object') {
    return JSON.stringify(value);
  }
  const inner = `${indent}    `;
  const list = Array.isArray(value);
  const lines = list
    ? value.map((each) => inner + toJson(each, inner))
    : Object.entries(value).map(([key, each]) => `${inner}${toJson(key)}: ${toJson(each, inner)}`);
  const [open, close] = list ? ['[', ']'] : ['{', '}'];
  return lines.length === 0 ? `${open}${close}` : `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

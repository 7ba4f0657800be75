import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Extra, readExtra } from './extra.ts';
import { ImageError } from './image-error.ts';
import { IMG_COMMON, IMG_SERVICE, type ImageKind, images, kindOfName } from './images.ts';
import { decode, type Place } from './proto/decode.ts';
import type { DecodedMessage, MessageType } from './proto/message.ts';

export interface ImageEntry {
  /** Where its size word stands in the file. */
  readonly offset: number;
  readonly type: MessageType;
  readonly message: DecodedMessage;
  readonly extra?: Extra;
  /** The extra payload itself, where it is one piece. */
  readonly payload?: Uint8Array;
}

export interface ImageFile {
  readonly path: string;
  readonly kind: ImageKind;
  readonly entries: readonly ImageEntry[];
}

const hexWord = (word: number): string => `0x${word.toString(16).padStart(8, '0')}`;

/** The bytes of an image, or an ImageError that says why they cannot be had. */
export function readImageBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ImageError(path, undefined, code === 'ENOENT' ? 'missing' : `cannot be read (${code})`);
  }
}

/** The head and all entries of an image file. */
export function readImageFile(path: string): ImageFile {
  return parseImage(path, readImageBytes(path));
}

/** As readImageFile, from bytes: `path` is for messages and for the kind that its name promises. */
export function parseImage(path: string, bytes: Uint8Array): ImageFile {
  const cursor = new Cursor(path, bytes);
  const named = kindOfName(basename(path));
  if (named !== undefined && named.magic === undefined) {
    throw new ImageError(path, undefined, `${named.name} holds raw data, there is nothing to decode`);
  }
  const kind = readHead(cursor, named);
  const entries: ImageEntry[] = [];
  while (cursor.left > 0) {
    entries.push(readEntry(cursor, kind, entries.length === 0));
  }
  if (entries.length === 0 && kind.head !== undefined) {
    throw new ImageError(path, cursor.position, `truncated: no ${kind.head.name} after the magic`);
  }
  return { path, kind, entries };
}

function readHead(cursor: Cursor, named: ImageKind | undefined): ImageKind {
  const first = cursor.word('the magic');
  const prefixed = first === IMG_COMMON || first === IMG_SERVICE;
  const at = cursor.position - (prefixed ? 0 : 4);
  const magic = prefixed ? cursor.word('the magic') : first;
  const kind = named ?? images.find((each) => each.magic === magic);
  if (kind === undefined) {
    throw new ImageError(cursor.path, at, `magic ${hexWord(magic)} is that of no image`);
  }
  if (kind.magic !== magic) {
    const other = images.find((each) => each.magic === magic);
    const found = other === undefined ? hexWord(magic) : `${hexWord(magic)} (${other.name})`;
    throw new ImageError(cursor.path, at, `magic ${found}, expected ${hexWord(kind.magic ?? 0)} (${kind.name})`);
  }
  if (prefixed && (first === IMG_SERVICE) !== (kind.service === true)) {
    const expected = kind.service === true ? IMG_SERVICE : IMG_COMMON;
    throw new ImageError(cursor.path, 0, `magic ${hexWord(first)}, expected ${hexWord(expected)} for ${kind.name}`);
  }
  return kind;
}

function readEntry(cursor: Cursor, kind: ImageKind, first: boolean): ImageEntry {
  const offset = cursor.position;
  const size = cursor.word('the size of an entry');
  const type = first && kind.head !== undefined ? kind.head : kind.message;
  if (type === undefined) {
    throw new ImageError(cursor.path, offset, `${kind.name} has no entries`);
  }
  const place = cursor.place();
  const message = decode(type, cursor.take(size, `bytes of ${type.name}`), place) as DecodedMessage;
  const extra = kind.extra === undefined ? undefined : readExtra(kind.extra, message, first, cursor);
  if (extra === undefined) {
    return { offset, type, message };
  }
  const payload = extra.bytes === undefined ? {} : { payload: extra.bytes };
  return { offset, type, message, extra: extra.extra, ...payload };
}

/** A place in the bytes of a file that knows how to complain. */
class Cursor {
  readonly path: string;
  readonly bytes: Uint8Array;
  position = 0;

  constructor(path: string, bytes: Uint8Array) {
    this.path = path;
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.position;
  }

  place(): Place {
    return { file: this.path, offset: this.position };
  }

  take(size: number, what: string): Uint8Array {
    if (size > this.left) {
      throw new ImageError(this.path, this.position, `truncated: ${size} ${what} expected, ${this.left} left`);
    }
    this.position += size;
    return this.bytes.subarray(this.position - size, this.position);
  }

  rest(): Uint8Array {
    return this.take(this.left, 'bytes');
  }

  word(what: string): number {
    if (this.left < 4) {
      throw new ImageError(this.path, this.position, `truncated: 4 bytes of ${what} expected, ${this.left} left`);
    }
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.position, 4);
    this.position += 4;
    return view.getUint32(0, true);
  }
}

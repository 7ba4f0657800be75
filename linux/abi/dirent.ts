import { S_IFMT } from './stat.ts';

/** The d_type of a mode, include/linux/fs.h. */
export const dt = (mode: number): number => (mode & S_IFMT) >>> 12;

export interface Dirent {
  readonly name: string;
  readonly ino: bigint;
  /** Position after this entry (`d_off`). */
  readonly off: number;
  /** DT_* */
  readonly type: number;
}

const align = (n: number, to: number): number => Math.ceil(n / to) * to;

/** `struct linux_dirent64`, the same in both ABIs. */
export function packDirent64(entry: Dirent, name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(align(19 + name.length + 1, 8));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, entry.ino, true);
  view.setBigInt64(8, BigInt(entry.off), true);
  view.setUint16(16, bytes.length, true);
  bytes[18] = entry.type;
  bytes.set(name, 19);
  return bytes;
}

/** `struct linux_dirent` (word 8) or `compat_linux_dirent` (word 4): the type is in the last byte of the record. */
export function packDirent(entry: Dirent, name: Uint8Array, word: 4 | 8): Uint8Array {
  const head = 2 * word + 2;
  const bytes = new Uint8Array(align(head + name.length + 2, word));
  const view = new DataView(bytes.buffer);
  if (word === 8) {
    view.setBigUint64(0, entry.ino, true);
    view.setBigInt64(8, BigInt(entry.off), true);
  } else {
    view.setUint32(0, Number(BigInt.asUintN(32, entry.ino)), true);
    view.setInt32(4, entry.off, true);
  }
  view.setUint16(2 * word, bytes.length, true);
  bytes.set(name, head);
  bytes[bytes.length - 1] = entry.type;
  return bytes;
}

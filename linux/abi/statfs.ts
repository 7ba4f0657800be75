/** include/uapi/linux/magic.h and the statfs structures of both ABIs. */
export const MQUEUE_MAGIC = 0x19800202;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630,
  TMPFS_MAGIC = 0x01021994,
  PROC_SUPER_MAGIC = 0x9fa0,
  SYSFS_MAGIC = 0x62656572,
  PIPEFS_MAGIC = 0x50495045,
  SOCKFS_MAGIC = 0x534f434b,
  ANON_INODE_FS_MAGIC = 0x09041934;

/** `struct kstatfs`, include/linux/statfs.h. */
export interface Kstatfs {
  readonly type: number;
  readonly bsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly namelen: number;
  readonly frsize: number;
  readonly flags: number;
}

type Field = keyof Kstatfs;
interface Layout {
  readonly size: number;
  readonly fields: readonly (readonly [Field, number, 4 | 8])[];
}
const words = (word: 4 | 8, names: readonly Field[], at: number): (readonly [Field, number, 4 | 8])[] =>
  names.map((name, i) => [name, at + i * word, word] as const);
const head: readonly Field[] = ['type', 'bsize', 'blocks', 'bfree', 'bavail', 'files', 'ffree'];

/** `struct statfs` of x86-64, 120 bytes. */
export const STATFS: Layout = {
  size: 120,
  fields: [...words(8, head, 0), ...words(8, ['namelen', 'frsize', 'flags'], 64)],
};
/** `struct compat_statfs`, 64 bytes. */
export const COMPAT_STATFS: Layout = {
  size: 64,
  fields: [...words(4, head, 0), ...words(4, ['namelen', 'frsize', 'flags'], 36)],
};
/** `struct compat_statfs64`, 84 bytes packed. */
export const COMPAT_STATFS64: Layout = {
  size: 84,
  fields: [
    ...words(4, ['type', 'bsize'], 0),
    ...words(8, ['blocks', 'bfree', 'bavail', 'files', 'ffree'], 8),
    ...words(4, ['namelen', 'frsize', 'flags'], 56),
  ],
};

export function packStatfs(layout: Layout, value: Kstatfs): Uint8Array {
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  for (const [name, offset, width] of layout.fields) {
    if (width === 8) view.setBigUint64(offset, BigInt(value[name]), true);
    else view.setUint32(offset, Math.min(value[name], 0xffffffff), true);
  }
  return bytes;
}

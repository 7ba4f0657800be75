/** include/uapi/linux/stat.h, and the stat structures of both ABIs (arch/x86/include/uapi/asm/stat.h, compat.h, ia32.h). */
export const S_IFMT = 0o170000,
  S_IFSOCK = 0o140000,
  S_IFLNK = 0o120000,
  S_IFREG = 0o100000,
  S_IFBLK = 0o060000,
  S_IFDIR = 0o040000,
  S_IFCHR = 0o020000,
  S_IFIFO = 0o010000;
export const S_ISUID = 0o4000,
  S_ISGID = 0o2000,
  S_ISVTX = 0o1000;
/** utimensat(2). */
export const UTIME_NOW = 0x3fffffff,
  UTIME_OMIT = 0x3ffffffe;

/** `struct kstat`, include/linux/stat.h. Times are nanoseconds since the epoch. */
export interface Kstat {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: bigint;
  readonly size: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
}

type StatField = 'dev' | 'ino' | 'mode' | 'nlink' | 'uid' | 'gid' | 'rdev' | 'size' | 'blksize' | 'blocks' | TimeField;
type TimeField = `${'a' | 'm' | 'c'}time${'' | '_nsec'}`;
interface StatLayout {
  readonly size: number;
  /** Field, offset, width in bytes. */
  readonly fields: readonly (readonly [StatField | 'ino_low', number, 2 | 4 | 8])[];
}

/** `struct stat` of x86-64, 144 bytes. */
export const STAT: StatLayout = {
  size: 144,
  fields: [
    ['dev', 0, 8],
    ['ino', 8, 8],
    ['nlink', 16, 8],
    ['mode', 24, 4],
    ['uid', 28, 4],
    ['gid', 32, 4],
    ['rdev', 40, 8],
    ['size', 48, 8],
    ['blksize', 56, 8],
    ['blocks', 64, 8],
    ['atime', 72, 8],
    ['atime_nsec', 80, 8],
    ['mtime', 88, 8],
    ['mtime_nsec', 96, 8],
    ['ctime', 104, 8],
    ['ctime_nsec', 112, 8],
  ],
};
/** `struct stat64` of i386, 96 bytes without padding. */
export const STAT64_IA32: StatLayout = {
  size: 96,
  fields: [
    ['dev', 0, 8],
    ['ino_low', 12, 4],
    ['mode', 16, 4],
    ['nlink', 20, 4],
    ['uid', 24, 4],
    ['gid', 28, 4],
    ['rdev', 32, 8],
    ['size', 44, 8],
    ['blksize', 52, 4],
    ['blocks', 56, 8],
    ['atime', 64, 4],
    ['atime_nsec', 68, 4],
    ['mtime', 72, 4],
    ['mtime_nsec', 76, 4],
    ['ctime', 80, 4],
    ['ctime_nsec', 84, 4],
    ['ino', 88, 8],
  ],
};
/** `struct compat_stat` (i386 `struct stat`), 64 bytes. */
export const COMPAT_STAT: StatLayout = {
  size: 64,
  fields: [
    ['dev', 0, 2],
    ['ino', 4, 4],
    ['mode', 8, 2],
    ['nlink', 10, 2],
    ['uid', 12, 2],
    ['gid', 14, 2],
    ['rdev', 16, 2],
    ['size', 20, 4],
    ['blksize', 24, 4],
    ['blocks', 28, 4],
    ['atime', 32, 4],
    ['atime_nsec', 36, 4],
    ['mtime', 40, 4],
    ['mtime_nsec', 44, 4],
    ['ctime', 48, 4],
    ['ctime_nsec', 52, 4],
  ],
};
/** `struct __old_kernel_stat` as the i386 calls 18, 28 and 84 fill it, 32 bytes. */
export const OLD_STAT: StatLayout = {
  size: 32,
  fields: [
    ['dev', 0, 2],
    ['ino', 2, 2],
    ['mode', 4, 2],
    ['nlink', 6, 2],
    ['uid', 8, 2],
    ['gid', 10, 2],
    ['rdev', 12, 2],
    ['size', 16, 4],
    ['atime', 20, 4],
    ['mtime', 24, 4],
    ['ctime', 28, 4],
  ],
};

const SECOND = 1_000_000_000n;
const floorSeconds = (ns: bigint): bigint => (ns - (((ns % SECOND) + SECOND) % SECOND)) / SECOND;

function fieldOf(stat: Kstat, field: StatField | 'ino_low'): bigint {
  switch (field) {
    case 'ino_low':
      return BigInt.asUintN(32, stat.ino);
    case 'atime':
      return floorSeconds(stat.atime);
    case 'mtime':
      return floorSeconds(stat.mtime);
    case 'ctime':
      return floorSeconds(stat.ctime);
    case 'atime_nsec':
      return stat.atime - floorSeconds(stat.atime) * SECOND;
    case 'mtime_nsec':
      return stat.mtime - floorSeconds(stat.mtime) * SECOND;
    case 'ctime_nsec':
      return stat.ctime - floorSeconds(stat.ctime) * SECOND;
    default:
      return BigInt(stat[field]);
  }
}

/** The image of a stat structure; `undefined` when an inode number or a size does not fit (EOVERFLOW). */
export function packStat(layout: StatLayout, stat: Kstat): Uint8Array | undefined {
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  for (const [field, offset, width] of layout.fields) {
    const value = fieldOf(stat, field);
    const limit = field === 'size' ? 0x7fffffffn : 0xffffffffn;
    if (width !== 8 && (field === 'size' || field === 'ino') && value > (width === 2 ? 0xffffn : limit)) {
      return undefined;
    }
    if (width === 8) view.setBigUint64(offset, BigInt.asUintN(64, value), true);
    else if (width === 4) view.setUint32(offset, Number(BigInt.asUintN(32, value)), true);
    else view.setUint16(offset, Number(BigInt.asUintN(16, value)), true);
  }
  return bytes;
}

/** new_encode_dev()/glibc makedev: the form in which st_dev and st_rdev go to user space. */
export const makedev = (major: number, minor: number): bigint =>
  BigInt(major & 0xfff) * 256n + BigInt(minor & 0xff) + BigInt(minor >>> 8) * 0x100000n;
export const major = (dev: bigint): number => Number((dev >> 8n) & 0xfffn);
export const minor = (dev: bigint): number => Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n));

/** include/uapi/linux/stat.h, and the stat structures of both ABIs (arch/x86/include/uapi/asm/stat.h, compat.h, ia32.h). */
export const S_IFMT = 0o170000,
  S_IFSOCK = 0o140000,
  S_IFLNK = 0o120000,
  S_IFREG = 0o100000,
  S_IFBLK = 0o060000,
  S_IFDIR = 0o040000,
  S_IFCHR = 0o020000,
  S_IFIFO = 0o010000;
export const S_IXGRP = 0o010;
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

interface StatLayout {
  readonly size: number;
  /** Field, offset, width in bytes; of a time that of its seconds, and the offset of its nanoseconds, which are as wide. */
  readonly fields: readonly (readonly [keyof Kstat | 'ino_low', number, 2 | 4 | 8, number?])[];
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
    ['atime', 72, 8, 80],
    ['mtime', 88, 8, 96],
    ['ctime', 104, 8, 112],
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
    ['atime', 64, 4, 68],
    ['mtime', 72, 4, 76],
    ['ctime', 80, 4, 84],
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
    ['atime', 32, 4, 36],
    ['mtime', 40, 4, 44],
    ['ctime', 48, 4, 52],
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

/** A time in whole seconds and the nanoseconds behind them. */
function putTime(view: DataView, at: number, width: number, fraction: number | undefined, ns: bigint): void {
  let seconds = Number(ns / SECOND);
  let rest = Number(ns % SECOND);
  if (rest < 0) {
    seconds--;
    rest += 1e9;
  }
  putNumber(view, at, width, seconds);
  if (fraction !== undefined) putNumber(view, fraction, width, rest);
}

/** A number of at most 53 bits, cut to `width` bytes. */
function putNumber(view: DataView, at: number, width: number, value: number): void {
  if (width === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  if (width === 8) view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

/**
 * Makes the image of a stat structure; false when an inode number or a size does not fit (EOVERFLOW). Each field is named,
 * for V8 looks for one whose name comes from a table.
 * @param view of zeroes
 */
export function packStat(layout: StatLayout, stat: Kstat, view: DataView): boolean {
  for (const [field, at, width, nsec] of layout.fields) {
    switch (field) {
      case 'dev':
        putBig(view, at, width, stat.dev);
        break;
      case 'ino_low':
        view.setUint32(at, Number(BigInt.asUintN(32, stat.ino)), true);
        break;
      case 'ino':
        if (width !== 8 && stat.ino > (width === 2 ? 0xffffn : 0xffffffffn)) return false;
        putBig(view, at, width, stat.ino);
        break;
      case 'mode':
        putNumber(view, at, width, stat.mode);
        break;
      case 'nlink':
        putNumber(view, at, width, stat.nlink);
        break;
      case 'uid':
        putNumber(view, at, width, stat.uid);
        break;
      case 'gid':
        putNumber(view, at, width, stat.gid);
        break;
      case 'rdev':
        putBig(view, at, width, stat.rdev);
        break;
      case 'size':
        if (width !== 8 && stat.size > 0x7fffffff) return false;
        putNumber(view, at, width, stat.size);
        break;
      case 'blksize':
        putNumber(view, at, width, stat.blksize);
        break;
      case 'blocks':
        putNumber(view, at, width, stat.blocks);
        break;
      case 'atime':
        putTime(view, at, width, nsec, stat.atime);
        break;
      case 'mtime':
        putTime(view, at, width, nsec, stat.mtime);
        break;
      case 'ctime':
        putTime(view, at, width, nsec, stat.ctime);
        break;
    }
  }
  return true;
}

function putBig(view: DataView, at: number, width: number, value: bigint): void {
  if (width === 8) view.setBigUint64(at, value, true);
  else putNumber(view, at, width, Number(BigInt.asUintN(32, value)));
}

/** new_encode_dev()/glibc makedev: the form in which st_dev and st_rdev go to user space. */
export const makedev = (major: number, minor: number): bigint =>
  BigInt(major & 0xfff) * 256n + BigInt(minor & 0xff) + BigInt(minor >>> 8) * 0x100000n;
export const major = (dev: bigint): number => Number((dev >> 8n) & 0xfffn);
export const minor = (dev: bigint): number => Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n));

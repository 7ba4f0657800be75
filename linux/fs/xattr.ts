/** Extended attributes of an inode: fs/xattr.c, with the handlers of the overlay and of tmpfs. */
import { EEXIST, ENODATA, ENOSPC, EOPNOTSUPP, EPERM } from '../abi/errno.ts';
import { S_ISVTX } from '../abi/stat.ts';
import { CAP_FOWNER, CAP_SYS_ADMIN, type Cred, capable } from '../task/cred.ts';
import { type Inode, inode_permission, MAY_READ, MAY_WRITE } from './inode.ts';
import { charge } from './super-block.ts';

export const XATTR_CREATE = 1,
  XATTR_REPLACE = 2;
export const XATTR_NAME_MAX = 255,
  XATTR_SIZE_MAX = 65536;
/** Bytes of names and values that one inode keeps; ext4 has a block for them. */
const XATTR_ROOM = 262_144;

const TRUSTED = 'trusted.';
const USER = 'user.';
const SECURITY = 'security.';

/** Whether the file system keeps attributes of this kind: sb->s_xattr. */
function handled(inode: Inode, name: string): boolean {
  const { fsType } = inode.sb;
  if (fsType === 'overlay') return name.startsWith(USER) || name.startsWith(TRUSTED) || name.startsWith(SECURITY);
  if (fsType === 'tmpfs' || fsType === 'devtmpfs') return name.startsWith(TRUSTED) || name.startsWith(SECURITY);
  return false;
}

/** xattr_permission() */
function xattr_permission(cred: Cred, inode: Inode, name: string, mask: number): number {
  const write = mask === MAY_WRITE;
  if (name.startsWith(SECURITY) || name.startsWith('system.')) return 0;
  if (name.startsWith(TRUSTED)) return capable(cred, CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
  if (name.startsWith(USER)) {
    if (!inode.isReg() && !inode.isDir()) return write ? -EPERM : -ENODATA;
    const sticky = inode.isDir() && (inode.mode & S_ISVTX) !== 0;
    if (sticky && write && cred.fsuid !== inode.uid && !capable(cred, CAP_FOWNER)) return -EPERM;
  }
  return inode_permission(cred, inode, mask);
}

/** vfs_getxattr() */
export function vfs_getxattr(cred: Cred, inode: Inode, name: string): Uint8Array | number {
  const error = xattr_permission(cred, inode, name, MAY_READ);
  if (error < 0) return error;
  if (inode.sb.fsType === 'overlay' && name.startsWith('system.posix_acl_')) return -ENODATA;
  if (!handled(inode, name)) return -EOPNOTSUPP;
  return inode.xattrs?.get(name) ?? -ENODATA;
}

/** vfs_setxattr() */
export function vfs_setxattr(cred: Cred, inode: Inode, name: string, value: Uint8Array, flags: number): number {
  const error = xattr_permission(cred, inode, name, MAY_WRITE);
  if (error < 0) return error;
  if (!handled(inode, name)) return -EOPNOTSUPP;
  if (name.startsWith(SECURITY) && !capable(cred, CAP_SYS_ADMIN)) return -EPERM;
  const attributes = inode.xattrs ?? new Map<string, Uint8Array>();
  const old = attributes.get(name);
  if (old !== undefined && (flags & XATTR_CREATE) !== 0) return -EEXIST;
  if (old === undefined && (flags & XATTR_REPLACE) !== 0) return -ENODATA;
  let used = name.length + value.length;
  for (const [other, bytes] of attributes) if (other !== name) used += other.length + bytes.length;
  if (used > XATTR_ROOM) return -ENOSPC;
  if (!charge(inode.sb.owner, value.length + name.length - (old === undefined ? 0 : old.length + name.length)))
    return -ENOSPC;
  attributes.set(name, value);
  inode.xattrs = attributes;
  inode.ctime = inode.sb.currentTime();
  return 0;
}

/** vfs_removexattr() */
export function vfs_removexattr(cred: Cred, inode: Inode, name: string): number {
  const error = xattr_permission(cred, inode, name, MAY_WRITE);
  if (error < 0) return error;
  if (!handled(inode, name)) return -EOPNOTSUPP;
  if (name.startsWith(SECURITY) && !capable(cred, CAP_SYS_ADMIN)) return -EPERM;
  const old = inode.xattrs?.get(name);
  if (old === undefined) return -ENODATA;
  inode.xattrs!.delete(name);
  inode.sb.owner.buffered -= name.length + old.length;
  inode.ctime = inode.sb.currentTime();
  return 0;
}

/** vfs_listxattr(): trusted.* is seen by those who may read it. */
export function vfs_listxattr(cred: Cred, inode: Inode): string[] {
  const trusted = capable(cred, CAP_SYS_ADMIN);
  return [...(inode.xattrs?.keys() ?? [])].filter((name) => trusted || !name.startsWith(TRUSTED));
}

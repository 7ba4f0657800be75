import type { Inode } from './inode.ts';

/**
 * `struct dentry`: a name in a directory. A mounted file system's root takes its mount point's name and parent, so
 * there is no `struct vfsmount` beside it.
 */
export class Dentry {
  name: string;
  parent: Dentry | undefined;
  readonly inode: Inode;
  readonly children = new Map<string, Dentry>();
  /** Roots of file systems mounted on names in this directory. */
  readonly mounts = new Map<string, Dentry>();
  /** Its name was taken away: d_unlinked(). */
  unhashed = false;

  constructor(name: string, parent: Dentry | undefined, inode: Inode) {
    this.name = name;
    this.parent = parent;
    this.inode = inode;
  }
}

/** d_path(), fs/dcache.c: the name under `root` as the guest sees it. */
export function d_path(dentry: Dentry, root?: Dentry): string {
  if (dentry.parent === undefined && dentry.name !== '/') return dentry.name; // d_dname: pipe:[7], /memfd:x (deleted)
  let path = '';
  let deleted = false;
  for (let d = dentry; d !== root && d.parent !== undefined; d = d.parent) {
    path = `/${d.name}${path}`;
    deleted ||= d.unhashed;
  }
  return (path === '' ? '/' : path) + (deleted ? ' (deleted)' : '');
}

/** Whether `dentry` is below `root` or `root` itself. */
export function isBelow(dentry: Dentry, root: Dentry): boolean {
  for (let d: Dentry | undefined = dentry; d !== undefined; d = d.parent) if (d === root) return true;
  return false;
}

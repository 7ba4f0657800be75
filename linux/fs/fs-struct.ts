import type { Dentry } from './dentry.ts';

/** `struct fs_struct`, include/linux/fs_struct.h. */
export class FsStruct {
  root: Dentry;
  cwd: Dentry;
  umask: number;
  /** Tasks that share it. */
  count = 1;

  constructor(root: Dentry, cwd: Dentry = root, umask = 0o022) {
    this.root = root;
    this.cwd = cwd;
    this.umask = umask;
  }

  /** copy_fs_struct() */
  clone(): FsStruct {
    return new FsStruct(this.root, this.cwd, this.umask);
  }
  /** CLONE_FS */
  share(): FsStruct {
    this.count++;
    return this;
  }
  release(): void {
    this.count--;
  }
}

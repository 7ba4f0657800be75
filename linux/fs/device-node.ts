import { ENXIO } from '../abi/errno.ts';
import { S_IFMT } from '../abi/stat.ts';
import type { Task } from '../task/task.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';
import type { SuperBlock } from './super-block.ts';

/**
 * A device's name on a disk. It opens the machine's device of that number, if there is one in /dev: `Vfs.openDentry()`.
 */
export class DeviceInode extends Inode {
  constructor(sb: SuperBlock, mode: number, rdev: bigint, ino?: bigint) {
    super(sb, mode & (S_IFMT | 0o7777), ino);
    this.rdev = rdev;
  }
  override open(_file: File, _task: Task | undefined): number {
    return -ENXIO;
  }
}

import * as errno from '../../linux/abi/errno.ts';
import { O_ACCMODE, O_DIRECTORY, O_WRONLY } from '../../linux/abi/fcntl.ts';
import { S_IFDIR, S_IFMT } from '../../linux/abi/stat.ts';
import { alloc_file, type File, fput, get_file } from '../../linux/fs/file.ts';
import type { FilesStruct } from '../../linux/fs/files-struct.ts';
import { create_pipe_files } from '../../linux/fs/pipe.ts';
import type { Kernel } from '../../linux/kernel.ts';
import type { FileEntry, ImageDir } from '../image-dir.ts';
import { ImageError } from '../image-error.ts';
import { fd_types } from '../proto/files.ts';
import { RestoredMemfds } from './memfd.ts';

const FD_CLOEXEC = 1;
const O_CREATION = 0o100 | 0o200 | 0o1000;

/** The open files of the image: criu/files.c, files-reg.c, pipes.c. Each is opened once, whoever uses it. */
export class RestoredFiles {
  private readonly kernel: Kernel;
  private readonly dir: ImageDir;
  private readonly entries: Map<number, FileEntry>;
  private readonly offsets = new Map<number, number>();
  private readonly inherit: ReadonlyMap<string, number>;
  private readonly open = new Map<number, File>();
  private readonly memfds: RestoredMemfds;

  constructor(kernel: Kernel, dir: ImageDir, inherit: ReadonlyMap<string, number>) {
    this.kernel = kernel;
    this.dir = dir;
    this.inherit = inherit;
    this.memfds = new RestoredMemfds(kernel, dir);
    this.entries = dir.files();
    for (const { offset, message } of dir.entries('files.img')) {
      const { id } = message;
      this.offsets.set(Number(id), offset);
    }
  }

  /** The open file with this id; the caller gets a reference. */
  get(id: number, fd = -1): File {
    const known = this.open.get(id);
    if (known !== undefined) {
      return get_file(known);
    }
    const file = this.openEntry(this.entry(id), fd);
    this.open.set(id, file);
    return get_file(file);
  }

  /** A file for a mapping or a program: opened anew, with these flags, its size checked. */
  openAnew(id: number, flags: number): File {
    const entry = this.entry(id);
    if (entry.memfd !== undefined) {
      return this.openMemfd(entry, entry.memfd.inode_id, flags);
    }
    if (entry.reg === undefined) {
      return this.fail(id, `a ${typeName(entry)} is mapped or executed, expected a regular file`);
    }
    return this.openRegular(entry, entry.reg.name, flags);
  }

  /** The path of a regular file or directory. */
  path(id: number): string {
    const { reg } = this.entry(id);
    return reg?.name ?? this.fail(id, 'expected a directory');
  }

  /** Fills a descriptor table from fdinfo-N.img. */
  install(filesId: number, table: FilesStruct): void {
    for (const { id, fd, flags } of this.dir.fdinfo(filesId)) {
      table.installAt(fd, this.get(id, fd), (flags & FD_CLOEXEC) !== 0);
    }
  }

  /** Drops the references of this object: what no task uses is closed. */
  release(): void {
    for (const file of this.open.values()) {
      fput(file);
    }
    this.open.clear();
  }

  private entry(id: number): FileEntry {
    return this.entries.get(id) ?? this.fail(id, `no file with the id ${id}`);
  }

  private fail(id: number, message: string): never {
    throw new ImageError(this.dir.file('files.img'), this.offsets.get(id), message);
  }

  private openEntry(entry: FileEntry, fd: number): File {
    const inherited = this.inheritedFd(entry);
    if (inherited !== undefined) {
      return this.kernel.vfs.hostStream(inherited, entry.reg?.flags ?? entry.pipe?.flags ?? entry.tty?.flags ?? 0);
    }
    if (entry.reg !== undefined) {
      const { reg } = entry;
      const file = this.openRegular(entry, reg.name, reg.flags);
      file.pos = Number(reg.pos);
      return file;
    }
    if (entry.pipe !== undefined) {
      return this.openPipe(entry.id, entry.pipe.pipe_id);
    }
    if (entry.memfd !== undefined) {
      const file = this.openMemfd(entry, entry.memfd.inode_id, entry.memfd.flags);
      file.pos = Number(entry.memfd.pos);
      return file;
    }
    if (entry.tty !== undefined && fd >= 0 && fd <= 2) {
      return this.kernel.vfs.hostStream(fd, entry.tty.flags);
    }
    return this.fail(entry.id, `open files of the kind ${typeName(entry)} are not restored (${describe(entry)})`);
  }

  /** --inherit-fd: files are named without their leading slash, pipes as pipe:[id]. */
  private inheritedFd(entry: FileEntry): number | undefined {
    if (entry.pipe !== undefined) {
      return this.inherit.get(`pipe:[${entry.pipe.pipe_id}]`);
    }
    if (entry.tty !== undefined) {
      return this.inherit.get(`tty[${entry.tty.tty_info_id.toString(16)}]`);
    }
    return entry.reg === undefined ? undefined : this.inherit.get(entry.reg.name.replace(/^\//, ''));
  }

  private openRegular(entry: FileEntry, name: string, flags: number): File {
    const { reg } = entry;
    const directory = reg?.mode !== undefined && (reg.mode & S_IFMT) === S_IFDIR;
    const file = this.kernel.vfs.openAs(undefined, name, (flags & ~O_CREATION) | (directory ? O_DIRECTORY : 0));
    if (typeof file === 'number') {
      return this.fail(entry.id, `File ${name} cannot be opened in the guest's root directory: ${errnoName(-file)}`);
    }
    if (reg?.size !== undefined && file.inode.isReg() && BigInt(file.inode.size) !== reg.size) {
      return this.fail(entry.id, `File ${name} has bad size ${file.inode.size} (expect ${reg.size})`);
    }
    return file;
  }

  private openMemfd(entry: FileEntry, inode: number, flags: number): File {
    return this.memfds.open(inode, flags) ?? this.fail(entry.id, `memfd.img has no inode ${inode}`);
  }

  /** All ends of a pipe are made together; what was in it at the dump goes in again. */
  private openPipe(id: number, pipeId: number): File {
    const [read, write] = create_pipe_files(this.kernel.vfs.pipefs, 0);
    for (const each of this.entries.values()) {
      const end = each.pipe;
      if (end === undefined || end.pipe_id !== pipeId) {
        continue;
      }
      const writes = (end.flags & O_ACCMODE) === O_WRONLY;
      const file = alloc_file((writes ? write : read).dentry, end.flags);
      file.inode.open(file, undefined);
      this.open.set(each.id, file);
    }
    for (const { entry, bytes } of this.dir.pipesData()) {
      if (entry.pipe_id !== pipeId) {
        continue;
      }
      const written = write.inode.write(write, 0, bytes);
      if (written !== bytes.length) {
        this.fail(id, `the pipe takes ${written} of the ${bytes.length} bytes that were in it`);
      }
    }
    fput(read);
    fput(write);
    return this.open.get(id) ?? this.fail(id, 'a pipe without this end');
  }
}

/** `ENOENT` for 2. */
function errnoName(value: number): string {
  return (
    Object.entries(errno).find(([name, number]) => number === value && name.startsWith('E'))?.[0] ?? `errno ${value}`
  );
}

function typeName(entry: FileEntry): string {
  return Object.entries(fd_types.values).find(([, value]) => value === entry.type)?.[0] ?? String(entry.type);
}

function describe(entry: FileEntry): string {
  return entry.tty === undefined ? `file id ${entry.id}` : `file id ${entry.id}, use --inherit-fd`;
}

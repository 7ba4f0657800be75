import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ImageError } from './image-error.ts';
import { type ImageEntry, type ImageFile, readImageFile } from './image-file.ts';
import { type PageRun, readPagemap } from './pagemap.ts';
import { core_entry, march, task_kobj_ids_entry } from './proto/core.ts';
import { fdinfo_entry, file_entry, type pipe_data_entry } from './proto/files.ts';
import type { Decoded, MessageType } from './proto/message.ts';
import { memfd_inode_entry, mm_entry } from './proto/mm.ts';
import { fs_entry, inventory_entry, pstree_entry, timens_entry } from './proto/process.ts';
import { VMA_AREA_VSYSCALL } from './proto/show.ts';

export type CoreEntry = Decoded<typeof core_entry>;
export type MmEntry = Decoded<typeof mm_entry>;
export type VmaEntry = MmEntry['vmas'][number];
export type PstreeEntry = Decoded<typeof pstree_entry>;
export type FileEntry = Decoded<typeof file_entry>;
export type FdinfoEntry = Decoded<typeof fdinfo_entry>;
export type IdsEntry = Decoded<typeof task_kobj_ids_entry>;
export type FsEntry = Decoded<typeof fs_entry>;
export type TimensEntry = Decoded<typeof timens_entry>;
export type MemfdInodeEntry = Decoded<typeof memfd_inode_entry>;

/** Data that lay in a pipe at the dump. */
export interface PipeData {
  readonly entry: Decoded<typeof pipe_data_entry>;
  readonly bytes: Uint8Array;
}

const TASK_SIZE = 0x7fff_ffff_f000n;
/** /proc/sys/fs/nr_open */
const MAX_FDS = 1024 * 1024;
/** PID_MAX_LIMIT */
const MAX_PID = 4 * 1024 * 1024;
/** CRTOOLS_IMAGES_V1 and V1_1, criu/include/magic.h. */
const IMAGE_VERSIONS: readonly number[] = [1, 2];

/** A directory of images, opened: inventory and pstree are read at once, the rest when it is asked for. */
export class ImageDir {
  readonly path: string;
  readonly inventory: Decoded<typeof inventory_entry>;
  /** Parents before children, as CRIU writes them. */
  readonly tree: readonly PstreeEntry[];

  private constructor(path: string) {
    this.path = path;
    this.inventory = this.one('inventory.img', inventory_entry);
    const { img_version } = this.inventory;
    if (!IMAGE_VERSIONS.includes(img_version)) {
      throw new ImageError(this.file('inventory.img'), undefined, `images of version ${img_version}, expected 1 or 2`);
    }
    this.tree = this.all('pstree.img', pstree_entry);
    this.checkTree();
  }

  static open(path: string): ImageDir {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new ImageError(path, undefined, 'no such directory of images');
    }
    return new ImageDir(path);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  has(name: string): boolean {
    return statSync(this.file(name), { throwIfNoEntry: false })?.isFile() === true;
  }

  core(tid: number): CoreEntry {
    const name = `core-${tid}.img`;
    const core = this.one(name, core_entry);
    if (core.mtype !== march.values.X86_64) {
      throw new ImageError(this.file(name), undefined, 'the task is not of x86-64');
    }
    return core;
  }

  /** The address space, its mappings in ascending order. */
  mm(pid: number): MmEntry {
    const name = `mm-${pid}.img`;
    const mm = this.one(name, mm_entry);
    let last = 0n;
    for (const { start, end, status } of mm.vmas) {
      const vsyscall = (status & VMA_AREA_VSYSCALL) !== 0;
      if (start >= end || (start | end) % 4096n !== 0n || start < last || (end > TASK_SIZE && !vsyscall)) {
        this.fail(name, `mapping ${start.toString(16)}-${end.toString(16)} is no range of pages above the one before`);
      }
      last = end;
    }
    return mm;
  }

  ids(pid: number): IdsEntry {
    return this.one(`ids-${pid}.img`, task_kobj_ids_entry);
  }

  fs(pid: number): FsEntry {
    return this.one(`fs-${pid}.img`, fs_entry);
  }

  /** The descriptors of the tasks that share the table `filesId`. */
  fdinfo(filesId: number): FdinfoEntry[] {
    const name = `fdinfo-${filesId}.img`;
    const entries = this.all(name, fdinfo_entry);
    entries.forEach(({ fd }, index) => {
      if (fd >= MAX_FDS) {
        this.fail(name, `descriptor ${fd}, expected less than ${MAX_FDS}`, index);
      }
    });
    return entries;
  }

  /** All open files, by id. */
  files(): Map<number, FileEntry> {
    return new Map(this.all('files.img', file_entry).map((entry) => [entry.id, entry]));
  }

  pipesData(): PipeData[] {
    if (!this.has('pipes-data.img')) {
      return [];
    }
    const image = readImageFile(this.file('pipes-data.img'));
    return image.entries.map((entry) => ({
      entry: entry.message as PipeData['entry'],
      bytes: entry.payload ?? new Uint8Array(),
    }));
  }

  memfds(): MemfdInodeEntry[] {
    return this.has('memfd.img') ? this.all('memfd.img', memfd_inode_entry) : [];
  }

  timens(): TimensEntry | undefined {
    return this.has('timens-0.img') ? this.one('timens-0.img', timens_entry) : undefined;
  }

  /** The pages of a process, in the order in which they follow each other in the pages file. */
  pages(pid: number): { file: string; runs: PageRun[] } {
    return readPagemap(this, `pagemap-${pid}.img`);
  }

  sharedPages(shmid: number): { file: string; runs: PageRun[] } {
    return readPagemap(this, `pagemap-shmem-${shmid}.img`);
  }

  /** Complains about an entry of an image. */
  fail(name: string, message: string, index = 0): never {
    throw new ImageError(this.file(name), this.entries(name)[index]?.offset, message);
  }

  /** All entries of an image whose entries are of one type. */
  all<M extends MessageType>(name: string, type: M): Decoded<M>[] {
    return this.entries(name).map((entry) => this.typed(name, entry, type));
  }

  entries(name: string): readonly ImageEntry[] {
    return this.image(name).entries;
  }

  private image(name: string): ImageFile {
    return readImageFile(this.file(name));
  }

  private one<M extends MessageType>(name: string, type: M): Decoded<M> {
    const [first, second] = this.entries(name);
    if (first === undefined) {
      throw new ImageError(this.file(name), undefined, `empty, expected one ${type.name}`);
    }
    if (second !== undefined) {
      throw new ImageError(this.file(name), second.offset, `more bytes after the only ${type.name}`);
    }
    return this.typed(name, first, type);
  }

  private typed<M extends MessageType>(name: string, entry: ImageEntry, type: M): Decoded<M> {
    if (entry.type !== type) {
      throw new ImageError(this.file(name), entry.offset, `${entry.type.name}, expected ${type.name}`);
    }
    return entry.message as unknown as Decoded<M>;
  }

  private checkTree(): void {
    const known = new Set<number>();
    for (const [index, { pid, ppid, threads }] of this.tree.entries()) {
      if ([pid, ...threads.slice(1)].some((each) => each <= 0 || each >= MAX_PID)) {
        this.fail('pstree.img', `pid ${pid} or one of its threads is out of range`, index);
      }
      if (known.has(pid)) {
        this.fail('pstree.img', `pid ${pid} for the second time`, index);
      }
      if (index === 0 ? ppid !== 0 : !known.has(ppid)) {
        this.fail('pstree.img', `the parent ${ppid} of ${pid} does not stand before it`, index);
      }
      known.add(pid);
    }
    if (known.size === 0) {
      throw new ImageError(this.file('pstree.img'), undefined, 'no task in the tree');
    }
  }
}

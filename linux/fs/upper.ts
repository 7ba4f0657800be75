/**
 * Writing the upper layer to `--upper DIR`. The host's directory is a copy of what the machine holds: after a sync it
 * has every new or changed file whole, new directories and symbolic links, and marks for what was deleted:
 * `.wh.NAME` for a name of the lower layer that is gone, `.wh..wh..opq` in a directory that replaces a lower one.
 * overlayfs's own marks (a 0/0 device, an xattr) need root on the host.
 * Not modelled: devices, FIFOs and sockets, which stay in memory; ownership is set where the host allows.
 */
import fs from 'node:fs';
import { decodeName, hostPath } from '../abi/names.ts';
import { PAGE_SIZE } from '../addr.ts';
import type { Dentry } from './dentry.ts';
import type { Inode } from './inode.ts';
import { OPAQUE_MARK, OverlayDirInode, WHITEOUT_PREFIX } from './overlay.ts';
import { RegularInode } from './regular.ts';
import { SymlinkInode } from './tmpfs.ts';
import type { Vfs } from './vfs.ts';

const CHUNK = 1 << 20;
const { O_CREAT, O_NOFOLLOW, O_RDWR } = fs.constants;

/** A host path is what we take it for: no symbolic link has been put in the way. */
const isKind = (path: string, kind: 'isDirectory' | 'isFile'): boolean =>
  fs.lstatSync(hostPath(path), { throwIfNoEntry: false })?.[kind]() ?? false;

/**
 * Makes room for what the machine has there now, or takes away what it has no more. A directory goes with what the
 * machine knew in it; what somebody else put there stays, and so does the directory.
 */
function remove(known: Set<string>, path: string): void {
  known.delete(path);
  const stat = fs.lstatSync(hostPath(path), { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) {
    fs.unlinkSync(hostPath(path));
    return;
  }
  const inside = fs.readdirSync(hostPath(path), 'buffer').map((name) => `${path}/${decodeName(name)}`);
  for (const child of inside) if (known.has(child)) remove(known, child);
  try {
    fs.rmdirSync(hostPath(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}

function ensureDir(known: Set<string>, path: string, inode: Inode): void {
  if (isKind(path, 'isDirectory')) return;
  remove(known, path);
  fs.mkdirSync(hostPath(path));
  known.add(path);
  applyMode(path, inode);
}

function writeMark(known: Set<string>, path: string): void {
  fs.writeFileSync(hostPath(path), '', { mode: 0o600 });
  known.add(path);
}

function applyMode(path: string, inode: Inode): void {
  try {
    fs.chmodSync(hostPath(path), inode.mode & 0o7777);
    if (process.getuid?.() === 0) fs.chownSync(hostPath(path), inode.uid, inode.gid);
  } catch {
    // An upper directory on a file system without modes still gets the bytes.
  }
}

const seconds = (ns: bigint): number => Number(ns / 1000n) / 1e6;

/** The file's bytes: all of them the first time, then the pages that changed. */
function writeContent(known: Set<string>, path: string, inode: RegularInode): void {
  const exists = isKind(path, 'isFile');
  if (exists) makeWritable(path);
  else remove(known, path);
  known.add(path);
  const { content } = inode;
  const fd = fs.openSync(hostPath(path), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    if (exists && inode.upperPath === path && inode.nlink === 1) {
      fs.ftruncateSync(fd, content.lowest);
      for (const index of [...content.dirty].sort((a, b) => a - b))
        writeAll(fd, content.read(index * PAGE_SIZE, PAGE_SIZE), index * PAGE_SIZE);
    } else {
      if (inode.upperPath === path) content.load();
      fs.ftruncateSync(fd, 0);
      for (let pos = content.nextData(0); pos < content.size; pos = content.nextData(pos + CHUNK))
        writeAll(fd, content.read(pos, CHUNK), pos);
    }
    fs.ftruncateSync(fd, content.size);
    applyMode(path, inode);
    fs.futimesSync(fd, seconds(inode.atime), seconds(inode.mtime));
  } finally {
    fs.closeSync(fd);
  }
  inode.upperPath = path;
  inode.unflushed = false;
  content.lowest = content.size;
  for (const index of content.dirty) if (!content.mapped.has(index)) content.dirty.delete(index);
}

function makeWritable(path: string): void {
  try {
    fs.accessSync(hostPath(path), fs.constants.R_OK | fs.constants.W_OK);
  } catch {
    fs.chmodSync(hostPath(path), 0o600);
  }
}

function writeAll(fd: number, bytes: Uint8Array | number, pos: number): void {
  if (typeof bytes === 'number') throw new Error('a file below --root changed while the machine ran');
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done, pos + done);
}

/** close(2) of a file that was written: its bytes are on the host then. */
export function flushFile(vfs: Vfs, dentry: Dentry): void {
  const { inode } = dentry;
  if (!(inode instanceof RegularInode) || !inode.upper || !inode.unflushed) return;
  const chain: Dentry[] = [];
  for (let d = dentry; d.parent !== undefined; d = d.parent) {
    if (d.unhashed) return;
    chain.unshift(d);
  }
  let top: Dentry | undefined = dentry;
  while (top?.parent !== undefined) top = top.parent;
  if (top !== vfs.root || inode.sb !== vfs.rootDir.sb) return;
  const { known } = vfs.rootDir.layers;
  let dir = '';
  let path = upperRoot(vfs);
  for (const d of chain) {
    dir = path;
    path = `${path}/${d.name}`;
    if (d !== dentry) ensureDir(known, path, d.inode);
  }
  writeContent(known, path, inode);
  const whiteout = `${dir}/${WHITEOUT_PREFIX}${dentry.name}`;
  if (known.has(whiteout)) remove(known, whiteout);
}

const upperRoot = (vfs: Vfs): string => fs.realpathSync(vfs.upper!);

/** The host refuses what has to go to `--upper`. */
export class UpperError extends Error {}

/** A path that a line can hold. */
const MAX_SHOWN = 160;
const shown = (path: string): string =>
  path.length <= MAX_SHOWN ? path : `${path.slice(0, MAX_SHOWN / 2)}...${path.slice(-MAX_SHOWN / 4)}`;

/** Makes the host's upper directory the same as the machine's upper layer. What the host refuses keeps nothing else from it. */
export function syncUpper(vfs: Vfs): void {
  const refused: unknown[] = [];
  const attempt = (what: () => void): void => {
    try {
      what();
    } catch (error) {
      refused.push(error);
    }
  };
  attempt(() => syncDir(vfs.rootDir, upperRoot(vfs), attempt));
  if (refused.length === 0) return;
  const { code, path, message } = refused[0] as NodeJS.ErrnoException;
  const others = refused.length === 1 ? '' : `, and ${refused.length - 1} more`;
  throw new UpperError(`--upper ${vfs.upper}: ${path === undefined ? message : `${shown(path)}: ${code}`}${others}`);
}

/** @returns whether the directory has anything in the upper layer */
function syncDir(
  dir: OverlayDirInode,
  path: string,
  attempt: (what: () => void) => void,
  ensureParent?: () => void,
): boolean {
  const top = ensureParent === undefined;
  const { known } = dir.layers;
  let present = top || isKind(path, 'isDirectory');
  const ensure = (): void => {
    if (present) return;
    ensureParent?.();
    ensureDir(known, path, dir);
    present = true;
  };
  if (dir.upper) {
    ensure();
    if (!top) applyMode(path, dir);
  }
  for (const [name, inode] of dir.loaded())
    attempt(() => syncEntry(dir, `${path}/${name}`, name, inode, attempt, ensure));
  if (present) markDeleted(dir, path);
  if (dir.upper && !top) fs.utimesSync(hostPath(path), seconds(dir.atime), seconds(dir.mtime));
  return present;
}

function syncEntry(
  dir: OverlayDirInode,
  at: string,
  name: string,
  inode: Inode,
  attempt: (what: () => void) => void,
  ensure: () => void,
): void {
  const { known } = dir.layers;
  if (inode instanceof OverlayDirInode) {
    if (!syncDir(inode, at, attempt, ensure)) return;
    const replacesLower = dir.lowerNames().has(name) && inode.lowerPath !== `${dir.lowerPath}/${name}`;
    if (replacesLower) writeMark(known, `${at}/${OPAQUE_MARK}`);
  } else if (inode instanceof RegularInode) {
    if (!inode.upper) return;
    ensure();
    if (inode.unflushed || inode.nlink > 1 || inode.upperPath !== at || !isKind(at, 'isFile'))
      writeContent(known, at, inode);
  } else if (inode instanceof SymlinkInode && inode.upper) {
    ensure();
    writeSymlink(known, at, inode.target);
    fs.lutimesSync(hostPath(at), seconds(inode.atime), seconds(inode.mtime));
  }
}

function writeSymlink(known: Set<string>, path: string, target: string): void {
  const old = fs.lstatSync(hostPath(path), { throwIfNoEntry: false });
  if (old?.isSymbolicLink() && decodeName(fs.readlinkSync(hostPath(path), 'buffer')) === target) return;
  remove(known, path);
  fs.symlinkSync(hostPath(target), hostPath(path));
  known.add(path);
}

/**
 * Whiteouts for the lower layer's names that are gone, and no rest of what was deleted in the upper one. A name that
 * the machine neither found nor wrote there is somebody else's, and stays.
 */
function markDeleted(dir: OverlayDirInode, path: string): void {
  if (!dir.upper) return;
  const { known } = dir.layers;
  const entries = dir.entries();
  for (const name of fs.readdirSync(hostPath(path), 'buffer').map(decodeName)) {
    const at = `${path}/${name}`;
    if (name === OPAQUE_MARK || !known.has(at)) continue;
    const gone = name.startsWith(WHITEOUT_PREFIX)
      ? entries.has(name.slice(WHITEOUT_PREFIX.length))
      : !entries.has(name);
    if (gone) remove(known, at);
  }
  for (const name of dir.lowerNames()) if (!entries.has(name)) writeMark(known, `${path}/${WHITEOUT_PREFIX}${name}`);
}

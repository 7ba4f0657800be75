/** Record locks and flock(2): fs/locks.c. */
import { EAGAIN, EDEADLK, ENOLCK } from '../abi/errno.ts';
import { F_RDLCK, F_UNLCK, F_WRLCK } from '../abi/fcntl.ts';
import type { File } from './file.ts';
import type { FilesStruct } from './files-struct.ts';
import type { Inode } from './inode.ts';

/** Whose a lock is: a process's (its descriptor table), or an open file's. */
export type LockOwner = FilesStruct | File;

/** `struct file_lock`; the end is included, Infinity for the end of the file. */
export interface FileLock {
  readonly kind: 'posix' | 'ofd' | 'flock';
  readonly owner: LockOwner;
  readonly pid: number;
  readonly type: number;
  readonly start: number;
  readonly end: number;
}

/** Each costs time whenever another is set. */
const MAX_LOCKS = 1 << 14;

export const lockChannel = (inode: Inode): string => `lock:${inode.sb.dev}:${inode.ino}`;

const overlaps = (a: FileLock, b: FileLock): boolean => a.start <= b.end && b.start <= a.end;
/** FL_POSIX locks and open files' locks see each other; flock's do not see them. */
const sameClass = (a: FileLock, b: FileLock): boolean => (a.kind === 'flock') === (b.kind === 'flock');

/** posix_locks_conflict(), flock_locks_conflict(): the lock that stands in the way. */
export function findConflict(inode: Inode, wanted: FileLock): FileLock | undefined {
  return inode.locks.find(
    (lock) =>
      lock.owner !== wanted.owner &&
      sameClass(lock, wanted) &&
      (lock.type === F_WRLCK || wanted.type === F_WRLCK) &&
      overlaps(lock, wanted),
  );
}

function setLocks(inode: Inode, locks: FileLock[]): void {
  inode.sb.owner.lockCount += locks.length - inode.locks.length;
  inode.locks = locks;
  if (locks.length > 0) inode.sb.owner.locked.add(inode);
  else inode.sb.owner.locked.delete(inode);
  inode.sb.kernel.wake(lockChannel(inode));
}

/** __posix_lock_file(): the owner's range becomes this; what it had there is replaced, and neighbours grow together. */
export function applyLock(inode: Inode, wanted: FileLock): void {
  let { start, end } = wanted;
  const rest: FileLock[] = [];
  for (const lock of inode.locks) {
    if (lock.owner !== wanted.owner || lock.kind !== wanted.kind) {
      rest.push(lock);
      continue;
    }
    const touches = lock.start <= end + 1 && start <= lock.end + 1;
    if (lock.type === wanted.type && touches && wanted.kind !== 'flock') {
      start = Math.min(start, lock.start);
      end = Math.max(end, lock.end);
      continue;
    }
    if (lock.start > end || start > lock.end) {
      rest.push(lock);
      continue;
    }
    if (lock.start < start) rest.push({ ...lock, end: start - 1 });
    if (lock.end > end) rest.push({ ...lock, start: end + 1 });
  }
  if (wanted.type !== F_UNLCK) rest.push({ ...wanted, start, end });
  const owners = [...new Set(rest.map((lock) => lock.owner))];
  setLocks(
    inode,
    owners.flatMap((owner) => rest.filter((lock) => lock.owner === owner).sort((a, b) => a.start - b.start)),
  );
}

/** posix_lock_file_wait() without the wait. @returns 0, -EAGAIN, or -EDEADLK when waiting would never end */
export function tryLock(inode: Inode, wanted: FileLock, wait: boolean): number {
  const { lockWaits } = inode.sb.owner;
  lockWaits.delete(wanted.owner);
  const conflict = wanted.type === F_UNLCK ? undefined : findConflict(inode, wanted);
  if (conflict === undefined) {
    if (wanted.type !== F_UNLCK && inode.sb.owner.lockCount >= MAX_LOCKS) return -ENOLCK;
    applyLock(inode, wanted);
    return 0;
  }
  if (wait && wanted.kind === 'posix') {
    // posix_locks_deadlock()
    for (let owner: LockOwner | undefined = conflict.owner; owner !== undefined; owner = lockWaits.get(owner))
      if (owner === wanted.owner) return -EDEADLK;
    lockWaits.set(wanted.owner, conflict.owner);
  }
  return -EAGAIN;
}

/** locks_remove_posix() and locks_remove_file(): the owner closes the file. */
export function removeLocks(inode: Inode, owner: LockOwner): void {
  if (inode.locks.length === 0) return;
  const rest = inode.locks.filter((lock) => lock.owner !== owner);
  if (rest.length < inode.locks.length) setLocks(inode, rest);
}

/** lock_get_status(): a line of /proc/locks. */
export function locksText(locked: ReadonlySet<Inode>): string {
  let out = '';
  let id = 0;
  for (const inode of locked)
    for (const { kind, type, pid, start, end } of inode.locks) {
      const name = kind === 'posix' ? 'POSIX' : kind === 'ofd' ? 'OFDLCK' : 'FLOCK';
      const { dev, ino } = inode.stat();
      const place = `${(dev >> 8n).toString(16).padStart(2, '0')}:${(dev & 255n).toString(16).padStart(2, '0')}:${ino}`;
      out += `${++id}: ${name.padEnd(6)} ADVISORY  ${type === F_RDLCK ? 'READ ' : 'WRITE'} ${kind === 'ofd' ? -1 : pid} ${place} ${start} ${end === Number.POSITIVE_INFINITY ? 'EOF' : end}\n`;
    }
  return out;
}

/** POSIX message queues: ipc/mqueue.c. */
import {
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMFILE,
  EMSGSIZE,
  ENAMETOOLONG,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EPERM,
  ERESTARTSYS,
  ETIMEDOUT,
} from '../abi/errno.ts';
import { NAME_MAX, O_ACCMODE, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from '../abi/fcntl.ts';
import { compat_mq_attr, mq_attr } from '../abi/ipc.ts';
import { encodeName } from '../abi/names.ts';
import { RLIMIT_MSGQUEUE } from '../abi/process.ts';
import { compat_sigevent, SIGEV_NONE, SIGEV_SIGNAL, sigevent } from '../abi/time.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { Dentry } from '../fs/dentry.ts';
import { alloc_file, type File, fput } from '../fs/file.ts';
import { inode_permission, MAY_READ, MAY_WRITE } from '../fs/inode.ts';
import { MqueueInode, mqBytes } from '../fs/mqueue.ts';
import { copy_from_user, copy_to_user, put_user_u32 } from '../mm/uaccess.ts';
import { CAP_SYS_RESOURCE, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';
import { fdget, getname, installFile, vfsOf } from './fs-args.ts';
import { get_timespec } from './user-time.ts';

/** include/linux/ipc_namespace.h */
const DFLT_QUEUESMAX = 256,
  DFLT_MSG = 10,
  DFLT_MSGSIZE = 8192,
  HARD_MSGMAX = 65536,
  HARD_MSGSIZEMAX = 16 * 1024 * 1024;
const MQ_PRIO_MAX = 32768;
const _NSIG = 64;

interface Attributes {
  readonly flags: number;
  readonly maxmsg: number;
  readonly msgsize: number;
}

function readAttributes(task: Task, at: number): Attributes | number {
  const layout = isCompatCall(task) ? compat_mq_attr : mq_attr;
  const bytes = copy_from_user(task.mm, at, layout.size);
  if (typeof bytes === 'number') return -EFAULT;
  const { flags, maxmsg, msgsize } = layout.read(bytes);
  return { flags: Number(flags), maxmsg: Number(maxmsg), msgsize: Number(msgsize) };
}

/** mq_attr_ok() */
function attributesFit(task: Task, { maxmsg, msgsize }: Attributes): boolean {
  if (maxmsg <= 0 || msgsize <= 0) return false;
  const mighty = capable(task.cred, CAP_SYS_RESOURCE);
  return mighty ? maxmsg <= HARD_MSGMAX && msgsize <= HARD_MSGSIZEMAX : maxmsg <= DFLT_MSG && msgsize <= DFLT_MSGSIZE;
}

/** mqueue_create() and mqueue_get_inode(). */
function create(task: Task, name: string, mode: number, attrAt: number): MqueueInode | number {
  let attributes: Attributes = { flags: 0, maxmsg: DFLT_MSG, msgsize: DFLT_MSGSIZE };
  if (attrAt !== 0) {
    const given = readAttributes(task, attrAt);
    if (typeof given === 'number') return given;
    if (!attributesFit(task, given)) return -EINVAL;
    attributes = given;
  }
  const { mqueues, mqueuefs } = vfsOf(task);
  const { uid, fsuid, fsgid } = task.cred;
  if (mqueues.size >= DFLT_QUEUESMAX && !capable(task.cred, CAP_SYS_RESOURCE)) return -ENOSPC;
  let used = mqBytes(attributes.maxmsg, attributes.msgsize);
  for (const queue of mqueues.values()) if (queue.owner === uid) used += queue.accounted;
  if (BigInt(used) > (task.group.rlimits[RLIMIT_MSGQUEUE]?.cur ?? 819200n)) return -EMFILE;
  const inode = new MqueueInode(mqueuefs, mode & ~task.fs.umask, uid, attributes.maxmsg, attributes.msgsize);
  inode.uid = fsuid;
  inode.gid = fsgid;
  mqueues.set(name, inode);
  return inode;
}

/** lookup_one_len(): a name, not a path. */
function queueName(task: Task, at: number): string | number {
  const name = getname(task, at);
  if (typeof name === 'number') return name;
  if (name === '') return -ENOENT;
  if (name === '.' || name === '..' || name.includes('/')) return -EACCES;
  return encodeName(name).length > NAME_MAX ? -ENAMETOOLONG : name;
}

/** mq_open(2). */
export function sys_mq_open(task: Task, nameAt: number, flags: number, mode: number, attrAt: number): number {
  const name = queueName(task, nameAt);
  if (typeof name === 'number') return name;
  const known = vfsOf(task).mqueues.get(name);
  let inode: MqueueInode;
  if (known !== undefined) {
    if ((flags & O_CREAT) !== 0 && (flags & O_EXCL) !== 0) return -EEXIST;
    if ((flags & O_ACCMODE) === (O_RDWR | O_WRONLY)) return -EINVAL;
    const access = flags & O_ACCMODE;
    const mask = (access !== O_WRONLY ? MAY_READ : 0) | (access !== O_RDONLY ? MAY_WRITE : 0);
    const error = inode_permission(task.cred, known, mask);
    if (error < 0) return error;
    inode = known;
  } else {
    if ((flags & O_CREAT) === 0) return -ENOENT;
    const made = create(task, name, mode, attrAt);
    if (typeof made === 'number') return made;
    inode = made;
  }
  const file = alloc_file(new Dentry(`/${name}`, undefined, inode), flags & (O_ACCMODE | O_NONBLOCK));
  const fd = installFile(task, file, true);
  if (fd < 0) fput(file);
  return fd;
}

/** mq_unlink(2): whoever has it open keeps it. */
export function sys_mq_unlink(task: Task, nameAt: number): number {
  const name = queueName(task, nameAt);
  if (typeof name === 'number') return name;
  const { mqueues } = vfsOf(task);
  const inode = mqueues.get(name);
  if (inode === undefined) return -ENOENT;
  // The root of the file system is sticky.
  if (task.cred.fsuid !== 0 && task.cred.fsuid !== inode.uid) return -EPERM;
  mqueues.delete(name);
  inode.nlink = 0;
  if (inode.opens === 0) inode.evict();
  return 0;
}

interface Deadline {
  readonly at: number | undefined;
}

/** prepare_timeout(): a moment of CLOCK_REALTIME on the boot clock. */
function deadlineOf(task: Task, at: number): Deadline | number {
  if (at === 0) return { at: undefined };
  const time = get_timespec(task, at, isCompatCall(task));
  if (typeof time === 'number') return time;
  return { at: Number(time.exact - task.kernel.bootEpochNs) };
}

/** The open queue behind a descriptor. */
function queueFile(task: Task, fd: number): { file: File; inode: MqueueInode } | undefined {
  const file = fdget(task, fd);
  return file?.inode instanceof MqueueInode ? { file, inode: file.inode } : undefined;
}

/** wq_sleep() */
function sleep(task: Task, file: File, channel: string, deadline: Deadline): SysResult {
  if ((file.flags & O_NONBLOCK) !== 0) return -EAGAIN;
  if (task.wait?.reason === 'signal') return -ERESTARTSYS;
  if (task.wait?.reason === 'timeout') return -ETIMEDOUT;
  if (deadline.at !== undefined && deadline.at <= task.kernel.now()) return -ETIMEDOUT;
  return block(task, { channels: [channel], deadline: deadline.at });
}

/** mq_timedsend(2). */
export function sys_mq_timedsend(
  task: Task,
  fd: number,
  at: number,
  length: number,
  priority: number,
  timeoutAt: number,
): SysResult {
  const deadline = deadlineOf(task, timeoutAt);
  if (typeof deadline === 'number') return deadline;
  if (priority >= MQ_PRIO_MAX) return -EINVAL;
  const queue = queueFile(task, fd);
  if (!queue?.file.writable) return -EBADF;
  const { file, inode } = queue;
  if (length > inode.msgsize) return -EMSGSIZE;
  const bytes = copy_from_user(task.mm, at, length);
  if (typeof bytes === 'number') return -EFAULT;
  if (inode.messages.length >= inode.maxmsg) return sleep(task, file, `mq:${inode.ino}:w`, deadline);
  return inode.insert({ priority, bytes }, task) ? 0 : -ENOMEM;
}

/** mq_timedreceive(2). */
export function sys_mq_timedreceive(
  task: Task,
  fd: number,
  at: number,
  length: number,
  priorityAt: number,
  timeoutAt: number,
): SysResult {
  const deadline = deadlineOf(task, timeoutAt);
  if (typeof deadline === 'number') return deadline;
  const queue = queueFile(task, fd);
  if (!queue?.file.readable) return -EBADF;
  const { file, inode } = queue;
  if (length < inode.msgsize) return -EMSGSIZE;
  if (task.wait) inode.receivers--;
  const message = inode.take();
  if (message === undefined) {
    const result = sleep(task, file, `mq:${inode.ino}:r`, deadline);
    if (typeof result === 'symbol') inode.receivers++;
    return result;
  }
  if (priorityAt !== 0 && put_user_u32(task.mm, priorityAt, message.priority) < 0) return -EFAULT;
  return copy_to_user(task.mm, at, message.bytes) < 0 ? -EFAULT : message.bytes.length;
}

/** mq_notify(2). Not modelled: SIGEV_THREAD, for which the C library listens on a netlink socket. */
export function sys_mq_notify(task: Task, fd: number, eventAt: number): number {
  let event: { how: number; signo: number; value: bigint } | undefined;
  if (eventAt !== 0) {
    const layout = isCompatCall(task) ? compat_sigevent : sigevent;
    const bytes = copy_from_user(task.mm, eventAt, layout.size);
    if (typeof bytes === 'number') return -EFAULT;
    const { notify, signo, value } = layout.read(bytes);
    if (notify !== SIGEV_NONE && notify !== SIGEV_SIGNAL) return -EINVAL;
    if (notify === SIGEV_SIGNAL && (signo < 0 || signo > _NSIG)) return -EINVAL;
    event = { how: notify, signo, value: BigInt(value) };
  }
  const queue = queueFile(task, fd);
  if (queue === undefined) return -EBADF;
  const { inode } = queue;
  if (event === undefined) {
    if (inode.registered?.tgid === task.tgid) inode.registered = undefined;
    return 0;
  }
  if (inode.registered !== undefined) return -EBUSY;
  inode.registered = { tgid: task.tgid, ...event };
  return 0;
}

/** mq_getsetattr(2): only O_NONBLOCK can be changed. */
export function sys_mq_getsetattr(task: Task, fd: number, newAt: number, oldAt: number): number {
  let next: Attributes | undefined;
  if (newAt !== 0) {
    const given = readAttributes(task, newAt);
    if (typeof given === 'number') return given;
    if ((given.flags & ~O_NONBLOCK) !== 0) return -EINVAL;
    next = given;
  }
  const queue = queueFile(task, fd);
  if (queue === undefined) return -EBADF;
  const { file, inode } = queue;
  const old = {
    flags: file.flags & O_NONBLOCK,
    maxmsg: inode.maxmsg,
    msgsize: inode.msgsize,
    curmsgs: inode.messages.length,
  };
  if (next !== undefined) file.flags = (file.flags & ~O_NONBLOCK) | (next.flags & O_NONBLOCK);
  if (oldAt === 0) return 0;
  const bytes = isCompatCall(task)
    ? compat_mq_attr.write(old)
    : mq_attr.write({
        flags: BigInt(old.flags),
        maxmsg: BigInt(old.maxmsg),
        msgsize: BigInt(old.msgsize),
        curmsgs: BigInt(old.curmsgs),
      });
  return copy_to_user(task.mm, oldAt, bytes) < 0 ? -EFAULT : 0;
}

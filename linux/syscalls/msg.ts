/** System V message queues: ipc/msg.c. */
import { E2BIG, EACCES, EAGAIN, EFAULT, EIDRM, EINVAL, ENOMEM, ENOMSG, EPERM, ERESTARTNOHAND } from '../abi/errno.ts';
import {
  compat_msqid64_ds,
  IPC_INFO,
  IPC_NOWAIT,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  MSG_EXCEPT,
  MSG_INFO,
  MSG_NOERROR,
  MSG_STAT,
  MSGMAX,
  MSGMNB,
  MSGMNI,
  msginfo,
  msqid64_ds,
} from '../abi/ipc.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { charge } from '../fs/super-block.ts';
import {
  byIndex,
  ipcget,
  ipcperms,
  type Message,
  type MsgQueue,
  maxIndex,
  mayControl,
  obtain,
  remove,
  seconds,
} from '../ipc/ids.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import { CAP_SYS_RESOURCE, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { in_ia32_syscall } from '../task/thread-info.ts';
import { getDs, permFields, putDs, updatePerm } from './ipc-user.ts';

const channelOf = (id: number): string => `msg:${id}`;
/** sizeof(long) of the caller: what stands before the text. */
const longOf = (task: Task): number => (in_ia32_syscall(task) ? 4 : 8);

/** msgget(2). */
export const sys_msgget = (task: Task, key: number, flags: number): number =>
  ipcget<MsgQueue>(
    task,
    task.kernel.ipc.msg,
    key,
    flags,
    () => true,
    (perm) => ({ ...perm, messages: [], bytes: 0, qbytes: MSGMNB, stime: 0, rtime: 0, lspid: 0, lrpid: 0 }),
  );

/** What a message costs the server beside its bytes. */
const MESSAGE_OVERHEAD = 64;

/** msgsnd(2). */
export function sys_msgsnd(task: Task, id: number, at: number, size: number, flags: number): SysResult {
  const word = longOf(task);
  let message: Message;
  if (task.wait) message = task.wait.data as Message;
  else {
    if (size > MSGMAX || id < 0) return -EINVAL;
    const head = copy_from_user(task.mm, at, word);
    if (typeof head === 'number') return -EFAULT;
    const view = new DataView(head.buffer);
    const type = word === 4 ? view.getInt32(0, true) : Number(view.getBigInt64(0, true));
    if (type < 1) return -EINVAL;
    const bytes = copy_from_user(task.mm, at + word, size);
    if (typeof bytes === 'number') return -EFAULT;
    message = { type, bytes };
  }
  const queue = obtain(task.kernel.ipc.msg, id);
  if (typeof queue === 'number') return task.wait ? -EIDRM : queue;
  if (ipcperms(task, queue, 0o222)) return -EACCES;
  if (queue.bytes + message.bytes.length > queue.qbytes || queue.messages.length + 1 > queue.qbytes) {
    if ((flags & IPC_NOWAIT) !== 0) return -EAGAIN;
    if (task.wait?.reason === 'signal') return -ERESTARTNOHAND;
    return block(task, { channels: [channelOf(id)], data: message });
  }
  if (!charge(task.kernel.vfs, message.bytes.length + MESSAGE_OVERHEAD)) return -ENOMEM;
  queue.messages.push(message);
  queue.bytes += message.bytes.length;
  queue.stime = seconds(task);
  queue.lspid = task.tgid;
  task.kernel.wake(channelOf(id));
  return 0;
}

/** find_msg(): which message, if any. */
function find_msg(queue: MsgQueue, type: number, flags: number): Message | undefined {
  const { messages } = queue;
  if (type === 0) return messages[0];
  if (type > 0) {
    return messages.find((m) => ((flags & MSG_EXCEPT) !== 0 ? m.type !== type : m.type === type));
  }
  let best: Message | undefined;
  for (const m of messages) if (m.type <= -type && (best === undefined || m.type < best.type)) best = m;
  return best;
}

/** msgrcv(2). Not modelled: MSG_COPY. */
export function sys_msgrcv(task: Task, id: number, at: number, size: number, type: number, flags: number): SysResult {
  if (id < 0 || size > 0x7fff_ffff_ffff) return -EINVAL;
  const queue = obtain(task.kernel.ipc.msg, id);
  if (typeof queue === 'number') return task.wait ? -EIDRM : queue;
  if (ipcperms(task, queue, 0o444)) return -EACCES;
  const message = find_msg(queue, type, flags);
  if (message === undefined) {
    if ((flags & IPC_NOWAIT) !== 0) return -ENOMSG;
    if (task.wait?.reason === 'signal') return -ERESTARTNOHAND;
    return block(task, { channels: [channelOf(id)] });
  }
  if (message.bytes.length > size && (flags & MSG_NOERROR) === 0) return -E2BIG;
  queue.messages.splice(queue.messages.indexOf(message), 1);
  queue.bytes -= message.bytes.length;
  task.kernel.vfs.buffered -= message.bytes.length + MESSAGE_OVERHEAD;
  queue.rtime = seconds(task);
  queue.lrpid = task.tgid;
  task.kernel.wake(channelOf(id));
  const word = longOf(task);
  const text = message.bytes.subarray(0, size);
  const out = new Uint8Array(word + text.length);
  const view = new DataView(out.buffer);
  if (word === 4) view.setInt32(0, message.type, true);
  else view.setBigInt64(0, BigInt(message.type), true);
  out.set(text, word);
  return copy_to_user(task.mm, at, out) < 0 ? -EFAULT : text.length;
}

/** msgctl_nolock() for IPC_INFO and MSG_INFO. @returns the highest index */
function msgInfo(task: Task, cmd: number, at: number): number {
  const { byIndex: all } = task.kernel.ipc.msg;
  const used = cmd === MSG_INFO;
  let messages = 0;
  let total = 0;
  for (const queue of all.values()) {
    messages += queue.messages.length;
    total += queue.bytes;
  }
  const bytes = msginfo.write({
    msgpool: used ? all.size : (MSGMNI * MSGMNB) / 1024,
    msgmap: used ? messages : MSGMNB,
    msgmax: MSGMAX,
    msgmnb: MSGMNB,
    msgmni: MSGMNI,
    msgssz: 16,
    msgtql: used ? total : MSGMNB,
    msgseg: 0xffff,
  });
  return copy_to_user(task.mm, at, bytes) < 0 ? -EFAULT : maxIndex(task.kernel.ipc.msg);
}

/** msgctl(2). */
export function sys_msgctl(task: Task, id: number, cmd: number, at: number): number {
  const ids = task.kernel.ipc.msg;
  if (cmd === IPC_INFO || cmd === MSG_INFO) return msgInfo(task, cmd, at);
  const queue = cmd === MSG_STAT ? byIndex(ids, id) : obtain(ids, id);
  if (typeof queue === 'number') return queue;
  switch (cmd) {
    case IPC_STAT:
    case MSG_STAT: {
      if (ipcperms(task, queue, 0o444)) return -EACCES;
      const { stime, rtime, ctime, bytes, qbytes, lspid, lrpid, messages } = queue;
      const fields = {
        ...permFields(queue),
        stime,
        rtime,
        ctime,
        cbytes: bytes,
        qnum: messages.length,
        qbytes,
        lspid,
        lrpid,
      };
      return putDs(task, at, msqid64_ds, compat_msqid64_ds, fields) || (cmd === MSG_STAT ? queue.id : 0);
    }
    case IPC_SET: {
      const fields = getDs(task, at, msqid64_ds, compat_msqid64_ds);
      if (typeof fields === 'number') return fields;
      if (!mayControl(task, queue)) return -EPERM;
      const qbytes = fields['qbytes'] ?? 0;
      if (qbytes > MSGMNB && !capable(task.cred, CAP_SYS_RESOURCE)) return -EPERM;
      queue.qbytes = qbytes;
      updatePerm(queue, fields);
      queue.ctime = seconds(task);
      task.kernel.wake(channelOf(id));
      return 0;
    }
    case IPC_RMID:
      if (!mayControl(task, queue)) return -EPERM;
      remove(ids, queue);
      task.kernel.vfs.buffered -= queue.bytes + queue.messages.length * MESSAGE_OVERHEAD;
      task.kernel.wake(channelOf(id));
      return 0;
    default:
      return -EINVAL;
  }
}

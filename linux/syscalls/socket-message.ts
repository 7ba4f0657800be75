/** Messages to and from sockets: net/socket.c, net/compat.c. */
import { EAGAIN, EFAULT, EOPNOTSUPP, EPIPE } from '../abi/errno.ts';
import { O_NONBLOCK } from '../abi/fcntl.ts';
import * as S from '../abi/socket.ts';
import type { SysResult } from '../entry/syscall-row.ts';
import { fput } from '../fs/file.ts';
import { NO_ADDRESS, type Packet, type SocketInode } from '../fs/socket.ts';
import { copy_from_user, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';
import { raiseSigpipe } from './file.ts';
import type { Segment } from './fs-args.ts';
import { gatherMessage, putControl, putMsgname, readControl, readMsghdr, scatter } from './msghdr.ts';
import { credOf, putAddress, readAddress, sockfd, waitFor } from './socket-args.ts';

/** sock_sendmsg(); EPIPE raises SIGPIPE on streams. */
function send(task: Task, fd: number, packet: Packet | number, name: Uint8Array | number, flags: number): SysResult {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  if (typeof packet === 'number') return packet;
  if (typeof name === 'number') return name;
  const { file, socket } = found;
  const urgent = (flags & S.MSG_OOB) !== 0;
  if (urgent && !socket.hasUrgent) return -EOPNOTSUPP;
  const done = (task.wait?.data as { done?: number } | undefined)?.done ?? 0;
  packet.data = packet.data.subarray(done);
  const total = packet.data.length;
  // The files went with the first piece.
  const files = done > 0 ? [] : packet.files;
  for (const carried of files) carried.count++;
  const sent = socket.sendMessage(
    { ...packet, data: packet.data.slice(), files, ...(urgent && { urgent }) },
    name,
    task,
  );
  if (sent < 0) files.forEach(fput);
  if (sent === -EPIPE && (flags & S.MSG_NOSIGNAL) === 0 && socket.stream && done === 0) raiseSigpipe(task);
  const more = sent === -EAGAIN || (socket.stream && sent >= 0 && sent < total);
  if (!more) return sent < 0 ? (done > 0 ? done : sent) : done + sent;
  const sofar = done + Math.max(0, sent);
  if ((file.flags & O_NONBLOCK) !== 0 || (flags & S.MSG_DONTWAIT) !== 0) return sofar > 0 ? sofar : -EAGAIN;
  const result = waitFor(task, socket.blockedOn, socket.sendTimeout, { done: sofar });
  return typeof result === 'number' && sofar > 0 ? sofar : result;
}

/** What a receive brought; without a packet the stream is at its end. */
interface Arrived {
  readonly socket: SocketInode;
  readonly packet: Packet | undefined;
  readonly cut: number;
  readonly done: number;
  /** MSG_* that msg_flags has, too. */
  readonly out?: number;
}
const arrived = (got: Arrived | SysResult): got is Arrived => typeof got === 'object';

/** tcp_recv_urg(): one byte, if there is room for it. */
function receiveUrgent(
  task: Task,
  socket: SocketInode,
  segments: readonly Segment[],
  flags: number,
): Arrived | number | undefined {
  const byte = socket.receiveUrgent((flags & S.MSG_PEEK) !== 0);
  if (byte === undefined || byte < 0) return byte;
  const room = segments.some((s) => s.length > 0);
  if (room && !scatter(task, segments, Uint8Array.of(byte), 0)) return -EFAULT;
  const out = S.MSG_OOB | (room ? 0 : S.MSG_TRUNC);
  return { socket, packet: undefined, cut: 0, done: Number(room), out };
}

/** sock_recvmsg(): what came, put in place, or a wait. */
function receive(task: Task, fd: number, segments: readonly Segment[], flags: number): Arrived | SysResult {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { file, socket } = found;
  const urgent = (flags & S.MSG_OOB) !== 0 ? receiveUrgent(task, socket, segments, flags) : undefined;
  if (urgent !== undefined) return urgent;
  if ((flags & S.MSG_ERRQUEUE) !== 0) return -EAGAIN;
  const room = Math.min(
    1 << 20,
    segments.reduce((sum, s) => sum + s.length, 0),
  );
  const peek = (flags & S.MSG_PEEK) !== 0;
  const all = (flags & S.MSG_WAITALL) !== 0 && socket.stream && !peek;
  let done = (task.wait?.data as { done?: number } | undefined)?.done ?? 0;
  let last: Packet | undefined;
  for (;;) {
    const got = socket.receive(room - done, peek);
    if (typeof got === 'object') {
      if (!scatter(task, segments, got.packet.data, done)) return -EFAULT;
      done += got.packet.data.length;
      last = got.packet;
      if (all && done < room && last.files.length === 0 && !got.atMark) continue;
      return { socket, packet: last, cut: got.cut, done };
    }
    if (got !== -EAGAIN && done > 0) return { socket, packet: last, cut: 0, done };
    if (got === undefined) return { socket, packet: undefined, cut: 0, done };
    if (got !== -EAGAIN) return got;
    if ((file.flags & O_NONBLOCK) !== 0 || (flags & S.MSG_DONTWAIT) !== 0)
      return done > 0 ? { socket, packet: last, cut: 0, done } : -EAGAIN;
    const result = waitFor(task, `sock:${socket.ino}`, socket.receiveTimeout, { done });
    return typeof result === 'number' && done > 0 ? { socket, packet: last, cut: 0, done } : result;
  }
}

export function sys_sendto(
  task: Task,
  fd: number,
  buf: number,
  size: number,
  flags: number,
  address: number,
  length: number,
): SysResult {
  const data = copy_from_user(task.mm, buf, Math.min(size, 1 << 20));
  const packet = typeof data === 'number' ? data : { data, from: NO_ADDRESS, files: [], cred: credOf(task) };
  return send(task, fd, packet, address === 0 ? NO_ADDRESS : readAddress(task, address, length), flags);
}
export const sys_send = (task: Task, fd: number, buf: number, size: number, flags: number): SysResult =>
  sys_sendto(task, fd, buf, size, flags, 0, 0);

export function sys_recvfrom(
  task: Task,
  fd: number,
  buf: number,
  size: number,
  flags: number,
  address: number,
  lengthAt: number,
): SysResult {
  const got = receive(task, fd, [{ base: buf, length: size }], flags);
  if (!arrived(got)) return got;
  const { packet, cut, done, socket } = got;
  packet?.files.forEach(fput);
  if (address !== 0) {
    const error = putAddress(task, packet?.from ?? NO_ADDRESS, address, lengthAt);
    if (error < 0) return error;
  }
  return done + ((flags & S.MSG_TRUNC) !== 0 && !socket.stream ? cut : 0);
}
export const sys_recv = (task: Task, fd: number, buf: number, size: number, flags: number): SysResult =>
  sys_recvfrom(task, fd, buf, size, flags, 0, 0);

function sendmsg(task: Task, fd: number, at: number, flags: number, compat: boolean): SysResult {
  const header = readMsghdr(task, at, compat);
  if (typeof header === 'number') return header;
  const data = gatherMessage(task, header.segments);
  if (typeof data === 'number') return data;
  const files = readControl(task, header, compat);
  if (typeof files === 'number') return files;
  const name = header.name === 0 ? NO_ADDRESS : readAddress(task, header.name, header.nameLength);
  return send(task, fd, { data, from: NO_ADDRESS, files, cred: credOf(task) }, name, flags);
}

function recvmsg(task: Task, fd: number, at: number, flags: number, compat: boolean): SysResult {
  const header = readMsghdr(task, at, compat);
  if (typeof header === 'number') return header;
  const got = receive(task, fd, header.segments, flags);
  if (!arrived(got)) return got;
  const { packet, cut, done, socket } = got;
  let outFlags = (cut > 0 ? S.MSG_TRUNC : 0) | (got.out ?? 0);
  if (socket.type === S.SOCK_SEQPACKET && packet !== undefined) outFlags |= S.MSG_EOR;
  outFlags |= putControl(task, at, header, packet, socket.passCred, (flags & S.MSG_CMSG_CLOEXEC) !== 0, compat);
  outFlags |= flags & S.MSG_CMSG_CLOEXEC;
  const error = putMsgname(task, at, header, packet?.from ?? NO_ADDRESS, outFlags, compat);
  return error < 0 ? error : done + ((flags & S.MSG_TRUNC) !== 0 && !socket.stream ? cut : 0);
}
export const sys_sendmsg = (task: Task, fd: number, msg: number, flags: number): SysResult =>
  sendmsg(task, fd, msg, flags, false);
export const compat_sys_sendmsg = (task: Task, fd: number, msg: number, flags: number): SysResult =>
  sendmsg(task, fd, msg, flags, true);
export const sys_recvmsg = (task: Task, fd: number, msg: number, flags: number): SysResult =>
  recvmsg(task, fd, msg, flags, false);
export const compat_sys_recvmsg = (task: Task, fd: number, msg: number, flags: number): SysResult =>
  recvmsg(task, fd, msg, flags, true);

/** `struct mmsghdr`: a msghdr, then the bytes that went or came. */
const mmsgSize = (compat: boolean): readonly [number, number] => (compat ? [32, 28] : [64, 56]);
const UIO_MAXIOV = 1024;

/**
 * __sys_recvmmsg(), __sys_sendmmsg().
 * Unlike Linux: the messages after the first are taken only as far as that needs no waiting.
 */
function many(
  task: Task,
  one: (at: number, flags: number) => SysResult,
  vector: number,
  count: number,
  flags: number,
): SysResult {
  const [stride, lengthAt] = mmsgSize(isCompatCall(task));
  let done = 0;
  for (; done < Math.min(count, UIO_MAXIOV); done++) {
    const at = vector + done * stride;
    const result = one(at, done === 0 ? flags : flags | S.MSG_DONTWAIT);
    if (typeof result !== 'number') return result;
    if (result < 0) return done > 0 ? done : result;
    if (put_user_u32(task.mm, at + lengthAt, result) < 0) return done > 0 ? done : -EFAULT;
    task.wait = undefined;
  }
  return done;
}
export function sys_recvmmsg(task: Task, fd: number, vector: number, count: number, flags: number): SysResult {
  const compat = isCompatCall(task);
  return many(task, (at, f) => recvmsg(task, fd, at, f & ~S.MSG_WAITFORONE, compat), vector, count, flags);
}
export function sys_sendmmsg(task: Task, fd: number, vector: number, count: number, flags: number): SysResult {
  const compat = isCompatCall(task);
  return many(task, (at, f) => sendmsg(task, fd, at, f, compat), vector, count, flags);
}

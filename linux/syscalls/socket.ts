/** Sockets: net/socket.c, net/compat.c. What a family does is in ../fs/{unix,tcp,udp,netlink}-socket.ts. */
import {
  EACCES,
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  EDOM,
  EFAULT,
  EINTR,
  EINVAL,
  ENOTSOCK,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  EPROTONOSUPPORT,
  ERESTARTSYS,
  ESOCKTNOSUPPORT,
} from '../abi/errno.ts';
import { O_NONBLOCK, O_RDWR } from '../abi/fcntl.ts';
import * as S from '../abi/socket.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { alloc_file, type File, fput } from '../fs/file.ts';
import { NetlinkSocketInode } from '../fs/netlink-socket.ts';
import { NO_ADDRESS, type Packet, type SocketCred, SocketInode } from '../fs/socket.ts';
import { TcpSocketInode } from '../fs/tcp-socket.ts';
import { UdpSocketInode } from '../fs/udp-socket.ts';
import { UnixSocketInode } from '../fs/unix-socket.ts';
import { copy_from_user, copy_to_user, get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { hasCompatTimes, isCompatCall } from '../task/thread-info.ts';
import { raiseSigpipe } from './file.ts';
import { fdget, installFile, type Segment, vfsOf, viewOf } from './fs-args.ts';
import { gatherMessage, putControl, putMsgname, readControl, readMsghdr, scatter } from './socket-msg.ts';

const credOf = (task: Task): SocketCred => ({ pid: task.tgid, uid: task.cred.euid, gid: task.cred.egid });

/** sockfd_lookup_light() */
function sockfd(task: Task, fd: number): { file: File; socket: SocketInode } | number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  return file.inode instanceof SocketInode ? { file, socket: file.inode } : -ENOTSOCK;
}

const FLAGS = S.SOCK_NONBLOCK | S.SOCK_CLOEXEC;

/** inet_create(); raw sockets want CAP_NET_RAW, which nobody has here, and ICMP's ping_group_range is empty. */
function newInetSocket(task: Task, family: number, kind: number, protocol: number): SocketInode | number {
  const { sockfs } = vfsOf(task);
  switch (kind) {
    case S.SOCK_STREAM:
      if (protocol !== 0 && protocol !== S.SOL_TCP) return -EPROTONOSUPPORT;
      return new TcpSocketInode(sockfs, family, credOf(task));
    case S.SOCK_DGRAM:
      if (protocol === S.IPPROTO_ICMP) return -EACCES;
      if (protocol !== 0 && protocol !== S.SOL_UDP) return -EPROTONOSUPPORT;
      return new UdpSocketInode(sockfs, family, credOf(task));
    case S.SOCK_RAW:
      return -EPERM;
    default:
      return -ESOCKTNOSUPPORT;
  }
}

/** __sock_create() */
function newSocket(task: Task, family: number, type: number, protocol: number): SocketInode | number {
  const kind = type & 0xf;
  if ((type & ~(0xf | FLAGS)) !== 0) return -EINVAL;
  const { sockfs } = vfsOf(task);
  switch (family) {
    case S.AF_UNIX:
      if (protocol !== 0 && protocol !== S.AF_UNIX) return -EPROTONOSUPPORT;
      // A raw unix socket is one of datagrams.
      if (kind === S.SOCK_RAW) return new UnixSocketInode(sockfs, S.SOCK_DGRAM, credOf(task));
      if (kind !== S.SOCK_STREAM && kind !== S.SOCK_DGRAM && kind !== S.SOCK_SEQPACKET) return -ESOCKTNOSUPPORT;
      return new UnixSocketInode(sockfs, kind, credOf(task));
    case S.AF_INET:
    case S.AF_INET6:
      return newInetSocket(task, family, kind, protocol);
    case S.AF_NETLINK:
      if (kind !== S.SOCK_RAW && kind !== S.SOCK_DGRAM) return -ESOCKTNOSUPPORT;
      // Not modelled: families of netlink other than NETLINK_ROUTE.
      return protocol === 0 ? new NetlinkSocketInode(sockfs, kind, credOf(task)) : -EPROTONOSUPPORT;
    default:
      return -EAFNOSUPPORT;
  }
}

/** sock_map_fd() */
function mapFd(task: Task, socket: SocketInode, type: number): number {
  const file = alloc_file(socket.dentry(), O_RDWR | (type & S.SOCK_NONBLOCK));
  const fd = installFile(task, file, (type & S.SOCK_CLOEXEC) !== 0);
  if (fd < 0) fput(file);
  return fd;
}

export function sys_socket(task: Task, family: number, type: number, protocol: number): number {
  const socket = newSocket(task, family, type, protocol);
  return typeof socket === 'number' ? socket : mapFd(task, socket, type);
}

export function sys_socketpair(task: Task, family: number, type: number, protocol: number, usockvec: number): number {
  const a = newSocket(task, family, type, protocol);
  if (typeof a === 'number') return a;
  if (!(a instanceof UnixSocketInode)) return -EOPNOTSUPP;
  const b = newSocket(task, family, type, protocol) as UnixSocketInode;
  a.join(b);
  const first = mapFd(task, a, type);
  if (first < 0) return first;
  const second = mapFd(task, b, type);
  if (second < 0) {
    task.files.close(first);
    return second;
  }
  if (copy_to_user(task.mm, usockvec, new Uint8Array(Int32Array.of(first, second).buffer)) < 0) {
    task.files.close(first);
    task.files.close(second);
    return -EFAULT;
  }
  return 0;
}

// ---- names

const SOCKADDR_STORAGE = 128;

/** move_addr_to_kernel() */
function readAddress(task: Task, address: number, length: number): Uint8Array | number {
  if (length < 0 || length > SOCKADDR_STORAGE) return -EINVAL;
  if (length === 0) return NO_ADDRESS;
  const bytes = copy_from_user(task.mm, address, length);
  return typeof bytes === 'number' ? bytes : bytes.slice();
}

/** move_addr_to_user() */
function putAddress(task: Task, bytes: Uint8Array, address: number, lengthAt: number): number {
  const room = get_user_u32(task.mm, lengthAt);
  if (room === undefined) return -EFAULT;
  if ((room | 0) < 0) return -EINVAL;
  if (copy_to_user(task.mm, address, bytes.subarray(0, room)) < 0) return -EFAULT;
  return put_user_u32(task.mm, lengthAt, bytes.length);
}

/** sock_rcvtimeo(), sock_sndtimeo(): the call waits on a channel, with the deadline that it began with. */
function waitFor(task: Task, channel: string, timeout: number, data?: object): SysResult {
  const { wait, kernel } = task;
  if (wait?.reason === 'timeout') return -EAGAIN;
  if (wait?.reason === 'signal') return timeout === 0 ? -ERESTARTSYS : -EINTR;
  const deadline = timeout === 0 ? undefined : (wait?.deadline ?? kernel.now() + timeout);
  return block(task, { channels: [channel], ...(deadline !== undefined && { deadline }), ...(data && { data }) });
}

export function sys_bind(task: Task, fd: number, address: number, length: number): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const bytes = readAddress(task, address, length);
  return typeof bytes === 'number' ? bytes : found.socket.bind(task, bytes);
}

export function sys_connect(task: Task, fd: number, address: number, length: number): SysResult {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { file, socket } = found;
  const bytes = readAddress(task, address, length);
  if (typeof bytes === 'number') return bytes;
  const nonblock = (file.flags & O_NONBLOCK) !== 0;
  const result = socket.connect(task, bytes, nonblock);
  if (result !== -EAGAIN || nonblock) return result;
  return waitFor(task, socket.blockedOn, socket.sendTimeout);
}

export function sys_listen(task: Task, fd: number, backlog: number): number {
  const found = sockfd(task, fd);
  return typeof found === 'number' ? found : found.socket.listen(backlog);
}

export function sys_accept4(task: Task, fd: number, address: number, lengthAt: number, flags: number): SysResult {
  if ((flags & ~FLAGS) !== 0) return -EINVAL;
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { file, socket } = found;
  const server = socket.accept();
  if (server === -EAGAIN && (file.flags & O_NONBLOCK) === 0)
    return waitFor(task, `sock:${socket.ino}`, socket.receiveTimeout);
  if (typeof server === 'number') return server;
  if (address !== 0) {
    const peer = server.peerName();
    const error = putAddress(task, typeof peer === 'number' ? server.name().subarray(0, 2) : peer, address, lengthAt);
    if (error < 0) {
      server.release(file);
      return error;
    }
  }
  return mapFd(task, server, flags);
}
export const sys_accept = (task: Task, fd: number, address: number, lengthAt: number): SysResult =>
  sys_accept4(task, fd, address, lengthAt, 0);

export function sys_getsockname(task: Task, fd: number, address: number, lengthAt: number): number {
  const found = sockfd(task, fd);
  return typeof found === 'number' ? found : putAddress(task, found.socket.name(), address, lengthAt);
}
export function sys_getpeername(task: Task, fd: number, address: number, lengthAt: number): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const name = found.socket.peerName();
  return typeof name === 'number' ? name : putAddress(task, name, address, lengthAt);
}

// ---- messages

/** sock_sendmsg(); EPIPE raises SIGPIPE on streams. */
function send(task: Task, fd: number, packet: Packet | number, name: Uint8Array | number, flags: number): SysResult {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  if (typeof packet === 'number') return packet;
  if (typeof name === 'number') return name;
  const { file, socket } = found;
  if ((flags & S.MSG_OOB) !== 0) return -EOPNOTSUPP;
  const done = (task.wait?.data as { done?: number } | undefined)?.done ?? 0;
  packet.data = packet.data.subarray(done);
  const total = packet.data.length;
  // The files went with the first piece.
  const files = done > 0 ? [] : packet.files;
  for (const carried of files) carried.count++;
  const sent = socket.sendMessage({ ...packet, data: packet.data.slice(), files }, name, task);
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
}
const arrived = (got: Arrived | SysResult): got is Arrived => typeof got === 'object';

/** sock_recvmsg(): what came, put in place, or a wait. */
function receive(task: Task, fd: number, segments: readonly Segment[], flags: number): Arrived | SysResult {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { file, socket } = found;
  if ((flags & S.MSG_OOB) !== 0) return socket.stream ? -EINVAL : -EOPNOTSUPP;
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
      if (all && done < room && last.files.length === 0) continue;
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
  let outFlags = cut > 0 ? S.MSG_TRUNC : 0;
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

export function sys_shutdown(task: Task, fd: number, how: number): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  return how < S.SHUT_RD || how > S.SHUT_RDWR ? -EINVAL : found.socket.shutdown(how);
}

// ---- options

const isTimeout = (level: number, name: number): boolean =>
  level === S.SOL_SOCKET && (name === S.SO_RCVTIMEO || name === S.SO_SNDTIMEO);

/** sock_set_timeout(), a `struct timeval` of longs. */
function setSocketTimeout(task: Task, socket: SocketInode, name: number, value: number, length: number): number {
  const word = hasCompatTimes(task) ? 4 : 8;
  if (length < 2 * word) return -EINVAL;
  const bytes = copy_from_user(task.mm, value, 2 * word);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const at = (offset: number): number =>
    word === 4 ? view.getInt32(offset, true) : Number(view.getBigInt64(offset, true));
  const micro = at(word);
  if (micro < 0 || micro >= 1_000_000) return -EDOM;
  // A negative time is none: it ends at once.
  const ns = at(0) < 0 ? 1 : at(0) * 1e9 + micro * 1000;
  if (name === S.SO_RCVTIMEO) socket.receiveTimeout = ns;
  else socket.sendTimeout = ns;
  return 0;
}

export function sys_setsockopt(
  task: Task,
  fd: number,
  level: number,
  name: number,
  value: number,
  length: number,
): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  if (length < 0) return -EINVAL;
  const { socket } = found;
  if (isTimeout(level, name)) return setSocketTimeout(task, socket, name, value, length);
  if (level === S.SOL_SOCKET && name === S.SO_LINGER) {
    if (length < 8) return -EINVAL;
    const bytes = copy_from_user(task.mm, value, 8);
    if (typeof bytes === 'number') return bytes;
    socket.linger = [viewOf(bytes).getInt32(0, true), viewOf(bytes).getInt32(4, true)];
    return 0;
  }
  // IP's options may be a byte long.
  if (level === S.SOL_IP && length >= 1 && length < 4) {
    const byte = copy_from_user(task.mm, value, 1);
    return typeof byte === 'number' ? byte : socket.setOption(level, name, byte[0]!);
  }
  if (length < 4) return level === S.SOL_SOCKET || level === S.SOL_TCP ? -EINVAL : socket.setOption(level, name, 0);
  const word = get_user_u32(task.mm, value);
  return word === undefined ? -EFAULT : socket.setOption(level, name, word | 0);
}

/** The bytes of an option. */
function optionBytes(task: Task, socket: SocketInode, level: number, name: number): Uint8Array | number {
  if (isTimeout(level, name)) {
    const ns = name === S.SO_RCVTIMEO ? socket.receiveTimeout : socket.sendTimeout;
    const parts = [Math.floor(ns / 1e9), Math.floor((ns % 1e9) / 1000)];
    const words = hasCompatTimes(task) ? Int32Array.from(parts) : BigInt64Array.from(parts.map(BigInt));
    return new Uint8Array(words.buffer as ArrayBuffer);
  }
  const words = socket.getOption(level, name);
  return typeof words === 'number' ? words : new Uint8Array(words.buffer as ArrayBuffer);
}

export function sys_getsockopt(
  task: Task,
  fd: number,
  level: number,
  name: number,
  value: number,
  lengthAt: number,
): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const room = get_user_u32(task.mm, lengthAt);
  if (room === undefined) return -EFAULT;
  if ((room | 0) < 0) return -EINVAL;
  const all = optionBytes(task, found.socket, level, name);
  if (typeof all === 'number') return all;
  const bytes = all.subarray(0, room);
  if (copy_to_user(task.mm, value, bytes) < 0) return -EFAULT;
  return put_user_u32(task.mm, lengthAt, bytes.length);
}

// ---- socketcall

type Call = (task: Task, ...args: number[]) => SysResult;
/** Number of arguments and function of each SYS_*, include/uapi/linux/net.h. */
const CALLS: readonly (readonly [number, Call] | undefined)[] = [
  undefined,
  [3, sys_socket as Call],
  [3, sys_bind as Call],
  [3, sys_connect as Call],
  [2, sys_listen as Call],
  [3, sys_accept as Call],
  [3, sys_getsockname as Call],
  [3, sys_getpeername as Call],
  [4, sys_socketpair as Call],
  [4, sys_send as Call],
  [4, sys_recv as Call],
  [6, sys_sendto as Call],
  [6, sys_recvfrom as Call],
  [2, sys_shutdown as Call],
  [5, sys_setsockopt as Call],
  [5, sys_getsockopt as Call],
  [3, compat_sys_sendmsg as Call],
  [3, compat_sys_recvmsg as Call],
  [4, sys_accept4 as Call],
  [5, sys_recvmmsg as Call],
  [4, sys_sendmmsg as Call],
];

/** compat_sys_socketcall(), net/compat.c: the arguments stand in user memory. */
export function compat_sys_socketcall(task: Task, call: number, args: number): SysResult {
  const row = CALLS[call];
  if (row === undefined) return -EINVAL;
  const bytes = copy_from_user(task.mm, args, row[0] * 4);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const words = Array.from({ length: row[0] }, (_, i) => view.getUint32(i * 4, true));
  words[0] = words[0]! | 0;
  return row[1](task, ...words);
}

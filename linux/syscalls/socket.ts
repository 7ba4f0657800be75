/**
 * Sockets: net/socket.c, net/unix/af_unix.c, net/compat.c.
 * Not modelled: every family but AF_UNIX (-EAFNOSUPPORT), recvmmsg and sendmmsg, socket timeouts.
 */
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EEXIST,
  EFAULT,
  EINVAL,
  EISCONN,
  ENOPROTOOPT,
  ENOTCONN,
  ENOTSOCK,
  EOPNOTSUPP,
  EPIPE,
  EPROTONOSUPPORT,
  ERESTARTSYS,
  ESOCKTNOSUPPORT,
} from '../abi/errno.ts';
import { O_NONBLOCK, O_RDWR } from '../abi/fcntl.ts';
import * as S from '../abi/socket.ts';
import { S_IFSOCK } from '../abi/stat.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { do_mknodat } from '../fs/dir-ops.ts';
import { alloc_file, type File, fput } from '../fs/file.ts';
import { lookupPath } from '../fs/namei.ts';
import { SocketNodeInode } from '../fs/tmpfs.ts';
import { type Packet, type SocketCred, UnixSocketInode } from '../fs/unix-socket.ts';
import { copy_from_user, copy_to_user, get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { raiseSigpipe } from './file.ts';
import { contextOf, fdget, installFile, vfsOf, viewOf } from './fs-args.ts';
import { gatherMessage, putControl, putMsgname, readControl, readMsghdr, scatter } from './socket-msg.ts';

const credOf = (task: Task): SocketCred => ({ pid: task.tgid, uid: task.cred.euid, gid: task.cred.egid });

/** sockfd_lookup_light() */
function sockfd(task: Task, fd: number): { file: File; socket: UnixSocketInode } | number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  return file.inode instanceof UnixSocketInode ? { file, socket: file.inode } : -ENOTSOCK;
}

const FLAGS = S.SOCK_NONBLOCK | S.SOCK_CLOEXEC;

function newSocket(task: Task, family: number, type: number, protocol: number): UnixSocketInode | number {
  const kind = type & 0xf;
  if ((type & ~(0xf | FLAGS)) !== 0) return -EINVAL;
  if (family !== S.AF_UNIX) return -EAFNOSUPPORT;
  if (protocol !== 0 && protocol !== S.AF_UNIX) return -EPROTONOSUPPORT;
  if (kind !== S.SOCK_STREAM && kind !== S.SOCK_DGRAM && kind !== S.SOCK_SEQPACKET) return -ESOCKTNOSUPPORT;
  return new UnixSocketInode(vfsOf(task).sockfs, kind, credOf(task));
}

/** sock_map_fd() */
function mapFd(task: Task, socket: UnixSocketInode, type: number): number {
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

/** move_addr_to_kernel(), unix_mkname(): the bytes of sun_path. */
export function readName(task: Task, address: number, length: number): Uint8Array | number {
  if (length < 2 || length > S.SUN_PATH_SIZE + 2) return -EINVAL;
  const bytes = copy_from_user(task.mm, address, length);
  if (typeof bytes === 'number') return bytes;
  if (viewOf(bytes).getUint16(0, true) !== S.AF_UNIX) return -EINVAL;
  const path = bytes.subarray(2);
  if (path.length === 0 || path[0] === 0) return path;
  const end = path.indexOf(0);
  return end < 0 ? path : path.subarray(0, end);
}

const abstractKey = (name: Uint8Array): string => Buffer.from(name).toString('hex');
const pathOf = (name: Uint8Array): string => Buffer.from(name).toString('utf8');

/** unix_find_other() */
function findSocket(task: Task, name: Uint8Array): UnixSocketInode | number {
  if (name.length === 0) return -EINVAL;
  const { unixSockets } = vfsOf(task);
  if (name[0] === 0) {
    const found = unixSockets.get(abstractKey(name));
    return found === undefined || found.closed ? -ECONNREFUSED : found;
  }
  const dentry = lookupPath(contextOf(task), pathOf(name));
  if (typeof dentry === 'number') return dentry;
  if (!(dentry.inode instanceof SocketNodeInode)) return -ECONNREFUSED;
  const found = unixSockets.get(`ino:${dentry.inode.sb.dev}:${dentry.inode.ino}`);
  return found === undefined || found.closed ? -ECONNREFUSED : found;
}

/** unix_bind(), unix_autobind() */
export function sys_bind(task: Task, fd: number, address: number, length: number): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { socket } = found;
  let name = readName(task, address, length);
  if (typeof name === 'number') return name;
  if (socket.name.length > 0) return -EINVAL;
  const { unixSockets } = vfsOf(task);
  if (name.length === 0) name = new TextEncoder().encode(`\0${socket.ino.toString(16).padStart(5, '0')}`);
  if (name[0] === 0) {
    const key = abstractKey(name);
    const other = unixSockets.get(key);
    if (other !== undefined && !other.closed) return -EADDRINUSE;
    unixSockets.set(key, socket);
  } else {
    const error = do_mknodat(contextOf(task), task.fs.cwd, pathOf(name), S_IFSOCK | 0o777, 0n);
    if (error < 0) return error === -EEXIST ? -EADDRINUSE : error;
    const dentry = lookupPath(contextOf(task), pathOf(name));
    if (typeof dentry === 'number') return dentry;
    unixSockets.set(`ino:${dentry.inode.sb.dev}:${dentry.inode.ino}`, socket);
  }
  socket.name = name.slice();
  return 0;
}

export function sys_connect(task: Task, fd: number, address: number, length: number): SysResult {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { file, socket } = found;
  const name = readName(task, address, length);
  if (typeof name === 'number') return name;
  if (socket.state === 'connected' && socket.type !== S.SOCK_DGRAM) return -EISCONN;
  const other = findSocket(task, name);
  if (typeof other === 'number') return other;
  const result = socket.connectTo(other);
  if (result !== -EAGAIN || (file.flags & O_NONBLOCK) !== 0) return result;
  if (task.wait?.reason === 'signal') return -ERESTARTSYS;
  return block(task, { channels: [`sock:${other.ino}`] });
}

export function sys_listen(task: Task, fd: number, backlog: number): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { socket } = found;
  if (socket.type === S.SOCK_DGRAM) return -EOPNOTSUPP;
  if (socket.name.length === 0 || socket.state === 'connected') return -EINVAL;
  socket.state = 'listening';
  socket.maxBacklog = Math.min(Math.max(backlog, 0), 128);
  return 0;
}

export function sys_accept4(task: Task, fd: number, address: number, lengthAt: number, flags: number): SysResult {
  if ((flags & ~FLAGS) !== 0) return -EINVAL;
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { file, socket } = found;
  if (socket.type === S.SOCK_DGRAM) return -EOPNOTSUPP;
  if (socket.state !== 'listening') return -EINVAL;
  const server = socket.backlog.shift();
  if (server === undefined) {
    if ((file.flags & O_NONBLOCK) !== 0) return -EAGAIN;
    if (task.wait?.reason === 'signal') return -ERESTARTSYS;
    return block(task, { channels: [`sock:${socket.ino}`] });
  }
  task.kernel.wake(`sock:${socket.ino}`);
  if (address !== 0) {
    const error = putName(task, server.peer?.name ?? new Uint8Array(0), address, lengthAt);
    if (error < 0) return error;
  }
  return mapFd(task, server, flags);
}
export const sys_accept = (task: Task, fd: number, address: number, lengthAt: number): SysResult =>
  sys_accept4(task, fd, address, lengthAt, 0);

/** move_addr_to_user() */
function putName(task: Task, name: Uint8Array, address: number, lengthAt: number): number {
  const room = get_user_u32(task.mm, lengthAt);
  if (room === undefined) return -EFAULT;
  if ((room | 0) < 0) return -EINVAL;
  const bytes = sockaddr(name);
  if (copy_to_user(task.mm, address, bytes.subarray(0, room)) < 0) return -EFAULT;
  return put_user_u32(task.mm, lengthAt, bytes.length);
}
/** `struct sockaddr_un` of a name: a path ends in NUL. */
export function sockaddr(name: Uint8Array): Uint8Array {
  const nul = name.length > 0 && name[0] !== 0 ? 1 : 0;
  const bytes = new Uint8Array(2 + name.length + nul);
  bytes[0] = S.AF_UNIX;
  bytes.set(name, 2);
  return bytes;
}

export function sys_getsockname(task: Task, fd: number, address: number, lengthAt: number): number {
  const found = sockfd(task, fd);
  return typeof found === 'number' ? found : putName(task, found.socket.name, address, lengthAt);
}
export function sys_getpeername(task: Task, fd: number, address: number, lengthAt: number): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  return found.socket.peer === undefined ? -ENOTCONN : putName(task, found.socket.peer.name, address, lengthAt);
}

// ---- messages

/** sock_sendmsg(); EPIPE raises SIGPIPE on streams. */
function send(task: Task, fd: number, packet: Packet | number, name: Uint8Array | number, flags: number): SysResult {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  if (typeof packet === 'number') return packet;
  if (typeof name === 'number') return name;
  const { file, socket } = found;
  let target = socket.peer;
  if (name.length > 0) {
    if (socket.stream) return socket.state === 'connected' ? -EISCONN : -EOPNOTSUPP;
    const other = findSocket(task, name);
    if (typeof other === 'number') return other;
    target = other;
  } else if (socket.type === S.SOCK_DGRAM && target === undefined) return socket.hadPeer ? -ECONNREFUSED : -ENOTCONN;
  const done = (task.wait?.data as { done?: number } | undefined)?.done ?? 0;
  packet.data = packet.data.subarray(done);
  const total = packet.data.length;
  const files = packet.files.map((f) => {
    f.count++;
    return f;
  });
  const sent = socket.send(target, { ...packet, from: socket.name, files });
  if (sent < 0) files.forEach(fput);
  if (sent === -EPIPE && (flags & S.MSG_NOSIGNAL) === 0 && socket.type !== S.SOCK_DGRAM && done === 0)
    raiseSigpipe(task);
  const more = sent === -EAGAIN || (socket.stream && sent >= 0 && sent < total);
  if (!more) return sent < 0 && done > 0 ? done : sent < 0 ? sent : done + sent;
  const sofar = done + Math.max(0, sent);
  if ((file.flags & O_NONBLOCK) !== 0 || (flags & S.MSG_DONTWAIT) !== 0) return sofar > 0 ? sofar : -EAGAIN;
  if (task.wait?.reason === 'signal') return sofar > 0 ? sofar : -ERESTARTSYS;
  return block(task, { channels: [`sock:${target?.ino ?? socket.ino}`], data: { done: sofar } });
}

/** sock_recvmsg(): what came, or a wait. */
function receive(
  task: Task,
  fd: number,
  count: number,
  flags: number,
): { packet: Packet; cut: number } | 'end' | SysResult {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const { file, socket } = found;
  const got = socket.receive(count, (flags & S.MSG_PEEK) !== 0);
  if (got === undefined) return 'end';
  if (got !== -EAGAIN) return got;
  if ((file.flags & O_NONBLOCK) !== 0 || (flags & S.MSG_DONTWAIT) !== 0) return -EAGAIN;
  if (task.wait?.reason === 'signal') return -ERESTARTSYS;
  return block(task, { channels: [`sock:${socket.ino}`] });
}

const isPacket = (got: unknown): got is { packet: Packet; cut: number } => typeof got === 'object' && got !== null;

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
  const packet = typeof data === 'number' ? data : { data, from: new Uint8Array(0), files: [], cred: credOf(task) };
  return send(task, fd, packet, address === 0 ? new Uint8Array(0) : readName(task, address, length), flags);
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
  const got = receive(task, fd, Math.min(size, 1 << 20), flags);
  if (got === 'end') return 0;
  if (!isPacket(got)) return got;
  const { packet, cut } = got;
  packet.files.forEach(fput);
  if (copy_to_user(task.mm, buf, packet.data) < 0) return -EFAULT;
  if (address !== 0) {
    const error = putName(task, packet.from, address, lengthAt);
    if (error < 0) return error;
  }
  const stream = (fdget(task, fd)!.inode as UnixSocketInode).stream;
  return packet.data.length + ((flags & S.MSG_TRUNC) !== 0 && !stream ? cut : 0);
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
  const name = header.name === 0 ? new Uint8Array(0) : readName(task, header.name, header.nameLength);
  return send(task, fd, { data, from: new Uint8Array(0), files, cred: credOf(task) }, name, flags);
}

function recvmsg(task: Task, fd: number, at: number, flags: number, compat: boolean): SysResult {
  const header = readMsghdr(task, at, compat);
  if (typeof header === 'number') return header;
  const room = header.segments.reduce((sum, s) => sum + s.length, 0);
  const got = receive(task, fd, Math.min(room, 1 << 20), flags);
  if (got !== 'end' && !isPacket(got)) return got;
  const packet = got === 'end' ? undefined : got.packet;
  const socket = fdget(task, fd)!.inode as UnixSocketInode;
  if (packet !== undefined && !scatter(task, header.segments, packet.data)) return -EFAULT;
  let outFlags = packet !== undefined && !socket.stream && (got as { cut: number }).cut > 0 ? S.MSG_TRUNC : 0;
  outFlags |= putControl(task, at, header, packet, socket.passCred, (flags & S.MSG_CMSG_CLOEXEC) !== 0, compat);
  const error = putMsgname(
    task,
    at,
    header,
    packet === undefined ? undefined : sockaddr(packet.from),
    outFlags,
    compat,
  );
  return error < 0 ? error : (packet?.data.length ?? 0);
}
export const sys_sendmsg = (task: Task, fd: number, msg: number, flags: number): SysResult =>
  sendmsg(task, fd, msg, flags, false);
export const compat_sys_sendmsg = (task: Task, fd: number, msg: number, flags: number): SysResult =>
  sendmsg(task, fd, msg, flags, true);
export const sys_recvmsg = (task: Task, fd: number, msg: number, flags: number): SysResult =>
  recvmsg(task, fd, msg, flags, false);
export const compat_sys_recvmsg = (task: Task, fd: number, msg: number, flags: number): SysResult =>
  recvmsg(task, fd, msg, flags, true);

export function sys_shutdown(task: Task, fd: number, how: number): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  return how < S.SHUT_RD || how > S.SHUT_RDWR ? -EINVAL : found.socket.shutdown(how);
}

// ---- options

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
  if (level !== S.SOL_SOCKET) return -EOPNOTSUPP;
  if (length < 4) return -EINVAL;
  const word = get_user_u32(task.mm, value);
  if (word === undefined) return -EFAULT;
  if (name === S.SO_PASSCRED) found.socket.passCred = word !== 0;
  const known: readonly number[] = [
    S.SO_DEBUG,
    S.SO_REUSEADDR,
    S.SO_BROADCAST,
    S.SO_SNDBUF,
    S.SO_RCVBUF,
    S.SO_KEEPALIVE,
  ];
  const more: readonly number[] = [
    S.SO_LINGER,
    S.SO_PASSCRED,
    S.SO_RCVTIMEO,
    S.SO_SNDTIMEO,
    S.SO_SNDBUFFORCE,
    S.SO_RCVBUFFORCE,
  ];
  return known.includes(name) || more.includes(name) ? 0 : -ENOPROTOOPT;
}

function option(socket: UnixSocketInode, name: number): Int32Array | undefined {
  switch (name) {
    case S.SO_TYPE:
      return Int32Array.of(socket.type);
    case S.SO_ERROR:
    case S.SO_DEBUG:
    case S.SO_REUSEADDR:
    case S.SO_BROADCAST:
    case S.SO_KEEPALIVE:
    case S.SO_PROTOCOL:
      return Int32Array.of(0);
    case S.SO_LINGER:
      return Int32Array.of(0, 0);
    case S.SO_SNDBUF:
    case S.SO_RCVBUF:
      return Int32Array.of(212_992);
    case S.SO_PASSCRED:
      return Int32Array.of(Number(socket.passCred));
    case S.SO_PEERCRED:
      return Int32Array.of(socket.peerCred.pid, socket.peerCred.uid, socket.peerCred.gid);
    case S.SO_ACCEPTCONN:
      return Int32Array.of(Number(socket.state === 'listening'));
    case S.SO_DOMAIN:
      return Int32Array.of(S.AF_UNIX);
    default:
      return undefined;
  }
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
  if (level !== S.SOL_SOCKET) return -EOPNOTSUPP;
  const words = option(found.socket, name);
  if (words === undefined) return -ENOPROTOOPT;
  const bytes = new Uint8Array(words.buffer as ArrayBuffer).subarray(0, room);
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

/** Sockets and their names: net/socket.c. What a family does is in ../fs/{unix,tcp,udp,netlink}-socket.ts. */
import {
  EACCES,
  EAFNOSUPPORT,
  EAGAIN,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  EPERM,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
} from '../abi/errno.ts';
import { O_NONBLOCK, O_RDWR } from '../abi/fcntl.ts';
import * as S from '../abi/socket.ts';
import type { SysResult } from '../entry/syscall-row.ts';
import { alloc_file, fput } from '../fs/file.ts';
import { NetlinkSocketInode } from '../fs/netlink-socket.ts';
import type { SocketInode } from '../fs/socket.ts';
import { TcpSocketInode } from '../fs/tcp-socket.ts';
import { UdpSocketInode } from '../fs/udp-socket.ts';
import { UnixSocketInode } from '../fs/unix-socket.ts';
import { copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { installFile, vfsOf } from './fs-args.ts';

import { credOf, putAddress, readAddress, sockfd, waitFor } from './socket-args.ts';

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
  socket.file = file;
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

export function sys_shutdown(task: Task, fd: number, how: number): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  return how < S.SHUT_RD || how > S.SHUT_RDWR ? -EINVAL : found.socket.shutdown(how);
}

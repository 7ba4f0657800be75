import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EEXIST,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
  EPROTOTYPE,
  ETOOMANYREFS,
} from '../abi/errno.ts';
import { decodeName } from '../abi/names.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM } from '../abi/poll.ts';
import { POLL_HUP, POLL_IN } from '../abi/signal.ts';
import { AF_UNIX, AF_UNSPEC, SOCK_DGRAM, SUN_PATH_SIZE } from '../abi/socket.ts';
import { S_IFSOCK } from '../abi/stat.ts';
import type { Task } from '../task/task.ts';
import { do_mknodat } from './dir-ops.ts';
import { type File, fput } from './file.ts';
import { lookupPath } from './namei.ts';
import {
  NO_ADDRESS,
  OVERHEAD,
  type Packet,
  peekStream,
  RCV_SHUTDOWN,
  type Received,
  SEND_SHUTDOWN,
  SNDBUF,
  type SocketCred,
  SocketInode,
  takeStream,
  trueSize,
} from './socket.ts';
import type { SuperBlock } from './super-block.ts';
import { SocketNodeInode } from './tmpfs.ts';

const familyOf = (address: Uint8Array): number => address[0]! | (address[1]! << 8);
const abstractKey = (path: Uint8Array): string => Buffer.from(path).toString('hex');
const pathOf = (path: Uint8Array): string => decodeName(path);

/** unix_mkname(): the bytes of sun_path without the NUL at the end. */
function sunPath(address: Uint8Array): Uint8Array | number {
  if (address.length < 2 || address.length > SUN_PATH_SIZE + 2 || familyOf(address) !== AF_UNIX) return -EINVAL;
  const path = address.subarray(2);
  if (path.length === 0 || path[0] === 0) return path;
  const end = path.indexOf(0);
  return end < 0 ? path : path.subarray(0, end);
}

/** `struct sockaddr_un` of a name: a path ends in NUL. */
export function unixAddress(path: Uint8Array): Uint8Array {
  const nul = path.length > 0 && path[0] !== 0 ? 1 : 0;
  const bytes = new Uint8Array(2 + path.length + nul);
  bytes[0] = AF_UNIX;
  bytes.set(path, 2);
  return bytes;
}

/** unix_find_other() */
function findSocket(task: Task, address: Uint8Array): UnixSocketInode | number {
  const path = sunPath(address);
  if (typeof path === 'number') return path;
  if (path.length === 0) return -EINVAL;
  const { vfs } = task.kernel;
  let key = abstractKey(path);
  if (path[0] !== 0) {
    const dentry = lookupPath(vfs.context(task), pathOf(path));
    if (typeof dentry === 'number') return dentry;
    if (!(dentry.inode instanceof SocketNodeInode)) return -ECONNREFUSED;
    key = `ino:${dentry.inode.sb.dev}:${dentry.inode.ino}`;
  }
  const found = vfs.unixSockets.get(key);
  return found === undefined || found.closed ? -ECONNREFUSED : found;
}

const MAX_RECURSION_LEVEL = 4;
/** unix_attach_fds(): a socket carries sockets that carry sockets. */
const recursionLevel = ({ files }: Packet): number =>
  files.reduce((most, { inode }) => Math.max(most, inode instanceof UnixSocketInode ? inode.recursion + 1 : 0), 0);

/** `struct unix_sock`, net/unix/af_unix.c. */
export class UnixSocketInode extends SocketInode {
  state: 'unconnected' | 'listening' | 'connected' = 'unconnected';
  peer: UnixSocketInode | undefined;
  /** A stream's other end was there once. */
  hadPeer = false;
  /** sun_path, with a leading NUL when it is abstract; empty without a name. */
  path: Uint8Array = NO_ADDRESS;
  peerCred: SocketCred = { pid: 0, uid: 0xffffffff, gid: 0xffffffff };
  queue: Packet[] = [];
  /** Connections that wait for accept(). */
  backlog: UnixSocketInode[] = [];
  maxBacklog = 0;
  closed = false;
  /** How deep sockets lie in each other's queues. */
  recursion = 0;

  constructor(sb: SuperBlock, type: number, owner: SocketCred) {
    super(sb, AF_UNIX, type, 0, owner);
  }

  override listening(): boolean {
    return this.state === 'listening';
  }
  override peerCredentials(): SocketCred {
    return this.peerCred;
  }
  override name(): Uint8Array {
    return unixAddress(this.path);
  }
  override peerName(): Uint8Array | number {
    return this.peer === undefined ? -ENOTCONN : this.peer.name();
  }

  /** unix_bind(), unix_autobind() */
  override bind(task: Task, address: Uint8Array): number {
    let path = sunPath(address);
    if (typeof path === 'number') return path;
    const named = this.path.length > 0;
    if (named && (path.length === 0 || path[0] === 0)) return -EINVAL;
    const { vfs } = task.kernel;
    if (path.length === 0) path = new TextEncoder().encode(`\0${this.ino.toString(16).padStart(5, '0')}`);
    if (path[0] === 0) {
      const key = abstractKey(path);
      const other = vfs.unixSockets.get(key);
      if (other !== undefined && !other.closed) return -EADDRINUSE;
      vfs.unixSockets.set(key, this);
    } else {
      const mode = S_IFSOCK | (0o777 & ~task.fs.umask);
      const error = do_mknodat(vfs.context(task), task.fs.cwd, pathOf(path), mode, 0n);
      if (error < 0) return error === -EEXIST ? -EADDRINUSE : error;
      // v4.7 makes the node before it looks whether the socket has a name.
      if (named) return -EINVAL;
      const dentry = lookupPath(vfs.context(task), pathOf(path));
      if (typeof dentry === 'number') return dentry;
      vfs.unixSockets.set(`ino:${dentry.inode.sb.dev}:${dentry.inode.ino}`, this);
    }
    this.path = path.slice();
    return 0;
  }

  override listen(backlog: number): number {
    if (this.type === SOCK_DGRAM) return -EOPNOTSUPP;
    if (this.path.length === 0 || this.state === 'connected') return -EINVAL;
    this.state = 'listening';
    this.maxBacklog = Math.min(Math.max(backlog, 0), 128);
    this.peerCred = this.owner;
    return 0;
  }

  override accept(): UnixSocketInode | number {
    if (this.type === SOCK_DGRAM) return -EOPNOTSUPP;
    if (this.state !== 'listening') return -EINVAL;
    const server = this.backlog.shift();
    if (server === undefined) return -EAGAIN;
    this.changed();
    return server;
  }

  /** unix_socketpair(), and the end of unix_stream_connect(). */
  join(other: UnixSocketInode): void {
    for (const [a, b] of [
      [this, other],
      [other, this],
    ] as const) {
      a.peer = b;
      a.hadPeer = true;
      a.state = 'connected';
      a.peerCred = b.owner;
      a.changed();
    }
  }

  /** unix_stream_connect(), unix_dgram_connect(). */
  override connect(task: Task, address: Uint8Array): number {
    if (this.type === SOCK_DGRAM && familyOf(address) === AF_UNSPEC) {
      this.peer = undefined;
      this.hadPeer = false;
      this.state = 'unconnected';
      return 0;
    }
    if (this.state === 'connected' && this.type !== SOCK_DGRAM) return -EISCONN;
    const listener = findSocket(task, address);
    if (typeof listener === 'number') return listener;
    if (listener.type !== this.type) return -EPROTOTYPE;
    if (this.type === SOCK_DGRAM) {
      this.peer = listener;
      this.hadPeer = true;
      this.state = 'connected';
      return 0;
    }
    if (listener.state !== 'listening') return -ECONNREFUSED;
    if (listener.backlog.length > listener.maxBacklog) {
      this.blockedOn = `sock:${listener.ino}`;
      return -EAGAIN;
    }
    const server = new UnixSocketInode(this.sb, this.type, listener.owner);
    server.path = listener.path;
    this.join(server);
    listener.backlog.push(server);
    listener.changed();
    listener.wakeAsync(POLL_IN);
    return 0;
  }

  /** unix_stream_sendmsg(), unix_dgram_sendmsg(). */
  override sendMessage(packet: Packet, address: Uint8Array, task: Task | undefined): number {
    let target = this.peer;
    if (address.length > 0) {
      if (this.stream) return this.state === 'connected' ? -EISCONN : -EOPNOTSUPP;
      if (this.type === SOCK_DGRAM) {
        const other = task === undefined ? -EINVAL : findSocket(task, address);
        if (typeof other === 'number') return other;
        if (other.type !== SOCK_DGRAM) return -EPROTOTYPE;
        target = other;
      }
    }
    const level = recursionLevel(packet);
    if (level > MAX_RECURSION_LEVEL) return -ETOOMANYREFS;
    if ((this.shut & SEND_SHUTDOWN) !== 0) return -EPIPE;
    if (target === undefined || target.closed) {
      if (this.type === SOCK_DGRAM) return this.hadPeer ? -ECONNREFUSED : -ENOTCONN;
      return this.hadPeer ? (this.stream ? -EPIPE : -ECONNRESET) : -ENOTCONN;
    }
    if ((target.shut & RCV_SHUTDOWN) !== 0) return -EPIPE;
    const room = SNDBUF - target.queued;
    this.blockedOn = `sock:${target.ino}`;
    if (this.stream) {
      if (packet.data.length === 0) return 0;
      if (room <= 0 || this.exhausted) {
        this.noSpace = true;
        return -EAGAIN;
      }
      packet.data = packet.data.slice(0, room);
    } else {
      if (packet.data.length > SNDBUF - 32) return -EMSGSIZE;
      if (
        packet.data.length + OVERHEAD > Math.max(room, target.queue.length === 0 ? SNDBUF + OVERHEAD : 0) ||
        this.exhausted
      ) {
        this.noSpace = true;
        return -EAGAIN;
      }
    }
    packet.from = this.path.length === 0 ? NO_ADDRESS : this.name();
    target.recursion = Math.max(target.recursion, level);
    target.queue.push(packet);
    target.queued += packet.data.length + OVERHEAD;
    target.changed();
    target.wakeAsync(POLL_IN);
    return packet.data.length;
  }

  /** unix_stream_read_generic(), unix_dgram_recvmsg(). */
  override receive(count: number, peek: boolean): Received | undefined | number {
    this.blockedOn = `sock:${this.ino}`;
    if (this.state === 'listening') return -EINVAL;
    const first = this.queue[0];
    if (first === undefined) {
      if (this.error !== 0) return -this.takeError();
      if ((this.shut & RCV_SHUTDOWN) !== 0) return undefined;
      if (this.type !== SOCK_DGRAM && this.peer === undefined) return this.hadPeer ? undefined : -ENOTCONN;
      return -EAGAIN;
    }
    let packet: Packet;
    let cut = 0;
    if (this.stream) packet = (peek ? peekStream : takeStream)(this.queue, count) as Packet;
    else {
      packet = { ...first, data: first.data.slice(0, count) };
      cut = first.data.length - packet.data.length;
      if (!peek) this.queue.shift();
    }
    if (peek) return { packet: { ...packet, files: [] }, cut };
    this.queued = trueSize(this.queue);
    this.changed();
    const { peer } = this;
    peer?.changed();
    // unix_write_space()
    if (peer && this.queued * 4 <= SNDBUF) peer.writeSpace();
    return { packet, cut };
  }

  override shutdown(how: number): number {
    const bits = how + 1;
    this.shut |= bits;
    if (this.peer !== undefined && this.type !== SOCK_DGRAM) {
      const theirs = ((bits & 1) << 1) | ((bits & 2) >> 1);
      this.peer.shut |= theirs;
      this.peer.changed();
      if (theirs === 3) this.peer.wakeAsync(POLL_HUP);
      else if ((theirs & RCV_SHUTDOWN) !== 0) this.peer.wakeAsync(POLL_IN);
    }
    this.changed();
    return 0;
  }

  /** unix_release_sock() */
  override release(file: File): void {
    const { peer } = this;
    this.closed = true;
    if (peer !== undefined && peer.peer === this) {
      peer.peer = undefined;
      if (this.queue.length > 0 && this.type !== SOCK_DGRAM) peer.error = ECONNRESET;
      peer.changed();
      if (this.type !== SOCK_DGRAM) peer.wakeAsync(POLL_HUP);
    }
    this.peer = undefined;
    for (const waiting of this.backlog) waiting.release(file);
    for (const packet of this.queue) packet.files.forEach(fput);
    this.queue = [];
    this.queued = 0;
    this.state = 'unconnected';
    const { unixSockets } = this.sb.owner;
    for (const [key, socket] of unixSockets) if (socket === this) unixSockets.delete(key);
  }

  override poll(): number {
    let mask = 0;
    if (this.state === 'listening') return this.backlog.length > 0 ? POLLIN | POLLRDNORM : 0;
    if (this.error !== 0) mask |= POLLERR;
    const gone = this.type !== SOCK_DGRAM && this.hadPeer && this.peer === undefined;
    if (this.queue.length > 0) mask |= POLLIN | POLLRDNORM;
    if ((this.shut & RCV_SHUTDOWN) !== 0 || gone) mask |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (this.shut === 3 || gone || (this.type !== SOCK_DGRAM && !this.hadPeer)) mask |= POLLHUP;
    if (this.peer === undefined || this.peer.queued * 4 <= SNDBUF) mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
    return mask;
  }
  override channels(): readonly string[] {
    const own = `sock:${this.ino}`;
    return this.peer === undefined ? [own] : [own, `sock:${this.peer.ino}`];
  }
  override available(): number {
    return this.stream ? this.queue.reduce((sum, { data }) => sum + data.length, 0) : (this.queue[0]?.data.length ?? 0);
  }
}

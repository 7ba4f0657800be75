import { EAGAIN, ECONNREFUSED, ECONNRESET, EINVAL, EMSGSIZE, ENOTCONN, EPIPE, EPROTOTYPE } from '../abi/errno.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM } from '../abi/poll.ts';
import { SOCK_DGRAM, SOCK_STREAM } from '../abi/socket.ts';
import { S_IFSOCK } from '../abi/stat.ts';
import { Dentry } from './dentry.ts';
import { type File, fput } from './file.ts';
import { Inode } from './inode.ts';
import type { SuperBlock } from './super-block.ts';

/** SO_PEERCRED and SCM_CREDENTIALS. */
export interface SocketCred {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** `struct sk_buff` with its unix_skb_parms: one message, or a piece of a stream. */
export interface Packet {
  data: Uint8Array;
  /** The sender's name: what follows sun_family. */
  readonly from: Uint8Array;
  /** Open files on their way, each with a reference. */
  files: File[];
  readonly cred: SocketCred;
}

const SNDBUF = 212_992;
const RCV_SHUTDOWN = 1;
const SEND_SHUTDOWN = 2;

/** `struct unix_sock`, net/unix/af_unix.c. */
export class UnixSocketInode extends Inode {
  readonly type: number;
  state: 'unconnected' | 'listening' | 'connected' = 'unconnected';
  peer: UnixSocketInode | undefined;
  /** A stream's other end was there once. */
  hadPeer = false;
  shut = 0;
  /** sun_path, with a leading NUL when it is abstract; empty without a name. */
  name: Uint8Array = new Uint8Array(0);
  peerCred: SocketCred = { pid: 0, uid: 0xffffffff, gid: 0xffffffff };
  readonly owner: SocketCred;
  queue: Packet[] = [];
  queued = 0;
  /** Connections that wait for accept(). */
  backlog: UnixSocketInode[] = [];
  maxBacklog = 0;
  passCred = false;

  constructor(sb: SuperBlock, type: number, owner: SocketCred) {
    super(sb, S_IFSOCK | 0o777);
    this.type = type;
    this.owner = owner;
  }

  dentry(): Dentry {
    return new Dentry(`socket:[${this.ino}]`, undefined, this);
  }
  get stream(): boolean {
    return this.type === SOCK_STREAM;
  }
  private changed(): void {
    this.notify(`sock:${this.ino}`);
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

  /** unix_stream_connect() to a listening socket. */
  connectTo(listener: UnixSocketInode): number {
    if (listener.type !== this.type) return -EPROTOTYPE;
    if (this.type === SOCK_DGRAM) {
      this.peer = listener;
      this.state = 'connected';
      return 0;
    }
    if (listener.state !== 'listening') return -ECONNREFUSED;
    if (listener.backlog.length > listener.maxBacklog) return -EAGAIN;
    const server = new UnixSocketInode(this.sb, this.type, listener.owner);
    server.name = listener.name;
    this.join(server);
    listener.backlog.push(server);
    listener.changed();
    return 0;
  }

  /** unix_stream_sendmsg(), unix_dgram_sendmsg(). */
  send(target: UnixSocketInode | undefined, packet: Packet): number {
    if ((this.shut & SEND_SHUTDOWN) !== 0) return -EPIPE;
    if (target === undefined) return this.stream && this.hadPeer ? -EPIPE : this.hadPeer ? -ECONNRESET : -ENOTCONN;
    if ((target.shut & RCV_SHUTDOWN) !== 0) return -EPIPE;
    const room = SNDBUF - target.queued;
    if (this.stream) {
      if (packet.data.length === 0) return 0;
      if (room <= 0) return -EAGAIN;
      packet.data = packet.data.slice(0, room);
    } else {
      if (packet.data.length > SNDBUF) return -EMSGSIZE;
      if (packet.data.length > room) return -EAGAIN;
    }
    target.queue.push(packet);
    target.queued += packet.data.length;
    target.changed();
    return packet.data.length;
  }

  /**
   * unix_stream_read_generic(), unix_dgram_recvmsg(): the first message, or bytes of a stream up to the next message
   * that carries files. Undefined at the end.
   */
  receive(count: number, peek: boolean): { packet: Packet; cut: number } | undefined | number {
    if (this.state === 'listening') return -EINVAL;
    const first = this.queue[0];
    if (first === undefined) {
      if ((this.shut & RCV_SHUTDOWN) !== 0) return undefined;
      if (this.type !== SOCK_DGRAM && this.peer === undefined) return this.hadPeer ? undefined : -ENOTCONN;
      return -EAGAIN;
    }
    const packet: Packet = { ...first, data: first.data.slice(0, count) };
    const cut = first.data.length - packet.data.length;
    if (peek) return { packet: { ...packet, files: [] }, cut };
    this.queued -= packet.data.length;
    if (this.stream && cut > 0) {
      first.data = first.data.subarray(packet.data.length);
      first.files = [];
    } else {
      this.queue.shift();
      this.queued -= cut;
    }
    if (this.stream) this.fill(packet, count);
    this.changed();
    this.peer?.changed();
    return { packet, cut };
  }

  /** A stream's read goes on over the messages that follow. */
  private fill(packet: Packet, count: number): void {
    const parts = [packet.data];
    let length = packet.data.length;
    while (length < count) {
      const next = this.queue[0];
      if (next === undefined || next.files.length > 0) break;
      const part = next.data.subarray(0, count - length);
      parts.push(part);
      length += part.length;
      this.queued -= part.length;
      if (part.length === next.data.length) this.queue.shift();
      else next.data = next.data.subarray(part.length);
    }
    if (parts.length > 1) packet.data = Uint8Array.from(Buffer.concat(parts));
  }

  shutdown(how: number): number {
    if (this.state !== 'connected') return -ENOTCONN;
    const bits = how + 1;
    this.shut |= bits;
    if (this.peer !== undefined && this.type !== SOCK_DGRAM) {
      this.peer.shut |= ((bits & 1) << 1) | ((bits & 2) >> 1);
      this.peer.changed();
    }
    this.changed();
    return 0;
  }

  /** unix_release_sock() */
  override release(_file: File): void {
    const { peer } = this;
    if (peer !== undefined && peer.peer === this) {
      peer.peer = undefined;
      peer.changed();
    }
    this.peer = undefined;
    for (const waiting of this.backlog) waiting.release(_file);
    for (const packet of this.queue) packet.files.forEach(fput);
    this.queue = [];
    this.state = 'unconnected';
    this.closed = true;
  }
  closed = false;

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    const got = this.receive(count, false);
    if (got === undefined) return new Uint8Array(0);
    if (typeof got === 'number') return got;
    got.packet.files.forEach(fput);
    return got.packet.data;
  }
  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    return this.send(this.peer, { data: bytes.slice(), from: this.name, files: [], cred: this.owner });
  }
  override poll(): number {
    let mask = 0;
    if (this.state === 'listening') return this.backlog.length > 0 ? POLLIN | POLLRDNORM : 0;
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
    return this.stream ? this.queued : (this.queue[0]?.data.length ?? 0);
  }
}

import { EAGAIN, ENOPROTOOPT, EOPNOTSUPP } from '../abi/errno.ts';
import { POLL_OUT, SIGIO } from '../abi/signal.ts';
import * as S from '../abi/socket.ts';
import { S_IFSOCK } from '../abi/stat.ts';
import type { Task } from '../task/task.ts';
import { Dentry } from './dentry.ts';
import { kill_fasync } from './fasync.ts';
import { type File, fput } from './file.ts';
import { Inode } from './inode.ts';
import { ifconfIoctl } from './net-device.ts';
import { MAX_BUFFERED, type SuperBlock } from './super-block.ts';

/** SO_PEERCRED and SCM_CREDENTIALS. */
export interface SocketCred {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** `struct sk_buff` with its unix_skb_parms: one message, or a piece of a stream. */
export interface Packet {
  data: Uint8Array;
  /** The sender's `struct sockaddr`; empty when it has no name. */
  from: Uint8Array;
  /** Open files on their way, each with a reference. */
  files: File[];
  readonly cred: SocketCred;
  /** MSG_OOB: the last byte is urgent. */
  readonly urgent?: boolean;
}

/** What a receive gives: the message, and how many of its bytes did not fit. */
export interface Received {
  readonly packet: Packet;
  readonly cut: number;
  /** It ended at the urgent mark, beyond which no receive reads that has bytes already. */
  readonly atMark?: boolean;
}

export const SNDBUF = 212_992;
/** What a message costs beside its bytes: `struct sk_buff` and skb_shared_info. */
export const OVERHEAD = 768;
/** skb->truesize of messages. */
export const trueSize = (queue: readonly Packet[]): number =>
  queue.reduce((sum, { data }) => sum + data.length + OVERHEAD, 0);
export const RCV_SHUTDOWN = 1,
  SEND_SHUTDOWN = 2;
export const NO_ADDRESS = new Uint8Array(0);

/** Options of SOL_SOCKET that are an int to set and read back, with their defaults: sock_setsockopt(), net/core/sock.c. */
const SOCKET_INTS: ReadonlyMap<number, number> = new Map([
  [S.SO_DEBUG, 0],
  [S.SO_REUSEADDR, 0],
  [S.SO_DONTROUTE, 0],
  [S.SO_BROADCAST, 0],
  [S.SO_KEEPALIVE, 0],
  [S.SO_OOBINLINE, 0],
  [S.SO_PRIORITY, 0],
  [S.SO_REUSEPORT, 0],
  [S.SO_PASSCRED, 0],
  [S.SO_RCVLOWAT, 1],
  [S.SO_TIMESTAMP, 0],
  [S.SO_MARK, 0],
]);
const BUFFERS: ReadonlyMap<number, number> = new Map([
  [S.SO_SNDBUF, S.SO_SNDBUF],
  [S.SO_SNDBUFFORCE, S.SO_SNDBUF],
  [S.SO_RCVBUF, S.SO_RCVBUF],
  [S.SO_RCVBUFFORCE, S.SO_RCVBUF],
]);

/**
 * `struct socket` and `struct sock`: what the calls of net/socket.c ask of a protocol family. Operations that would have to
 * wait return -EAGAIN; `blockedOn` then names the channel.
 */
export abstract class SocketInode extends Inode {
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  readonly owner: SocketCred;
  /** sk_shutdown */
  shut = 0;
  /** sk_err, positive. */
  error = 0;
  /** Options that somebody set: `level:name`. */
  readonly options = new Map<string, number>();
  linger: readonly [number, number] = [0, 0];
  /** SO_RCVTIMEO and SO_SNDTIMEO in nanoseconds, 0 for ever. */
  receiveTimeout = 0;
  sendTimeout = 0;
  blockedOn: string;
  /** The open file, whose owner SIGURG goes to. */
  file: File | undefined = undefined;
  /** SOCKWQ_ASYNC_NOSPACE */
  noSpace = false;
  private bytes = 0;

  /** sk_rmem_alloc: what waits to be read, with what it costs. */
  get queued(): number {
    return this.bytes;
  }
  set queued(bytes: number) {
    this.sb.owner.buffered += bytes - this.bytes;
    this.bytes = bytes;
  }
  /** No more for anybody: as if the buffers were full. */
  protected get exhausted(): boolean {
    return this.sb.owner.buffered >= MAX_BUFFERED;
  }

  constructor(sb: SuperBlock, family: number, type: number, protocol: number, owner: SocketCred) {
    super(sb, S_IFSOCK | 0o777);
    this.family = family;
    this.type = type;
    this.protocol = protocol;
    this.owner = owner;
    this.blockedOn = `sock:${this.ino}`;
  }

  dentry(): Dentry {
    return new Dentry(`socket:[${this.ino}]`, undefined, this);
  }
  /** Bytes without borders. */
  get stream(): boolean {
    return this.type === S.SOCK_STREAM;
  }
  get passCred(): boolean {
    return this.intOption(S.SOL_SOCKET, S.SO_PASSCRED) !== 0;
  }
  changed(): void {
    this.notify(`sock:${this.ino}`);
  }
  override get asyncs(): boolean {
    return true;
  }
  /**
   * sk_wake_async().
   * Unlike Linux: who waits in a receive on the socket hears of new data by a signal, too.
   */
  wakeAsync(reason: number): void {
    kill_fasync(this, SIGIO, reason);
  }
  /** sk_write_space(): whoever found no room is told of it. */
  writeSpace(): void {
    if (!this.noSpace || (this.shut & SEND_SHUTDOWN) !== 0) return;
    this.noSpace = false;
    this.wakeAsync(POLL_OUT);
  }
  /** sock_error(): takes the error away. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }
  intOption(level: number, name: number, otherwise = 0): number {
    return this.options.get(`${level}:${name}`) ?? otherwise;
  }

  abstract bind(task: Task, address: Uint8Array): number;
  abstract connect(task: Task, address: Uint8Array, nonblock: boolean): number;
  listen(_backlog: number): number {
    return -EOPNOTSUPP;
  }
  accept(): SocketInode | number {
    return -EOPNOTSUPP;
  }
  /** getsockname(2) */
  abstract name(): Uint8Array;
  /** getpeername(2) */
  abstract peerName(): Uint8Array | number;
  /** `task` is undefined for write(2) and the copies inside the kernel: nobody looks up a name then. */
  abstract sendMessage(packet: Packet, address: Uint8Array, task: Task | undefined): number;
  /** Undefined at the end of a stream. */
  abstract receive(count: number, peek: boolean): Received | undefined | number;
  /** recv(2) with MSG_OOB; undefined: the flag means nothing. */
  receiveUrgent(_peek: boolean): number | undefined {
    return -EOPNOTSUPP;
  }
  /** send(2) knows MSG_OOB. */
  get hasUrgent(): boolean {
    return false;
  }
  shutdown(_how: number): number {
    return -EOPNOTSUPP;
  }
  listening(): boolean {
    return false;
  }
  /** SO_PEERCRED */
  peerCredentials(): SocketCred {
    return { pid: 0, uid: 0xffffffff, gid: 0xffffffff };
  }

  // ---- options

  /** Which int options a level beside SOL_SOCKET has, with their defaults. */
  protected levelOptions(_level: number): ReadonlyMap<number, number> | undefined {
    return undefined;
  }

  /** sock_setsockopt() and the protocols' own for what is an int. */
  setOption(level: number, name: number, value: number): number {
    if (level !== S.SOL_SOCKET) {
      const known = this.levelOptions(level);
      if (known === undefined) return -this.unknownLevel(true);
      if (!known.has(name)) return -ENOPROTOOPT;
      this.options.set(`${level}:${name}`, value);
      return 0;
    }
    const buffer = BUFFERS.get(name);
    if (buffer !== undefined) {
      const least = buffer === S.SO_SNDBUF ? 4608 : 2304;
      this.options.set(`1:${buffer}`, Math.max(least, 2 * Math.min(Math.max(value, 0), SNDBUF)));
      return 0;
    }
    if (!SOCKET_INTS.has(name)) return -ENOPROTOOPT;
    const word = name === S.SO_PRIORITY || name === S.SO_MARK || name === S.SO_RCVLOWAT;
    this.options.set(`1:${name}`, word ? value : Number(value !== 0));
    return 0;
  }
  protected unknownLevel(_set: boolean): number {
    return EOPNOTSUPP;
  }

  /** sock_getsockopt(): the words of an option, or an errno. */
  getOption(level: number, name: number): Int32Array | number {
    if (level !== S.SOL_SOCKET) {
      const known = this.levelOptions(level);
      if (known === undefined) return -this.unknownLevel(false);
      const value = known.get(name);
      return value === undefined ? -ENOPROTOOPT : Int32Array.of(this.intOption(level, name, value));
    }
    const value = SOCKET_INTS.get(name);
    if (value !== undefined) return Int32Array.of(this.intOption(level, name, value));
    switch (name) {
      case S.SO_TYPE:
        return Int32Array.of(this.type);
      case S.SO_ERROR:
        return Int32Array.of(this.takeError());
      case S.SO_SNDBUF:
      case S.SO_RCVBUF:
        return Int32Array.of(this.intOption(1, name, this.bufferSize(name === S.SO_RCVBUF)));
      case S.SO_SNDLOWAT:
        return Int32Array.of(1);
      case S.SO_LINGER:
        return Int32Array.of(...this.linger);
      case S.SO_PROTOCOL:
        return Int32Array.of(this.protocol);
      case S.SO_DOMAIN:
        return Int32Array.of(this.family);
      case S.SO_ACCEPTCONN:
        return Int32Array.of(Number(this.listening()));
      case S.SO_PEERCRED: {
        const { pid, uid, gid } = this.peerCredentials();
        return Int32Array.of(pid, uid, gid);
      }
      default:
        return -ENOPROTOOPT;
    }
  }
  protected bufferSize(_receive: boolean): number {
    return SNDBUF;
  }

  // ---- files

  /** sock_ioctl(): the interfaces, by whatever socket. */
  override ioctl(task: Task, _file: File, cmd: number, arg: number): number {
    return ifconfIoctl(task, cmd, arg);
  }

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    const got = this.receive(count, false);
    if (got === undefined) return new Uint8Array(0);
    if (typeof got === 'number') return got;
    got.packet.files.forEach(fput);
    return got.packet.data;
  }
  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    const packet = { data: bytes.slice(), from: NO_ADDRESS, files: [], cred: this.owner };
    return this.sendMessage(packet, NO_ADDRESS, undefined);
  }
}

/** Takes bytes of a queue of packets up to the next packet that carries files. */
export function takeStream(queue: Packet[], count: number): Packet | number {
  const first = queue[0];
  if (first === undefined) return -EAGAIN;
  const packet: Packet = { ...first, data: first.data.slice(0, count) };
  if (packet.data.length < first.data.length) {
    first.data = first.data.subarray(packet.data.length);
    first.files = [];
    return packet;
  }
  queue.shift();
  const parts = [packet.data];
  let length = packet.data.length;
  while (length < count) {
    const next = queue[0];
    if (next === undefined || next.files.length > 0) break;
    const part = next.data.subarray(0, count - length);
    parts.push(part);
    length += part.length;
    if (part.length === next.data.length) queue.shift();
    else next.data = next.data.subarray(part.length);
  }
  if (parts.length > 1) packet.data = Uint8Array.from(Buffer.concat(parts));
  return packet;
}

/** The same without taking. */
export function peekStream(queue: readonly Packet[], count: number): Packet | number {
  const first = queue[0];
  if (first === undefined) return -EAGAIN;
  const parts = [first.data.subarray(0, count)];
  let length = parts[0]!.length;
  for (let i = 1; i < queue.length && length < count && queue[i]!.files.length === 0; i++) {
    parts.push(queue[i]!.data.subarray(0, count - length));
    length += parts[i]!.length;
  }
  return { ...first, data: Uint8Array.from(Buffer.concat(parts)), files: [] };
}

import {
  EADDRINUSE,
  EAGAIN,
  EALREADY,
  ECONNREFUSED,
  ECONNRESET,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EPIPE,
} from '../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import * as S from '../abi/socket.ts';
import type { Task } from '../task/task.ts';
import { endpointAddress, InetSocketInode } from './inet-socket.ts';
import {
  type Packet,
  peekStream,
  RCV_SHUTDOWN,
  type Received,
  SEND_SHUTDOWN,
  type SocketCred,
  takeStream,
} from './socket.ts';
import type { SuperBlock } from './super-block.ts';

/** Bytes on their way in one direction: tcp_wmem[2] is 4 MiB, tcp_rmem[2] 6 MiB, and loopback grows to about this. */
const WINDOW = 2_626_560;

/** do_tcp_setsockopt(): the int options with their defaults. */
const TCP_OPTIONS: ReadonlyMap<number, number> = new Map([
  [1, 0], // TCP_NODELAY
  [2, 65483], // TCP_MAXSEG
  [3, 0], // TCP_CORK
  [4, 7200], // TCP_KEEPIDLE
  [5, 75], // TCP_KEEPINTVL
  [6, 9], // TCP_KEEPCNT
  [7, 6], // TCP_SYNCNT
  [8, 60], // TCP_LINGER2
  [9, 0], // TCP_DEFER_ACCEPT
  [10, 0], // TCP_WINDOW_CLAMP
  [12, 1], // TCP_QUICKACK
  [18, 0], // TCP_USER_TIMEOUT
  [23, 0], // TCP_FASTOPEN
  [25, 0], // TCP_NOTSENT_LOWAT
]);
const COALESCE = 4096;
const TCP_INFO = 11;
const TCP_CONGESTION = 13;

/**
 * `struct tcp_sock`, net/ipv4/tcp.c, over loopback: segments arrive in the moment in which they are sent.
 * Not modelled: urgent data, TIME_WAIT.
 */
export class TcpSocketInode extends InetSocketInode {
  state: 'close' | 'listen' | 'established' = 'close';
  peer: TcpSocketInode | undefined;
  queue: Packet[] = [];
  backlog: TcpSocketInode[] = [];
  maxBacklog = 0;
  /** connect(2) said EINPROGRESS; the next one tells the result. */
  connecting = false;
  /** The peer's FIN was received: SOCK_DONE. */
  finished = false;
  /** A byte was sent to a socket that is closed: its RST has been received. */
  reset = false;

  constructor(sb: SuperBlock, family: number, owner: SocketCred) {
    super(sb, family, S.SOCK_STREAM, S.SOL_TCP, owner);
  }

  protected override levelOptions(level: number): ReadonlyMap<number, number> | undefined {
    return level === S.SOL_TCP ? TCP_OPTIONS : super.levelOptions(level);
  }
  override getOption(level: number, name: number): Int32Array | number {
    if (level === S.SOL_TCP && name === TCP_INFO) {
      const info = new Int32Array(26);
      info[0] = this.state === 'listen' ? 10 : this.state === 'established' ? (this.finished ? 8 : 1) : 7;
      return info;
    }
    // "cubic"
    if (level === S.SOL_TCP && name === TCP_CONGESTION) return Int32Array.of(0x69627563, 0x63, 0, 0);
    return super.getOption(level, name);
  }
  protected override bufferSize(receive: boolean): number {
    return receive ? 87_380 : this.state === 'established' ? WINDOW : 16_384;
  }

  override listening(): boolean {
    return this.state === 'listen';
  }

  /** inet_listen() */
  override listen(backlog: number): number {
    if (this.state === 'established') return -EINVAL;
    if (this.local.port === 0) this.autobind();
    if (this.state !== 'listen') {
      for (const other of this.sb.owner.inetSockets)
        if (
          other !== this &&
          other.listening() &&
          other.local.port === this.local.port &&
          other.local.host === this.local.host &&
          other.family === this.family &&
          this.intOption(S.SOL_SOCKET, S.SO_REUSEPORT) === 0
        )
          return -EADDRINUSE;
    }
    this.state = 'listen';
    this.maxBacklog = Math.min(Math.max(backlog, 0), 128);
    return 0;
  }

  /** inet_csk_accept() */
  override accept(): TcpSocketInode | number {
    if (this.state !== 'listen') return -EINVAL;
    const server = this.backlog.shift();
    if (server === undefined) return -EAGAIN;
    this.changed();
    return server;
  }

  private listener(host: string, port: number): TcpSocketInode | undefined {
    let any: TcpSocketInode | undefined;
    for (const socket of this.sb.owner.inetSockets) {
      if (!(socket instanceof TcpSocketInode) || socket.state !== 'listen' || socket.local.port !== port) continue;
      if (!socket.accepts(host)) continue;
      if (socket.local.host !== '') return socket;
      any ??= socket;
    }
    return any;
  }

  /** inet_stream_connect(), tcp_v4_connect(); the handshake is over before anybody else runs. */
  override connect(_task: Task, address: Uint8Array, nonblock: boolean): number {
    if (this.connecting) {
      this.connecting = false;
      return this.error !== 0 ? -this.takeError() : 0;
    }
    if (address.length >= 2 && address[0] === S.AF_UNSPEC && address[1] === 0) {
      this.hangUp();
      return 0;
    }
    if (this.state === 'established') return -EISCONN;
    if (this.state === 'listen') return -EISCONN;
    const to = this.route(address);
    if (typeof to === 'number') return to;
    const listener = this.listener(to.host, to.port);
    if (listener !== undefined && listener.backlog.length > listener.maxBacklog) {
      // The SYN is dropped, and sent again.
      this.blockedOn = `sock:${listener.ino}`;
      return nonblock ? -EALREADY : -EAGAIN;
    }
    if (this.local.port === 0) {
      const error = this.autobind();
      if (error < 0) return error;
    }
    this.local = this.source(to);
    if (listener === undefined) {
      if (!nonblock) return -ECONNREFUSED;
      this.error = ECONNREFUSED;
      this.shut = 3;
      this.connecting = true;
      return -EINPROGRESS;
    }
    this.shut = 0;
    const server = new TcpSocketInode(this.sb, listener.family, listener.owner);
    for (const [name, value] of listener.options) server.options.set(name, value);
    server.local = to;
    server.remote = this.local;
    this.remote = to;
    server.peer = this;
    this.peer = server;
    this.state = 'established';
    server.state = 'established';
    this.sb.owner.inetSockets.add(server);
    listener.backlog.push(server);
    listener.changed();
    this.changed();
    this.connecting = nonblock;
    return nonblock ? -EINPROGRESS : 0;
  }

  /** tcp_sendmsg() */
  override sendMessage(packet: Packet): number {
    if (this.error !== 0) return -this.takeError();
    if ((this.shut & SEND_SHUTDOWN) !== 0 || this.reset) return -EPIPE;
    if (this.state !== 'established') return -EPIPE;
    const { peer } = this;
    if (peer === undefined) {
      // The first segment after the peer's close is answered by RST.
      this.reset = true;
      this.changed();
      return packet.data.length;
    }
    const room = WINDOW - peer.queued;
    this.blockedOn = `sock:${peer.ino}`;
    if (packet.data.length === 0) return 0;
    if (room <= 0 || this.exhausted) return -EAGAIN;
    packet.data = packet.data.slice(0, room);
    const last = peer.queue[peer.queue.length - 1];
    // tcp_try_coalesce(): small segments share a buffer.
    if (last !== undefined && last.data.length + packet.data.length <= COALESCE)
      last.data = Uint8Array.from(Buffer.concat([last.data, packet.data]));
    else peer.queue.push(packet);
    peer.queued += packet.data.length;
    peer.changed();
    return packet.data.length;
  }

  /** tcp_recvmsg() */
  override receive(count: number, peek: boolean): Received | undefined | number {
    this.blockedOn = `sock:${this.ino}`;
    if (this.state === 'listen') return -ENOTCONN;
    const packet = (peek ? peekStream : takeStream)(this.queue, count);
    if (typeof packet === 'number') {
      if (this.finished) return undefined;
      if (this.error !== 0) return -this.takeError();
      if ((this.shut & RCV_SHUTDOWN) !== 0) return undefined;
      return this.state === 'close' ? -ENOTCONN : -EAGAIN;
    }
    if (!peek) {
      this.queued -= packet.data.length;
      this.changed();
      this.peer?.changed();
    }
    return { packet: { ...packet, from: new Uint8Array(0) }, cut: 0 };
  }

  /** inet_shutdown() */
  override shutdown(how: number): number {
    if (this.state === 'close') return -ENOTCONN;
    const bits = how + 1;
    if (this.state === 'listen') {
      if ((bits & RCV_SHUTDOWN) !== 0) this.hangUp();
      return 0;
    }
    this.shut |= bits;
    if ((bits & SEND_SHUTDOWN) !== 0) this.peer?.fin();
    this.changed();
    return 0;
  }

  /** tcp_fin() */
  private fin(): void {
    this.finished = true;
    this.shut |= RCV_SHUTDOWN;
    this.changed();
  }

  /** tcp_close(): FIN, or RST when bytes were not read. */
  private hangUp(): void {
    const { peer } = this;
    for (const waiting of this.backlog) waiting.release();
    this.backlog = [];
    if (peer !== undefined) {
      peer.peer = undefined;
      const abort = this.queued > 0 || (this.linger[0] !== 0 && this.linger[1] === 0);
      if (abort) {
        peer.error = peer.finished ? EPIPE : ECONNRESET;
        peer.reset = true;
        peer.shut = 3;
        peer.queue = [];
        peer.queued = 0;
        peer.changed();
      } else peer.fin();
    }
    this.peer = undefined;
    this.queue = [];
    this.queued = 0;
    this.state = 'close';
    this.remote = undefined;
    this.changed();
  }
  override release(): void {
    this.hangUp();
    super.release();
  }

  /** tcp_poll() */
  override poll(): number {
    if (this.state === 'listen') return this.backlog.length > 0 ? POLLIN | POLLRDNORM : 0;
    let mask = 0;
    if (this.shut === 3 || this.state === 'close' || this.reset) mask |= POLLHUP;
    if ((this.shut & RCV_SHUTDOWN) !== 0) mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (this.queued > 0) mask |= POLLIN | POLLRDNORM;
    const full = this.peer !== undefined && this.peer.queued * 3 > WINDOW * 2;
    if ((this.shut & SEND_SHUTDOWN) !== 0 || !full) mask |= POLLOUT | POLLWRNORM;
    if (this.error !== 0) mask |= POLLERR;
    return mask;
  }
  override channels(): readonly string[] {
    const own = `sock:${this.ino}`;
    return this.peer === undefined ? [own] : [own, `sock:${this.peer.ino}`];
  }
  override available(): number {
    return this.queued;
  }
  /** accept(2) tells who connected. */
  override peerName(): Uint8Array | number {
    return this.state === 'established' && this.remote !== undefined
      ? endpointAddress(this.family, this.remote)
      : -ENOTCONN;
  }
}

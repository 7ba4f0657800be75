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
import { SIOCATMARK } from '../abi/ioctl.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import { POLL_ERR, POLL_HUP, POLL_IN, POLL_OUT, POLL_PRI, SIGURG } from '../abi/signal.ts';
import * as S from '../abi/socket.ts';
import { put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { kill_fasync, send_sigurg } from './fasync.ts';
import type { File } from './file.ts';
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

/** urg_data and urg_seq. */
interface Urgent {
  /** The place of the urgent byte in the stream. */
  readonly seq: number;
  readonly byte: number;
  /** TCP_URG_READ */
  read: boolean;
}

/**
 * `struct tcp_sock`, net/ipv4/tcp.c, over loopback: segments arrive in the moment in which they are sent.
 * Not modelled: TIME_WAIT.
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
  /** copied_seq: bytes of the stream that were read. */
  copied = 0;
  urgent: Urgent | undefined;

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
    if (this.state === 'established' || this.reset) return -EISCONN;
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
    listener.wakeAsync(POLL_IN);
    this.changed();
    this.wakeAsync(POLL_OUT);
    this.connecting = nonblock;
    return nonblock ? -EINPROGRESS : 0;
  }

  /** tcp_sendmsg() */
  override sendMessage(packet: Packet): number {
    if (this.error !== 0) return -this.takeError();
    if ((this.shut & SEND_SHUTDOWN) !== 0 || this.reset) return -EPIPE;
    if (this.state !== 'established') return -EPIPE;
    if (packet.data.length === 0) return 0;
    const { peer } = this;
    if (peer === undefined) {
      // The first segment after the peer's close is answered by RST.
      this.reset = true;
      this.state = 'close';
      this.shut = 3;
      this.error = EPIPE;
      this.changed();
      this.wakeAsync(POLL_ERR);
      return packet.data.length;
    }
    const room = WINDOW - peer.queued;
    this.blockedOn = `sock:${peer.ino}`;
    if (room <= 0 || this.exhausted) {
      this.noSpace = true;
      return -EAGAIN;
    }
    packet.data = packet.data.slice(0, room);
    const last = peer.queue[peer.queue.length - 1];
    // tcp_try_coalesce(): small segments share a buffer.
    if (last !== undefined && last.data.length + packet.data.length <= COALESCE)
      last.data = Uint8Array.from(Buffer.concat([last.data, packet.data]));
    else peer.queue.push(packet);
    peer.queued += packet.data.length;
    if (packet.urgent) peer.tcp_check_urg(packet.data[packet.data.length - 1]!);
    peer.changed();
    peer.wakeAsync(POLL_IN);
    return packet.data.length;
  }

  // ---- urgent data

  private get inline(): boolean {
    return this.intOption(S.SOL_SOCKET, S.SO_OOBINLINE) !== 0;
  }
  /** The urgent byte is the next one to read. */
  private get atMark(): boolean {
    return this.urgent?.seq === this.copied;
  }

  /** tcp_check_urg() and tcp_urg(): the last byte that came is urgent. */
  private tcp_check_urg(byte: number): void {
    const { file } = this;
    if (file && send_sigurg(file)) kill_fasync(this, SIGURG, POLL_PRI);
    const last = this.copied + this.queued - 1;
    // The one before it, which is the next to read, is out of the stream.
    if (this.atMark && !this.inline && last !== this.copied) this.skip();
    this.urgent = { seq: last, byte, read: false };
    this.wakeAsync(POLL_IN);
  }

  /** Passes over the urgent byte. */
  private skip(): void {
    takeStream(this.queue, 1);
    this.queued--;
    this.copied++;
    this.urgent = undefined;
  }

  override get hasUrgent(): boolean {
    return true;
  }

  /** tcp_recv_urg() */
  override receiveUrgent(peek: boolean): number {
    const { urgent } = this;
    if (this.inline || urgent === undefined || urgent.read) return -EINVAL;
    if (this.state === 'close' && !this.finished) return -ENOTCONN;
    if (!peek) urgent.read = true;
    return urgent.byte;
  }

  /** SIOCATMARK, and what sock_ioctl() has for all. */
  override ioctl(task: Task, file: File, cmd: number, arg: number): number {
    if (cmd !== SIOCATMARK) return super.ioctl(task, file, cmd, arg);
    return this.state === 'listen' ? -EINVAL : put_user_u32(task.mm, arg, Number(this.atMark));
  }

  /** tcp_recvmsg() */
  override receive(count: number, peek: boolean): Received | undefined | number {
    this.blockedOn = `sock:${this.ino}`;
    if (this.state === 'listen') return -ENOTCONN;
    const { urgent } = this;
    const toMark = urgent === undefined ? 0 : urgent.seq - this.copied;
    // An urgent byte that is not read with the others is passed over by what reads on behind it.
    const over = urgent !== undefined && toMark === 0 && !this.inline ? 1 : 0;
    if (over === 1 && !peek && this.queued > 0 && count > 0) this.skip();
    const most = toMark > 0 ? Math.min(count, toMark) : count;
    const packet = peek ? peekStream(this.queue, most + over) : takeStream(this.queue, most);
    if (peek && over === 1 && typeof packet !== 'number') packet.data = packet.data.subarray(1);
    if (typeof packet === 'number' || (packet.data.length === 0 && count > 0)) {
      if (this.finished) return undefined;
      if (this.error !== 0) return -this.takeError();
      if ((this.shut & RCV_SHUTDOWN) !== 0) return undefined;
      return this.state === 'close' ? -ENOTCONN : -EAGAIN;
    }
    if (!peek) {
      this.queued -= packet.data.length;
      this.copied += packet.data.length;
      if (urgent !== undefined && this.copied > urgent.seq) this.urgent = undefined;
      this.changed();
      this.peer?.changed();
      // sk_stream_is_writeable()
      if (this.queued * 3 <= WINDOW * 2) this.peer?.writeSpace();
    }
    const atMark = urgent !== undefined && toMark > 0 && packet.data.length === toMark;
    return { packet: { ...packet, from: new Uint8Array(0) }, cut: 0, ...(atMark && { atMark }) };
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

  /** tcp_fin(), and the end of tcp_data_queue(). */
  private fin(): void {
    if (this.finished) return;
    this.finished = true;
    this.shut |= RCV_SHUTDOWN;
    this.changed();
    this.wakeAsync(this.shut === 3 ? POLL_HUP : POLL_IN);
    this.wakeAsync(POLL_IN);
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
        // tcp_done(): what has come before can still be read.
        peer.state = 'close';
        peer.changed();
        peer.wakeAsync(POLL_ERR);
      } else peer.fin();
    }
    this.peer = undefined;
    this.queue = [];
    this.queued = 0;
    this.copied = 0;
    this.urgent = undefined;
    this.reset = false;
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
    if (this.queued > (this.atMark && !this.inline ? 1 : 0)) mask |= POLLIN | POLLRDNORM;
    if (this.urgent?.read === false) mask |= POLLPRI;
    const full = this.peer !== undefined && this.peer.queued * 3 > WINDOW * 2;
    if ((this.shut & SEND_SHUTDOWN) !== 0 || !full) mask |= POLLOUT | POLLWRNORM;
    if (this.error !== 0) mask |= POLLERR;
    return mask;
  }
  override channels(): readonly string[] {
    const own = `sock:${this.ino}`;
    return this.peer === undefined ? [own] : [own, `sock:${this.peer.ino}`];
  }
  /** SIOCINQ: up to the urgent mark. */
  override available(): number {
    const { urgent } = this;
    if (urgent !== undefined && !this.inline && urgent.seq >= this.copied) return urgent.seq - this.copied;
    return this.queued;
  }
  /** accept(2) tells who connected. */
  override peerName(): Uint8Array | number {
    return this.state === 'established' && this.remote !== undefined
      ? endpointAddress(this.family, this.remote)
      : -ENOTCONN;
  }
}

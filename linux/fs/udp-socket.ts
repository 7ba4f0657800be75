import { EAGAIN, ECONNREFUSED, EDESTADDRREQ, EINVAL, EMSGSIZE, ENOTCONN, EPIPE } from '../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM } from '../abi/poll.ts';
import { POLL_ERR, POLL_IN } from '../abi/signal.ts';
import * as S from '../abi/socket.ts';
import type { Task } from '../task/task.ts';
import { ANY, type Endpoint, endpointAddress, InetSocketInode } from './inet-socket.ts';
import {
  OVERHEAD,
  type Packet,
  RCV_SHUTDOWN,
  type Received,
  SEND_SHUTDOWN,
  SNDBUF,
  type SocketCred,
} from './socket.ts';
import type { SuperBlock } from './super-block.ts';

const MAX_DATAGRAM = 65_507;
const UDP_OPTIONS: ReadonlyMap<number, number> = new Map([[1, 0]]); // UDP_CORK

/** `struct udp_sock`, net/ipv4/udp.c, over loopback. */
export class UdpSocketInode extends InetSocketInode {
  queue: Packet[] = [];

  constructor(sb: SuperBlock, family: number, owner: SocketCred) {
    super(sb, family, S.SOCK_DGRAM, S.SOL_UDP, owner);
  }

  protected override levelOptions(level: number): ReadonlyMap<number, number> | undefined {
    return level === S.SOL_UDP ? UDP_OPTIONS : super.levelOptions(level);
  }

  /** ip4_datagram_connect() */
  override connect(_task: Task, address: Uint8Array): number {
    if (address.length >= 2 && address[0] === S.AF_UNSPEC && address[1] === 0) {
      this.disconnect();
      return 0;
    }
    const to = this.route(address);
    if (typeof to === 'number') return to;
    if (this.local.port === 0) this.autobind();
    this.local = this.source(to);
    this.remote = to;
    return 0;
  }

  /** udp_lib_lookup(): the socket that fits best. */
  private receiver(to: Endpoint, from: Endpoint): UdpSocketInode | undefined {
    let best: UdpSocketInode | undefined;
    let score = -1;
    for (const socket of this.sb.owner.inetSockets) {
      if (!(socket instanceof UdpSocketInode) || socket.local.port !== to.port || !socket.accepts(to.host)) continue;
      const { remote } = socket;
      if (remote !== undefined && (remote.host !== from.host || remote.port !== from.port)) continue;
      const points = (remote === undefined ? 0 : 2) + (socket.local.host === ANY ? 0 : 1);
      if (points > score) {
        best = socket;
        score = points;
      }
    }
    return best;
  }

  /** udp_sendmsg() */
  override sendMessage(packet: Packet, address: Uint8Array): number {
    if (packet.data.length > MAX_DATAGRAM) return -EMSGSIZE;
    if (this.error !== 0) return -this.takeError();
    const to = address.length > 0 ? this.route(address) : this.remote;
    if (to === undefined) return -EDESTADDRREQ;
    if (typeof to === 'number') return to;
    if ((this.shut & SEND_SHUTDOWN) !== 0) return -EPIPE;
    if (to.port === 0) return -EINVAL;
    if (this.local.port === 0) this.autobind();
    const from = this.source(to);
    const target = this.receiver(to, from);
    if (target === undefined) {
      // ICMP port unreachable: a connected socket hears of it.
      if (this.remote !== undefined) {
        this.error = ECONNREFUSED;
        this.changed();
        this.wakeAsync(POLL_ERR);
      }
      return packet.data.length;
    }
    const size = packet.data.length + OVERHEAD;
    if (target.queued + size > SNDBUF * 2 || this.exhausted) return packet.data.length;
    packet.from = endpointAddress(target.family, from);
    target.queue.push(packet);
    target.queued += size;
    target.changed();
    target.wakeAsync(POLL_IN);
    return packet.data.length;
  }

  override receiveUrgent(): undefined {}

  override receive(count: number, peek: boolean): Received | undefined | number {
    this.blockedOn = `sock:${this.ino}`;
    const first = this.queue[0];
    if (this.error !== 0) return -this.takeError();
    if (first === undefined) return (this.shut & RCV_SHUTDOWN) !== 0 ? undefined : -EAGAIN;
    if (!peek) {
      this.queue.shift();
      this.queued -= first.data.length + OVERHEAD;
    }
    const packet = { ...first, data: first.data.slice(0, count) };
    return { packet, cut: first.data.length - packet.data.length };
  }

  override shutdown(how: number): number {
    if (this.remote === undefined) return -ENOTCONN;
    this.shut |= how + 1;
    this.changed();
    return 0;
  }

  override release(): void {
    this.queue = [];
    this.queued = 0;
    super.release();
  }

  /** datagram_poll() */
  override poll(): number {
    let mask = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (this.error !== 0) mask |= POLLERR;
    if ((this.shut & RCV_SHUTDOWN) !== 0) mask |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (this.shut === 3) mask |= POLLHUP;
    if (this.queue.length > 0) mask |= POLLIN | POLLRDNORM;
    return mask;
  }
  override available(): number {
    return this.queue[0]?.data.length ?? 0;
  }
}

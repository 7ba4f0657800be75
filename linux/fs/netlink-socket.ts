/** NETLINK_ROUTE: net/netlink/af_netlink.c, net/core/rtnetlink.c. It tells of `lo`, and lets nobody change anything. */
import { EAGAIN, ECONNREFUSED, EINVAL, EMSGSIZE, ENOBUFS, EOPNOTSUPP, EPERM } from '../abi/errno.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM } from '../abi/poll.ts';
import * as S from '../abi/socket.ts';
import type { Task } from '../task/task.ts';
import { LOOPBACK } from './net-device.ts';
import { type Packet, type Received, SNDBUF, type SocketCred, SocketInode } from './socket.ts';
import type { SuperBlock } from './super-block.ts';

const NLMSG_ERROR = 2,
  NLMSG_DONE = 3;
const NLM_F_MULTI = 2,
  NLM_F_ACK = 4,
  NLM_F_DUMP = 0x300;
const RTM_NEWLINK = 16,
  RTM_GETLINK = 18,
  RTM_NEWADDR = 20,
  RTM_GETADDR = 22;
const HEADER = 16;
/** Replies that nobody has read. */
const MAX_REPLIES = 200;
const NETLINK_OPTIONS: ReadonlyMap<number, number> = new Map(
  [1, 2, 3, 4, 5, 8, 9, 10, 11, 12].map((name) => [name, 0]),
);

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

/** A `struct rtattr` with its padding. */
function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((4 + value.length) / 4) * 4);
  new DataView(bytes.buffer).setUint16(0, 4 + value.length, true);
  new DataView(bytes.buffer).setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

function message(type: number, flags: number, seq: number, pid: number, ...body: Uint8Array[]): Uint8Array {
  const head = new Uint8Array(HEADER);
  const payload = Buffer.concat(body);
  const view = new DataView(head.buffer);
  view.setUint32(0, HEADER + payload.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, seq, true);
  view.setUint32(12, pid, true);
  return Uint8Array.from(Buffer.concat([head, payload]));
}

/** rtnl_fill_ifinfo(): `struct ifinfomsg` and the attributes that programs look at. */
function linkBody(): Uint8Array[] {
  const head = new Uint8Array(16);
  const view = new DataView(head.buffer);
  view.setUint16(2, LOOPBACK.type, true);
  view.setInt32(4, LOOPBACK.index, true);
  view.setUint32(8, LOOPBACK.flags | LOOPBACK.lowerUp, true);
  return [
    head,
    attribute(3, text(LOOPBACK.name)),
    attribute(13, u32(1)),
    attribute(16, Uint8Array.of(0)),
    attribute(17, Uint8Array.of(0)),
    attribute(4, u32(LOOPBACK.mtu)),
    attribute(27, u32(0)),
    attribute(30, u32(0)),
    attribute(31, u32(1)),
    attribute(32, u32(1)),
    attribute(33, Uint8Array.of(1)),
    attribute(6, text('noqueue')),
    attribute(1, new Uint8Array(6)),
    attribute(2, new Uint8Array(6)),
  ];
}

/** inet_fill_ifaddr(), inet6_fill_ifaddr(). */
function addressBody(family: number): Uint8Array[] {
  const v4 = family === S.AF_INET;
  const address = v4 ? Uint8Array.of(127, 0, 0, 1) : Uint8Array.of(...new Array<number>(15).fill(0), 1);
  const head = Uint8Array.of(family, v4 ? 8 : 128, 0x80, 254, LOOPBACK.index, 0, 0, 0);
  const forEver = new Uint8Array(Uint32Array.of(0xffffffff, 0xffffffff, 0, 0).buffer);
  const own = v4 ? [attribute(2, address), attribute(3, text(LOOPBACK.name))] : [];
  return [head, attribute(1, address), ...own, attribute(8, u32(0x80)), attribute(6, forEver)];
}

/** `struct netlink_sock`. */
export class NetlinkSocketInode extends SocketInode {
  /** The port number: the process's, for its first socket. */
  portId = 0;
  groups = 0;
  peerPort = 0;
  queue: Packet[] = [];

  constructor(sb: SuperBlock, type: number, owner: SocketCred) {
    super(sb, S.AF_NETLINK, type, 0, owner);
  }

  protected override levelOptions(level: number): ReadonlyMap<number, number> | undefined {
    return level === S.SOL_NETLINK ? NETLINK_OPTIONS : undefined;
  }

  private address(port: number, groups: number): Uint8Array {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, S.AF_NETLINK, true);
    view.setUint32(4, port, true);
    view.setUint32(8, groups, true);
    return bytes;
  }
  override name(): Uint8Array {
    return this.address(this.portId, this.groups);
  }
  override peerName(): Uint8Array {
    return this.address(this.peerPort, 0);
  }

  /** netlink_bind(), netlink_autobind(). */
  override bind(task: Task, address: Uint8Array): number {
    if (address.length < 12 || address[0] !== S.AF_NETLINK) return -EINVAL;
    const view = new DataView(address.buffer, address.byteOffset);
    const port = view.getUint32(4, true);
    if (this.portId !== 0 && port !== this.portId) return -EINVAL;
    this.groups = view.getUint32(8, true);
    if (this.portId === 0) this.portId = port === 0 ? this.freePort(task.tgid) : port;
    return 0;
  }
  private freePort(tgid: number): number {
    return this.sb.owner.netlinkPorts++ === 0 ? tgid : (0xffff_f000 - this.sb.owner.netlinkPorts) >>> 0;
  }
  override connect(_task: Task, address: Uint8Array): number {
    if (address.length < 12) return -EINVAL;
    this.peerPort = new DataView(address.buffer, address.byteOffset).getUint32(4, true);
    return this.peerPort === 0 ? 0 : -EPERM;
  }

  /** netlink_rcv_skb(), rtnetlink_rcv_msg(). */
  override sendMessage(packet: Packet, address: Uint8Array, task: Task | undefined): number {
    const { data } = packet;
    if (data.length > SNDBUF - 32) return -EMSGSIZE;
    if (this.queue.length > MAX_REPLIES) return -ENOBUFS;
    if (address.length >= 12 && new DataView(address.buffer, address.byteOffset).getUint32(4, true) !== 0)
      return -ECONNREFUSED;
    if (this.portId === 0) this.portId = this.freePort(task?.tgid ?? this.owner.pid);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    for (let at = 0; at + HEADER <= data.length; ) {
      const length = view.getUint32(at, true);
      if (length < HEADER || at + length > data.length) break;
      this.answer(
        view.getUint16(at + 4, true),
        view.getUint16(at + 6, true),
        view.getUint32(at + 8, true),
        data.subarray(at, at + length),
      );
      at += Math.ceil(length / 4) * 4;
    }
    this.changed();
    return data.length;
  }

  private answer(type: number, flags: number, seq: number, request: Uint8Array): void {
    if (type < RTM_NEWLINK) return;
    const dump = (flags & NLM_F_DUMP) !== 0;
    const family = request[HEADER] ?? 0;
    const reply = (...parts: Uint8Array[]): void => {
      this.queue.push({
        data: Uint8Array.from(Buffer.concat(parts)),
        from: this.address(0, 0),
        files: [],
        cred: { pid: 0, uid: 0, gid: 0 },
      });
    };
    const acknowledge = (error: number): void =>
      reply(message(NLMSG_ERROR, 0, seq, this.portId, u32(error), error === 0 ? request.subarray(0, HEADER) : request));
    // Only the GET requests, every third plus two, are free for all.
    if ((type & 3) !== 2) {
      acknowledge(-EPERM);
      return;
    }
    if (!dump) {
      if (type === RTM_GETLINK) reply(message(RTM_NEWLINK, 0, seq, this.portId, ...linkBody()));
      else acknowledge(-EOPNOTSUPP);
      if (type === RTM_GETLINK && (flags & NLM_F_ACK) !== 0) acknowledge(0);
      return;
    }
    if (type === RTM_GETLINK) reply(message(RTM_NEWLINK, NLM_F_MULTI, seq, this.portId, ...linkBody()));
    if (type === RTM_GETADDR) {
      const families = [S.AF_INET, S.AF_INET6].filter((f) => family === 0 || family === f);
      if (families.length > 0)
        reply(...families.map((f) => message(RTM_NEWADDR, NLM_F_MULTI, seq, this.portId, ...addressBody(f))));
    }
    reply(message(NLMSG_DONE, NLM_F_MULTI, seq, this.portId, u32(0)));
  }

  override receive(count: number, peek: boolean): Received | undefined | number {
    this.blockedOn = `sock:${this.ino}`;
    const first = this.queue[0];
    if (first === undefined) return -EAGAIN;
    if (!peek) this.queue.shift();
    const packet = { ...first, data: first.data.slice(0, count) };
    return { packet, cut: first.data.length - packet.data.length };
  }

  override poll(): number {
    return (this.queue.length > 0 ? POLLIN | POLLRDNORM : 0) | POLLOUT | POLLWRNORM | POLLWRBAND;
  }
  override channels(): readonly string[] {
    return [`sock:${this.ino}`];
  }
  override available(): number {
    return this.queue[0]?.data.length ?? 0;
  }
}

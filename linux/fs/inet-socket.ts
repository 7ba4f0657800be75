/** Sockets of AF_INET and AF_INET6: net/ipv4/af_inet.c, inet_connection_sock.c, net/ipv6. The machine has one interface, `lo`. */
import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EINVAL,
  ENETUNREACH,
  ENOPROTOOPT,
  ENOTCONN,
} from '../abi/errno.ts';
import * as S from '../abi/socket.ts';
import { capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { type SocketCred, SocketInode } from './socket.ts';
import type { SuperBlock } from './super-block.ts';

/** An address and a port; the host is 8 hex digits of IPv4 or 32 of IPv6, and ANY for the wildcard of either. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}
export const ANY = '';
const LOOPBACK4 = '7f000001';
const LOOPBACK6 = '1'.padStart(32, '0');
const MAPPED = 'ffff'.padStart(24, '0');

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const CAP_NET_BIND_SERVICE = 10;

/** A `struct sockaddr_in` or `sockaddr_in6`; an IPv4-mapped address of IPv6 is the IPv4 one. */
export function parseEndpoint(family: number, address: Uint8Array): Endpoint | number {
  const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
  if (address.length < 2) return -EINVAL;
  const given = view.getUint16(0, true);
  if (family === S.AF_INET) {
    if (address.length < 16) return -EINVAL;
    if (given !== S.AF_INET) return -EAFNOSUPPORT;
    const host = hexOf(address.subarray(4, 8));
    return { host: host === '00000000' ? ANY : host, port: view.getUint16(2) };
  }
  if (given === S.AF_INET && address.length >= 16) return parseEndpoint(S.AF_INET, address);
  if (address.length < 24) return -EINVAL;
  if (given !== S.AF_INET6) return -EAFNOSUPPORT;
  let host = hexOf(address.subarray(8, 24));
  if (host.startsWith(MAPPED)) host = host.slice(24);
  return { host: /^0+$/.test(host) ? ANY : host, port: view.getUint16(2) };
}

/** The `struct sockaddr` of an endpoint as a socket of a family shows it. */
export function endpointAddress(family: number, { host, port }: Endpoint): Uint8Array {
  const bytes = new Uint8Array(family === S.AF_INET ? 16 : 28);
  bytes[0] = family;
  bytes[2] = port >> 8;
  bytes[3] = port & 255;
  if (family === S.AF_INET) bytes.set(Buffer.from(host, 'hex'), 4);
  else if (host.length === 8) bytes.set(Buffer.from(MAPPED + host, 'hex'), 8);
  else bytes.set(Buffer.from(host, 'hex'), 8);
  return bytes;
}

/** Whether the host has this address: 127.0.0.0/8 and ::1. */
export const isLocal = (host: string): boolean =>
  host === ANY || host === LOOPBACK6 || (host.length === 8 && host.startsWith('7f'));

const ints = (...rows: readonly (readonly [number, number])[]): ReadonlyMap<number, number> => new Map(rows);
/** Int options of the levels with their defaults: do_ip_setsockopt(), do_ipv6_setsockopt(), do_tcp_setsockopt(). */
const IP_OPTIONS = ints(
  [1, 0], // IP_TOS
  [2, 64], // IP_TTL
  [3, 0], // IP_HDRINCL
  [6, 0], // IP_RECVOPTS
  [8, 0], // IP_PKTINFO
  [10, 1], // IP_MTU_DISCOVER
  [11, 0], // IP_RECVERR
  [12, 0], // IP_RECVTTL
  [13, 0], // IP_RECVTOS
  [14, 65536], // IP_MTU
  [15, 0], // IP_FREEBIND
  [19, 0], // IP_TRANSPARENT
  [24, 0], // IP_BIND_ADDRESS_NO_PORT
  [33, 1], // IP_MULTICAST_TTL
  [34, 1], // IP_MULTICAST_LOOP
);
const IPV6_OPTIONS = ints(
  [16, 64], // IPV6_UNICAST_HOPS
  [17, 0], // IPV6_MULTICAST_IF
  [18, 1], // IPV6_MULTICAST_HOPS
  [19, 1], // IPV6_MULTICAST_LOOP
  [23, 1], // IPV6_MTU_DISCOVER
  [24, 65536], // IPV6_MTU
  [25, 0], // IPV6_RECVERR
  [26, 0], // IPV6_V6ONLY
  [49, 0], // IPV6_RECVPKTINFO
  [51, 0], // IPV6_RECVHOPLIMIT
  [66, 0], // IPV6_RECVTCLASS
  [67, 0], // IPV6_TCLASS
);
const IPV6_V6ONLY = 26;

/** `struct inet_sock`. */
export abstract class InetSocketInode extends SocketInode {
  local: Endpoint = { host: ANY, port: 0 };
  remote: Endpoint | undefined;
  closed = false;
  /** SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK: what bind(2) chose outlives a disconnect. */
  boundHost = false;
  boundPort = false;

  constructor(sb: SuperBlock, family: number, type: number, protocol: number, owner: SocketCred) {
    super(sb, family, type, protocol, owner);
  }

  get v6only(): boolean {
    return this.intOption(S.SOL_IPV6, IPV6_V6ONLY) !== 0;
  }
  override name(): Uint8Array {
    return endpointAddress(this.family, this.local);
  }
  override peerName(): Uint8Array | number {
    return this.remote === undefined ? -ENOTCONN : endpointAddress(this.family, this.remote);
  }

  protected override levelOptions(level: number): ReadonlyMap<number, number> | undefined {
    if (level === S.SOL_IP) return IP_OPTIONS;
    return level === S.SOL_IPV6 && this.family === S.AF_INET6 ? IPV6_OPTIONS : undefined;
  }
  protected override unknownLevel(): number {
    return ENOPROTOOPT;
  }

  /** Whether a packet to this address of the host can come here. */
  accepts(host: string): boolean {
    if (this.local.host !== ANY) return this.local.host === host;
    if (host.length === 32) return this.family === S.AF_INET6;
    return this.family === S.AF_INET || !this.v6only;
  }

  /** inet_csk_bind_conflict(), udp's ipv6_rcv_saddr_equal(). */
  private conflicts(other: InetSocketInode, at: Endpoint): boolean {
    if (other === this || other.type !== this.type || other.local.port !== at.port) return false;
    if (this.sharesPort(other)) return false;
    const mine = at.host;
    const theirs = other.local.host;
    if (mine !== ANY && theirs !== ANY) return mine === theirs;
    const v6 = (socket: InetSocketInode, host: string): boolean =>
      host.length === 32 || (host === ANY && socket.family === S.AF_INET6);
    if (v6(this, mine) === v6(other, theirs)) return true;
    return mine === ANY && theirs === ANY ? !this.v6only && !other.v6only : !(v6(this, mine) ? this : other).v6only;
  }
  private sharesPort(other: InetSocketInode): boolean {
    const both = (name: number): boolean =>
      this.intOption(S.SOL_SOCKET, name) !== 0 && other.intOption(S.SOL_SOCKET, name) !== 0;
    if (both(S.SO_REUSEPORT)) return true;
    return both(S.SO_REUSEADDR) && !other.listening();
  }

  /** inet_bind(), inet6_bind(). */
  override bind(task: Task, address: Uint8Array): number {
    const at = parseEndpoint(this.family, address);
    if (typeof at === 'number') return at;
    if (!isLocal(at.host)) return -EADDRNOTAVAIL;
    if (at.port !== 0 && at.port < 1024 && !capable(task.cred, CAP_NET_BIND_SERVICE)) return -EACCES;
    if (this.local.port !== 0 || this.remote !== undefined) return -EINVAL;
    if (at.port === 0) {
      const failed = this.autobind(at.host);
      if (failed < 0) return failed;
    } else {
      for (const other of this.sb.owner.inetSockets) if (this.conflicts(other, at)) return -EADDRINUSE;
      this.take(at);
      this.boundPort = true;
    }
    this.boundHost = at.host !== ANY;
    return 0;
  }

  /** inet_autobind(): a free port of ip_local_port_range. */
  autobind(host: string = ANY): number {
    const { owner } = this.sb;
    for (let tries = 0; tries < 28_232; tries++) {
      owner.lastPort = owner.lastPort >= 60_999 ? 32_768 : owner.lastPort + 1;
      const at = { host, port: owner.lastPort };
      if (
        [...owner.inetSockets].some(
          (other) => other !== this && other.type === this.type && other.local.port === at.port,
        )
      )
        continue;
      this.take(at);
      return 0;
    }
    return -EADDRINUSE;
  }

  private take(at: Endpoint): void {
    this.local = at;
    this.sb.owner.inetSockets.add(this);
  }

  /** udp_disconnect(): connect(2) to AF_UNSPEC. */
  protected disconnect(): void {
    this.remote = undefined;
    this.local = { host: this.boundHost ? this.local.host : ANY, port: this.boundPort ? this.local.port : 0 };
    if (!this.boundPort) this.sb.owner.inetSockets.delete(this);
  }

  /** ip_route_output(): where a packet goes and from which address; beyond `lo` there is no route. */
  protected route(address: Uint8Array): Endpoint | number {
    const to = parseEndpoint(this.family, address);
    if (typeof to === 'number') return to;
    if (!isLocal(to.host)) return -ENETUNREACH;
    if (to.host !== ANY) return to;
    const v4 = address[0] === S.AF_INET || hexOf(address.subarray(8, 20)) === MAPPED || this.local.host.length === 8;
    return { host: v4 ? LOOPBACK4 : LOOPBACK6, port: to.port };
  }
  /** The source address for a destination. */
  protected source(to: Endpoint): Endpoint {
    const host = this.local.host !== ANY ? this.local.host : to.host.length === 8 ? LOOPBACK4 : LOOPBACK6;
    return { host, port: this.local.port };
  }

  override release(): void {
    this.closed = true;
    this.sb.owner.inetSockets.delete(this);
  }

  override channels(): readonly string[] {
    return [`sock:${this.ino}`];
  }
}

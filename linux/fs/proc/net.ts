/** /proc/net: net/core/net-procfs.c, net/ipv4/{tcp,udp}_ipv4.c, net/unix/af_unix.c. */
import { AF_INET } from '../../abi/socket.ts';
import { ANY, type Endpoint, type InetSocketInode } from '../inet-socket.ts';
import { TcpSocketInode } from '../tcp-socket.ts';
import { UdpSocketInode } from '../udp-socket.ts';
import { UnixSocketInode } from '../unix-socket.ts';
import type { Vfs } from '../vfs.ts';
import type { ProcEntry } from './entry.ts';

const hex = (value: number, width: number): string => value.toString(16).toUpperCase().padStart(width, '0');

/** Addresses as words in the order of the CPU's bytes. */
function endpoint(at: Endpoint | undefined, v6: boolean): string {
  const width = v6 ? 32 : 8;
  let host = at === undefined || at.host === ANY ? '0'.repeat(width) : at.host;
  if (v6 && host.length === 8) host = `${'0'.repeat(20)}ffff${host}`;
  const words = host.match(/.{8}/g) ?? [];
  const swapped = words.map((word) => (word.match(/../g) ?? []).reverse().join('')).join('');
  return `${swapped.toUpperCase()}:${hex(at?.port ?? 0, 4)}`;
}

/** get_tcp4_sock(), udp4_format_sock(). */
function inetTable(vfs: Vfs, udp: boolean, v6: boolean): string {
  const head = v6
    ? '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
    : '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
  const state = (socket: InetSocketInode): number => {
    if (!(socket instanceof TcpSocketInode)) return socket.remote === undefined ? 7 : 1;
    return socket.state === 'listen' ? 10 : socket.state === 'established' ? (socket.finished ? 8 : 1) : 7;
  };
  const rows = [...vfs.inetSockets]
    .filter((s) => (udp ? s instanceof UdpSocketInode : s instanceof TcpSocketInode && s.state !== 'close'))
    .filter((s) => (s.family === AF_INET) !== v6)
    .map(
      (s, i) =>
        `${String(i).padStart(4)}: ${endpoint(s.local, v6)} ${endpoint(s.remote, v6)} ${hex(state(s), 2)} 00000000:${hex(s.queued, 8)} ` +
        `00:00000000 00000000 ${String(s.owner.uid).padStart(5)}        0 ${s.ino} ${s.opens} 0000000000000000${udp ? ' 0' : ' 100 0 0 10 0'}`,
    );
  const width = v6 ? 0 : udp ? 127 : 149;
  const lines = [udp && !v6 ? `${head} ref pointer drops` : head, ...rows];
  return lines.map((line) => `${line.padEnd(width)}\n`).join('');
}

/** unix_seq_show() */
function unixTable(vfs: Vfs): string {
  const rows = [...new Set(vfs.unixSockets.values())].map((s) => {
    const listening = s instanceof UnixSocketInode && s.listening();
    const path = Buffer.from(s.path).toString('utf8').replaceAll('\0', '@');
    return `0000000000000000: ${hex(2 + Number(listening), 8)} 00000000 ${listening ? '00010000' : '00000000'} ${hex(s.type, 4)} ${listening ? '01' : '03'} ${String(s.ino).padStart(5)} ${path}`;
  });
  return `${['Num       RefCount Protocol Flags    Type St Inode Path', ...rows].join('\n')}\n`;
}

const DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;

export const netEntries: readonly ProcEntry[] = [
  {
    name: 'arp',
    mode: 0o444,
    show: () => 'IP address       HW type     Flags       HW address            Mask     Device\n',
  },
  { name: 'dev', mode: 0o444, show: () => DEV },
  { name: 'if_inet6', mode: 0o444, show: () => `${'1'.padStart(32, '0')} 01 80 10 80       lo\n` },
  {
    name: 'route',
    mode: 0o444,
    show: () =>
      `${'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'.padEnd(127)}\n`,
  },
  { name: 'sockstat', mode: 0o444, show: (vfs) => `sockets: used ${vfs.inetSockets.size + vfs.unixSockets.size}\n` },
  { name: 'tcp', mode: 0o444, show: (vfs) => inetTable(vfs, false, false) },
  { name: 'tcp6', mode: 0o444, show: (vfs) => inetTable(vfs, false, true) },
  { name: 'udp', mode: 0o444, show: (vfs) => inetTable(vfs, true, false) },
  { name: 'udp6', mode: 0o444, show: (vfs) => inetTable(vfs, true, true) },
  { name: 'unix', mode: 0o444, show: unixTable },
];

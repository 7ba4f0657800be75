/** The machine's only network interface: drivers/net/loopback.c, as the ioctls of net/core/dev_ioctl.c and devinet.c tell. */
import { EFAULT, ENODEV, ENOTTY, EPERM } from '../abi/errno.ts';
import { copy_from_user, copy_to_user, get_user_u32, get_user_u64, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';

export const LOOPBACK = {
  name: 'lo',
  index: 1,
  mtu: 65536,
  /** ARPHRD_LOOPBACK */
  type: 772,
  /** IFF_UP, IFF_LOOPBACK, IFF_RUNNING; netlink shows IFF_LOWER_UP too. */
  flags: 0x49,
  lowerUp: 0x10000,
} as const;

const IFNAMSIZ = 16;
const SIOCGIFNAME = 0x8910,
  SIOCGIFCONF = 0x8912,
  SIOCGIFFLAGS = 0x8913,
  SIOCGIFADDR = 0x8915,
  SIOCGIFDSTADDR = 0x8917,
  SIOCGIFBRDADDR = 0x8919,
  SIOCGIFNETMASK = 0x891b,
  SIOCGIFMETRIC = 0x891d,
  SIOCGIFMTU = 0x8921,
  SIOCGIFHWADDR = 0x8927,
  SIOCGIFINDEX = 0x8933,
  SIOCGIFTXQLEN = 0x8942;

const words = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);
/** A `struct sockaddr_in`. */
const inet = (...address: number[]): Uint8Array => Uint8Array.of(2, 0, 0, 0, ...address, 0, 0, 0, 0, 0, 0, 0, 0);

function answer(cmd: number): Uint8Array | number {
  switch (cmd) {
    case SIOCGIFFLAGS:
      return Uint8Array.of(LOOPBACK.flags, 0);
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
      return inet(127, 0, 0, 1);
    case SIOCGIFBRDADDR:
      return inet(0, 0, 0, 0);
    case SIOCGIFNETMASK:
      return inet(255, 0, 0, 0);
    case SIOCGIFMETRIC:
      return words(0);
    case SIOCGIFMTU:
      return words(LOOPBACK.mtu);
    case SIOCGIFHWADDR:
      return Uint8Array.of(LOOPBACK.type & 255, LOOPBACK.type >> 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    case SIOCGIFINDEX:
      return words(LOOPBACK.index);
    case SIOCGIFTXQLEN:
      return words(1000);
    default:
      return cmd >= 0x8914 && cmd <= 0x8943 ? -EPERM : -ENOTTY;
  }
}

/** dev_ifconf(): a list of `struct ifreq`, 40 bytes each, or 32 for i386. */
function ifconf(task: Task, arg: number): number {
  const compat = isCompatCall(task);
  const room = get_user_u32(task.mm, arg);
  const buffer = compat ? get_user_u32(task.mm, arg + 4) : get_user_u64(task.mm, arg + 8);
  if (room === undefined || buffer === undefined) return -EFAULT;
  const size = compat ? 32 : 40;
  const at = Number(buffer);
  if (at !== 0 && room < size) return put_user_u32(task.mm, arg, 0);
  if (at !== 0) {
    const row = new Uint8Array(size);
    row.set(new TextEncoder().encode(LOOPBACK.name));
    row.set(inet(127, 0, 0, 1), IFNAMSIZ);
    const error = copy_to_user(task.mm, at, row);
    if (error < 0) return error;
  }
  return put_user_u32(task.mm, arg, size);
}

/** dev_ioctl() and devinet_ioctl(). */
export function ifconfIoctl(task: Task, cmd: number, arg: number): number {
  if (cmd === SIOCGIFCONF) return ifconf(task, arg);
  if (cmd < SIOCGIFNAME || cmd > 0x8950) return -ENOTTY;
  const request = copy_from_user(task.mm, arg, IFNAMSIZ + 16);
  if (typeof request === 'number') return request;
  if (cmd === SIOCGIFNAME) {
    const index = new DataView(request.buffer, request.byteOffset).getInt32(IFNAMSIZ, true);
    if (index !== LOOPBACK.index) return -ENODEV;
    const name = new Uint8Array(IFNAMSIZ);
    name.set(new TextEncoder().encode(LOOPBACK.name));
    return copy_to_user(task.mm, arg, name);
  }
  const end = request.subarray(0, IFNAMSIZ).indexOf(0);
  const name = Buffer.from(request.subarray(0, end < 0 ? IFNAMSIZ : end)).toString();
  if (name !== LOOPBACK.name) return -ENODEV;
  const bytes = answer(cmd);
  return typeof bytes === 'number' ? bytes : copy_to_user(task.mm, arg + IFNAMSIZ, bytes);
}

/** `struct msghdr` and its control messages in both sizes: net/socket.c, net/core/scm.c, net/compat.c. */
import { EBADF, EFAULT, EINVAL, EMSGSIZE } from '../abi/errno.ts';
import { MSG_CTRUNC, SCM_CREDENTIALS, SCM_RIGHTS, SOL_SOCKET } from '../abi/socket.ts';
import { type File, fput, get_file } from '../fs/file.ts';
import type { Packet } from '../fs/socket.ts';
import { copy_from_user, copy_to_user, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { fdget_raw, importIovec, installFile, type Segment, viewOf } from './fs-args.ts';

export interface Msghdr {
  readonly name: number;
  readonly nameLength: number;
  readonly segments: readonly Segment[];
  readonly control: number;
  readonly controlLength: number;
}

/** Offsets of msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags. */
const MSGHDR = [0, 8, 16, 24, 32, 40, 48] as const;
const COMPAT_MSGHDR = [0, 4, 8, 12, 16, 20, 24] as const;
const layout = (compat: boolean): readonly number[] => (compat ? COMPAT_MSGHDR : MSGHDR);

/** copy_msghdr_from_user(), get_compat_msghdr(). */
export function readMsghdr(task: Task, at: number, compat: boolean): Msghdr | number {
  const bytes = copy_from_user(task.mm, at, compat ? 28 : 56);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const [name, nameLength, iov, iovLength, control, controlLength] = layout(compat);
  const long = (offset: number): number =>
    compat ? view.getUint32(offset, true) : Number(view.getBigUint64(offset, true));
  if (long(iovLength!) > 1024) return -EMSGSIZE;
  const segments = importIovec(task, long(iov!), long(iovLength!), compat);
  if (typeof segments === 'number') return segments;
  return {
    name: long(name!),
    nameLength: view.getInt32(nameLength!, true),
    segments,
    control: long(control!),
    controlLength: long(controlLength!),
  };
}

/** The bytes of an iovec, 1 MiB at most; -EFAULT. */
export function gatherMessage(task: Task, segments: readonly Segment[]): Uint8Array | number {
  const out = new Uint8Array(
    Math.min(
      1 << 20,
      segments.reduce((sum, s) => sum + s.length, 0),
    ),
  );
  let done = 0;
  for (const { base, length } of segments) {
    const part = copy_from_user(task.mm, base, Math.min(length, out.length - done));
    if (typeof part === 'number') return part;
    out.set(part, done);
    done += part.length;
  }
  return out;
}

/** Puts bytes into the segments, `skip` bytes behind their start. */
export function scatter(task: Task, segments: readonly Segment[], data: Uint8Array, skip = 0): boolean {
  let done = 0;
  let before = skip;
  for (const { base, length } of segments) {
    const over = Math.min(before, length);
    before -= over;
    const part = data.subarray(done, done + length - over);
    if (part.length > 0 && copy_to_user(task.mm, base + over, part) < 0) return false;
    done += part.length;
  }
  return true;
}

/** scm_send(): the files of SCM_RIGHTS, without a reference of their own. */
export function readControl(task: Task, header: Msghdr, compat: boolean): File[] | number {
  const files: File[] = [];
  if (header.control === 0 || header.controlLength === 0) return files;
  const bytes = copy_from_user(task.mm, header.control, Math.min(header.controlLength, 65536));
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const word = compat ? 4 : 8;
  const head = word + 8;
  for (let at = 0; at + head <= bytes.length; ) {
    const length = compat ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
    if (length < head || at + length > bytes.length) return -EINVAL;
    if (view.getInt32(at + word, true) === SOL_SOCKET) {
      const type = view.getInt32(at + word + 4, true);
      if (type !== SCM_RIGHTS && type !== SCM_CREDENTIALS) return -EINVAL;
      for (let fd = at + head; type === SCM_RIGHTS && fd + 4 <= at + length; fd += 4) {
        const file = fdget_raw(task, view.getInt32(fd, true));
        if (file === undefined) return -EBADF;
        files.push(file);
      }
    }
    at += Math.ceil(length / word) * word;
  }
  return files;
}

/** put_cmsg(), scm_detach_fds(). @returns MSG_CTRUNC when the room is too small; msg_controllen is written */
export function putControl(
  task: Task,
  at: number,
  header: Msghdr,
  packet: Packet | undefined,
  passCred: boolean,
  cloexec: boolean,
  compat: boolean,
): number {
  const word = compat ? 4 : 8;
  const head = word + 8;
  let used = 0;
  let flags = 0;
  const put = (type: number, words: readonly number[]): void => {
    const length = head + words.length * 4;
    const bytes = new Uint8Array(Math.ceil(length / word) * word);
    const view = viewOf(bytes);
    view.setUint32(0, length, true);
    view.setInt32(word, SOL_SOCKET, true);
    view.setInt32(word + 4, type, true);
    words.forEach((value, i) => {
      view.setInt32(head + 4 * i, value, true);
    });
    const room = Math.max(0, header.controlLength - used);
    copy_to_user(task.mm, header.control + used, bytes.subarray(0, room));
    if (room < length) flags = MSG_CTRUNC;
    used += Math.min(bytes.length, room);
  };
  if (passCred && packet !== undefined) put(SCM_CREDENTIALS, [packet.cred.pid, packet.cred.uid, packet.cred.gid]);
  if (packet !== undefined && packet.files.length > 0) {
    const room = Math.floor((header.controlLength - used - head) / 4);
    const fds: number[] = [];
    for (const file of packet.files.slice(0, Math.max(0, room))) {
      const fd = installFile(task, get_file(file), cloexec);
      if (fd < 0) fput(file);
      else fds.push(fd);
    }
    if (fds.length > 0) put(SCM_RIGHTS, fds);
    if (fds.length < packet.files.length) flags = MSG_CTRUNC;
    packet.files.forEach(fput);
  }
  const lengthAt = at + layout(compat)[5]!;
  if (compat) put_user_u32(task.mm, lengthAt, used);
  else put_user_u64(task.mm, lengthAt, used);
  return flags;
}

/** The sender's address, its length, and msg_flags. */
export function putMsgname(
  task: Task,
  at: number,
  header: Msghdr,
  address: Uint8Array,
  flags: number,
  compat: boolean,
): number {
  const offsets = layout(compat);
  if (header.name !== 0) {
    if (copy_to_user(task.mm, header.name, address.subarray(0, Math.max(0, header.nameLength))) < 0) return -EFAULT;
    if (put_user_u32(task.mm, at + offsets[1]!, address.length) < 0) return -EFAULT;
  }
  return put_user_u32(task.mm, at + offsets[6]!, flags);
}

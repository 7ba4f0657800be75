/** Files of the guest: vFile (gdb manual, "Host I/O Packets"). */
import * as F from '../../linux/abi/fcntl.ts';
import { bytesOf, escapeBinary, fitEscaped, hexToText, latin1, parseHex, parseHexNumber } from '../rsp/encoding.ts';
import { fileioErrno } from '../rsp/errors.ts';
import type { Session } from '../session.ts';
import type { FileStat } from '../target.ts';
import { PACKET_SIZE, type PacketRow } from './packet.ts';

const BAD = 'F-1,16'; // EINVAL, in hex as all numbers of these packets

const result = (value: number): string => {
  return value < 0 ? `F-1,${fileioErrno(value).toString(16)}` : `F${value.toString(16)}`;
};

function withData(data: Uint8Array, count = data.length): string {
  return `F${count.toString(16)};${escapeBinary(latin1(data))}`;
}

/** gdb's open flags ("Open Flags") in Linux's. */
const OPEN_FLAGS: readonly (readonly [gdb: number, linux: number])[] = [
  [0x1, F.O_WRONLY],
  [0x2, F.O_RDWR],
  [0x8, F.O_APPEND],
  [0x200, F.O_CREAT],
  [0x400, F.O_TRUNC],
  [0x800, F.O_EXCL],
];

const openFlags = (gdb: number): number =>
  OPEN_FLAGS.reduce((flags, [theirs, ours]) => ((gdb & theirs) === theirs ? flags | ours : flags), 0);

/** `struct stat` of the File-I/O protocol: 64 bytes, big-endian. */
export function packStat(stat: FileStat): Uint8Array {
  const out = Buffer.alloc(64);
  const words = [stat.dev, stat.ino, stat.mode, stat.nlink, stat.uid, stat.gid, stat.rdev];
  for (const [i, word] of words.entries()) out.writeUInt32BE(word % 0x1_0000_0000, 4 * i);
  for (const [i, long] of [stat.size, stat.blksize, stat.blocks].entries())
    out.writeBigUInt64BE(BigInt(long), 28 + 8 * i);
  for (const [i, time] of [stat.atime, stat.mtime, stat.ctime].entries())
    out.writeUInt32BE(time % 0x1_0000_0000, 52 + 4 * i);
  return out;
}

/** The root directory that `setfs` chose: a process, 0 for the server's own view. */
const rootOf = (session: Session): number => session.filesystem;

interface Call {
  readonly session: Session;
  readonly parts: readonly string[];
}

function hostIo(name: string, count: number, run: (call: Call) => string): PacketRow {
  return {
    name: `vFile:${name}`,
    handle: (session, args) => {
      const parts = args.slice(1).split(',');
      return parts.length >= count ? run({ session, parts }) : BAD;
    },
  };
}

function pread({ session, parts }: Call): string {
  const [fd, count] = parts.slice(0, 2).map(parseHexNumber);
  const offset = parseHex(parts[2]);
  if (fd === undefined || count === undefined || offset === undefined) return BAD;
  const data = session.target.files.pread(fd, Math.min(count, PACKET_SIZE), Number(offset));
  if (typeof data === 'number') return result(data);
  return withData(data.subarray(0, fitEscaped(data, PACKET_SIZE - 32)));
}

function pwrite({ session, parts }: Call): string {
  const fd = parseHexNumber(parts[0]);
  const offset = parseHex(parts[1]);
  if (fd === undefined || offset === undefined) return BAD;
  return result(session.target.files.pwrite(fd, bytesOf(parts.slice(2).join(',')), Number(offset)));
}

function open({ session, parts }: Call): string {
  const path = hexToText(parts[0]!);
  const [flags, mode] = parts.slice(1).map(parseHexNumber);
  if (path === undefined || flags === undefined || mode === undefined) return BAD;
  return result(session.target.files.open(rootOf(session), path, openFlags(flags), mode & 0o7777));
}

function fstat({ session, parts }: Call): string {
  const fd = parseHexNumber(parts[0]);
  if (fd === undefined) return BAD;
  const stat = session.target.files.fstat(fd);
  return typeof stat === 'number' ? result(stat) : withData(packStat(stat));
}

function readlink({ session, parts }: Call): string {
  const path = hexToText(parts[0]!);
  if (path === undefined) return BAD;
  const target = session.target.files.readlink(rootOf(session), path);
  return typeof target === 'number' ? result(target) : withData(Buffer.from(target, 'utf8'));
}

function unlink({ session, parts }: Call): string {
  const path = hexToText(parts[0]!);
  return path === undefined ? BAD : result(session.target.files.unlink(rootOf(session), path));
}

function setfs({ session, parts }: Call): string {
  const pid = parseHexNumber(parts[0]);
  if (pid === undefined) return BAD;
  session.filesystem = pid;
  return 'F0';
}

function close({ session, parts }: Call): string {
  const fd = parseHexNumber(parts[0]);
  return fd === undefined ? BAD : result(session.target.files.close(fd));
}

export const HOST_IO_PACKETS: readonly PacketRow[] = [
  hostIo('open', 3, open),
  hostIo('close', 1, close),
  hostIo('pread', 3, pread),
  hostIo('pwrite', 3, pwrite),
  hostIo('fstat', 1, fstat),
  hostIo('readlink', 1, readlink),
  hostIo('unlink', 1, unlink),
  hostIo('setfs', 1, setfs),
];

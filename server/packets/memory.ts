/** Memory: m M X x qSearch:memory qCRC. */
import {
  bytesOf,
  escapeBinary,
  fitEscaped,
  fromHex,
  latin1,
  parseHex,
  parseHexNumber,
  toHex,
} from '../rsp/encoding.ts';
import { E_MEMORY, E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import type { Session } from '../session.ts';
import { PACKET_SIZE, type PacketRow, type Reply } from './packet.ts';

interface Range {
  readonly pid: number;
  readonly address: bigint;
  readonly length: number;
  /** What follows the range's `:` or `;`. */
  readonly rest: string;
}

/** `ADDR,LENGTH` and what follows, or the error to answer. */
function parseRange(session: Session, args: string): Range | string {
  const match = /^([0-9a-fA-F]+),([0-9a-fA-F]+)(?:[:;]([\s\S]*))?$/.exec(args);
  const address = parseHex(match?.[1]);
  const length = parseHexNumber(match?.[2]);
  if (address === undefined || length === undefined) return E_SYNTAX;
  const pid = session.process;
  if (pid === undefined) return E_THREAD;
  return { pid, address: session.views.address(pid, address), length, rest: match?.[3] ?? '' };
}

function withRange(session: Session, args: string, handle: (range: Range) => Reply): Reply {
  const range = parseRange(session, args);
  return typeof range === 'string' ? range : handle(range);
}

function read(session: Session, range: Range, limit: number): Uint8Array | undefined {
  const length = Math.min(range.length, limit);
  const bytes = session.target.readMemory(range.pid, range.address, length);
  return bytes.length === 0 && length > 0 ? undefined : bytes;
}

function write(session: Session, range: Range, bytes: Uint8Array | undefined): Reply {
  if (!bytes || bytes.length !== range.length) return E_SYNTAX;
  return bytes.length === 0 || session.target.writeMemory(range.pid, range.address, bytes) ? 'OK' : E_MEMORY;
}

const CHUNK = 1 << 16;

/** Reads a long range piece by piece; ends early at the first unreadable byte. */
function* pieces(session: Session, range: Range): Generator<{ at: bigint; bytes: Uint8Array }> {
  for (let done = 0; done < range.length; ) {
    const at = range.address + BigInt(done);
    const bytes = session.target.readMemory(range.pid, at, Math.min(CHUNK, range.length - done));
    if (bytes.length === 0) return;
    yield { at, bytes };
    done += bytes.length;
  }
}

function search(session: Session, args: string): Reply {
  const match = /^:([0-9a-fA-F]+);([0-9a-fA-F]+);([\s\S]+)$/.exec(args);
  if (!match) return E_SYNTAX;
  return withRange(session, `${match[1]},${match[2]}`, (range) => {
    const pattern = Buffer.from(bytesOf(match[3]!));
    let tail = Buffer.alloc(0);
    let readAny = false;
    for (const { at, bytes } of pieces(session, range)) {
      readAny = true;
      const window = Buffer.concat([tail, bytes]);
      const found = window.indexOf(pattern);
      if (found >= 0) return `1,${(at - BigInt(tail.length) + BigInt(found)).toString(16)}`;
      tail = window.subarray(Math.max(0, window.length - pattern.length + 1));
    }
    return readAny || range.length === 0 ? '0' : E_MEMORY;
  });
}

/** The CRC of gdb's `compare-sections`: polynomial 0x04c11db7, most significant bit first, starting from all ones. */
export function crc32(bytes: Uint8Array, start = 0xffff_ffff): number {
  let crc = start;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  return crc >>> 0;
}

function crc(session: Session, args: string): Reply {
  return withRange(session, args.slice(1), (range) => {
    let value = 0xffff_ffff;
    let done = 0;
    for (const { bytes } of pieces(session, range)) {
      value = crc32(bytes, value);
      done += bytes.length;
    }
    return done === range.length ? `C${value.toString(16).padStart(8, '0')}` : E_MEMORY;
  });
}

export const MEMORY_PACKETS: readonly PacketRow[] = [
  {
    name: 'm',
    handle: (session, args) =>
      withRange(session, args, (range) => {
        const bytes = read(session, range, PACKET_SIZE / 2 - 16);
        return bytes ? toHex(bytes) : E_MEMORY;
      }),
  },
  {
    name: 'M',
    handle: (session, args) => withRange(session, args, (range) => write(session, range, fromHex(range.rest))),
  },
  {
    name: 'X',
    handle: (session, args) => withRange(session, args, (range) => write(session, range, bytesOf(range.rest))),
  },
  {
    name: 'x',
    features: ['binary-upload+'],
    handle: (session, args) =>
      withRange(session, args, (range) => {
        // lldb's packet of this name has no mark before the data, and asks for nothing to see whether it is there.
        if (session.client.lldb && range.length === 0) return 'OK';
        const bytes = read(session, range, PACKET_SIZE - 16);
        if (!bytes) return E_MEMORY;
        const fits = bytes.subarray(0, fitEscaped(bytes, PACKET_SIZE - 16));
        return `${session.client.lldb ? '' : 'b'}${escapeBinary(latin1(fits))}`;
      }),
  },
  { name: 'qSearch:memory', handle: search },
  { name: 'qCRC', handle: crc },
];

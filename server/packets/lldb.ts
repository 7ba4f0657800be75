/** What lldb asks beyond gdb: qHostInfo qProcessInfo qMemoryRegionInfo. */
import { parseHex, textToHex } from '../rsp/encoding.ts';
import { E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import type { Session } from '../session.ts';
import type { Bits } from '../target.ts';
import type { PacketRow, Reply } from './packet.ts';

const triple = (bits: Bits): string => textToHex(bits === 64 ? 'x86_64-unknown-linux-gnu' : 'i386-unknown-linux-gnu');

function processInfo(session: Session): Reply {
  const thread = session.general;
  if (!thread) return E_THREAD;
  const bits = session.target.codeBits(thread);
  return `pid:${thread.pid.toString(16)};triple:${triple(bits)};ostype:linux;endian:little;ptrsize:${bits / 8};`;
}

function regionInfo(session: Session, args: string): Reply {
  const address = parseHex(args.slice(1));
  const pid = session.process;
  if (address === undefined) return E_SYNTAX;
  const region = pid === undefined ? undefined : session.target.region(pid, address);
  if (!region) return E_THREAD;
  const size = (region.end - region.start).toString(16);
  const permissions = region.permissions === '' ? '' : `permissions:${region.permissions};`;
  const name = region.name === '' ? '' : `name:${textToHex(region.name)};`;
  return `start:${region.start.toString(16)};size:${size};${permissions}${name}`;
}

export const LLDB_PACKETS: readonly PacketRow[] = [
  {
    name: 'QListThreadsInStopReply',
    handle: (session) => {
      session.client.lldb = true;
      return '';
    },
  },
  { name: 'qHostInfo', handle: () => `triple:${triple(64)};ptrsize:8;endian:little;` },
  { name: 'qProcessInfo', handle: processInfo },
  { name: 'qMemoryRegionInfo', handle: regionInfo },
];

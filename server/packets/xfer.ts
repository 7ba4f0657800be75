/** qXfer: features auxv exec-file threads libraries-svr4 siginfo. Widths follow the view. */
import { bytesOf, escapeBinary, fitEscaped, latin1, parseHexNumber } from '../rsp/encoding.ts';
import { E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import type { Session } from '../session.ts';
import type { ThreadRef } from '../target.ts';
import { PACKET_SIZE, type PacketRow, type Reply } from './packet.ts';
import { threadsXml, xmlText } from './threads.ts';

/** The whole object as bytes (latin1 text), or an error answer in an object. */
type Source = (session: Session, annex: string, thread: ThreadRef) => string | { readonly error: string };

const MISSING = { error: 'E00' } as const;

/** One `qXfer:OBJECT:read` row over something that is made whole at each read. */
function readable(object: string, source: Source, features: readonly string[] = []): PacketRow {
  return {
    name: `qXfer:${object}:read`,
    features: [`qXfer:${object}:read+`, ...features],
    handle: (session, args) => {
      const match = /^:([^:]*):([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(args);
      const offset = parseHexNumber(match?.[2]);
      const length = parseHexNumber(match?.[3]);
      if (!match || offset === undefined || length === undefined) return E_SYNTAX;
      const thread = session.general;
      if (!thread) return E_THREAD;
      const whole = source(session, match[1]!, thread);
      return typeof whole === 'string' ? chunk(whole, offset, length) : whole.error;
    },
  };
}

function chunk(whole: string, offset: number, length: number): string {
  const part = bytesOf(whole.slice(offset, offset + length));
  const fits = part.subarray(0, fitEscaped(part, PACKET_SIZE - 16));
  const last = offset + fits.length >= whole.length;
  return `${last ? 'l' : 'm'}${escapeBinary(latin1(fits))}`;
}

/**
 * target.xml by CS of the general thread; a read at offset 0 chooses the view.
 * (A read from further on goes on in the view that the first piece chose.)
 */
const features: PacketRow = {
  name: 'qXfer:features:read',
  features: ['qXfer:features:read+'],
  handle: (session, args) => {
    const match = /^:([^:]*):([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(args);
    const offset = parseHexNumber(match?.[2]);
    const length = parseHexNumber(match?.[3]);
    if (!match || offset === undefined || length === undefined) return E_SYNTAX;
    if (match[1] !== 'target.xml') return 'E00';
    const thread = session.general;
    if (!thread) return E_THREAD;
    const layout = offset === 0 ? session.views.choose(thread) : session.views.of(thread.pid);
    return chunk(layout.xml, offset, length);
  },
};

/** Pairs of words of the view's width. */
function auxv(session: Session, _annex: string, thread: ThreadRef): string {
  const { bits } = session.views.of(thread.pid);
  const entries = session.target.auxv(thread.pid);
  const out = Buffer.alloc((entries.length * 2 * bits) / 8);
  entries.flat().forEach((word, i) => {
    if (bits === 64) out.writeBigUInt64LE(BigInt.asUintN(64, word), i * 8);
    else out.writeUInt32LE(Number(BigInt.asUintN(32, word)), i * 4);
  });
  return out.toString('latin1');
}

function execFile(session: Session, annex: string, thread: ThreadRef): string | { readonly error: string } {
  const pid = annex === '' ? thread.pid : parseHexNumber(annex);
  const path = pid === undefined ? undefined : session.target.execFile(pid);
  return path === undefined ? MISSING : Buffer.from(path, 'utf8').toString('latin1');
}

/** The loader's list, if the view has the program's width: a library of the other class only makes noise in gdb. */
function libraries(session: Session, _annex: string, thread: ThreadRef): string {
  const fits = session.views.of(thread.pid).bits === session.target.programBits(thread.pid);
  const list = fits ? session.target.libraries(thread.pid) : undefined;
  const hex = (value: bigint): string => `0x${value.toString(16)}`;
  if (!list) return '<library-list-svr4 version="1.0"/>';
  const lines = list.libraries.map(
    (l) =>
      `<library name="${xmlText(l.name)}" lmid="0x0" lm="${hex(l.lm)}" l_addr="${hex(l.base)}" l_ld="${hex(l.dynamic)}"/>`,
  );
  return `<library-list-svr4 version="1.0" main-lm="${hex(list.mainLm)}">${lines.join('')}</library-list-svr4>`;
}

function siginfo(session: Session, _annex: string, thread: ThreadRef): string | { readonly error: string } {
  const bytes = session.target.siginfo(thread, session.views.of(thread.pid).bits);
  return bytes ? latin1(bytes) : { error: 'E01' };
}

function writeSiginfo(session: Session, args: string): Reply {
  const match = /^::([0-9a-fA-F]+):([\s\S]*)$/.exec(args);
  const offset = parseHexNumber(match?.[1]);
  const thread = session.general;
  if (!match || offset === undefined) return E_SYNTAX;
  if (!thread) return E_THREAD;
  const { bits } = session.views.of(thread.pid);
  const old = session.target.siginfo(thread, bits);
  const data = bytesOf(match[2]!);
  if (!old || offset + data.length > old.length) return E_SYNTAX;
  const bytes = Uint8Array.from(old);
  bytes.set(data, offset);
  return session.target.setSiginfo(thread, bits, bytes) ? data.length.toString(16) : 'E01';
}

export const XFER_PACKETS: readonly PacketRow[] = [
  features,
  readable('auxv', auxv),
  readable('exec-file', execFile),
  readable('threads', (session) => threadsXml(session)),
  readable('libraries-svr4', libraries),
  readable('siginfo', siginfo),
  { name: 'qXfer:siginfo:write', features: ['qXfer:siginfo:write+'], handle: writeSiginfo },
];

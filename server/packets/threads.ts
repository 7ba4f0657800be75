/** Threads: H T qC qfThreadInfo qsThreadInfo qThreadExtraInfo qXfer:threads. */
import { textToHex } from '../rsp/encoding.ts';
import { E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import { formatThreadId, parseThreadId } from '../rsp/thread-id.ts';
import type { Session } from '../session.ts';
import type { PacketRow, Reply } from './packet.ts';

function setThread(session: Session, args: string): Reply {
  const selector = parseThreadId(args.slice(1));
  if (!selector) return E_SYNTAX;
  if (args[0] === 'c') {
    session.continueSelector = selector;
    return 'OK';
  }
  if (args[0] !== 'g') return E_SYNTAX;
  const thread = session.select(selector);
  // Before the first process and after the last one gdb still selects "any".
  if (!thread) return selector.tid === 'any' || selector.tid === 'all' ? 'OK' : E_THREAD;
  session.general = thread;
  return 'OK';
}

function isAlive(session: Session, args: string): Reply {
  const selector = parseThreadId(args);
  if (!selector) return E_SYNTAX;
  return session.select(selector) ? 'OK' : E_THREAD;
}

function extraInfo(session: Session, args: string): Reply {
  const selector = parseThreadId(args.slice(1));
  const thread = selector && session.select(selector);
  if (!thread) return E_THREAD;
  return textToHex(`${session.target.threadName(thread)}: ${session.target.threadInfo(thread)}`);
}

export const xmlText = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[^\t\n\x20-\x7e]/g, '?');

/** The object of qXfer:threads:read (gdb manual, Thread List Format). */
export function threadsXml(session: Session): string {
  const lines = session.target.threads().map((thread) => {
    const id = formatThreadId(thread, session.client.multiprocess);
    const name = xmlText(session.target.threadName(thread));
    return `<thread id="${id}" core="0" name="${name}">${xmlText(session.target.threadInfo(thread))}</thread>`;
  });
  return `<?xml version="1.0"?>\n<threads>\n${lines.join('\n')}\n</threads>\n`;
}

export const THREAD_PACKETS: readonly PacketRow[] = [
  { name: 'H', handle: setThread },
  { name: 'T', handle: isAlive },
  {
    name: 'qC',
    handle: (session) => {
      const thread = session.general;
      return thread ? `QC${formatThreadId(thread, session.client.multiprocess)}` : E_THREAD;
    },
  },
  {
    name: 'qfThreadInfo',
    handle: (session) => {
      const ids = session.target.threads().map((thread) => formatThreadId(thread, session.client.multiprocess));
      return ids.length > 0 ? `m${ids.join(',')}` : 'l';
    },
  },
  { name: 'qsThreadInfo', handle: () => 'l' },
  { name: 'qThreadExtraInfo', handle: extraInfo },
];

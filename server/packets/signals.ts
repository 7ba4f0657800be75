/** Which signals and system calls the client wants to see: QPassSignals QProgramSignals QCatchSyscalls. */
import { parseHexNumber } from '../rsp/encoding.ts';
import { E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import { linuxSignal } from '../rsp/signals.ts';
import type { Session } from '../session.ts';
import type { PacketRow, Reply } from './packet.ts';

function numbers(text: string): number[] | undefined {
  const parts = text === '' ? [] : text.split(';').map(parseHexNumber);
  return parts.includes(undefined) ? undefined : (parts as number[]);
}

function signalSet(args: string): Set<number> | undefined {
  const list = numbers(args.slice(1));
  return list && new Set(list.map(linuxSignal).filter((signal) => signal > 0));
}

function catchSyscalls(session: Session, args: string): Reply {
  const pid = session.process;
  if (pid === undefined) return E_THREAD;
  if (args === ':0') {
    session.target.catchSyscalls(pid, undefined);
    return 'OK';
  }
  const match = /^:1(?:;(.*))?$/.exec(args);
  const list = match && numbers(match[1] ?? '');
  if (!list) return E_SYNTAX;
  session.target.catchSyscalls(pid, list.length === 0 ? 'all' : new Set(list));
  return 'OK';
}

export const SIGNAL_PACKETS: readonly PacketRow[] = [
  {
    name: 'QPassSignals',
    features: ['QPassSignals+'],
    handle: (session, args) => {
      const set = signalSet(args);
      if (set) session.target.passSignals(set);
      return set ? 'OK' : E_SYNTAX;
    },
  },
  {
    name: 'QProgramSignals',
    features: ['QProgramSignals+'],
    handle: (session, args) => {
      const set = signalSet(args);
      if (set) session.target.programSignals(set);
      return set ? 'OK' : E_SYNTAX;
    },
  },
  { name: 'QCatchSyscalls', features: ['QCatchSyscalls+'], handle: catchSyscalls },
];

/** The conversation itself: qSupported QStartNoAckMode ? ! qAttached D k vKill vAttach. */
import { parseHexNumber } from '../rsp/encoding.ts';
import { E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import { stopReply } from '../rsp/stop-reply.ts';
import type { Session } from '../session.ts';
import type { StopReport } from '../target.ts';
import { PACKET_SIZE, type PacketRow, type Reply } from './packet.ts';

/** Features that belong to stop replies, not to a packet. */
const STOP_FEATURES = [
  'multiprocess+',
  'no-resumed+',
  'fork-events+',
  'vfork-events+',
  'exec-events+',
  'swbreak+',
  'hwbreak+',
];

/** Takes note of what the client can, and answers with what the rows can. */
export function supported(rows: readonly PacketRow[]): PacketRow {
  const ours = [
    `PacketSize=${PACKET_SIZE.toString(16)}`,
    ...STOP_FEATURES,
    ...rows.flatMap((row) => row.features ?? []),
  ];
  return {
    name: 'qSupported',
    handle: (session, args) => {
      const theirs = new Set(args.slice(1).split(';'));
      session.client.multiprocess = theirs.has('multiprocess+');
      session.client.swbreak = theirs.has('swbreak+');
      session.client.hwbreak = theirs.has('hwbreak+');
      session.client.errorMessage = theirs.has('error-message+');
      session.target.reportEvents({
        fork: theirs.has('fork-events+'),
        vfork: theirs.has('vfork-events+'),
        exec: theirs.has('exec-events+'),
      });
      return ours.join(';');
    },
  };
}

/** The last stop, or that the machine stands; a new client gets no stale fork or exec. */
function whyStopped(session: Session): Reply {
  const { target, lastStop } = session;
  const thread = target.currentThread() ?? target.threads()[0];
  if (!thread)
    return lastStop && (lastStop.kind === 'exited' || lastStop.kind === 'killed')
      ? stopReply(session, lastStop)
      : exited(session);
  session.general = thread;
  const plain: StopReport = { kind: 'signal', thread, signal: session.signalOf(thread) };
  return stopReply(session, plain);
}

function exited(session: Session): string {
  const status = session.target.exitStatus();
  if (status && 'signal' in status)
    return stopReply(session, { kind: 'killed', pid: 0, signal: status.signal, last: true });
  return stopReply(session, { kind: 'exited', pid: 0, code: status ? status.code : 0, last: true });
}

/** A process that the client names, or the only one it can mean. */
function processOf(session: Session, text: string): number | undefined {
  const pid = text === '' ? (session.process ?? session.target.processes()[0]) : parseHexNumber(text);
  return pid !== undefined && session.target.processes().includes(pid) ? pid : undefined;
}

function leave(session: Session): void {
  session.lastStop = undefined;
  if (session.target.processes().length === 0) session.state = session.target.exitStatus() ? 'exited' : 'detached';
}

function detach(session: Session, args: string): Reply {
  const pid = processOf(session, args.replace(/^;/, ''));
  if (pid === undefined) return session.target.processes().length === 0 ? 'OK' : E_THREAD;
  session.target.detach(pid);
  leave(session);
  return 'OK';
}

function kill(session: Session, args: string): Reply {
  const pid = processOf(session, args.slice(1));
  if (pid === undefined) return E_THREAD;
  session.target.kill(pid);
  leave(session);
  return 'OK';
}

function attach(session: Session, args: string): Reply {
  const pid = parseHexNumber(args.slice(1));
  if (pid === undefined) return E_SYNTAX;
  if (!session.target.attach(pid)) return E_THREAD;
  session.state = 'stopped';
  session.general = session.target.threads().find((thread) => thread.pid === pid);
  return session.general ? stopReply(session, { kind: 'signal', thread: session.general, signal: 0 }) : E_THREAD;
}

export const SESSION_PACKETS: readonly PacketRow[] = [
  { name: '?', handle: whyStopped },
  {
    name: 'QStartNoAckMode',
    features: ['QStartNoAckMode+'],
    handle: (session) => {
      session.client.noAck = true;
      return 'OK';
    },
  },
  { name: '!', handle: () => 'OK' },
  { name: 'qAttached', handle: () => '1' },
  { name: 'D', handle: detach },
  {
    name: 'k',
    handle: (session) => {
      for (const pid of session.target.processes()) session.target.kill(pid);
      leave(session);
      return undefined;
    },
  },
  { name: 'vKill', handle: kill },
  { name: 'vAttach', handle: attach },
];

/** Stop replies (gdb manual, "Stop Reply Packets"), with the registers that save gdb a `g` packet. */
import { readRow } from '../registers/layout.ts';
import type { Session } from '../session.ts';
import type { StopReport, ThreadRef } from '../target.ts';
import { textToHex, toHex } from './encoding.ts';
import { gdbSignal } from './signals.ts';
import { formatThreadId } from './thread-id.ts';

const SIGTRAP = 5;

/** The reply that tells of a stop (gdb manual, Stop Reply Packets). */
export function stopReply(session: Session, report: StopReport): string {
  const { client } = session;
  switch (report.kind) {
    case 'exited':
      return `W${byte(report.code)}${ofProcess(session, report.pid)}`;
    case 'killed':
      return `X${byte(gdbSignal(report.signal))}${ofProcess(session, report.pid)}`;
    case 'no-resumed':
      return 'N';
    case 'signal':
      return tPacket(session, report.thread, gdbSignal(report.signal), '');
    case 'step':
      return tPacket(session, report.thread, SIGTRAP, '');
    case 'breakpoint': {
      const reason = report.hardware ? client.hwbreak && 'hwbreak:;' : client.swbreak && 'swbreak:;';
      return tPacket(session, report.thread, SIGTRAP, reason || '');
    }
    case 'watchpoint':
      return tPacket(session, report.thread, SIGTRAP, `${report.watch}:${report.address.toString(16)};`);
    case 'cs-switch':
      if (report.path !== undefined) return tPacket(session, report.thread, SIGTRAP, `exec:${textToHex(report.path)};`);
      return tPacket(session, report.thread, 0, '');
    case 'fork':
    case 'vfork': {
      const child = formatThreadId(report.child, client.multiprocess);
      return tPacket(session, report.thread, SIGTRAP, `${report.kind}:${child};`);
    }
    case 'vforkdone':
      return tPacket(session, report.thread, SIGTRAP, 'vforkdone:;');
    case 'exec':
      return tPacket(session, report.thread, SIGTRAP, `exec:${textToHex(report.path)};`);
    case 'syscall_entry':
    case 'syscall_return':
      return tPacket(session, report.thread, SIGTRAP, `${report.kind}:${report.nr.toString(16)};`);
  }
}

const byte = (value: number): string => (value & 0xff).toString(16).padStart(2, '0');

const ofProcess = (session: Session, pid: number): string =>
  session.client.multiprocess ? `;process:${pid.toString(16)}` : '';

function tPacket(session: Session, thread: ThreadRef, signal: number, reason: string): string {
  const layout = session.views.of(thread.pid);
  const state = session.target.readState(thread);
  const registers = layout.expedited.map((regnum) => {
    return `${regnum.toString(16).padStart(2, '0')}:${toHex(readRow(layout.rows[regnum]!, state))};`;
  });
  const id = formatThreadId(thread, session.client.multiprocess);
  // gdb ignores registers behind `exec:`, whose layout it does not know yet.
  const expedited = reason.startsWith('exec:') ? '' : registers.join('');
  return `T${byte(signal)}${expedited}thread:${id};core:0;${reason}`;
}

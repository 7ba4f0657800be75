/** Registers in the view's layout: g G p P. */
import { type RegisterLayout, readAll, readRow, writeAll } from '../registers/layout.ts';
import { fromHex, parseHexNumber, toHex } from '../rsp/encoding.ts';
import { E_REFUSED, E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import type { Session } from '../session.ts';
import type { ThreadRef } from '../target.ts';
import type { PacketRow, Reply } from './packet.ts';

function withThread(session: Session, handle: (thread: ThreadRef, layout: RegisterLayout) => Reply): Reply {
  const thread = session.general;
  return thread ? handle(thread, session.views.of(thread.pid)) : E_THREAD;
}

function readOne(session: Session, args: string): Reply {
  return withThread(session, (thread, layout) => {
    const row = layout.rows[parseHexNumber(args) ?? -1];
    return row ? toHex(readRow(row, session.target.readState(thread))) : E_SYNTAX;
  });
}

function writeOne(session: Session, args: string): Reply {
  const [number, hex] = args.split('=', 2);
  return withThread(session, (thread, layout) => {
    const row = layout.rows[parseHexNumber(number) ?? -1];
    const value = fromHex(hex ?? '');
    if (!row || value?.length !== row.bits / 8) return E_SYNTAX;
    const state = session.target.readState(thread);
    row.write(state, value);
    return session.target.writeState(thread, state) ? 'OK' : E_REFUSED;
  });
}

function writeEvery(session: Session, args: string): Reply {
  const bytes = fromHex(args);
  if (!bytes) return E_SYNTAX;
  return withThread(session, (thread, layout) => {
    const state = session.target.readState(thread);
    writeAll(layout, state, bytes);
    return session.target.writeState(thread, state) ? 'OK' : E_REFUSED;
  });
}

export const REGISTER_PACKETS: readonly PacketRow[] = [
  {
    name: 'g',
    handle: (session) =>
      withThread(session, (thread, layout) => toHex(readAll(layout, session.target.readState(thread)))),
  },
  { name: 'G', handle: writeEvery },
  { name: 'p', handle: readOne },
  { name: 'P', handle: writeOne },
];

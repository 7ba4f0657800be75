/** Breakpoints and watchpoints, kept by address in the machine: z0-z4 and Z0-Z4. */

import { parseHex, parseHexNumber } from '../rsp/encoding.ts';
import { E_REFUSED, E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import type { Session } from '../session.ts';
import type { Point, PointKind } from '../target.ts';
import { compileCondition } from './agent.ts';
import type { PacketRow, Reply } from './packet.ts';

const KINDS: readonly PointKind[] = ['software', 'hardware', 'write', 'read', 'access'];

function point(session: Session, args: string, insert: boolean): Reply {
  const [head, ...options] = args.split(';');
  const match = /^([0-9]),([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(head!);
  const address = parseHex(match?.[2]);
  const length = parseHexNumber(match?.[3]);
  if (!match || address === undefined || length === undefined) return E_SYNTAX;
  const kind = KINDS[Number(match[1])];
  if (!kind) return '';
  const pid = session.process;
  if (pid === undefined) return E_THREAD;
  const conditions = options.filter((option) => option.startsWith('X'));
  const condition = conditions.length > 0 ? compileCondition(session, pid, conditions.join(';')) : undefined;
  if (condition === 'bad') return E_SYNTAX;
  const wanted: Point = { kind, address: session.views.address(pid, address), length, condition };
  if (!insert) {
    session.target.removePoint(pid, wanted);
    return 'OK';
  }
  return session.target.insertPoint(pid, wanted) ? 'OK' : E_REFUSED;
}

export const BREAKPOINT_PACKETS: readonly PacketRow[] = [
  { name: 'Z', features: ['ConditionalBreakpoints+'], handle: (session, args) => point(session, args, true) },
  { name: 'z', handle: (session, args) => point(session, args, false) },
];

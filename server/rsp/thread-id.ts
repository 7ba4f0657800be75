/** Thread ids: `TID`, or `pPID.TID` with the multiprocess feature; -1 is all, 0 is any. */
import type { ThreadRef } from '../target.ts';
import { parseHexNumber } from './encoding.ts';

/** As written by the client: `undefined` pid means "not said". */
export interface ThreadSelector {
  readonly pid: number | 'all' | 'any' | undefined;
  readonly tid: number | 'all' | 'any';
}

/** `pPID.TID`, `pPID` or `TID`, where -1 means all (gdb manual, Packets: thread-id). */
export function parseThreadId(text: string): ThreadSelector | undefined {
  const match = /^p(-1|[0-9a-fA-F]+)(?:\.(-1|[0-9a-fA-F]+))?$/.exec(text);
  if (match) {
    const pid = parsePart(match[1]!);
    const tid = match[2] === undefined ? 'all' : parsePart(match[2]);
    return pid === undefined || tid === undefined ? undefined : { pid, tid };
  }
  const tid = parsePart(text);
  return tid === undefined ? undefined : { pid: undefined, tid };
}

function parsePart(text: string): number | 'all' | 'any' | undefined {
  if (text === '-1') return 'all';
  const value = parseHexNumber(text);
  return value === 0 ? 'any' : value;
}

export const formatThreadId = (thread: ThreadRef, multiprocess: boolean): string =>
  multiprocess ? `p${thread.pid.toString(16)}.${thread.tid.toString(16)}` : thread.tid.toString(16);

/** Whether a selector names the thread. */
export function matches(selector: ThreadSelector, thread: ThreadRef): boolean {
  if (typeof selector.pid === 'number' && selector.pid !== thread.pid) return false;
  return typeof selector.tid !== 'number' || selector.tid === thread.tid;
}

/** Going on: vCont vCont? c C s S. */

import { setUserReg } from '../registers/state.ts';
import { parseHex, parseHexNumber } from '../rsp/encoding.ts';
import { E_SYNTAX, E_THREAD } from '../rsp/errors.ts';
import { linuxSignal } from '../rsp/signals.ts';
import { matches, parseThreadId, type ThreadSelector } from '../rsp/thread-id.ts';
import type { Session } from '../session.ts';
import type { ResumeAction, ResumePlan } from '../target.ts';
import type { PacketRow, Reply } from './packet.ts';

const HOLD: ResumeAction = { kind: 'hold' };
const EVERYTHING: ThreadSelector = { pid: undefined, tid: 'all' };

interface Step {
  readonly action: ResumeAction;
  readonly who: ThreadSelector;
}

/** `c`, `C0b`, `s`, `S0b`, `t`, `rSTART,END`. */
function parseAction(text: string): ResumeAction | undefined {
  const kind = text[0];
  const rest = text.slice(1);
  if (kind === 'r') {
    const [start, end] = rest.split(',').map(parseHex);
    return start !== undefined && end !== undefined ? { kind: 'range', start, end } : undefined;
  }
  if (kind === 't') return rest === '' ? HOLD : undefined;
  const withSignal = kind === 'C' || kind === 'S';
  if (!withSignal && kind !== 'c' && kind !== 's') return undefined;
  const number = withSignal ? parseHexNumber(rest) : 0;
  if (number === undefined || (!withSignal && rest !== '')) return undefined;
  return { kind: kind.toLowerCase() === 'c' ? 'continue' : 'step', signal: linuxSignal(number) };
}

function parseSteps(args: string): Step[] | undefined {
  const steps: Step[] = [];
  for (const part of args.split(';').slice(1)) {
    const colon = part.indexOf(':');
    const action = parseAction(colon < 0 ? part : part.slice(0, colon));
    const who = colon < 0 ? EVERYTHING : parseThreadId(part.slice(colon + 1));
    if (!action || !who) return undefined;
    steps.push({ action, who });
  }
  return steps.length > 0 ? steps : undefined;
}

/** The leftmost action that fits a thread counts; a thread without one is held. */
function plan(session: Session, steps: readonly Step[]): ResumePlan {
  const actions = new Map<number, ResumeAction>();
  for (const thread of session.target.threads()) {
    let { action } = steps.find((step) => matches(step.who, thread)) ?? { action: HOLD };
    if (action.kind === 'range') action = inView(session, thread.pid, action);
    actions.set(thread.tid, action);
  }
  const last = steps.find((step) => typeof step.who.tid !== 'number' && step.action.kind === 'continue');
  return { actions, fallback: last ? { kind: 'continue', signal: 0 } : HOLD };
}

const inView = (session: Session, pid: number, range: ResumeAction & { kind: 'range' }): ResumeAction => ({
  kind: 'range',
  start: session.views.address(pid, range.start),
  end: session.views.address(pid, range.end),
});

function resume(session: Session, steps: readonly Step[] | undefined): Reply {
  if (!steps) return E_SYNTAX;
  if (session.state !== 'stopped' || session.target.threads().length === 0) return E_THREAD;
  session.resume(plan(session, steps));
  return undefined;
}

/** `c [ADDR]`, `s [ADDR]`, `C SIG[;ADDR]`, `S SIG[;ADDR]`: for the thread of the last `Hc`, all others run or are held. */
function old(letter: 'c' | 'C' | 's' | 'S') {
  return (session: Session, args: string): Reply => {
    const [signal, address] = letter === 'c' || letter === 's' ? ['', args] : args.split(';', 2);
    const action = parseAction(letter + signal);
    if (!action || (address && parseHex(address) === undefined)) return E_SYNTAX;
    const thread =
      typeof session.continueSelector.tid === 'number' ? session.select(session.continueSelector) : session.general;
    if (!thread) return E_THREAD;
    if (address) {
      const state = session.target.readState(thread);
      setUserReg(state, 'rip', session.views.address(thread.pid, parseHex(address)!));
      session.target.writeState(thread, state);
    }
    const own: Step = { action, who: { pid: thread.pid, tid: thread.tid } };
    const alone = typeof session.continueSelector.tid === 'number' || action.kind === 'step';
    const others: Step = { action: { kind: 'continue', signal: 0 }, who: EVERYTHING };
    return resume(session, alone ? [own] : [own, others]);
  };
}

export const RESUME_PACKETS: readonly PacketRow[] = [
  { name: 'vCont?', handle: () => 'vCont;c;C;s;S;t;r' },
  { name: 'vCont', features: ['vContSupported+'], handle: (session, args) => resume(session, parseSteps(args)) },
  { name: 'c', handle: old('c') },
  { name: 'C', handle: old('C') },
  { name: 's', handle: old('s') },
  { name: 'S', handle: old('S') },
];

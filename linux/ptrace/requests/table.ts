/** Which requests each entry of ptrace(2) knows: arch_ptrace(), ia32_arch_ptrace(), x32_arch_ptrace() and what they fall back on. */
import { PTRACE_GETEVENTMSG } from '../../abi/ptrace.ts';
import type { PtraceRequest, RequestTable } from './call.ts';
import { memory32, memory64 } from './memory.ts';
import { registers32, registers64, regsets32, regsets64 } from './registers.ts';
import { resuming } from './resume.ts';
import { seccompRequests } from './seccomp.ts';
import { archPrctls, threadAreas } from './segments.ts';
import { geteventmsg32, geteventmsg64, siginfo32, siginfo64, signals } from './signals.ts';
import { userArea32, userArea64, userAreaX32 } from './user-area.ts';

/** Later tables replace what is in earlier ones. */
const layers = (...tables: RequestTable[]): RequestTable => new Map(tables.flatMap((table) => [...table]));

/** ptrace_request(). */
const common = layers(
  memory64,
  regsets64,
  resuming,
  siginfo64,
  signals,
  seccompRequests,
  new Map<number, PtraceRequest>([[PTRACE_GETEVENTMSG, geteventmsg64]]),
);

/** compat_ptrace_request(). */
const compat = layers(common, memory32, regsets32, siginfo32, new Map([[PTRACE_GETEVENTMSG, geteventmsg32]]));

export const nativeRequests = layers(common, userArea64, registers64, threadAreas, archPrctls);
export const ia32Requests = layers(compat, userArea32, registers32, threadAreas);
export const x32Requests = layers(compat, userAreaX32, registers64);

/** PTRACE_PEEKTEXT ... PTRACE_POKEDATA: generic_ptrace_peekdata(), compat_ptrace_request(), kernel/ptrace.c. */
import { EIO } from '../../abi/errno.ts';
import { PTRACE_PEEKDATA, PTRACE_PEEKTEXT, PTRACE_POKEDATA, PTRACE_POKETEXT } from '../../abi/ptrace.ts';
import { access_process_vm, copy_to_user } from '../../mm/uaccess.ts';
import { datap, type PtraceRequest, type RequestTable } from './call.ts';

type Word = 4 | 8;

const peek =
  (word: Word): PtraceRequest =>
  (call) => {
    const bytes = access_process_vm(call.child.mm, Number(call.addr), word);
    if (bytes.length !== word) return -EIO;
    return copy_to_user(call.tracer.mm, datap(call), bytes);
  };

const poke =
  (word: Word): PtraceRequest =>
  (call) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, call.data, true);
    return access_process_vm(call.child.mm, Number(call.addr), bytes.subarray(0, word)) === word ? 0 : -EIO;
  };

const table = (word: Word): RequestTable =>
  new Map([
    [PTRACE_PEEKTEXT, peek(word)],
    [PTRACE_PEEKDATA, peek(word)],
    [PTRACE_POKETEXT, poke(word)],
    [PTRACE_POKEDATA, poke(word)],
  ]);

export const memory64 = table(8);
export const memory32 = table(4);

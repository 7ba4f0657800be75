/**
 * The lazy view: which layout the client knows of each process.
 *
 * gdb keeps one description per process and reads it anew only on request (`unset tdesc filename`). So the layout is
 * chosen by CS of the general thread when target.xml is read, and kept until it is read again, whatever CS is by then.
 */
import type { Target, ThreadRef } from '../target.ts';
import { AMD64_LINUX, AMD64_LINUX_AVX512 } from './amd64-linux.ts';
import { I386_LINUX, I386_LINUX_AVX512 } from './i386-linux.ts';
import type { RegisterLayout } from './layout.ts';

export class Views {
  readonly #target: Target;
  readonly #read = new Map<number, RegisterLayout>();

  constructor(target: Target) {
    this.#target = target;
  }

  /** A process whose description was never read is seen by gdb in the default layout of its program file. */
  of(pid: number): RegisterLayout {
    return this.#read.get(pid) ?? this.#layout(this.#target.programBits(pid));
  }

  #layout(bits: 32 | 64): RegisterLayout {
    if (this.#target.avx512) return bits === 64 ? AMD64_LINUX_AVX512 : I386_LINUX_AVX512;
    return bits === 64 ? AMD64_LINUX : I386_LINUX;
  }

  /** target.xml is being read from its start. */
  choose(thread: ThreadRef): RegisterLayout {
    const layout = this.#layout(this.#target.codeBits(thread));
    this.#read.set(thread.pid, layout);
    return layout;
  }

  /** gdb gives a forked child the description of its parent. */
  inherit(parent: number, child: number): void {
    const layout = this.#read.get(parent);
    if (layout) this.#read.set(child, layout);
  }

  /** The client has dropped what it read. */
  forget(pid: number): void {
    this.#read.delete(pid);
  }

  /** A new client has read nothing. */
  reset(): void {
    this.#read.clear();
  }

  /** An address as the client meant it: in the narrow view only 32 bits count. */
  address(pid: number, address: bigint): bigint {
    return this.of(pid).bits === 32 ? address & 0xffff_ffffn : address & 0xffff_ffff_ffff_ffffn;
  }
}

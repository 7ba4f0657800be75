/** The register sets of a task as ptrace and core dumps show them: arch/x86/kernel/ptrace.c, x86_64_regsets, x86_32_regsets. */
import { frstor, fsave, fxrstor, fxsave, XSTATE_SIZE, xrstor, xsave } from '../../cpu/xsave.ts';
import { EFAULT, EINVAL, EIO } from '../abi/errno.ts';
import { user_desc } from '../abi/process.ts';
import {
  FLAG_MASK,
  NT_386_TLS,
  NT_PRFPREG,
  NT_PRSTATUS,
  NT_PRXFPREG,
  NT_X86_XSTATE,
  user_regs_struct,
  user_regs_struct32,
} from '../abi/ptrace.ts';
import { FPX_SW_OFFSET } from '../abi/sigcontext.ts';
import { XFEATURES } from '../signal/fpstate.ts';
import { csOf, loadDataSegment, setUserEntry, ssOf } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';
import { TS_COMPAT } from '../task/thread-info.ts';
import { fill_ldt, fill_user_desc, GDT_ENTRY_TLS_MIN, LDT_empty, LDT_zero } from '../task/tls.ts';

/** `struct user_regset`: one kind of registers. */
export interface UserRegset {
  readonly name: string;
  /** NT_* */
  readonly noteType: number;
  readonly size: number;
  /** Element size: partial transfers are multiples of it. */
  readonly align: number;
  get(task: Task): Uint8Array;
  /** @returns 0 or an errno */
  set(task: Task, bytes: Uint8Array): number;
}

/** `struct user_regset_view`. */
export interface UserRegsetView {
  readonly name: 'x86_64' | 'i386';
  readonly regsets: readonly UserRegset[];
}

const low = (value: bigint): number => Number(value & 0xffff_ffffn);

// ---- general registers

/** getreg() for each word of user_regs_struct. */
export function genregs_get(task: Task): Uint8Array {
  const { regs } = task;
  return user_regs_struct.write({
    r15: regs.r15,
    r14: regs.r14,
    r13: regs.r13,
    r12: regs.r12,
    bp: regs.rbp,
    bx: regs.rbx,
    r11: regs.r11,
    r10: regs.r10,
    r9: regs.r9,
    r8: regs.r8,
    ax: regs.rax,
    cx: regs.rcx,
    dx: regs.rdx,
    si: regs.rsi,
    di: regs.rdi,
    orig_ax: BigInt.asUintN(64, task.origAx),
    ip: regs.rip,
    cs: BigInt(csOf(task)),
    flags: regs.rflags,
    sp: regs.rsp,
    ss: BigInt(ssOf(task)),
    fs_base: regs.fsBase,
    gs_base: regs.gsBase,
    ds: BigInt(regs.ds),
    es: BigInt(regs.es),
    fs: BigInt(regs.fs),
    gs: BigInt(regs.gs),
  });
}

/** invalid_selector(). */
const invalidSelector = (value: number): boolean => value !== 0 && (value & 3) !== 3;

/** putreg() for each word: selectors must be null or of RPL 3, and CS and SS not null. */
function genregs_set(task: Task, bytes: Uint8Array): number {
  const u = user_regs_struct.read(bytes);
  const { regs } = task;
  const cs = Number(u.cs & 0xffffn);
  const ss = Number(u.ss & 0xffffn);
  if (cs === 0 || ss === 0 || invalidSelector(cs) || invalidSelector(ss)) return -EIO;
  for (const segment of ['ds', 'es', 'fs', 'gs'] as const) {
    const selector = Number(u[segment] & 0xffffn);
    if (invalidSelector(selector)) return -EIO;
  }
  const limit = BigInt(task.mm.taskSize);
  if (u.fs_base >= limit || u.gs_base >= limit) return -EIO;
  regs.r15 = u.r15;
  regs.r14 = u.r14;
  regs.r13 = u.r13;
  regs.r12 = u.r12;
  regs.rbp = u.bp;
  regs.rbx = u.bx;
  regs.r11 = u.r11;
  regs.r10 = u.r10;
  regs.r9 = u.r9;
  regs.r8 = u.r8;
  regs.rax = u.ax;
  regs.rcx = u.cx;
  regs.rdx = u.dx;
  regs.rsi = u.si;
  regs.rdi = u.di;
  task.origAx = BigInt.asIntN(64, u.orig_ax);
  regs.rsp = u.sp;
  regs.rflags = (regs.rflags & ~FLAG_MASK) | (u.flags & FLAG_MASK);
  loadSegments(task, u);
  if (regs.fsBase !== u.fs_base) regs.fsBase = u.fs_base;
  if (regs.gsBase !== u.gs_base) regs.gsBase = u.gs_base;
  setUserEntry(task, cs, ss, u.ip);
  return 0;
}

function loadSegments(task: Task, u: { ds: bigint; es: bigint; fs: bigint; gs: bigint }): void {
  for (const segment of ['ds', 'es', 'fs', 'gs'] as const) {
    const selector = Number(u[segment] & 0xffffn);
    if (selector !== task.regs[segment]) loadDataSegment(task, segment, selector);
  }
}

/** genregs32_get(): the low halves. */
export function genregs32_get(task: Task): Uint8Array {
  const { regs } = task;
  return user_regs_struct32.write({
    ebx: low(regs.rbx),
    ecx: low(regs.rcx),
    edx: low(regs.rdx),
    esi: low(regs.rsi),
    edi: low(regs.rdi),
    ebp: low(regs.rbp),
    eax: low(regs.rax),
    ds: regs.ds,
    es: regs.es,
    fs: regs.fs,
    gs: regs.gs,
    orig_eax: low(BigInt.asUintN(64, task.origAx)),
    eip: low(regs.rip),
    cs: csOf(task),
    eflags: low(regs.rflags),
    esp: low(regs.rsp),
    ss: ssOf(task),
  });
}

/** genregs32_set(): an orig_eax that is a number sets TS_COMPAT in this kernel. */
function genregs32_set(task: Task, bytes: Uint8Array): number {
  const u = user_regs_struct32.read(bytes);
  const { regs } = task;
  const cs = u.cs & 0xffff;
  const ss = u.ss & 0xffff;
  if (cs === 0 || ss === 0 || invalidSelector(cs) || invalidSelector(ss)) return -EIO;
  for (const segment of ['ds', 'es', 'fs', 'gs'] as const) if (invalidSelector(u[segment] & 0xffff)) return -EIO;
  regs.rbx = BigInt(u.ebx);
  regs.rcx = BigInt(u.ecx);
  regs.rdx = BigInt(u.edx);
  regs.rsi = BigInt(u.esi);
  regs.rdi = BigInt(u.edi);
  regs.rbp = BigInt(u.ebp);
  regs.rax = BigInt(u.eax);
  regs.rsp = BigInt(u.esp);
  task.origAx = BigInt(u.orig_eax);
  if ((u.orig_eax | 0) >= 0) task.threadInfo.status |= TS_COMPAT;
  regs.rflags = (regs.rflags & ~FLAG_MASK) | (BigInt(u.eflags) & FLAG_MASK);
  loadSegments(task, { ds: BigInt(u.ds), es: BigInt(u.es), fs: BigInt(u.fs), gs: BigInt(u.gs) });
  setUserEntry(task, cs, ss, BigInt(u.eip));
  return 0;
}

// ---- FPU

/** xfpregs_get(): the FXSAVE image. */
const xfpregs: Pick<UserRegset, 'get' | 'set'> = {
  get: (task) => fxsave(task.regs),
  set: (task, bytes) => (fxrstor(task.regs, bytes) ? 0 : -EINVAL),
};

/** fpregs_get() of i386: the FSAVE image. */
const fpregs32: Pick<UserRegset, 'get' | 'set'> = {
  get: (task) => fsave(task.regs),
  set: (task, bytes) => {
    frstor(task.regs, bytes);
    return 0;
  },
};

/** xstateregs_get(): the standard format, the kernel's feature mask in the software bytes. */
const xstateregs: Pick<UserRegset, 'get' | 'set'> = {
  get: (task) => {
    const image = xsave(task.regs, Number(XFEATURES)).slice();
    new DataView(image.buffer).setBigUint64(FPX_SW_OFFSET, XFEATURES, true);
    return image;
  },
  set: (task, bytes) => {
    if (bytes.length < XSTATE_SIZE) return -EFAULT;
    return xrstor(task.regs, bytes, Number(XFEATURES)) ? 0 : -EINVAL;
  },
};

/** regset_tls_get(), regset_tls_set(). */
const tls: Pick<UserRegset, 'get' | 'set'> = {
  get: (task) => {
    const bytes = new Uint8Array(3 * user_desc.size);
    task.tls.forEach((raw, i) => {
      user_desc.writeTo(bytes, fill_user_desc(GDT_ENTRY_TLS_MIN + i, raw), i * user_desc.size);
    });
    return bytes;
  },
  set: (task, bytes) => {
    for (let i = 0; i * user_desc.size < bytes.length; i++) {
      const d = user_desc.read(bytes, i * user_desc.size);
      task.tls[i] = LDT_empty(d) || LDT_zero(d) ? 0n : fill_ldt(d);
    }
    task.kernel.loadTls(task);
    return 0;
  },
};

// ---- views

/** user_x86_64_view. */
export const user_x86_64_view: UserRegsetView = {
  name: 'x86_64',
  regsets: [
    {
      name: 'prstatus',
      noteType: NT_PRSTATUS,
      size: user_regs_struct.size,
      align: 8,
      get: genregs_get,
      set: genregs_set,
    },
    { name: 'prfpreg', noteType: NT_PRFPREG, size: 512, align: 8, ...xfpregs },
    { name: 'xstate', noteType: NT_X86_XSTATE, size: XSTATE_SIZE, align: 8, ...xstateregs },
  ],
};

/** user_x86_32_view. */
export const user_x86_32_view: UserRegsetView = {
  name: 'i386',
  regsets: [
    {
      name: 'prstatus',
      noteType: NT_PRSTATUS,
      size: user_regs_struct32.size,
      align: 4,
      get: genregs32_get,
      set: genregs32_set,
    },
    { name: 'prfpreg', noteType: NT_PRFPREG, size: 108, align: 4, ...fpregs32 },
    { name: 'prxfpreg', noteType: NT_PRXFPREG, size: 512, align: 4, ...xfpregs },
    { name: 'xstate', noteType: NT_X86_XSTATE, size: XSTATE_SIZE, align: 8, ...xstateregs },
    { name: 'tls', noteType: NT_386_TLS, size: 48, align: 16, ...tls },
  ],
};

/** task_user_regset_view(): patch 0005 changes what it looks at. */
export function task_user_regset_view(task: Task): UserRegsetView {
  return task.kernel.ops.task_user_regset_view(task) === 'i386' ? user_x86_32_view : user_x86_64_view;
}

/** find_regset(). */
export const find_regset = (view: UserRegsetView, noteType: number): UserRegset | undefined =>
  view.regsets.find((r) => r.noteType === noteType);

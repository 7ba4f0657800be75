import { Access, PERM_W } from '../../cpu/mmu.ts';
import { EFAULT, ENAMETOOLONG } from '../abi/errno.ts';
import { asciiEnd, asciiSlice, decodeName } from '../abi/names.ts';
import { PAGE_SIZE, pageOffset, TASK_SIZE_MAX, vpnOf } from '../addr.ts';
import { gupAllowed, pageFor, VSYSCALL_VPN } from './fault.ts';
import type { Mm } from './mm.ts';
import { PTE_FILE, pteFrame } from './page-table.ts';
import { VM_MAYREAD, VM_MAYWRITE, VM_READ, VM_SHARED, VM_WRITE } from './vma.ts';

/**
 * Copies between the kernel and user memory: arch/x86/include/asm/uaccess.h, lib/strncpy_from_user.c. The rights of the
 * mappings hold, as they do for the kernel with CR0.WP set.
 */

/** The byte offset in the machine's memory of a user byte, or -1: a fault. */
function resolve(mm: Mm, address: number, access: Access): number {
  const page = Math.floor(address / PAGE_SIZE);
  const translation = mm.translate(page, access);
  return translation < 0 ? -1 : Math.floor(translation / 8) * PAGE_SIZE + (address - page * PAGE_SIZE);
}

/** access_ok(): the range lies in user space. */
export const access_ok = (address: number, size: number): boolean =>
  address >= 0 && size >= 0 && address + size <= TASK_SIZE_MAX;

/** Small copies are made byte by byte: views of the machine's memory cost more than that. */
const SMALL = 64;
/** A page and what of it lies in the next one. */
const FEW_PAGES = 2;

function copyBytes(to: Uint8Array, at: number, from: Uint8Array, source: number, n: number): void {
  if (n > SMALL) to.set(n === from.length ? from : from.subarray(source, source + n), at);
  else for (let i = 0; i < n; i++) to[at + i] = from[source + i]!;
}

/** copy_from_user(): the bytes, or -EFAULT when any of them cannot be read. */
export function copy_from_user(mm: Mm, address: number, size: number): Uint8Array | number {
  if (!access_ok(address, size)) return -EFAULT;
  const out = new Uint8Array(size);
  return copy_from_user_partial(mm, address, out) === size ? out : -EFAULT;
}

/** copy_from_user() into bytes that the caller has. */
export const copy_from_user_into = (mm: Mm, address: number, out: Uint8Array): boolean =>
  access_ok(address, out.length) && copy_from_user_partial(mm, address, out) === out.length;

/** __copy_from_user(): fills `out` as far as user memory can be read. @returns bytes copied */
export function copy_from_user_partial(mm: Mm, address: number, out: Uint8Array): number {
  const { bytes } = mm.frames.memory;
  for (let done = 0; done < out.length; ) {
    const from = resolve(mm, address + done, Access.Read);
    if (from < 0) return done;
    const n = Math.min(PAGE_SIZE - pageOffset(from), out.length - done);
    copyBytes(out, done, bytes, from, n);
    done += n;
  }
  return out.length;
}

/** copy_to_user(). @returns 0 or -EFAULT; what could be written before a fault is written */
export function copy_to_user(mm: Mm, address: number, data: Uint8Array): number {
  if (!access_ok(address, data.length)) return -EFAULT;
  return copy_to_user_partial(mm, address, data) === data.length ? 0 : -EFAULT;
}

/** __copy_to_user(). @returns bytes copied */
export function copy_to_user_partial(mm: Mm, address: number, data: Uint8Array): number {
  const { memory } = mm.frames;
  for (let done = 0; done < data.length; ) {
    const to = resolve(mm, address + done, Access.Write);
    if (to < 0) return done;
    const n = Math.min(PAGE_SIZE - pageOffset(to), data.length - done);
    copyBytes(memory.bytes, to, data, done, n);
    memory.noteWrite(Math.floor(to / PAGE_SIZE));
    done += n;
  }
  return data.length;
}

/** Whether the pages of a range are there and can be written without more ado; not asked of more than a few. */
export function pagesWritable(mm: Mm, address: number, size: number): boolean {
  const last = vpnOf(address + size - 1);
  const first = vpnOf(address);
  if (last - first > FEW_PAGES) return false;
  for (let vpn = first; vpn <= last; vpn++) {
    const found = mm.peek(vpn);
    if (found < 0 || (found & PERM_W) === 0) return false;
  }
  return true;
}

/** clear_user(). @returns 0 or -EFAULT */
export const clear_user = (mm: Mm, address: number, size: number): number =>
  copy_to_user(mm, address, new Uint8Array(size));

/** Where a number lies in the machine's memory; -1 on a fault, and where it crosses the end of a page. */
const numberAt = (mm: Mm, address: number, size: number, access: Access): number =>
  access_ok(address, size) && pageOffset(address) + size <= PAGE_SIZE ? resolve(mm, address, access) : -1;

/** put_user() of a number that `put` writes. @returns 0 or -EFAULT */
function putNumber(mm: Mm, address: number, size: number, put: (view: DataView, at: number) => void): number {
  const { memory } = mm.frames;
  const at = numberAt(mm, address, size, Access.Write);
  if (at < 0) {
    const bytes = new Uint8Array(size);
    put(new DataView(bytes.buffer), 0);
    return copy_to_user(mm, address, bytes);
  }
  put(memory.view, at);
  memory.noteWrite(Math.floor(at / PAGE_SIZE));
  return 0;
}

const fetchWord = (mm: Mm, address: number, size: number): Uint8Array | undefined => {
  const bytes = copy_from_user(mm, address, size);
  return typeof bytes === 'number' ? undefined : bytes;
};

/** get_user() of one byte; undefined on a fault. */
export function get_user_u8(mm: Mm, address: number): number | undefined {
  const at = numberAt(mm, address, 1, Access.Read);
  return at < 0 ? undefined : mm.frames.memory.view.getUint8(at);
}

export function get_user_u16(mm: Mm, address: number): number | undefined {
  const at = numberAt(mm, address, 2, Access.Read);
  if (at >= 0) return mm.frames.memory.view.getUint16(at, true);
  const b = fetchWord(mm, address, 2);
  return b && b[0]! + b[1]! * 0x100;
}

export function get_user_u32(mm: Mm, address: number): number | undefined {
  const at = numberAt(mm, address, 4, Access.Read);
  if (at >= 0) return mm.frames.memory.view.getUint32(at, true);
  const b = fetchWord(mm, address, 4);
  return b && (b[0]! | (b[1]! << 8) | (b[2]! << 16) | (b[3]! << 24)) >>> 0;
}

export function get_user_u64(mm: Mm, address: number): bigint | undefined {
  const at = numberAt(mm, address, 8, Access.Read);
  if (at >= 0) return mm.frames.memory.view.getBigUint64(at, true);
  const b = fetchWord(mm, address, 8);
  return b && new DataView(b.buffer).getBigUint64(0, true);
}

/** put_user(). @returns 0 or -EFAULT */
export const put_user_u8 = (mm: Mm, address: number, value: number): number =>
  putNumber(mm, address, 1, (view, at) => view.setUint8(at, value));

export const put_user_u16 = (mm: Mm, address: number, value: number): number =>
  putNumber(mm, address, 2, (view, at) => view.setUint16(at, value, true));

export const put_user_u32 = (mm: Mm, address: number, value: number): number =>
  putNumber(mm, address, 4, (view, at) => view.setUint32(at, value, true));

export const put_user_u64 = (mm: Mm, address: number, value: bigint | number): number =>
  putNumber(mm, address, 8, (view, at) => view.setBigUint64(at, BigInt(value), true));

/** The bytes of a string up to its NUL, at most `max`; -EFAULT, or -ENAMETOOLONG when no NUL is among them. */
export function strnbytes_from_user(mm: Mm, address: number, max: number): Uint8Array | number {
  const { bytes } = mm.frames.memory;
  const parts: number[] = [];
  for (let at = address; parts.length < max; ) {
    const from = access_ok(at, 1) ? resolve(mm, at, Access.Read) : -1;
    if (from < 0) return -EFAULT;
    const n = Math.min(PAGE_SIZE - (from % PAGE_SIZE), max - parts.length);
    for (let i = 0; i < n; i++) {
      const byte = bytes[from + i]!;
      if (byte === 0) return Uint8Array.from(parts);
      parts.push(byte);
    }
    at += n;
  }
  return -ENAMETOOLONG;
}

/** strncpy_from_user() as getname() uses it. */
export function strncpy_from_user(mm: Mm, address: number, max: number): string | number {
  // Nearly all names are short, of ASCII, and lie within a page.
  const from = access_ok(address, 1) ? resolve(mm, address, Access.Read) : -1;
  if (from < 0) return -EFAULT;
  const memory = mm.frames.memory.bytes;
  const end = asciiEnd(memory, from, from + Math.min(PAGE_SIZE - pageOffset(from), max));
  if (end >= 0) return asciiSlice(memory, from, end);
  const bytes = strnbytes_from_user(mm, address, max);
  return typeof bytes === 'number' ? bytes : decodeName(bytes);
}

/** The byte offset in the machine's memory of a byte of another task, or -1; get_user_pages() with FOLL_FORCE. */
function gup(mm: Mm, address: number, write: boolean, force: boolean): number {
  const vpn = Math.floor(address / PAGE_SIZE);
  const offset = address - vpn * PAGE_SIZE;
  if (vpn === VSYSCALL_VPN) {
    const translation = write ? -1 : mm.translate(vpn, Access.Read);
    return translation < 0 ? -1 : Math.floor(translation / 8) * PAGE_SIZE + offset;
  }
  const vma = mm.vmaAt(address);
  if (vma === undefined || !gupAllowed(vma)) return -1;
  if (write) {
    if ((vma.flags & VM_WRITE) === 0) {
      // Only where the write makes a private copy: is_cow_mapping().
      if (!force || (vma.flags & (VM_SHARED | VM_MAYWRITE)) !== VM_MAYWRITE) return -1;
    }
  } else if ((vma.flags & VM_READ) === 0 && (!force || (vma.flags & VM_MAYREAD) === 0)) return -1;
  const pte = pageFor(mm, vma, vpn, write);
  return pte < 0 ? -1 : pteFrame(pte) * PAGE_SIZE + offset;
}

/**
 * access_process_vm(), mm/memory.c, for reading: what ptrace and a debugger see. Never faults.
 * @returns the bytes that could be read: shorter than `size` at the first hole
 */
export function access_process_vm(
  mm: Mm,
  address: number,
  size: number,
  options?: { readonly force?: boolean },
): Uint8Array;
/** access_process_vm() for writing; `force` writes where the task itself could not, on a private copy. @returns bytes written */
export function access_process_vm(
  mm: Mm,
  address: number,
  data: Uint8Array,
  options?: { readonly force?: boolean },
): number;
export function access_process_vm(
  mm: Mm,
  address: number,
  what: number | Uint8Array,
  options: { readonly force?: boolean } = {},
): Uint8Array | number {
  const force = options.force ?? true;
  const { memory } = mm.frames;
  const out = typeof what === 'number' ? new Uint8Array(what) : what;
  const write = typeof what !== 'number';
  let done = 0;
  while (done < out.length) {
    const at = gup(mm, address + done, write, force);
    if (at < 0) break;
    const n = Math.min(PAGE_SIZE - (at % PAGE_SIZE), out.length - done);
    if (write) {
      memory.bytes.set(out.subarray(done, done + n), at);
      memory.noteWrite(Math.floor(at / PAGE_SIZE));
    } else out.set(memory.bytes.subarray(at, at + n), done);
    done += n;
  }
  if (write) return done;
  return done === out.length ? out : out.subarray(0, done);
}

/** A key for a shared futex word: the frame's owner and offset; undefined on a fault. get_futex_key(), kernel/futex.c. */
export function futexKey(mm: Mm, address: number, shared: boolean): string | undefined {
  if (!shared) return `p${mm.id}:${address}`;
  const vpn = Math.floor(address / PAGE_SIZE);
  const translation = mm.translate(vpn, Access.Read);
  if (translation < 0) return undefined;
  if ((mm.pages.get(vpn) & PTE_FILE) === 0) return `p${mm.id}:${address}`;
  return `f${Math.floor(translation / 8)}:${address % PAGE_SIZE}`;
}

/** Where things are in the test's address space, and the segments of its LDT; the same natively and in the emulator. */

export const PAGE = 4096;

/** Code to execute: one slot per case of a batch. */
export const CODE_BASE = 0x10000000;
export const CODE_SIZE = 0x80000;
export const SLOT_SIZE = 128;
export const SLOTS = CODE_SIZE / SLOT_SIZE;
/** Bytes of code in a case. */
export const CODE_BYTES = 96;

/** Code pages with nothing executable behind them: what follows is absent (even ones) or data (odd ones). */
export const EDGE_BASE = 0x18000000;
export const EDGES = 64;
export const EDGE_STRIDE = 2 * PAGE;

/** Three writable pages, then a read-only one; nothing is mapped before and behind them. */
export const DATA_BASE = 0x20000000;
export const DATA_SIZE = 0x4000;
export const READ_ONLY_OFFSET = 0x3000;
/** Base of the segment with selector 0x63. */
export const TLS_BASE = DATA_BASE + 0x1000;

export const USER32_CS = 0x23;
export const USER_DS = 0x2b;
export const USER_CS = 0x33;
export const TLS_SELECTOR = 0x63;

/** What modify_ldt takes (struct user_desc). `contents`: 0 data, 1 data that expands down, 2 code, 3 conforming code. */
export interface UserDescriptor {
  readonly base: number;
  readonly limit: number;
  readonly big: boolean;
  readonly contents: 0 | 1 | 2 | 3;
  readonly readExecOnly?: boolean;
  readonly pages?: boolean;
  readonly absent?: boolean;
}

const WINDOW = 0x10000;
const windows = CODE_SIZE / WINDOW;

/** The first ones are 16-bit code segments over 64 KiB each of the code slots. */
export const LDT: readonly UserDescriptor[] = [
  ...Array.from(
    { length: windows },
    (_, n): UserDescriptor => ({ base: CODE_BASE + n * WINDOW, limit: 0xffff, big: false, contents: 2 }),
  ),
  { base: 0, limit: 0xfffff, big: true, contents: 2, pages: true },
  { base: CODE_BASE, limit: CODE_SIZE - 1, big: true, contents: 2, readExecOnly: true },
  { base: CODE_BASE, limit: 0x4321, big: true, contents: 2 },
  { base: 0, limit: 0xfffff, big: true, contents: 2, pages: true, absent: true },
  { base: 0, limit: 0xfffff, big: true, contents: 3, pages: true, absent: true },
  { base: DATA_BASE, limit: DATA_SIZE - 1, big: true, contents: 0 },
  { base: DATA_BASE, limit: 0x17ff, big: true, contents: 0 },
  { base: DATA_BASE, limit: 0x2fff, big: true, contents: 0, readExecOnly: true },
  { base: DATA_BASE, limit: 0xfff, big: true, contents: 1 },
  { base: DATA_BASE, limit: 0x7ff, big: false, contents: 1 },
  { base: DATA_BASE, limit: 1, big: true, contents: 1, pages: true, readExecOnly: true },
  { base: DATA_BASE, limit: DATA_SIZE - 1, big: false, contents: 0 },
  { base: DATA_BASE, limit: 0xffff, big: false, contents: 0 },
  { base: 0, limit: 0xfffff, big: true, contents: 0, pages: true },
  { base: TLS_BASE, limit: 0xfffff, big: true, contents: 0, pages: true },
  { base: DATA_BASE, limit: 0xfff, big: true, contents: 0, absent: true },
  { base: DATA_BASE + 0x1001, limit: 0x1fff, big: true, contents: 0 },
];

export const ldtSelector = (n: number): number => n * 8 + 7;
const matching = (wanted: (d: UserDescriptor) => boolean): readonly number[] =>
  LDT.flatMap((d, n) => (!d.absent && wanted(d) ? [ldtSelector(n)] : []));

/** Those that SS can hold, that the other data registers can, and 32-bit code. */
export const STACK_SELECTORS = matching((d) => d.contents < 2 && !d.readExecOnly);
export const DATA_SELECTORS = matching((d) => d.contents < 2);
export const CODE_SELECTORS = matching((d) => d.contents === 2 && d.big);
export const code16Selector = (address: number): number => ldtSelector(Math.floor((address - CODE_BASE) / WINDOW));

/** Anything a program may try to load, good and bad. */
export const SELECTORS: readonly number[] = [
  ...[0, 1, 2, 3, USER32_CS, USER_DS, USER_CS, TLS_SELECTOR, 0x20, 0x28, 0x30, 0x2a, 0x31],
  ...[0x08, 0x10, 0x18, 0x1b, 0x13, 0x3b, 0x40, 0x43, 0x50, 0x6b, 0x7b, 0x80, 0x83, 0xfff8, 0xfffb],
  ...LDT.map((_, n) => ldtSelector(n)),
  ...[0x04, 0x44, LDT.length * 8 + 7, 0xffff],
];

/** The base of a segment that a case may hold. */
export function baseOf(selector: number): number {
  if (selector === TLS_SELECTOR) return TLS_BASE;
  return selector & 4 ? (LDT[selector >> 3]?.base ?? 0) : 0;
}

/** Is the stack (or the data segment that expands down) of 32 bits? */
export const isBig = (selector: number): boolean => !(selector & 4) || LDT[selector >> 3]!.big;

/** The descriptor as fill_ldt() makes it (arch/x86/include/asm/desc.h). */
export function rawDescriptor(d: UserDescriptor): bigint {
  const type = (d.readExecOnly ? 0 : 2) | (d.contents << 2) | 1;
  const access = type | 0x70 | (d.absent ? 0 : 0x80);
  const flags = (d.big ? 4 : 0) | (d.pages ? 8 : 0);
  return (
    BigInt(d.limit & 0xffff) |
    (BigInt(d.base & 0xffffff) << 16n) |
    (BigInt(access) << 40n) |
    (BigInt((d.limit >> 16) & 15) << 48n) |
    (BigInt(flags) << 52n) |
    (BigInt(d.base >>> 24) << 56n)
  );
}

/** struct user_desc: entry number, base, limit, flags. */
export function userDescriptorWords(d: UserDescriptor, n: number): readonly number[] {
  const flags =
    (d.big ? 1 : 0) | (d.contents << 1) | (d.readExecOnly ? 8 : 0) | (d.pages ? 16 : 0) | (d.absent ? 32 : 0);
  return [n, d.base, d.limit, flags];
}

export const slotAddress = (slot: number): number => CODE_BASE + slot * SLOT_SIZE;
/** End of the executable page of an edge. */
export const edgeEnd = (edge: number): number => EDGE_BASE + edge * EDGE_STRIDE + PAGE;

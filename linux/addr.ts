/**
 * User addresses. A canonical user address is below 2^47 and so exact in a double; bit operators cut it to 32 bits,
 * so page arithmetic goes through the helpers here.
 */
declare const brand: unique symbol;
export type Addr = number & { readonly [brand]: 'Addr' };

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
/** TASK_SIZE_MAX, arch/x86/include/asm/processor.h. */
export const TASK_SIZE_MAX = 0x7fff_ffff_f000;
/** IA32_PAGE_OFFSET with ADDR_LIMIT_3GB off: TASK_SIZE of a task with TIF_ADDR32. */
export const TASK_SIZE_IA32 = 0xffff_e000;

/** The gate from register contents: `undefined` is no user address (so -EFAULT, or #GP in the CPU). */
export function addr(raw: bigint | number): Addr | undefined {
  return raw >= 0 && raw < 0x8000_0000_0000 ? (Number(raw) as Addr) : undefined;
}
/** A number known to be a user address. */
export const asAddr = (n: number): Addr => n as Addr;
export const vpnOf = (a: number): number => Math.floor(a / PAGE_SIZE);
export const pageOf = (a: number): Addr => (Math.floor(a / PAGE_SIZE) * PAGE_SIZE) as Addr;
/** The remainder by hand: V8 calls a function for `%` of numbers beyond 32 bits. */
export const pageOffset = (a: number): number => a - Math.floor(a / PAGE_SIZE) * PAGE_SIZE;
/** PAGE_ALIGN(). */
export const pageAlign = (a: number): Addr => pageOf(a + PAGE_SIZE - 1);
export const hex = (a: number | bigint): string => `0x${a.toString(16)}`;

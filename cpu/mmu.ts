/** The port through which the CPU asks for a translation on a TLB miss. An `Mm` of the kernel implements it. */

export const Access = { Read: 0, Write: 1, Fetch: 2 } as const;
export type Access = (typeof Access)[keyof typeof Access];

/** Permission bits of a translation. */
export const PERM_R = 1;
export const PERM_W = 2;
export const PERM_X = 4;

/** Page-fault error code bits, Intel SDM vol. 3, 4.7. */
export const PF_PRESENT = 1;
export const PF_WRITE = 2;
export const PF_USER = 4;
export const PF_INSTR = 16;

export interface Mmu {
  /**
   * Translates a page for one access; demand paging, copy-on-write and stack growth happen inside.
   * @param vpn linear address >> 12 as an unsigned 52-bit number (kernel half included: 0xfffffffff...)
   * @returns `frame * 8 + perms` (perms = PERM_* that the CPU may cache without asking again: a copy-on-write page has
   *   no PERM_W until written), or `-1 - errorCode` (PF_* bits) for a page fault.
   */
  translate(vpn: number, access: Access): number;
  /**
   * Translates a page as it is, without side effects: `frame * 8 + perms`, or a negative number when the page is not
   * there or not to be had without more ado. An Mmu without it keeps the translator off.
   */
  peek?(vpn: number): number;
}

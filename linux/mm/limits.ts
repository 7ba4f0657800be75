/**
 * Blocks of this many pages get their frames together, so that neighbours in memory are neighbours in the machine: the CPU
 * goes through them without asking for each page. Frames that nobody touches cost the host nothing.
 */
export const RUN_PAGES = 256;
/** DEFAULT_MAX_MAP_COUNT, include/linux/mm.h. */
export const MAX_MAP_COUNT = 65530;
/** Mappings of all address spaces together: each costs the server some 200 bytes. */
export const MAX_VMAS = 1 << 20;
/** mmap_min_addr (CONFIG_DEFAULT_MMAP_MIN_ADDR). */
export const MMAP_MIN_ADDR = 0x1_0000;
